//! Draws the graph as a tree, for a terminal.
//!
//! Approach: every node is drawn in full once, below its *parent*. The parent is the last node that its key depends on, or else
//! the first node that it comes after. A finish node comes after many tests, so it is drawn beside them, as their last sibling.
//! Every other edge is drawn as a reference (`→ name`), unless the node already lies below that parent, or the edge leads to a
//! finish node.

use std::fmt::Write as _;

use super::caption;
use crate::dag::Graph;
use crate::name::Kind;
use crate::node::NodeId;

/// Draws the graph as a tree with box-drawing characters. `note` adds a text to a node's line.
pub fn tree(graph: &Graph, mut note: impl FnMut(NodeId) -> Option<String>) -> String {
    let forest = Forest::of(graph);
    let mut text = String::new();
    // Each entry has the node, the prefix of its line, whether it is its parent's last child, and whether it is only a reference.
    let mut stack: Vec<_> = forest
        .roots
        .iter()
        .rev()
        .map(|&id| (id, None::<String>, true, false))
        .collect();
    while let Some((id, prefix, last, reference)) = stack.pop() {
        let (branch, below) = match &prefix {
            None => (String::new(), String::new()),
            Some(prefix) if last => (format!("{prefix}└── "), format!("{prefix}    ")),
            Some(prefix) => (format!("{prefix}├── "), format!("{prefix}│   ")),
        };
        if reference {
            let _ = writeln!(text, "{branch}→ {}", caption(graph, id, None));
            continue;
        }
        let _ = writeln!(text, "{branch}{}", caption(graph, id, note(id).as_deref()));
        let (children, references) = (&forest.children[id.index()], &forest.references[id.index()]);
        let lines = references
            .iter()
            .map(|&id| (id, true))
            .chain(children.iter().map(|&id| (id, false)));
        let count = references.len() + children.len();
        let drawn: Vec<_> = lines
            .enumerate()
            .map(|(position, (id, reference))| (id, Some(below.clone()), position + 1 == count, reference))
            .collect();
        stack.extend(drawn.into_iter().rev());
    }
    text
}

/// Says which node is drawn below which.
struct Forest {
    roots: Vec<NodeId>,
    children: Vec<Vec<NodeId>>,
    references: Vec<Vec<NodeId>>,
}

impl Forest {
    fn of(graph: &Graph) -> Self {
        let mut parents: Vec<Option<NodeId>> = vec![None; graph.len()];
        let mut forest = Self {
            roots: Vec::new(),
            children: vec![Vec::new(); graph.len()],
            references: vec![Vec::new(); graph.len()],
        };
        for &id in graph.topological() {
            let parent = parent(graph, id, &parents);
            parents[id.index()] = parent;
            match parent {
                Some(parent) => forest.children[parent.index()].push(id),
                None => forest.roots.push(id),
            }
        }
        for children in &mut forest.children {
            children.sort_by_key(|&id| graph.node(id).kind() == Kind::Finish);
        }
        let spans = forest.spans(graph.len());
        for (id, node) in graph.nodes().filter(|(_, node)| node.kind() != Kind::Finish) {
            for earlier in node.deps().chain(node.after().iter().copied()) {
                let (start, end) = spans[earlier.index()];
                let references = &mut forest.references[earlier.index()];
                if !(start..end).contains(&spans[id.index()].0) && references.last() != Some(&id) {
                    references.push(id);
                }
            }
        }
        forest
    }

    /// Numbers the nodes by a walk from the roots, and returns for each node the range of numbers that it and all nodes below it
    /// have.
    fn spans(&self, count: usize) -> Vec<(usize, usize)> {
        let mut spans = vec![(0, 0); count];
        let mut next = 0;
        let mut stack: Vec<_> = self.roots.iter().map(|&id| (id, false)).collect();
        while let Some((id, left)) = stack.pop() {
            if left {
                spans[id.index()].1 = next;
            } else {
                spans[id.index()].0 = next;
                next += 1;
                stack.push((id, true));
                stack.extend(self.children[id.index()].iter().map(|&child| (child, false)));
            }
        }
        spans
    }
}

/// Returns the node below which a node is drawn. `parents` has the answer for all nodes that it waits for.
fn parent(graph: &Graph, id: NodeId, parents: &[Option<NodeId>]) -> Option<NodeId> {
    let node = graph.node(id);
    let first = node.after().first().copied();
    match node.deps().last() {
        Some(dep) => Some(dep),
        None if node.kind() == Kind::Finish => first.and_then(|test| parents[test.index()]),
        None => first,
    }
}
