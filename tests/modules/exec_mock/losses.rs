//! Tests of machines that cannot be opened, or are lost.

use std::sync::Mutex;

use super::mock::{Gate, Step};
use atex::event::{Event, SutEvent};
use atex::exec::options::OnTaint;
use atex::sut::{OnHeld, SutState, Taint, Trouble, TroubleKind};

use crate::exec_mock::bench::{PLAN, aborted, bench, breaks, says, started, unreachable};

#[test]
fn a_lost_sut_aborts_its_test_and_the_other_sut_takes_the_rest() {
    let bench = bench(4).on(&["one", "two"]);
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
        .exits(3);
    assert_eq!(ended.result("/t1"), "infra aborted");
    for test in ["/t2", "/t3", "/t4"] {
        assert_eq!(ended.result(test), "pass");
    }
    assert_eq!(ended.states(SutEvent::Dropped).len(), 1);
}

#[test]
fn tests_that_share_a_tree_start_again_on_another_sut_where_theirs_is_lost_among_them() {
    let mut bench = bench(3).on(&["one", "two"]);
    bench.write("plan.fmf", &format!("{PLAN}extra-atex-shared-tree: true\n"));
    bench.options.rules.retry_infra = 1;
    bench.lab.script("/t2", vec![breaks()]);
    bench.lab.fail("one", "reopen", unreachable());
    let ended = bench.run_with(|event, _| {
        if matches!(event, Event::Sut { state, .. } if *state == SutEvent::Dropped) {
            bench.lab.script("/t2", vec![Step::Exit(0)]);
        }
    });
    let ended = ended.exits(0);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "/t2"]);
    assert_eq!(ended.jobs_of("two"), ["prepare", "/t1", "/t2", "/t3", "finish"]);
    let again = bench.run().exits(0);
    assert_eq!(again.finished.cached, 3);
}

#[test]
fn tests_that_share_a_tree_and_lost_their_last_sut_have_a_verdict_each() {
    let bench = bench(3);
    bench.write("plan.fmf", &format!("{PLAN}extra-atex-shared-tree: true\n"));
    bench.lab.script("/t2", vec![breaks()]);
    bench.lab.fail("one", "reopen", unreachable());
    let ended = bench.run().exits(3);
    assert_eq!(ended.result("/t1"), "pass");
    for test in ["/t2", "/t3"] {
        assert_eq!(ended.result(test), "infra aborted");
    }
    let again = bench.run();
    assert_eq!(again.finished.cached, 0, "none is recorded");
}

#[test]
fn a_sut_that_comes_back_after_an_abort_is_tainted_and_prepared_again() {
    let bench = bench(2);
    bench.lab.script("/t1", vec![breaks()]);
    let ended = bench.run().exits(3);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "prepare", "/t2", "finish"]);
    assert_eq!(ended.states(SutEvent::Tainted), ["`test /t1` ended by aborted"]);
    assert!(ended.warnings()[0].contains("prepared again"), "{:?}", ended.warnings());
    assert_eq!(bench.lab.state("one").taint, None);
}

#[test]
fn where_one_of_two_cannot_be_opened_the_other_runs_all_tests() {
    let bench = bench(3).on(&["one", "two"]);
    bench.lab.fail("one", "open", unreachable());
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("one"), [""; 0]);
    assert_eq!(ended.jobs_of("two").len(), 5);
    assert_eq!(ended.states(SutEvent::Dropped), ["`one`: no route to host"]);
}

#[test]
fn a_sut_that_was_not_needed_takes_the_place_of_one_that_cannot_be_opened() {
    let bench = bench(1).on(&["one", "two"]);
    bench.lab.fail("one", "open", unreachable());
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("two"), ["prepare", "/t1", "finish"]);
}

#[test]
fn a_sut_that_is_not_needed_is_not_touched() {
    let ended = bench(1).on(&["one", "two"]).run().exits(0);
    assert!(
        ended.calls.iter().all(|call| call.starts_with("one: ")),
        "{:?}",
        ended.calls
    );
}

#[test]
fn where_none_can_be_reached_every_test_is_unreachable_and_says_why() {
    let bench = bench(3).on(&["one", "two"]);
    for machine in ["one", "two"] {
        bench.lab.fail(machine, "open", unreachable());
    }
    let ended = bench.run().exits(3);
    for test in ["/t1", "/t2", "/t3"] {
        assert_eq!(ended.result(test), "infra unreachable");
        assert_eq!(ended.note(test), "`one`: no route to host");
    }
}

#[test]
fn a_held_sut_is_waited_for_and_who_holds_it_is_told() {
    let bench = bench(1);
    let gate = Gate::default();
    bench.lab.hold("one", gate.clone());
    let ended = bench
        .run_with(|event, _| {
            if matches!(event, Event::Sut { state, .. } if *state == SutEvent::Waiting) {
                gate.open();
            }
        })
        .exits(0);
    assert_eq!(ended.states(SutEvent::Waiting), ["`one`: held by another run"]);
}

#[test]
fn who_does_not_wait_is_refused() {
    let mut bench = bench(1);
    bench.options.on_held = OnHeld::Fail;
    bench.lab.hold("one", Gate::default());
    let ended = bench.run().exits(3);
    assert_eq!(
        (ended.result("/t1"), ended.note("/t1")),
        ("infra unreachable".into(), "`one`: held by another run".into())
    );
}

#[test]
fn an_upload_that_fails_is_setup_and_the_machine_is_let_go_in_order() {
    let bench = bench(1);
    bench.lab.fail(
        "one",
        "sync",
        Trouble::new(TroubleKind::Setup, "`one`: upload: `t1.fmf` changed"),
    );
    let ended = bench.run().exits(3);
    assert_eq!(
        (ended.result("/t1"), ended.note("/t1")),
        ("infra setup".into(), "`one`: upload: `t1.fmf` changed".into())
    );
    assert_eq!(ended.calls.last().unwrap(), "one: close");
}

#[test]
fn a_machine_where_nothing_can_be_written_is_setup() {
    let bench = bench(1);
    bench.lab.fail(
        "one",
        "open",
        Trouble::new(TroubleKind::Setup, "`one`: cannot make `/var/lib/atex`"),
    );
    assert_eq!(bench.run().exits(3).result("/t1"), "infra setup");
}

#[test]
fn a_machine_that_is_not_what_was_compiled_for_is_dropped_with_a_message() {
    let bench = bench(1).on(&["one", "two"]);
    let machines = |cancel: &atex::sut::Cancel| -> Vec<Box<dyn atex::sut::Sut>> {
        let mut other = bench.lab.machine("one", cancel);
        other.facts.version = "2".to_owned();
        vec![Box::new(other), Box::new(bench.lab.machine("two", cancel))]
    };
    let ended = bench.run_on(machines, |_, _| ()).exits(0);
    let dropped = ended.states(SutEvent::Dropped);
    assert!(
        dropped[0].contains("mock 2 x86_64") && dropped[0].contains("mock 1 x86_64"),
        "{dropped:?}"
    );
    assert_eq!(ended.jobs_of("two").len(), 3);
}

#[test]
fn a_connection_that_breaks_in_prepare_leaves_the_tests_to_the_other_sut() {
    let bench = bench(2).on(&["one", "two"]);
    bench.lab.script("prepare", vec![breaks()]);
    let broken = Mutex::new(None);
    let ended = bench.run_with(|event, _| {
        if let Event::NodeFinished { sut, outcome, .. } = event
            && *outcome != atex::event::NodeOutcome::Pass
        {
            broken.lock().unwrap().get_or_insert(sut.clone());
        }
    });
    let ended = ended.exits(3);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("pass".into(), "pass".into())
    );
    let broken = broken.into_inner().unwrap().expect("the step is told as failed");
    assert!(bench.lab.state(&broken).taint.is_some());
}

#[test]
fn a_verdict_is_told_even_if_the_sut_cannot_be_marked_any_more() {
    let bench = bench(2);
    let planned = Gate::default();
    bench
        .lab
        .script("/t1", vec![Step::Until(planned.clone()), Step::Overrun]);
    let ended = bench
        .run_with(|event, _| {
            if started(event, "/t1") {
                bench.lab.fail("one", "set-state", aborted());
                planned.open();
            }
        })
        .exits(3);
    assert_eq!(ended.finished.defect, None);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("infra timeout".into(), "infra unreachable".into())
    );
}

#[test]
fn after_a_timeout_the_chain_runs_again_before_the_next_test() {
    let bench = bench(2);
    bench.lab.script("/t1", vec![Step::Overrun]);
    let ended = bench.run().exits(3);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "prepare", "/t2", "finish"]);
    assert!(ended.calls.contains(&"one: terminate /t1".to_owned()));
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("infra timeout".into(), "pass".into())
    );
}

#[test]
fn after_a_timeout_of_the_last_test_the_mark_stays_for_the_next_run() {
    let bench = bench(1).mode(atex::exec::options::Mode::Test);
    bench.lab.script("/t1", vec![Step::Overrun]);
    bench.run().exits(3);
    assert!(bench.lab.state("one").taint.is_some());
    let next = bench.run().exits(0);
    assert_eq!(next.jobs_of("one"), ["prepare", "/t1"]);
}

fn tainted() -> SutState {
    SutState {
        taint: Some(Taint {
            reason: "somebody did something".to_owned(),
            at: 1,
        }),
        ..SutState::default()
    }
}

#[test]
fn a_tainted_sut_is_dropped_where_the_user_wants_that_also_in_the_middle_of_a_run() {
    let mut bench = bench(2).on(&["one"]);
    bench.options.on_taint = OnTaint::Drop;
    bench.lab.set_state("one", tainted());
    let ended = bench.run().exits(3);
    assert_eq!(ended.jobs_of("one"), [""; 0]);
    assert!(ended.note("/t1").contains("somebody did something"));

    bench.lab.set_state("one", SutState::default());
    bench.lab.script("/t1", vec![Step::Overrun]);
    let ended = bench.run().exits(3);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "finish"]);
    assert_eq!(ended.result("/t2"), "infra unreachable");
}

#[test]
fn a_tainted_sut_is_trusted_where_the_user_wants_that_and_keeps_its_mark() {
    let mut bench = bench(2).mode(atex::exec::options::Mode::Test);
    bench.run().exits(0);
    let mut state = bench.lab.state("one");
    state.taint = tainted().taint;
    bench.lab.set_state("one", state.clone());
    bench.options.on_taint = OnTaint::Ignore;
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("one"), ["/t1", "/t2"]);
    assert_eq!(bench.lab.state("one").taint, state.taint);
}

#[test]
fn disconnect_lets_go_opens_again_and_starts_the_test_once_more() {
    let bench = bench(1);
    bench.lab.script(
        "/t1",
        vec![
            Step::Output("before".into()),
            says("disconnect\nnoop\n"),
            Step::UntilCancelled,
        ],
    );
    let ended = bench.run().exits(0);
    let calls: Vec<_> = ended
        .calls
        .iter()
        .map(String::as_str)
        .filter(|call| !call.contains("state"))
        .collect();
    let at = calls
        .iter()
        .position(|call| *call == "one: detach /t1")
        .expect("it is let go");
    assert_eq!(calls[at..at + 3], ["one: detach /t1", "one: reopen", "one: start /t1"]);
    assert_eq!((ended.starts("prepare"), ended.states(SutEvent::Tainted).len()), (1, 0));
    assert_eq!(
        std::fs::read_to_string(ended.dir.join("tests/t1/files/output.txt")).unwrap(),
        "before"
    );
}

#[test]
fn a_sut_that_does_not_come_back_from_a_disconnect_is_a_timeout_and_lost() {
    let bench = bench(2);
    bench
        .lab
        .script("/t1", vec![says("disconnect\n"), Step::UntilCancelled]);
    bench.lab.fail("one", "reopen", unreachable());
    let ended = bench.run().exits(3);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("infra timeout".into(), "infra unreachable".into())
    );
    assert_eq!(ended.calls.last().unwrap(), "one: close");
}

#[test]
fn reconnect_bears_one_loss_and_always_bears_each() {
    let bench = bench(1);
    bench.lab.script("/t1", vec![says("reconnect\n"), breaks()]);
    bench.lab.script("/t1", vec![breaks()]);
    let ended = bench.run().exits(3);
    assert_eq!(
        (ended.result("/t1").as_str(), ended.starts("/t1")),
        ("infra aborted", 2)
    );
    bench.lab.script("/t1", vec![says("reconnect always\n"), breaks()]);
    bench.lab.script("/t1", vec![breaks()]);
    bench.lab.script("/t1", vec![says("reconnect\n"), breaks()]);
    bench.lab.script("/t1", vec![breaks()]);
    let ended = bench.run().exits(0);
    assert_eq!(ended.starts("/t1"), 5);
}

#[test]
fn a_machine_that_cannot_be_marked_after_a_timeout_is_let_go_with_the_reason() {
    for kind in [TroubleKind::Setup, TroubleKind::Aborted] {
        let bench = bench(2);
        bench.lab.script("/t1", vec![Step::Overrun]);
        let lab = bench.lab.clone();
        let ended = bench
            .run_with(|event, _| {
                if started(event, "/t1") {
                    lab.fail("one", "set-state", Trouble::new(kind, "`one`: cannot write `/state`"));
                }
            })
            .exits(3);
        assert_eq!(ended.result("/t1"), "infra timeout");
        assert!(ended.result("/t2").starts_with("infra "), "{}", ended.result("/t2"));
        assert_eq!(ended.note("/t2"), "`one`: cannot write `/state`");
    }
}
