//! A run's progress through the graph: the state of each node, and which can start.
//!
//! Invariants, all kept by `set`, the only place where a state changes:
//! - the counters are the number of nodes in each state;
//! - the ready queue holds exactly the nodes that are ready;
//! - `missing` is, for a node that is waiting, the number of edges from nodes that are not over;
//! - what depends on a node that failed or was skipped is skipped before the call that caused it returns.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dag::{Edge, Graph};
use crate::node::NodeId;
use crate::select::{Need, Selection};
use crate::state::{Counts, NodeState, Outcome, SkipReason, StateError};

/// The state of every node of a run. Pure: it is told what happened, and says what can be done.
///
/// ```
/// use std::sync::Arc;
/// use atex_graph::{GraphBuilder, NodeName, NodeState, Outcome, Progress, Selection, TestInputs};
///
/// let mut builder = GraphBuilder::new();
/// let test = builder.add(NodeName::test("/a"), TestInputs::default().into(), &[], &[])?;
/// let graph = Arc::new(builder.seal()?);
/// let selection = Selection::of(&graph, &[test], |_| false);
///
/// let mut progress = Progress::new(graph, &selection, |_| 0);
/// assert_eq!(progress.start_next(), Some(test));
/// progress.end(test, Outcome::Passed)?;
/// assert!(progress.is_over());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Progress {
    graph: Arc<Graph>,
    states: Vec<NodeState>,
    missing: Vec<usize>,
    priority: Vec<u64>,
    ready: BTreeSet<(Reverse<u64>, NodeId)>,
    counts: Counts,
}

impl Progress {
    /// Starts a run of what is selected. Of the nodes that can start, those of higher priority come first, then those that were added first.
    pub fn new(graph: Arc<Graph>, selection: &Selection, priority: impl FnMut(NodeId) -> u64) -> Self {
        let state = |id| match selection.need(id) {
            Need::Unneeded => NodeState::Unneeded,
            Need::Reuse => NodeState::Done(Outcome::Reused),
            Need::Run => NodeState::Waiting,
        };
        let states: Vec<_> = graph.ids().map(state).collect();
        let pending = |id: NodeId| usize::from(!states[id.index()].is_over());
        let missing = graph
            .ids()
            .map(|id| {
                graph.deps(id).map(pending).sum::<usize>() + graph.after(id).iter().copied().map(pending).sum::<usize>()
            })
            .collect();
        let mut counts = Counts::default();
        for &state in &states {
            *counts.of(state) += 1;
        }
        let priority = graph.ids().map(priority).collect();
        let mut progress = Self {
            graph,
            states,
            missing,
            priority,
            ready: BTreeSet::new(),
            counts,
        };
        for id in progress.graph.ids() {
            progress.wake(id);
        }
        progress
    }

    /// The state of a node.
    ///
    /// # Panics
    ///
    /// If the node is of another, larger graph.
    pub fn state(&self, id: NodeId) -> NodeState {
        self.states[id.index()]
    }

    /// How many nodes are in each state.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether nothing runs and nothing can run any more.
    pub const fn is_over(&self) -> bool {
        self.counts.left() == 0
    }

    /// The graph.
    pub const fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The nodes that can start, best first.
    pub fn ready(&self) -> impl Iterator<Item = NodeId> {
        self.ready.iter().map(|&(_, id)| id)
    }

    /// Starts a node that is ready.
    pub fn start(&mut self, id: NodeId) -> Result<(), StateError> {
        self.set(id, NodeState::Running)
    }

    /// Starts the best node that is ready.
    pub fn start_next(&mut self) -> Option<NodeId> {
        let id = self.ready().next()?;
        self.start(id).is_ok().then_some(id)
    }

    /// Ends a node that runs. Returns the nodes that will not run because it failed.
    pub fn end(&mut self, id: NodeId, outcome: Outcome) -> Result<Vec<NodeId>, StateError> {
        self.set(id, NodeState::Done(outcome))?;
        let mut skipped = Vec::new();
        if outcome == Outcome::Failed {
            self.skip_dependents(id, SkipReason::DependencyFailed(id), &mut skipped);
        }
        self.wake_dependents(id, &skipped);
        Ok(skipped)
    }

    /// Puts a node that runs back into the queue: what it ran on was lost, and it says nothing.
    pub fn give_back(&mut self, id: NodeId) -> Result<(), StateError> {
        self.set(id, NodeState::Ready)
    }

    /// Skips a node that has not started, and what depends on it. Returns all that are skipped now.
    pub fn skip(&mut self, id: NodeId, reason: SkipReason) -> Result<Vec<NodeId>, StateError> {
        self.set(id, NodeState::Skipped(reason))?;
        let mut skipped = vec![id];
        self.skip_dependents(id, reason, &mut skipped);
        self.wake_dependents(id, &skipped);
        Ok(skipped)
    }

    /// Skips every node that has not started and is not to be kept (finish nodes are, when the user cancels). Returns them.
    pub fn skip_all(&mut self, reason: SkipReason, keep: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let mut skipped = Vec::new();
        for position in 0..self.graph.topological().len() {
            let id = self.graph.topological()[position];
            if matches!(self.state(id), NodeState::Waiting | NodeState::Ready) && !keep(id) {
                // Both states can be skipped, so this is never refused.
                skipped.extend(self.skip(id, reason).unwrap_or_default());
            }
        }
        skipped
    }

    fn skip_dependents(&mut self, failed: NodeId, reason: SkipReason, skipped: &mut Vec<NodeId>) {
        let mut causes = vec![failed];
        while let Some(cause) = causes.pop() {
            for (id, edge) in self.graph.dependents(cause) {
                // What depends on it cannot have started; what is not waiting is unneeded, or skipped already.
                if edge == Edge::Dep && self.set(id, NodeState::Skipped(reason)).is_ok() {
                    skipped.push(id);
                    causes.push(id);
                }
            }
        }
    }

    /// The only place where a state changes.
    fn set(&mut self, id: NodeId, to: NodeState) -> Result<(), StateError> {
        let from = self.state(id);
        if !from.allows(to) {
            return Err(StateError {
                node: self.graph.node(id).to_string(),
                from,
                to,
            });
        }
        let place = (Reverse(self.priority[id.index()]), id);
        if from == NodeState::Ready {
            self.ready.remove(&place);
        }
        if to == NodeState::Ready {
            self.ready.insert(place);
        }
        *self.counts.of(from) -= 1;
        *self.counts.of(to) += 1;
        self.states[id.index()] = to;
        if to.is_over() {
            let graph = Arc::clone(&self.graph);
            for (later, _) in graph.dependents(id) {
                self.missing[later.index()] -= 1;
            }
        }
        Ok(())
    }

    /// After all that must be skipped is: what waited for these nodes may be able to start.
    fn wake_dependents(&mut self, ended: NodeId, skipped: &[NodeId]) {
        for &id in skipped.iter().chain([&ended]) {
            for (later, _) in self.graph.dependents(id) {
                self.wake(later);
            }
        }
    }

    /// Makes a node ready if it was waiting and nothing is missing.
    fn wake(&mut self, id: NodeId) {
        if self.state(id) == NodeState::Waiting && self.missing[id.index()] == 0 {
            // Waiting nodes can become ready, so this is never refused.
            let _ = self.set(id, NodeState::Ready);
        }
    }
}
