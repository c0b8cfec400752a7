//! The states of a run's nodes, driven at random and checked after every step against what was done.

use std::collections::BTreeMap;
use std::sync::Arc;

use atex_graph::{
    Counts, Graph, GraphBuilder, Need, NodeId, NodeName, NodeState, NodeStates, Outcome, Selection, TestInputs,
};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::sample::Index;
use proptest::strategy::Strategy;
use proptest::test_runner::TestCaseError;

use crate::model::worlds;

#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    End(Outcome),
    GiveBack,
    Skip,
}

fn steps() -> impl Strategy<Value = (Step, Index)> {
    let step = (0..8_u8).prop_map(|what| match what {
        0..=2 => Step::Start,
        3 => Step::End(Outcome::Passed),
        4 => Step::End(Outcome::Failed),
        5 => Step::End(Outcome::Reused),
        6 => Step::GiveBack,
        _ => Step::Skip,
    });
    (step, any::<Index>())
}

/// What follows from a step on a node that is called this; nothing where the step is not possible.
fn after(state: &str, step: Step) -> Option<&'static str> {
    match (state, step) {
        ("ready", Step::Start) => Some("running"),
        ("ready", Step::Skip) => Some("skipped"),
        ("running", Step::End(Outcome::Passed)) => Some("passed"),
        ("running", Step::End(Outcome::Failed)) => Some("failed"),
        ("running", Step::End(Outcome::Reused)) => Some("reused"),
        ("running", Step::GiveBack) => Some("ready"),
        _ => None,
    }
}

fn check(graph: &Graph, states: &NodeStates, expected: &BTreeMap<NodeId, &'static str>) -> Result<(), TestCaseError> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in graph.ids() {
        prop_assert_eq!(states.of(id).to_string(), expected[&id], "{}", graph.node(id));
        *counts.entry(expected[&id]).or_default() += 1;
    }
    let count = |state: &str| counts.get(state).copied().unwrap_or_default();
    let expected = Counts {
        unneeded: count("unneeded"),
        ready: count("ready"),
        running: count("running"),
        passed: count("passed"),
        failed: count("failed"),
        reused: count("reused"),
        skipped: count("skipped"),
    };
    prop_assert_eq!(states.counts(), expected);
    prop_assert_eq!(states.is_over(), count("ready") + count("running") == 0);
    Ok(())
}

proptest! {
    #[test]
    fn every_transition_is_the_one_asked_for_or_is_refused_and_counts_agree(
        world in worlds(14),
        reusable in vec(any::<bool>(), 14),
        script in vec(steps(), 0..80),
    ) {
        let (graph, ids) = world.build();
        let graph = Arc::new(graph);
        let selection = Selection::of(&graph, &ids, |id| reusable[id.index()]);
        let mut states = NodeStates::new(Arc::clone(&graph), &selection);
        let first = |id: NodeId| match selection.need(id) {
            Need::Unneeded => "unneeded",
            Need::Reuse => "reused",
            Need::Run => "ready",
        };
        let mut expected: BTreeMap<NodeId, &'static str> = graph.ids().map(|id| (id, first(id))).collect();
        check(&graph, &states, &expected)?;
        for (step, index) in script {
            let id = ids[index.index(ids.len())];
            let made = match step {
                Step::Start => states.start(id),
                Step::End(outcome) => states.end(id, outcome),
                Step::GiveBack => states.give_back(id),
                Step::Skip => states.skip(id),
            };
            let next = after(expected[&id], step);
            prop_assert_eq!(made.is_ok(), next.is_some());
            if let Some(next) = next {
                expected.insert(id, next);
            }
            check(&graph, &states, &expected)?;
        }
    }
}

#[test]
fn impossible_transitions_are_refused_and_change_nothing() {
    let mut builder = GraphBuilder::new();
    let test = builder
        .add(NodeName::test("/a"), TestInputs::default().into(), &[], &[])
        .expect("one node");
    let graph = Arc::new(builder.seal().expect("no cycle"));
    let selection = Selection::of(&graph, &[test], |_| false);
    let mut states = NodeStates::new(graph, &selection);

    let error = states.end(test, Outcome::Passed).expect_err("it did not start");
    assert_eq!(error.to_string(), "`test /a` is ready and cannot become passed");
    states.start(test).expect("it is ready");
    assert_eq!(
        states.start(test).expect_err("it runs").to_string(),
        "`test /a` is running and cannot become running"
    );
    assert!(states.skip(test).is_err());
    states.end(test, Outcome::Passed).expect("it runs");
    assert!(states.give_back(test).is_err());
    assert!(states.end(test, Outcome::Failed).is_err());
    assert_eq!(states.of(test), NodeState::Done(Outcome::Passed));
}
