//! Lint of ids that several tests, plans or stories share.

use std::collections::{BTreeMap, BTreeSet};

use atex_fmf::Node;

use super::{LintCode, Linter};
use crate::compile::metadata::schema::NodeKind;

/// How many names a message shows.
const SHOWN: usize = 3;

/// Checks the ids of all nodes, and reports only nodes with the given names.
pub(super) fn check(linter: &mut Linter<'_>, names: &BTreeSet<&str>) {
    let mut owners: BTreeMap<(&str, &str), Vec<(NodeKind, Node<'_>)>> = BTreeMap::new();
    for (kind, node) in &linter.nodes.all {
        let id = node.data().get("id").and_then(|id| id.as_str());
        if let Some(id) = id.filter(|_| *kind != NodeKind::Other) {
            owners.entry((kind.plural(), id)).or_default().push((*kind, *node));
        }
    }
    for ((word, id), nodes) in owners {
        if nodes.len() < 2 {
            continue;
        }
        let all: Vec<_> = nodes.iter().map(|(_, node)| format!("`{}`", node.name())).collect();
        let more = match all.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let first = all.get(..SHOWN).unwrap_or(&all).join(", ");
        let message = format!("{} {word} have the id `{id}`: {first}{more}", all.len());
        for (kind, node) in nodes {
            if names.contains(node.name()) {
                let scope = linter.scope(kind, node);
                let hint = Some("an id stands for one thing in every place that names it".to_owned());
                linter.add(LintCode::DuplicateId, (&scope, "id"), id, message.clone(), hint);
            }
        }
    }
}
