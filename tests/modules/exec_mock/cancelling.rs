//! Tests of one and two Ctrl-C, at every stage of a run.

use super::mock::Step;
use atex::event::{Event, SutEvent};
use atex::sut::{Trouble, TroubleKind, Urgency};
use atex_graph::Kind;

use crate::exec_mock::bench::{bench, graceful, says, started};

#[test]
fn while_a_test_runs_it_is_cancelled_the_rest_too_and_finish_runs() {
    let bench = bench(3);
    let json = r#"{"status":"pass","name":"before"}"#;
    bench.lab.script(
        "/t1",
        vec![says(&format!("result {}\n{json}", json.len())), Step::UntilCancelled],
    );
    let ended = bench
        .run_with(|event, cancel| {
            if matches!(event, Event::Result { .. }) {
                graceful(cancel);
            }
        })
        .exits(130);
    assert_eq!(ended.results("/t1")[0]["name"], "before");
    for test in ["/t1", "/t2", "/t3"] {
        assert_eq!(ended.result(test), "infra cancelled");
    }
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "finish"]);
    assert_eq!(ended.calls.last().unwrap(), "one: close");
}

#[test]
fn while_a_machine_is_opened_all_tests_are_cancelled() {
    let bench = bench(2);
    bench
        .lab
        .fail("one", "open", Trouble::new(TroubleKind::Cancelled, "`one`: cancelled"));
    let ended = bench
        .run_with(|event, cancel| {
            if matches!(event, Event::Sut { state, .. } if *state == SutEvent::Connecting) {
                graceful(cancel);
            }
        })
        .exits(130);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("infra cancelled".into(), "infra cancelled".into())
    );
}

#[test]
fn while_files_are_brought_all_tests_are_cancelled() {
    let bench = bench(1);
    bench
        .lab
        .fail("one", "sync", Trouble::new(TroubleKind::Cancelled, "`one`: cancelled"));
    let ended = bench
        .run_with(|event, cancel| {
            if matches!(event, Event::Sut { state, .. } if *state == SutEvent::Syncing) {
                graceful(cancel);
            }
        })
        .exits(130);
    assert_eq!(ended.result("/t1"), "infra cancelled");
}

#[test]
fn while_a_step_prepares_the_sut_is_tainted_and_finished() {
    let bench = bench(1);
    bench.lab.script("prepare", vec![Step::UntilCancelled]);
    let ended = bench
        .run_with(|event, cancel| {
            if matches!(event, Event::NodeStarted { node, .. } if node.kind() == Kind::Prepare) {
                graceful(cancel);
            }
        })
        .exits(130);
    assert_eq!(ended.result("/t1"), "infra cancelled");
    assert_eq!(ended.jobs_of("one"), ["prepare", "finish"]);
    assert!(bench.lab.state("one").taint.is_some());
}

#[test]
fn while_packages_are_installed_no_test_starts() {
    let bench = crate::exec_mock::bench::Bench::of(&[("t1.fmf", "test: 'true'\nrequire: good\n")]);
    // The transaction is the only script of this plan: cancelled before it starts, it is ended at once.
    let ended = bench.run_with(|event, cancel| {
        if matches!(event, Event::Sut { state, .. } if *state == SutEvent::Syncing) {
            graceful(cancel);
        }
    });
    let ended = ended.exits(130);
    assert_eq!(
        (ended.starts("/t1"), ended.result("/t1").as_str()),
        (0, "infra cancelled")
    );
}

#[test]
fn twice_ends_the_run_without_finish_which_stays_due() {
    let bench = bench(2);
    bench.lab.script("/t1", vec![Step::UntilCancelled]);
    let ended = bench
        .run_with(|event, cancel| {
            if started(event, "/t1") {
                cancel.raise(Urgency::Now);
            }
        })
        .exits(130);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("infra cancelled".into(), "infra cancelled".into())
    );
    assert_eq!(ended.starts("finish"), 0);
    assert_eq!(bench.lab.state("one").unfinished, ["/plan".into()]);
}

#[test]
fn twice_while_finish_runs_ends_it_and_it_stays_due() {
    let bench = bench(1);
    bench.lab.script("finish", vec![Step::UntilCancelled]);
    let ended = bench
        .run_with(|event, cancel| {
            if matches!(event, Event::NodeStarted { node, .. } if node.kind() == Kind::Finish) {
                cancel.raise(Urgency::Now);
            }
        })
        .exits(130);
    assert_eq!(ended.result("/t1"), "pass");
    assert_eq!(bench.lab.state("one").unfinished, ["/plan".into()]);
}

#[test]
fn a_test_that_says_disconnect_while_it_is_ended_is_not_started_again() {
    let bench = bench(1);
    bench.lab.script("/t1", vec![Step::UntilCancelled]);
    let ended = bench
        .run_with(|event, cancel| {
            if started(event, "/t1") {
                graceful(cancel);
            }
        })
        .exits(130);
    assert_eq!(ended.starts("/t1"), 1);
}

#[test]
fn a_cancelled_run_records_nothing_of_what_was_cancelled() {
    let bench = bench(2);
    bench.lab.script("/t2", vec![Step::UntilCancelled]);
    bench
        .run_with(|event, cancel| {
            if started(event, "/t2") {
                graceful(cancel);
            }
        })
        .exits(130);
    let again = bench.run().exits(0);
    assert_eq!((again.starts("/t1"), again.starts("/t2")), (0, 1));
}
