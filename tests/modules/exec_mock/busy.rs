//! Tests of nodes that another process runs at the same time.

use std::cell::RefCell;

use atex::compile::spec::Workload;
use atex::event::{Event, SutEvent};
use atex_cache::{Lookup, Record, RecordOutcome, Ticket};
use atex_graph::transcript;

use crate::exec_mock::bench::{Bench, bench};

/// Takes the claim of a test, as another process would.
fn claim(bench: &Bench, work: &Workload, test: &str) -> (Ticket, Record) {
    let spec = work.tests.iter().find(|spec| spec.name == test).unwrap();
    let node = work.graph.node(spec.node);
    let Lookup::Miss(ticket) = bench.store().claim(node.key()).unwrap() else {
        panic!("nobody has it so far");
    };
    let record = Record {
        key: node.key(),
        name: node.label().to_string(),
        aliases: Vec::new(),
        kind: node.kind(),
        sut: "elsewhere".to_owned(),
        started: 1,
        duration_ms: 1,
        prepared: None,
        outcome: RecordOutcome::Passed,
        inputs: transcript(node),
        files: Vec::new(),
        meta: serde_json::Value::Null,
    };
    (ticket, record)
}

/// Whether the event tells that `test` is run by somebody else.
fn waits(event: &Event, test: &str) -> bool {
    matches!(event, Event::Sut { state, note, .. } if *state == SutEvent::Waiting && note.contains(test))
}

#[test]
fn the_record_of_the_other_process_is_taken_when_it_is_there() {
    let bench = bench(2);
    let (ticket, mut record) = claim(&bench, &bench.compiled(), "/t1");
    let line = b"{\"status\":\"pass\",\"note\":\"elsewhere\"}\n";
    let digest = bench.store().blobs().put_bytes(line).unwrap();
    let path = "results.jsonl".to_owned();
    record.files.push(atex_cache::OutputFile {
        path,
        digest,
        size: line.len() as u64,
    });
    let other = RefCell::new(Some((ticket, record)));
    let ended = bench
        .run_with(|event, _| {
            if waits(event, "/t1") {
                let (ticket, record) = other.borrow_mut().take().expect("it is asked for once");
                ticket.commit(record).unwrap();
            }
        })
        .exits(0);
    assert_eq!(
        (ended.starts("/t1"), ended.starts("/t2"), ended.finished.cached),
        (0, 1, 1)
    );
    assert_eq!(ended.note("/t1"), "elsewhere");
    assert!(
        ended.states(SutEvent::Waiting)[0].contains("process"),
        "{:?}",
        ended.states(SutEvent::Waiting)
    );
}

#[test]
fn a_test_whose_other_runner_died_is_run_here() {
    let bench = bench(1);
    let other = RefCell::new(Some(claim(&bench, &bench.compiled(), "/t1")));
    let ended = bench
        .run_with(|event, _| {
            if waits(event, "/t1") {
                drop(other.borrow_mut().take());
            }
        })
        .exits(0);
    assert_eq!((ended.starts("/t1"), ended.result("/t1").as_str()), (1, "pass"));
}

#[test]
fn a_busy_test_of_a_lane_that_was_left_is_not_lost() {
    let plan = |script: &str, test: &str| {
        format!("discover: {{how: fmf, test: {test}}}\nexecute: {{how: tmt}}\nprepare: {{script: {script}}}\n")
    };
    let (a, b) = (plan("first", "/t1"), plan("second", "/t2"));
    let tests = "test: 'true'\n";
    let bench = Bench::of(&[("a.fmf", &a), ("b.fmf", &b), ("t1.fmf", tests), ("t2.fmf", tests)]);
    let other = RefCell::new(Some(claim(&bench, &bench.compiled(), "/t1")));
    let ended = bench
        .run_with(|event, _| {
            if matches!(event, Event::NodeFinished { node, .. } if node.label() == "test /t2") {
                drop(other.borrow_mut().take());
            }
        })
        .exits(0);
    assert_eq!(ended.jobs_of("one"), ["first", "second", "/t2", "first", "/t1"]);
}

#[test]
fn waiting_for_another_process_can_be_cancelled() {
    let bench = bench(1);
    let _other = claim(&bench, &bench.compiled(), "/t1");
    let ended = bench
        .run_with(|event, cancel| {
            if waits(event, "/t1") {
                crate::exec_mock::bench::graceful(cancel);
            }
        })
        .exits(130);
    assert_eq!(ended.result("/t1"), "infra cancelled");
}

#[test]
fn who_runs_a_test_in_any_case_does_not_wait() {
    let bench = bench(1).mode(atex::exec::options::Mode::Test);
    let _other = claim(&bench, &bench.compiled(), "/t1");
    assert_eq!(bench.run().exits(0).starts("/t1"), 1);
}
