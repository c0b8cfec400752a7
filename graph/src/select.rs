//! The selection of nodes that must run: the targets and what they need, but nothing else.
//!
//! Rules:
//! 1. A target is needed, unless it is a finish node.
//! 2. A needed node that can be reused is reused, and needs nothing itself. So if all tests of a plan are recorded, no prepare step is
//!    even looked up; and if a SUT is in the state of the last step of a chain, the steps before it are not needed.
//! 3. A needed node that cannot be reused runs, and the nodes its key depends on are needed.
//! 4. A finish node that is a target runs exactly if one of the nodes that it comes after runs.
//!
//! An edge that only orders nodes (`after`) makes nothing needed. Early cutoff needs no rule: a test's key contains its resolved
//! data and not the key of the discover node, so a change of metadata that resolves to the same data finds the same record.

use std::collections::HashSet;

use crate::dag::Graph;
use crate::name::Kind;
use crate::node::NodeId;

/// What has to be done about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Nothing, because the node is not needed.
    Unneeded,
    /// Its record, or the state that the SUT is in already, is used.
    Reuse,
    /// It runs.
    Run,
}

/// What has to be done about each node of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    needs: Vec<Need>,
}

impl Selection {
    /// Applies the rules. `reusable` is called at most once for each node, and only for needed nodes that are not finish nodes.
    ///
    /// ```
    /// use atex_graph::{GraphBuilder, Need, NodeName, Selection, TestInputs};
    ///
    /// let mut builder = GraphBuilder::new();
    /// let test = builder.add(NodeName::test("/a"), TestInputs::default().into(), &[], &[])?;
    /// let graph = builder.seal()?;
    /// assert_eq!(Selection::of(&graph, &[test], |_| false).need(test), Need::Run);
    /// assert_eq!(Selection::of(&graph, &[test], |_| true).need(test), Need::Reuse);
    /// assert_eq!(Selection::of(&graph, &[], |_| false).need(test), Need::Unneeded);
    /// # Ok::<(), atex_graph::GraphError>(())
    /// ```
    pub fn of(graph: &Graph, targets: &[NodeId], mut reusable: impl FnMut(NodeId) -> bool) -> Self {
        let mut selection = Self {
            needs: vec![Need::Unneeded; graph.len()],
        };
        let is_finish = |id: NodeId| graph.node(id).kind() == Kind::Finish;

        let mut wanted: Vec<_> = targets.iter().copied().filter(|&id| !is_finish(id)).collect();
        while let Some(id) = wanted.pop() {
            if selection.need(id) != Need::Unneeded {
                continue;
            }
            let need = if reusable(id) { Need::Reuse } else { Need::Run };
            selection.needs[id.index()] = need;
            if need == Need::Run {
                wanted.extend(graph.deps(id));
            }
        }

        let finishes: HashSet<_> = targets.iter().copied().filter(|&id| is_finish(id)).collect();
        for &id in graph.topological() {
            if finishes.contains(&id) && graph.after(id).iter().any(|&earlier| selection.runs(earlier)) {
                selection.needs[id.index()] = Need::Run;
            }
        }
        selection
    }

    /// Returns what has to be done about a node.
    ///
    /// # Panics
    ///
    /// Panics if the node belongs to another, larger graph.
    pub fn need(&self, id: NodeId) -> Need {
        self.needs[id.index()]
    }

    /// Returns whether a node must run.
    pub fn runs(&self, id: NodeId) -> bool {
        self.need(id) == Need::Run
    }
}
