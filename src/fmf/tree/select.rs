//! Selection of nodes: fmf's `prune()`.

use super::{Node, Tree};
use crate::fmf::Error;
use crate::fmf::filter::{Filter, FilterError};
use crate::fmf::regex::Pattern;

/// What nodes to select. Everything given must hold; an empty selection gives all leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Take branches too, not only leaves and nodes with `select: true`.
    pub whole: bool,
    /// Regular expressions, one of which must be found in the node's name.
    pub names: Vec<String>,
    /// Keys that must all be there.
    pub keys: Vec<String>,
    /// fmf filters, which must all match.
    pub filters: Vec<String>,
    /// Python expressions, which must all be true.
    pub conditions: Vec<String>,
}

impl Tree {
    /// Returns the selected nodes in the order of [`Tree::climb`].
    pub fn prune(&self, selection: &Selection) -> Result<Vec<Node<'_>>, Error> {
        let filters: Vec<_> = selection
            .filters
            .iter()
            .map(|filter| (filter, Filter::parse(filter)))
            .collect();
        let mut selected = Vec::new();
        for node in self.climb(selection.whole) {
            let has_keys = selection.keys.iter().all(|key| node.data().contains_key(key));
            if has_keys && name_matches(&selection.names, node)? && filters_match(&filters, node)? {
                selected.push(node);
            }
        }
        Ok(selected)
    }
}

/// All patterns are tried, so that one that is invalid is always told.
fn name_matches(names: &[String], node: Node<'_>) -> Result<bool, Error> {
    let mut matched = names.is_empty();
    for name in names {
        let found = Pattern::cached(name).and_then(|pattern| pattern.search(node.name()));
        let found = found.map_err(|error| Error::Pattern {
            pattern: name.clone(),
            problem: error.to_string(),
        })?;
        matched |= found;
    }
    Ok(matched)
}

/// All filters are tried; a key that is missing is as a filter that does not match.
fn filters_match(filters: &[(&String, Filter)], node: Node<'_>) -> Result<bool, Error> {
    let mut matched = true;
    for (text, filter) in filters {
        match filter.matches(node.data(), node.name()) {
            Ok(found) => matched &= found,
            Err(FilterError::Missing { .. }) => return Ok(false),
            Err(FilterError::Pattern(error)) => {
                let (expression, node) = ((*text).clone(), node.name().to_owned());
                return Err(Error::Selection {
                    expression,
                    node,
                    problem: error.to_string(),
                });
            }
        }
    }
    Ok(matched)
}
