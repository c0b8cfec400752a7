//! Finds why a node has a new key, down to the nodes whose own inputs changed.
//!
//! If the script of a prepare step changed, the test after it only shows that the key of a dependency changed. [`causes`] follows
//! that key to the old record of the dependency, which the caller looks up, and so names the script.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::{Change, diff, render_one};
use crate::dag::Graph;
use crate::node::NodeId;
use crate::transcript::{DEPS, Entry, transcript};

/// A node with the changes of its own inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The node in the new graph.
    pub node: NodeId,
    /// The changes, without those of dependencies whose own changes are listed.
    pub changes: Vec<Change>,
}

/// Finds what changed in a node since its `old` transcript, and in everything that its key depends on. `lookup` gets the earlier
/// short key of a dependency and returns its transcript, if that is known. If it is not known, the change of the key itself is
/// listed. The node comes first and its dependencies follow. Nodes without changes of their own are left out.
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

/// Returns the dependency that a change is about, and the dependency's earlier short key.
fn changed_dep<'a>(graph: &Graph, node: NodeId, change: &'a Change) -> Option<(NodeId, &'a str)> {
    let Change::Changed { old, .. } = change else {
        return None;
    };
    let position = old.path.strip_prefix(DEPS)?.parse().ok()?;
    Some((graph.deps(node).nth(position)?, &old.value))
}

/// Describes causes: first the node's own changes, then those of its dependencies, each below the name of its node.
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
