//! Why a node's key is new, followed down to the nodes whose own inputs changed.
//!
//! A test whose prepare step got another script only sees that the key of a dependency changed. [`causes`] follows that key to the
//! old record of the dependency, which the caller looks up, and so names the script.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::{Change, diff, render_one};
use crate::dag::Graph;
use crate::node::NodeId;
use crate::transcript::{DEPS, Entry, transcript};

/// A node with what changed of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The node of the new graph.
    pub node: NodeId,
    /// What changed, without the dependencies whose own changes are told.
    pub changes: Vec<Change>,
}

/// Finds what changed of a node since its `old` transcript, and of everything its key depends on. `lookup` is given the short key
/// of a dependency as it was, and returns its transcript if that is known; where it is not, the change of the key itself is told. The
/// node comes first, then what lies below it; nodes without changes of their own are left out.
pub fn causes(
    graph: &Graph,
    node: NodeId,
    old: &[Entry],
    mut lookup: impl FnMut(&str) -> Option<Vec<Entry>>,
) -> Vec<Cause> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([node]);
    let mut open = vec![(node, old.to_vec())];
    while let Some((node, old)) = open.pop() {
        let mut own = diff(&old, &transcript(graph.node(node)));
        own.retain(|change| {
            let Some((dep, key)) = changed_dep(graph, node, change) else {
                return true;
            };
            if seen.contains(&dep) {
                return false;
            }
            let Some(entries) = lookup(key) else { return true };
            seen.insert(dep);
            open.push((dep, entries));
            false
        });
        if !own.is_empty() {
            found.push(Cause { node, changes: own });
        }
    }
    found
}

/// The dependency that a change speaks of, and its short key as it was.
fn changed_dep<'a>(graph: &Graph, node: NodeId, change: &'a Change) -> Option<(NodeId, &'a str)> {
    let Change::Changed { old, .. } = change else {
        return None;
    };
    let position = old.path.strip_prefix(DEPS)?.parse().ok()?;
    Some((graph.deps(node).nth(position)?, &old.value))
}

/// Describes causes: the node's own changes first, those of what it depends on below the names of the nodes.
pub fn render_causes(graph: &Graph, node: NodeId, causes: &[Cause]) -> String {
    let mut text = String::new();
    for cause in causes {
        let indent = if cause.node == node { "" } else { "  " };
        if cause.node != node {
            let _ = writeln!(text, "{}:", super::visible(graph.node(cause.node).label()));
        }
        for line in cause.changes.iter().map(render_one).collect::<String>().lines() {
            let _ = writeln!(text, "{indent}{line}");
        }
    }
    text
}
