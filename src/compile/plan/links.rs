//! `link` of discover: selects tests by what they link to.

use atex_fmf::{Map, Node, Value};

use crate::compile::error::CompileError;
use crate::compile::metadata::names::any_found;
use crate::compile::metadata::read::scalar;

/// The relation of a link that says none.
const RELATES: &str = "relates";
/// The keys of a link that is an id of a node.
const OF_ID: [&str; 4] = ["name", "path", "ref", "url"];

/// A regex for the relation of a link and one for its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkPattern {
    relation: String,
    target: String,
}

impl LinkPattern {
    /// Parses `RELATION:TARGET`, or only a target.
    pub(crate) fn parse(text: &str) -> Self {
        let (relation, target) = text.split_once(':').unwrap_or(("", text));
        Self {
            relation: relation.to_owned(),
            target: target.to_owned(),
        }
    }

    /// Returns whether a node has a link that fits.
    pub(crate) fn fits(&self, node: Node<'_>) -> Result<bool, CompileError> {
        let Some(value) = node.value("link") else {
            return Ok(false);
        };
        for link in value.as_list().unwrap_or(std::slice::from_ref(&value)) {
            for (relation, target) in links(link) {
                if found(&self.relation, &relation)? && found(&self.target, &target)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn found(pattern: &String, text: &str) -> Result<bool, CompileError> {
    any_found(std::slice::from_ref(pattern), text)
}

/// Returns the relation and the target of an item of `link`. The target of an id is its name.
fn links(item: &Value) -> Vec<(String, String)> {
    let name = |id: &Map| id.get("name").and_then(scalar).unwrap_or_default();
    match item {
        Value::Map(map)
            if map
                .keys()
                .all(|key| key.as_str().is_some_and(|key| OF_ID.contains(&key))) =>
        {
            vec![(RELATES.to_owned(), name(map))]
        }
        Value::Map(map) => {
            let links = map.iter().filter(|(key, _)| key.as_str() != Some("note"));
            let link = |(relation, target): (&Value, &Value)| {
                let target = target.as_map().map_or_else(|| scalar(target).unwrap_or_default(), name);
                (relation.to_python_str(), target)
            };
            links.map(link).collect()
        }
        other => vec![(RELATES.to_owned(), scalar(other).unwrap_or_default())],
    }
}
