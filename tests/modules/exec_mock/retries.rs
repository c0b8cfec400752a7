//! Tests of attempts: what is tried again and where, and what the test's verdict is then.

use super::mock::{Gate, Step};
use atex::event::{Event, NodeOutcome, SutEvent};

use crate::exec_mock::bench::{Bench, Ended, bench, breaks, says, started, unreachable};

fn retrying(tests: usize, retries: u32, retry_infra: u32) -> Bench {
    let mut bench = bench(tests);
    (bench.options.rules.retries, bench.options.rules.retry_infra) = (retries, retry_infra);
    bench
}

/// The attempts of a test as they were told: outcome, and whether it ran again.
fn attempts(ended: &Ended, test: &str) -> Vec<(NodeOutcome, bool)> {
    let mut found = Vec::new();
    for event in &ended.events {
        if let Event::NodeFinished {
            node, outcome, again, ..
        } = event
            && node.label() == format!("test {test}")
        {
            found.push((*outcome, *again));
        }
    }
    found
}

#[test]
fn a_test_that_passes_at_the_second_attempt_is_flaky_which_is_no_failure() {
    let bench = retrying(2, 2, 0);
    bench
        .lab
        .script("/t1", vec![Step::Output("first".into()), Step::Exit(1)]);
    let ended = bench.run().exits(0);
    assert_eq!(
        attempts(&ended, "/t1"),
        [(NodeOutcome::Fail, true), (NodeOutcome::Flaky, false)]
    );
    assert_eq!(
        (ended.tests(NodeOutcome::Flaky), ended.tests(NodeOutcome::Pass)),
        (1, 1)
    );
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "/t1", "/t2", "finish"]);
}

#[test]
fn each_attempt_keeps_its_results_and_files() {
    let bench = retrying(1, 1, 0);
    for (text, code) in [("first", 1), ("second", 0)] {
        bench
            .lab
            .script("/t1", vec![Step::Output(text.into()), Step::Exit(code)]);
    }
    let ended = bench.run().exits(0);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t1/attempt-2")),
        ("fail".into(), "pass".into())
    );
    let output = |dir: &str| std::fs::read_to_string(ended.dir.join(dir).join("files/output.txt")).unwrap();
    assert_eq!(
        (output("tests/t1"), output("tests/t1/attempt-2")),
        ("first".into(), "second".into())
    );
}

#[test]
fn a_test_that_fails_at_every_attempt_has_failed_once() {
    let bench = retrying(1, 2, 0);
    for _ in 0..3 {
        bench.lab.script("/t1", vec![Step::Exit(1)]);
    }
    let ended = bench.run().exits(1);
    assert_eq!((ended.starts("/t1"), ended.tests(NodeOutcome::Fail)), (3, 1));
    assert_eq!(attempts(&ended, "/t1").len(), 3);
}

#[test]
fn the_record_of_a_flaky_test_is_that_of_the_attempt_that_passed() {
    let bench = retrying(1, 1, 0);
    bench.lab.script("/t1", vec![Step::Exit(1)]);
    bench
        .lab
        .script("/t1", vec![Step::Output("good".into()), Step::Exit(0)]);
    bench.run().exits(0);
    let again = bench.run().exits(0);
    assert_eq!((again.starts("/t1"), again.finished.cached), (0, 1));
    let output = std::fs::read_to_string(again.dir.join("tests/t1/files/output.txt")).unwrap();
    assert_eq!(output, "good");
}

#[test]
fn a_test_that_its_machine_broke_off_runs_on_another_one_and_the_run_passes() {
    let bench = retrying(2, 0, 1).on(&["one", "two"]);
    let lost = Gate::default();
    bench.lab.script("/t1", vec![breaks()]);
    bench.lab.script("/t2", vec![Step::Until(lost.clone()), Step::Exit(0)]);
    for machine in ["one", "two"] {
        bench.lab.fail(machine, "reopen", unreachable());
    }
    let ended = bench
        .run_with(|event, _| {
            if matches!(event, Event::Sut { state, .. } if *state == SutEvent::Dropped) {
                lost.open();
            }
        })
        .exits(0);
    assert_eq!(
        attempts(&ended, "/t1"),
        [(NodeOutcome::Infra, true), (NodeOutcome::Pass, false)]
    );
    assert_eq!(ended.result("/t1"), "infra aborted");
    assert_eq!(ended.result("/t1/attempt-2"), "pass");
    assert_eq!(ended.states(SutEvent::Dropped).len(), 1);
}

#[test]
fn a_machine_that_comes_back_is_prepared_again_before_the_second_attempt() {
    let bench = retrying(1, 0, 1);
    bench.lab.script("/t1", vec![breaks()]);
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "prepare", "/t1", "finish"]);
}

#[test]
fn a_test_that_breaks_every_machine_is_not_tried_for_ever() {
    let bench = retrying(1, 0, 2);
    for _ in 0..5 {
        bench.lab.script("/t1", vec![breaks()]);
    }
    let ended = bench.run().exits(3);
    assert_eq!((ended.starts("/t1"), ended.tests(NodeOutcome::Infra)), (3, 1));
}

#[test]
fn what_a_test_brings_about_itself_is_tried_again_only_as_a_failure() {
    for steps in [vec![Step::Overrun], vec![says("nonsense\n"), Step::Exit(0)]] {
        let bench = retrying(1, 0, 3);
        bench.lab.script("/t1", steps.clone());
        let ended = bench.run().exits(3);
        assert_eq!(ended.starts("/t1"), 1);
        let bench = retrying(1, 1, 0);
        bench.lab.script("/t1", steps);
        assert_eq!(bench.run().exits(0).tests(NodeOutcome::Flaky), 1);
    }
}

#[test]
fn packages_that_cannot_be_had_are_not_a_machines_fault() {
    let mut bench = Bench::of(&[("t1.fmf", "test: 'true'\nrequire: ['bad\"name']\n")]);
    bench.options.rules.retry_infra = 3;
    let ended = bench.run().exits(3);
    assert_eq!(attempts(&ended, "/t1"), [(NodeOutcome::Infra, false)]);
}

#[test]
fn where_the_last_machine_is_lost_the_second_attempt_is_unreachable() {
    let bench = retrying(1, 0, 1);
    bench.lab.script("/t1", vec![breaks()]);
    bench.lab.fail("one", "reopen", unreachable());
    let ended = bench.run_with(|_, _| ());
    assert_eq!(ended.finished.exit().code(), 3);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t1/attempt-2")),
        ("infra aborted".into(), "infra unreachable".into())
    );
}

#[test]
fn a_cancelled_test_is_not_tried_again() {
    let bench = retrying(1, 3, 3);
    bench.lab.script("/t1", vec![Step::UntilCancelled]);
    let ended = bench
        .run_with(|event, cancel| {
            if started(event, "/t1") {
                crate::exec_mock::bench::graceful(cancel);
            }
        })
        .exits(130);
    assert_eq!(ended.starts("/t1"), 1);
}
