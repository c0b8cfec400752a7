//! The sealed graph: it is immutable and acyclic, and only this form is scheduled, printed and explained.
//!
//! The nodes are in one dense vector, by [`NodeId`]. petgraph sorts them and finds cycles; its own index is used in this file
//! only. Edges lead from a node to the nodes that wait for it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use petgraph::Direction::Incoming;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef as _;

use crate::error::GraphError;
use crate::inputs::InputFile;
use crate::node::{Node, NodeId};

/// An immutable graph without cycles.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    /// All nodes, each after the nodes it waits for. If several nodes could come next, the one that was added first comes first.
    order: Vec<NodeId>,
}

impl Graph {
    /// Makes the graph of nodes whose edges all lead to nodes among them.
    pub(crate) fn new(nodes: Vec<Node>) -> Result<Self, GraphError> {
        let count = nodes.iter().map(|node| node.deps.len() + node.after.len()).sum();
        let mut edges = DiGraph::with_capacity(nodes.len(), count);
        for _ in &nodes {
            edges.add_node(());
        }
        for (id, node) in ids(nodes.len()).zip(&nodes) {
            for earlier in node.deps().chain(node.after.iter().copied()) {
                edges.add_edge(inner(earlier), inner(id), ());
            }
        }
        let order = sorted(&edges);
        if order.len() < nodes.len() {
            let path = cycle(&edges)
                .into_iter()
                .map(|id| nodes[id.index()].label.to_string())
                .collect();
            return Err(GraphError::Cycle { path });
        }
        Ok(Self { nodes, order })
    }

    /// Returns the number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns a node of this graph.
    ///
    /// # Panics
    ///
    /// Panics if the id belongs to another graph and this graph has fewer nodes.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Adds the files that a node was seen to read to its inputs; see [`Node::observing`]. The keys of nodes that depend on it do
    /// not change, because they contain its static key.
    pub fn observe(&mut self, id: NodeId, files: impl IntoIterator<Item = InputFile>) {
        self.nodes[id.index()] = self.nodes[id.index()].observing(files);
    }

    /// Returns the ids of all nodes, in the order in which they were added.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = NodeId> + DoubleEndedIterator + use<> {
        ids(self.nodes.len())
    }

    /// Returns all nodes and their ids, in the order in which they were added.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeId, &Node)> {
        self.ids().zip(&self.nodes)
    }

    /// Returns all nodes, each after everything it waits for.
    pub fn topological(&self) -> &[NodeId] {
        &self.order
    }

    /// Returns the nodes whose keys are part of the node's key, in that order.
    pub fn deps(&self, id: NodeId) -> impl ExactSizeIterator<Item = NodeId> + DoubleEndedIterator {
        self.node(id).deps()
    }

    /// Returns the nodes that the node waits for without depending on them.
    pub fn after(&self, id: NodeId) -> &[NodeId] {
        self.node(id).after()
    }
}

fn ids(count: usize) -> impl ExactSizeIterator<Item = NodeId> + DoubleEndedIterator {
    // The builder refuses nodes that cannot be numbered, so this cannot saturate.
    (0..u32::try_from(count).unwrap_or(u32::MAX)).map(NodeId)
}

fn inner(id: NodeId) -> NodeIndex {
    NodeIndex::from(id.0)
}

fn outer(index: NodeIndex) -> NodeId {
    // The index type of the petgraph graph is `u32`, so this cannot saturate.
    NodeId(u32::try_from(index.index()).unwrap_or(u32::MAX))
}

/// Sorts the nodes by Kahn's algorithm, smallest id first. Nodes on cycles, and nodes after them, are left out.
fn sorted(edges: &DiGraph<(), ()>) -> Vec<NodeId> {
    let mut missing: Vec<usize> = edges
        .node_indices()
        .map(|index| edges.edges_directed(index, Incoming).count())
        .collect();
    let mut ready: BinaryHeap<_> = edges.externals(Incoming).map(Reverse).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(outer(index));
        for next in edges.neighbors(index) {
            missing[next.index()] -= 1;
            if missing[next.index()] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    order
}

/// Returns a shortest cycle through the first node that is on a cycle, as a path against the edges: each node waits for the next
/// one.
fn cycle(edges: &DiGraph<(), ()>) -> Vec<NodeId> {
    let components = tarjan_scc(edges);
    let on_cycle = components.iter().filter(|members| members.len() > 1).flatten().copied();
    let loops = edges
        .edge_references()
        .filter(|edge| edge.source() == edge.target())
        .map(|edge| edge.source());
    let Some(start) = on_cycle.chain(loops).min() else {
        return Vec::new();
    };
    let mut from = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(index) = queue.pop_front() {
        for earlier in edges.neighbors_directed(index, Incoming) {
            if earlier == start {
                let mut path = vec![outer(start), outer(index)];
                let mut at = index;
                while let Some(&later) = from.get(&at) {
                    path.push(outer(later));
                    at = later;
                }
                path.reverse();
                return path;
            }
            from.entry(earlier).or_insert_with(|| {
                queue.push_back(earlier);
                index
            });
        }
    }
    Vec::new()
}
