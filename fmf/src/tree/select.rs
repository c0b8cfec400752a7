//! Selects nodes, as fmf's `prune()` does.

use super::{Node, Tree};
use crate::Error;
use crate::condition::{Condition, ConditionError, Outcome};
use crate::filter::{Filter, FilterError};
use crate::regex::Pattern;
use crate::value::Map;

/// Which nodes to select. All conditions that are given must be true; an empty selection selects all leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Whether branches are selected too, and not only leaves and nodes with `select: true`.
    pub whole: bool,
    /// Regular expressions, one of which must be found in the node's name.
    pub names: Vec<String>,
    /// Keys that the node must all have.
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
        // A text that is not an expression is an error only if a node is actually evaluated with it.
        let conditions: Vec<_> = selection
            .conditions
            .iter()
            .map(|condition| Condition::parse(condition))
            .collect();
        let mut selected = Vec::new();
        for node in self.climb(selection.whole) {
            let has_keys = selection.keys.iter().all(|key| node.has_key(key));
            if !has_keys || !name_matches(&selection.names, node)? {
                continue;
            }
            if !filters.is_empty() || !conditions.is_empty() {
                let data = &node.shared_data();
                if !filters_match(&filters, node, data)? || !conditions_hold(&conditions, node, data)? {
                    continue;
                }
            }
            selected.push(node);
        }
        Ok(selected)
    }
}

/// All patterns are evaluated, so that an invalid one is always reported.
fn name_matches(names: &[String], node: Node<'_>) -> Result<bool, Error> {
    let mut matched = names.is_empty();
    for name in names {
        matched |= Pattern::cached(name)?.search(node.name())?;
    }
    Ok(matched)
}

/// All filters are evaluated. A missing key counts as a filter that does not match.
fn filters_match(filters: &[(&String, Filter)], node: Node<'_>, data: &Map) -> Result<bool, Error> {
    let mut matched = true;
    for (text, filter) in filters {
        match filter.matches(data, node.name()) {
            Ok(found) => matched &= found,
            Err(FilterError::Missing { .. }) => return Ok(false),
            Err(source) => {
                return Err(Error::Filter {
                    filter: (*text).clone(),
                    source,
                });
            }
        }
    }
    Ok(matched)
}

/// Evaluates the conditions up to the first one that misses a name or a key, which counts as not true.
fn conditions_hold(
    conditions: &[Result<Condition, ConditionError>],
    node: Node<'_>,
    data: &Map,
) -> Result<bool, Error> {
    let mut hold = true;
    for condition in conditions {
        let condition = condition.as_ref().map_err(Clone::clone)?;
        match condition.evaluate(data, node.name())? {
            Outcome::Holds => {}
            Outcome::Fails => hold = false,
            Outcome::Missing(_) => return Ok(false),
        }
    }
    Ok(hold)
}
