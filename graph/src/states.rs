//! The state of each node during a run, and which states can follow which.
//!
//! Invariants, both kept by `set`, the only place where a state changes:
//! - the counters are the number of nodes in each state;
//! - a transition that is not possible is refused, and changes nothing.

use std::fmt;
use std::sync::Arc;

use crate::dag::Graph;
use crate::node::NodeId;
use crate::select::{Need, Selection};

/// The state of a node during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// The run has no use for it.
    Unneeded,
    /// It has to run, and has not started.
    Ready,
    /// It runs.
    Running,
    /// It ended.
    Done(Outcome),
    /// It will not run.
    Skipped,
}

/// How a node ended, as far as the graph cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did what its dependents need.
    Passed,
    /// It did not.
    Failed,
    /// It did not have to run: a record or the SUT's state stands for it.
    Reused,
}

impl NodeState {
    /// Returns whether nothing will happen to the node any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Unneeded | Self::Done(_) | Self::Skipped)
    }

    /// Returns whether `next` can follow.
    const fn allows(self, next: Self) -> bool {
        match self {
            Self::Ready => matches!(next, Self::Running | Self::Skipped),
            // Back to `Ready`: its SUT was lost, and another one will run it.
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

/// A transition that is not possible: a defect of the caller that asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{node}` is {from} and cannot become {to}")]
pub struct StateError {
    /// The name of the node.
    pub node: String,
    /// The state it is in.
    pub from: NodeState,
    /// The state it was to come into.
    pub to: NodeState,
}

/// How many nodes are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`NodeState::Unneeded`]
    pub unneeded: usize,
    /// [`NodeState::Ready`]
    pub ready: usize,
    /// [`NodeState::Running`]
    pub running: usize,
    /// [`Outcome::Passed`]
    pub passed: usize,
    /// [`Outcome::Failed`]
    pub failed: usize,
    /// [`Outcome::Reused`]
    pub reused: usize,
    /// [`NodeState::Skipped`]
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
    /// Begins a run of what is selected.
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
    /// If the node is of another, larger graph.
    pub fn of(&self, id: NodeId) -> NodeState {
        self.states[id.index()]
    }

    /// Returns how many nodes are in each state.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns whether every node has come to its end.
    pub const fn is_over(&self) -> bool {
        self.counts.left() == 0
    }

    /// Starts a node.
    pub fn start(&mut self, id: NodeId) -> Result<(), StateError> {
        self.set(id, NodeState::Running)
    }

    /// Ends a node that runs.
    pub fn end(&mut self, id: NodeId, outcome: Outcome) -> Result<(), StateError> {
        self.set(id, NodeState::Done(outcome))
    }

    /// Takes a node back that runs, to be started again: the SUT that ran it was lost, or it is to be tried once more.
    pub fn give_back(&mut self, id: NodeId) -> Result<(), StateError> {
        self.set(id, NodeState::Ready)
    }

    /// Skips a node that has not started.
    pub fn skip(&mut self, id: NodeId) -> Result<(), StateError> {
        self.set(id, NodeState::Skipped)
    }

    /// The only place where a state changes.
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
