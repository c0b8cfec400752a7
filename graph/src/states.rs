//! The state of each node during a run, and the transitions between states.
//!
//! Invariants, which `set` keeps as the only place where a state changes:
//! - The counters are the numbers of nodes in each state.
//! - A transition that is not possible is refused and changes nothing.

use std::fmt;
use std::sync::Arc;

use crate::dag::Graph;
use crate::node::NodeId;
use crate::select::{Need, Selection};

/// The state of a node during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// The run does not need it.
    Unneeded,
    /// It has to run and has not started.
    Ready,
    /// It is running.
    Running,
    /// It ended.
    Done(Outcome),
    /// It will not run any more.
    Skipped,
}

/// How a node ended, as far as the graph needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did what its dependents need.
    Passed,
    /// It did not do what its dependents need.
    Failed,
    /// It did not have to run, because a record or the SUT's state takes its place.
    Reused,
}

impl NodeState {
    /// Returns whether the state `next` can follow this one.
    const fn allows(self, next: Self) -> bool {
        match self {
            Self::Ready => matches!(next, Self::Running | Self::Skipped),
            // A node returns to `Ready` if its SUT was lost, so that another SUT will run it.
            Self::Running => matches!(next, Self::Done(_) | Self::Ready),
            Self::Unneeded | Self::Done(_) | Self::Skipped => false,
        }
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unneeded => "unneeded",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done(Outcome::Passed) => "passed",
            Self::Done(Outcome::Failed) => "failed",
            Self::Done(Outcome::Reused) => "reused",
            Self::Skipped => "skipped",
        })
    }
}

/// The error for a transition that is not possible. It shows a defect of the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{node}` is {from} and cannot become {to}")]
pub struct StateError {
    /// The name of the node.
    pub node: String,
    /// The present state of the node.
    pub from: NodeState,
    /// The state that was asked for.
    pub to: NodeState,
}

/// How many nodes are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nodes in [`NodeState::Unneeded`].
    pub unneeded: usize,
    /// Nodes in [`NodeState::Ready`].
    pub ready: usize,
    /// Nodes in [`NodeState::Running`].
    pub running: usize,
    /// Nodes that ended with [`Outcome::Passed`].
    pub passed: usize,
    /// Nodes that ended with [`Outcome::Failed`].
    pub failed: usize,
    /// Nodes that ended with [`Outcome::Reused`].
    pub reused: usize,
    /// Nodes in [`NodeState::Skipped`].
    pub skipped: usize,
}

impl Counts {
    const fn left(&self) -> usize {
        self.ready + self.running
    }

    const fn of(&mut self, state: NodeState) -> &mut usize {
        match state {
            NodeState::Unneeded => &mut self.unneeded,
            NodeState::Ready => &mut self.ready,
            NodeState::Running => &mut self.running,
            NodeState::Done(Outcome::Passed) => &mut self.passed,
            NodeState::Done(Outcome::Failed) => &mut self.failed,
            NodeState::Done(Outcome::Reused) => &mut self.reused,
            NodeState::Skipped => &mut self.skipped,
        }
    }
}

/// The state of every node of a run. It is told what happens, and refuses what cannot happen; it schedules nothing.
///
/// ```
/// use std::sync::Arc;
/// use atex_graph::{GraphBuilder, NodeName, NodeStates, Outcome, Selection, TestInputs};
///
/// let mut builder = GraphBuilder::new();
/// let test = builder.add(NodeName::test("/a"), TestInputs::default().into(), &[], &[])?;
/// let graph = Arc::new(builder.seal()?);
/// let selection = Selection::of(&graph, &[test], |_| false);
///
/// let mut states = NodeStates::new(graph, &selection);
/// states.start(test)?;
/// states.end(test, Outcome::Passed)?;
/// assert!(states.is_over());
/// assert!(states.start(test).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NodeStates {
    graph: Arc<Graph>,
    states: Vec<NodeState>,
    counts: Counts,
}

impl NodeStates {
    /// Makes the states for a run of the selected nodes.
    pub fn new(graph: Arc<Graph>, selection: &Selection) -> Self {
        let state = |id| match selection.need(id) {
            Need::Unneeded => NodeState::Unneeded,
            Need::Reuse => NodeState::Done(Outcome::Reused),
            Need::Run => NodeState::Ready,
        };
        let states: Vec<_> = graph.ids().map(state).collect();
        let mut counts = Counts::default();
        for &state in &states {
            *counts.of(state) += 1;
        }
        Self { graph, states, counts }
    }

    /// Returns the state of a node.
    ///
    /// # Panics
    ///
    /// Panics if the node belongs to another, larger graph.
    pub fn of(&self, id: NodeId) -> NodeState {
        self.states[id.index()]
    }

    /// Returns how many nodes are in each state.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns whether the state of every node is final.
    pub const fn is_over(&self) -> bool {
        self.counts.left() == 0
    }

    /// Takes note that a node starts.
    pub fn start(&mut self, id: NodeId) -> Result<(), StateError> {
        self.set(id, NodeState::Running)
    }

    /// Takes note that a running node ended.
    pub fn end(&mut self, id: NodeId, outcome: Outcome) -> Result<(), StateError> {
        self.set(id, NodeState::Done(outcome))
    }

    /// Makes a running node ready again, because the SUT that ran it was lost or because it is to be tried once more.
    pub fn give_back(&mut self, id: NodeId) -> Result<(), StateError> {
        self.set(id, NodeState::Ready)
    }

    /// Takes note that a node that has not started will not run.
    pub fn skip(&mut self, id: NodeId) -> Result<(), StateError> {
        self.set(id, NodeState::Skipped)
    }

    /// Changes a state. This is the only place that does.
    fn set(&mut self, id: NodeId, to: NodeState) -> Result<(), StateError> {
        let from = self.of(id);
        if !from.allows(to) {
            return Err(StateError {
                node: self.graph.node(id).to_string(),
                from,
                to,
            });
        }
        *self.counts.of(from) -= 1;
        *self.counts.of(to) += 1;
        self.states[id.index()] = to;
        Ok(())
    }
}
