//! The state of a node during a run, and which states can follow which.

use std::fmt;

use crate::node::NodeId;

/// The state of a node during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// The run has no use for it.
    Unneeded,
    /// Something it waits for has not ended.
    Waiting,
    /// It can start.
    Ready,
    /// It runs.
    Running,
    /// It ended.
    Done(Outcome),
    /// It will not run.
    Skipped(SkipReason),
}

/// How a node ended, as far as the graph cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did what its dependents need.
    Passed,
    /// It did not; what depends on it cannot run.
    Failed,
    /// It did not have to run: a record or the SUT's state stands for it.
    Reused,
}

/// Why a node will not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// This node failed, and it depends on it, directly or not.
    DependencyFailed(NodeId),
    /// The user does not want it any more.
    Cancelled,
    /// There is no machine left that it could run on.
    NoSut,
}

impl NodeState {
    /// Whether nothing will happen to the node any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Unneeded | Self::Done(_) | Self::Skipped(_))
    }

    /// Whether `next` can follow.
    pub(crate) const fn allows(self, next: Self) -> bool {
        match self {
            Self::Waiting => matches!(next, Self::Ready | Self::Skipped(_)),
            Self::Ready => matches!(next, Self::Running | Self::Skipped(_)),
            // Back to `Ready`: its SUT was lost, and another one will run it.
            Self::Running => matches!(next, Self::Done(_) | Self::Ready),
            Self::Unneeded | Self::Done(_) | Self::Skipped(_) => false,
        }
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unneeded => "unneeded",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done(Outcome::Passed) => "passed",
            Self::Done(Outcome::Failed) => "failed",
            Self::Done(Outcome::Reused) => "reused",
            Self::Skipped(_) => "skipped",
        })
    }
}

/// A transition that cannot be: a defect of whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{node}` is {from} and cannot become {to}")]
pub struct StateError {
    /// Name of the node.
    pub node: String,
    /// What it is.
    pub from: NodeState,
    /// What it was to become.
    pub to: NodeState,
}

/// How many nodes are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`NodeState::Unneeded`]
    pub unneeded: usize,
    /// [`NodeState::Waiting`]
    pub waiting: usize,
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
    /// Nodes that something will still happen to.
    pub const fn left(&self) -> usize {
        self.waiting + self.ready + self.running
    }

    pub(crate) const fn of(&mut self, state: NodeState) -> &mut usize {
        match state {
            NodeState::Unneeded => &mut self.unneeded,
            NodeState::Waiting => &mut self.waiting,
            NodeState::Ready => &mut self.ready,
            NodeState::Running => &mut self.running,
            NodeState::Done(Outcome::Passed) => &mut self.passed,
            NodeState::Done(Outcome::Failed) => &mut self.failed,
            NodeState::Done(Outcome::Reused) => &mut self.reused,
            NodeState::Skipped(_) => &mut self.skipped,
        }
    }
}
