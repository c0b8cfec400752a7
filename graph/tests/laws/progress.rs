//! A run driven at random, checked after every step against what the graph alone says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use atex_graph::{
    Counts, Edge, FinishInputs, Graph, GraphBuilder, Kind, Need, NodeId, NodeName, NodeState, Outcome, Progress,
    Selection, SkipReason, TestInputs,
};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;
use proptest::strategy::Strategy;
use proptest::test_runner::TestCaseError;

use crate::model::worlds;

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(Index),
    StartBest,
    End(Index, Outcome),
    GiveBack(Index),
    Skip(Index),
    Cancel,
}

fn steps() -> impl Strategy<Value = Step> {
    (0..20_u8, any::<Index>()).prop_map(|(what, index)| match what {
        0..=3 => Step::Start(index),
        4..=7 => Step::StartBest,
        8..=13 => Step::End(index, Outcome::Passed),
        14 | 15 => Step::End(index, Outcome::Failed),
        16 => Step::End(index, Outcome::Reused),
        17 => Step::GiveBack(index),
        18 => Step::Skip(index),
        _ => Step::Cancel,
    })
}

/// What was done to the run, apart from what follows from it.
#[derive(Default)]
struct Story {
    started: BTreeMap<NodeId, u32>,
    running: BTreeSet<NodeId>,
    ended: BTreeMap<NodeId, Outcome>,
    skipped: BTreeSet<NodeId>,
}

/// Whether the node will not run: it was skipped, or something it depends on failed or will not run.
fn doomed(graph: &Graph, selection: &Selection, story: &Story, id: NodeId) -> bool {
    let failed = |dep| story.ended.get(&dep) == Some(&Outcome::Failed) || doomed(graph, selection, story, dep);
    // What is reused stands, whatever becomes of the nodes below it.
    selection.runs(id) && (story.skipped.contains(&id) || graph.deps(id).any(failed))
}

/// What the state must be, from the story alone.
fn expected(graph: &Graph, selection: &Selection, story: &Story, id: NodeId) -> &'static str {
    let over = |id: NodeId| !selection.runs(id) || story.ended.contains_key(&id) || doomed(graph, selection, story, id);
    match story.ended.get(&id) {
        Some(Outcome::Passed) => "passed",
        Some(Outcome::Failed) => "failed",
        Some(Outcome::Reused) => "reused",
        None if !selection.runs(id) => {
            if selection.need(id) == Need::Reuse {
                "reused"
            } else {
                "unneeded"
            }
        }
        None if doomed(graph, selection, story, id) => "skipped",
        None if story.running.contains(&id) => "running",
        None if graph.deps(id).all(over) && graph.after(id).iter().copied().all(over) => "ready",
        None => "waiting",
    }
}

fn check(
    graph: &Graph,
    selection: &Selection,
    story: &Story,
    progress: &Progress,
    priority: &[u8],
) -> Result<(), TestCaseError> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut ready = Vec::new();
    for id in graph.ids() {
        let state = progress.state(id).to_string();
        prop_assert_eq!(&state, expected(graph, selection, story, id), "{}", graph.node(id));
        if state == "ready" {
            ready.push(id);
        }
        *counts.entry(state).or_default() += 1;
    }
    ready.sort_by_key(|id| (std::cmp::Reverse(priority[id.index()]), *id));
    prop_assert_eq!(progress.ready().collect::<Vec<_>>(), ready);
    let count = |state: &str| counts.get(state).copied().unwrap_or_default();
    let expected = Counts {
        unneeded: count("unneeded"),
        waiting: count("waiting"),
        ready: count("ready"),
        running: count("running"),
        passed: count("passed"),
        failed: count("failed"),
        reused: count("reused"),
        skipped: count("skipped"),
    };
    prop_assert_eq!(progress.counts(), expected);
    Ok(())
}

fn choose(from: &[NodeId], index: Index) -> Option<NodeId> {
    (!from.is_empty()).then(|| from[index.index(from.len())])
}

fn note_start(story: &mut Story, id: NodeId) {
    *story.started.entry(id).or_default() += 1;
    story.running.insert(id);
}

fn note_skips(
    graph: &Graph,
    selection: &Selection,
    story: &mut Story,
    before: &[NodeState],
    asked: &[NodeId],
    told: &[NodeId],
) -> Result<(), TestCaseError> {
    story.skipped.extend(asked);
    let mut new: Vec<_> = graph
        .ids()
        .filter(|&id| {
            doomed(graph, selection, story, id) && matches!(before[id.index()], NodeState::Waiting | NodeState::Ready)
        })
        .collect();
    let mut told = told.to_vec();
    new.sort_unstable();
    told.sort_unstable();
    prop_assert_eq!(told, new, "exactly what will not run any more is told");
    Ok(())
}

fn apply(
    step: Step,
    graph: &Graph,
    selection: &Selection,
    story: &mut Story,
    progress: &mut Progress,
) -> Result<(), TestCaseError> {
    let before: Vec<_> = graph.ids().map(|id| progress.state(id)).collect();
    let running: Vec<_> = story.running.iter().copied().collect();
    match step {
        Step::Start(index) => {
            if let Some(id) = choose(&progress.ready().collect::<Vec<_>>(), index) {
                progress.start(id)?;
                note_start(story, id);
            }
        }
        Step::StartBest => {
            let best = progress.ready().next();
            prop_assert_eq!(progress.start_next(), best);
            if let Some(id) = best {
                note_start(story, id);
            }
        }
        Step::End(index, outcome) => {
            if let Some(id) = choose(&running, index) {
                let told = progress.end(id, outcome)?;
                story.running.remove(&id);
                story.ended.insert(id, outcome);
                note_skips(graph, selection, story, &before, &[], &told)?;
            }
        }
        Step::GiveBack(index) => {
            if let Some(id) = choose(&running, index) {
                progress.give_back(id)?;
                story.running.remove(&id);
                *story.started.entry(id).or_default() -= 1;
            }
        }
        Step::Skip(index) => {
            let id = choose(&graph.ids().collect::<Vec<_>>(), index).expect("worlds are not empty");
            if matches!(before[id.index()], NodeState::Waiting | NodeState::Ready) {
                let told = progress.skip(id, SkipReason::NoSut)?;
                note_skips(graph, selection, story, &before, &[id], &told)?;
            } else {
                prop_assert!(progress.skip(id, SkipReason::NoSut).is_err());
            }
        }
        Step::Cancel => {
            let is_finish = |id: NodeId| graph.node(id).kind() == Kind::Finish;
            let told = progress.skip_all(SkipReason::Cancelled, is_finish);
            let unstarted = |id: &NodeId| matches!(before[id.index()], NodeState::Waiting | NodeState::Ready);
            let asked: Vec<_> = graph.ids().filter(unstarted).filter(|&id| !is_finish(id)).collect();
            note_skips(graph, selection, story, &before, &asked, &told)?;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_needed_node_runs_once_after_all_it_waits_for_unless_what_it_needs_failed(
        world in worlds(14),
        reusable in vec(any::<bool>(), 14),
        priority in vec(any::<u8>(), 14),
        script in vec(steps(), 0..60),
    ) {
        let (graph, ids) = world.build();
        let graph = Arc::new(graph);
        let selection = Selection::of(&graph, &ids, |id| reusable[id.index()]);
        let mut progress = Progress::new(Arc::clone(&graph), &selection, |id| u64::from(priority[id.index()]));
        let mut story = Story::default();
        check(&graph, &selection, &story, &progress, &priority)?;
        for step in script {
            apply(step, &graph, &selection, &mut story, &mut progress)?;
            check(&graph, &selection, &story, &progress, &priority)?;
        }
        // Whatever happened, what is left can be done, and then all is over.
        while !progress.is_over() {
            if let Some(id) = progress.start_next() {
                note_start(&mut story, id);
            }
            let &id = story.running.iter().next().expect("something runs or can start");
            progress.end(id, Outcome::Passed)?;
            story.running.remove(&id);
            story.ended.insert(id, Outcome::Passed);
            check(&graph, &selection, &story, &progress, &priority)?;
        }
        for id in graph.ids() {
            let runs = selection.runs(id) && !doomed(&graph, &selection, &story, id);
            prop_assert_eq!(story.started.get(&id).copied().unwrap_or_default(), u32::from(runs));
        }
    }
}

#[test]
fn finish_runs_after_all_tests_also_after_failures_and_cancellation() {
    let mut builder = GraphBuilder::new();
    let mut test = |name: &str| {
        let inputs = TestInputs {
            name: name.to_owned(),
            ..TestInputs::default()
        };
        builder
            .add(NodeName::test(name), inputs.into(), &[], &[])
            .expect("names differ")
    };
    let tests = [test("/a"), test("/b")];
    let finish = builder
        .add(NodeName::finish("/p", 1), FinishInputs::default().into(), &[], &tests)
        .expect("names differ");
    let graph = Arc::new(builder.seal().expect("no cycle"));
    assert_eq!(graph.dependents(tests[0]), [(finish, Edge::After)]);

    let selection = Selection::of(&graph, &[tests[0], tests[1], finish], |_| false);
    let mut progress = Progress::new(graph, &selection, |_| 0);
    progress.start(tests[0]).expect("it is ready");
    assert_eq!(progress.skip_all(SkipReason::Cancelled, |id| id == finish), [tests[1]]);
    assert_eq!(progress.state(finish), NodeState::Waiting);
    assert_eq!(progress.end(tests[0], Outcome::Failed), Ok(vec![]));
    assert_eq!(progress.start_next(), Some(finish));
}

#[test]
fn impossible_transitions_are_refused_and_change_nothing() {
    let mut builder = GraphBuilder::new();
    let test = builder
        .add(NodeName::test("/a"), TestInputs::default().into(), &[], &[])
        .expect("one node");
    let graph = Arc::new(builder.seal().expect("no cycle"));
    let selection = Selection::of(&graph, &[test], |_| false);
    let mut progress = Progress::new(graph, &selection, |_| 0);

    let error = progress.end(test, Outcome::Passed).expect_err("it did not start");
    assert_eq!(error.to_string(), "`test /a` is ready and cannot become passed");
    progress.start(test).expect("it is ready");
    assert_eq!(
        progress.start(test).expect_err("it runs").to_string(),
        "`test /a` is running and cannot become running"
    );
    assert!(progress.skip(test, SkipReason::Cancelled).is_err());
    progress.end(test, Outcome::Passed).expect("it runs");
    assert!(progress.give_back(test).is_err());
    assert!(progress.end(test, Outcome::Failed).is_err());
    assert_eq!(
        progress.counts(),
        Counts {
            passed: 1,
            ..Counts::default()
        }
    );
}
