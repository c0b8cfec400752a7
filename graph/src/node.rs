//! A node of the graph: names for people, a key, inputs, and edges.

use std::fmt;
use std::sync::Arc;

use crate::digest::{ActionKey, OutputDigest};
use crate::encode::KeyHasher;
use crate::inputs::{InputFile, Inputs};
use crate::manifest::{Manifest, Visitor};
use crate::name::{Kind, NodeName};

/// The version of what the fields of a node mean. It is part of every key, so a change makes all records useless.
const VERSION: u64 = 1;

/// The id of a node in its graph. It means nothing in another graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// Returns the position of the node in the graph. Positions are dense and start at 0, so they can index tables of nodes.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node. Only [`crate::GraphBuilder`] makes nodes, so the key always fits the inputs.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) names: Vec<NodeName>,
    pub(crate) label: Arc<str>,
    pub(crate) inputs: Inputs,
    pub(crate) key: ActionKey,
    pub(crate) deps: Box<[Dep]>,
    pub(crate) after: Vec<NodeId>,
    pub(crate) output: Option<OutputDigest>,
}

/// A dependency that is part of the key.
#[derive(Clone, Debug)]
pub(crate) struct Dep {
    pub(crate) id: NodeId,
    pub(crate) key: ActionKey,
    pub(crate) label: Arc<str>,
}

impl Node {
    /// Returns all names of the node, in the order in which they were given. There is at least one.
    pub fn names(&self) -> &[NodeName] {
        &self.names
    }

    /// Returns the text of the first name.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Returns what the node does.
    pub const fn kind(&self) -> Kind {
        self.inputs.kind()
    }

    /// Returns what the node depends on, apart from other nodes.
    pub const fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Returns the node's identity.
    pub const fn key(&self) -> ActionKey {
        self.key
    }

    /// Returns the nodes whose keys are part of this node's key, in that order.
    pub fn deps(&self) -> impl ExactSizeIterator<Item = NodeId> + DoubleEndedIterator {
        self.deps.iter().map(|dep| dep.id)
    }

    /// Returns the nodes that this node waits for without depending on them.
    pub fn after(&self) -> &[NodeId] {
        &self.after
    }

    /// Returns the digest of what the node produced, if it is known when the graph is made, as for discover nodes. It is for
    /// display.
    pub const fn output(&self) -> Option<OutputDigest> {
        self.output
    }

    /// Returns whether the file at `path` is an input by the rules. Observed inputs do not count.
    pub fn depends_on(&self, path: &str) -> bool {
        match &self.inputs {
            Inputs::Test(inputs) => inputs.files.holds(path),
            Inputs::Prepare(inputs) => inputs.files.holds(path),
            Inputs::Discover(_) | Inputs::Finish(_) => false,
        }
    }

    /// Returns whether the file at `path` is an input, by the rules or by observation.
    pub fn reads(&self, path: &str) -> bool {
        let observed = match &self.inputs {
            Inputs::Test(inputs) => inputs.observed.holds(path),
            Inputs::Prepare(inputs) => inputs.observed.holds(path),
            Inputs::Discover(_) | Inputs::Finish(_) => false,
        };
        observed || self.depends_on(path)
    }

    /// Returns the node with these observed inputs in place of earlier ones, and with the key for them. Files that are inputs by
    /// the rules are ignored here. If no other files are left, the key is the static one.
    #[must_use]
    pub fn observing(&self, files: impl IntoIterator<Item = InputFile>) -> Self {
        let beside: Vec<InputFile> = files.into_iter().filter(|file| !self.depends_on(&file.path)).collect();
        let mut node = self.clone();
        match &mut node.inputs {
            Inputs::Test(inputs) => inputs.observed = beside.into(),
            Inputs::Prepare(inputs) => inputs.observed = beside.into(),
            Inputs::Discover(_) | Inputs::Finish(_) => {}
        }
        node.key = KeyHasher::key_of(&node.action());
        node
    }

    /// Returns everything that the key is made of.
    pub(crate) fn action(&self) -> Action<'_> {
        Action {
            inputs: &self.inputs,
            deps: &self.deps,
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.label)
    }
}

/// Everything that a node's key is made of.
pub(crate) struct Action<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) deps: &'a [Dep],
}

impl Manifest for Action<'_> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        let kind = self.inputs.kind();
        visitor.begin("atex.action", VERSION);
        visitor.choice("kind", kind.ordinal(), kind.word());
        self.inputs.visit(visitor);
        for (position, dep) in (0..).zip(self.deps) {
            visitor.dep(position, dep.key, &dep.label);
        }
    }
}
