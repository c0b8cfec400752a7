//! The graph builder: nodes get their keys as they are added, and equal nodes become one.
//!
//! Invariants: `by_key` and `by_name` contain every node, and the dependencies of a node have smaller ids than the node. That no
//! node waits for itself is checked only at the end, because edges can still be added before.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use crate::dag::Graph;
use crate::digest::{ActionKey, OutputDigest};
use crate::encode::KeyHasher;
use crate::error::GraphError;
use crate::explain::diff;
use crate::inputs::Inputs;
use crate::name::NodeName;
use crate::node::{Action, Dep, Node, NodeId};
use crate::transcript::{transcript, transcript_of};

/// Collects nodes. [`GraphBuilder::seal`] makes the graph of them.
///
/// ```
/// use atex_graph::{FinishInputs, GraphBuilder, NodeName, TestInputs};
///
/// let mut builder = GraphBuilder::new();
/// let inputs = TestInputs { name: "/a".into(), ..TestInputs::default() };
/// let test = builder.add(NodeName::test("/a"), inputs.into(), &[], &[])?;
/// builder.add(NodeName::finish("/plan", 1), FinishInputs::default().into(), &[], &[test])?;
/// let graph = builder.seal()?;
/// assert_eq!(graph.len(), 2);
/// # Ok::<(), atex_graph::GraphError>(())
/// ```
#[derive(Debug, Default)]
pub struct GraphBuilder {
    nodes: Vec<Node>,
    by_key: HashMap<ActionKey, NodeId>,
    by_name: HashMap<NodeName, NodeId>,
}

/// A node with its key. It can be added only to the builder that made it.
#[derive(Debug)]
pub struct Keyed {
    name: NodeName,
    label: Arc<str>,
    inputs: Inputs,
    deps: Box<[Dep]>,
    key: ActionKey,
}

impl Keyed {
    /// Returns the key.
    pub fn key(&self) -> ActionKey {
        self.key
    }
}

impl GraphBuilder {
    /// Makes a builder without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node, or adds a name to the equal node that is there already. `deps` are part of the key, in their order. `after`
    /// only orders nodes, and grows when the same node is added again.
    pub fn add(
        &mut self,
        name: NodeName,
        inputs: Inputs,
        deps: &[NodeId],
        after: &[NodeId],
    ) -> Result<NodeId, GraphError> {
        let keyed = self.key_for(name, inputs, deps)?;
        self.insert(keyed, after)
    }

    /// Computes the key of a node that is not added yet. This is most of the work, and several threads can do it at the same
    /// time.
    pub fn key_for(&self, name: NodeName, inputs: Inputs, deps: &[NodeId]) -> Result<Keyed, GraphError> {
        if name.kind() != inputs.kind() {
            return Err(GraphError::KindMismatch {
                name,
                kind: inputs.kind(),
            });
        }
        let deps = deps
            .iter()
            .map(|&id| self.dep(id, &name))
            .collect::<Result<Box<[_]>, _>>()?;
        let key = KeyHasher::key_of(&Action {
            inputs: &inputs,
            deps: &deps,
        });
        Ok(Keyed {
            label: name.to_string().into(),
            name,
            inputs,
            deps,
            key,
        })
    }

    /// Adds a node that [`GraphBuilder::key_for`] of this builder returned; see [`GraphBuilder::add`].
    pub fn insert(&mut self, node: Keyed, after: &[NodeId]) -> Result<NodeId, GraphError> {
        let Keyed {
            name,
            label,
            inputs,
            deps,
            key,
        } = node;
        for &id in after {
            self.check(id, || name.to_string())?;
        }
        if let Some(&known) = self.by_name.get(&name)
            && self.nodes[known.index()].key != key
        {
            let old = transcript(&self.nodes[known.index()]);
            let new = transcript_of(&Action {
                inputs: &inputs,
                deps: &deps,
            });
            let differs = diff(&old, &new).iter().map(|change| change.path().to_owned()).collect();
            return Err(GraphError::DuplicateName { name, differs });
        }
        let id = match self.by_key.entry(key) {
            Slot::Occupied(same) => *same.get(),
            Slot::Vacant(new) => {
                let Ok(index) = u32::try_from(self.nodes.len()) else {
                    return Err(GraphError::TooMany { name });
                };
                self.nodes.push(Node {
                    names: Vec::new(),
                    label,
                    inputs,
                    key,
                    deps,
                    after: Vec::new(),
                    output: None,
                });
                *new.insert(NodeId(index))
            }
        };
        let node = &mut self.nodes[id.index()];
        node.after.extend_from_slice(after);
        if let Slot::Vacant(slot) = self.by_name.entry(name) {
            node.names.push(slot.key().clone());
            slot.insert(id);
        }
        Ok(id)
    }

    /// Makes `node` wait for `earlier` without changing its key.
    pub fn order(&mut self, earlier: NodeId, node: NodeId) -> Result<(), GraphError> {
        self.check(node, || format!("node {}", node.index()))?;
        self.check(earlier, || self.nodes[node.index()].label.to_string())?;
        self.nodes[node.index()].after.push(earlier);
        Ok(())
    }

    /// Notes the digest of what a node produced, for display.
    pub fn set_output(&mut self, node: NodeId, output: OutputDigest) -> Result<(), GraphError> {
        self.check(node, || format!("node {}", node.index()))?;
        self.nodes[node.index()].output = Some(output);
        Ok(())
    }

    /// Returns the key of a node that was added.
    pub fn key(&self, node: NodeId) -> Option<ActionKey> {
        self.nodes.get(node.index()).map(Node::key)
    }

    /// Checks that no node waits for itself, and makes the graph.
    pub fn seal(mut self) -> Result<Graph, GraphError> {
        for node in &mut self.nodes {
            node.after.sort_unstable();
            node.after.dedup();
        }
        Graph::new(self.nodes)
    }

    fn check(&self, id: NodeId, name: impl FnOnce() -> String) -> Result<&Node, GraphError> {
        self.nodes.get(id.index()).ok_or_else(|| GraphError::Dangling {
            name: name(),
            index: id.index(),
        })
    }

    fn dep(&self, id: NodeId, name: &NodeName) -> Result<Dep, GraphError> {
        let node = self.check(id, || name.to_string())?;
        Ok(Dep {
            id,
            key: node.key,
            label: Arc::clone(&node.label),
        })
    }
}
