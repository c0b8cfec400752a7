//! Tests of finish steps: when they run, and how often.

use super::mock::Step;
use atex::exec::options::Mode;
use atex::sut::{Trouble, TroubleKind};

use crate::exec_mock::bench::{Bench, PLAN, bench, breaks, started, unreachable};

#[test]
fn finish_runs_once_on_each_sut_that_the_plan_touched() {
    let bench = bench(2).on(&["one", "two"]);
    let both = super::mock::Gate::default();
    for test in ["/t1", "/t2"] {
        bench.lab.script(test, vec![Step::Until(both.clone()), Step::Exit(0)]);
    }
    let mut running = 0;
    let ended = bench
        .run_with(|event, _| {
            running += i32::from(started(event, "/t1") || started(event, "/t2"));
            if running == 2 {
                both.open();
            }
        })
        .exits(0);
    for machine in ["one", "two"] {
        let jobs = ended.jobs_of(machine);
        assert_eq!((jobs.len(), jobs.last()), (3, Some(&"finish")));
    }
}

#[test]
fn the_finish_command_finishes_what_tests_touched_on_each_sut_and_nothing_twice() {
    let bench = bench(2).on(&["one", "two"]).mode(Mode::Test);
    let both = super::mock::Gate::default();
    for test in ["/t1", "/t2"] {
        bench.lab.script(test, vec![Step::Until(both.clone()), Step::Exit(0)]);
    }
    let mut running = 0;
    bench
        .run_with(|event, _| {
            running += i32::from(started(event, "/t1") || started(event, "/t2"));
            if running == 2 {
                both.open();
            }
        })
        .exits(0);
    let bench = bench.mode(Mode::Finish);
    let ended = bench.run().exits(0);
    assert_eq!(
        (ended.jobs_of("one"), ended.jobs_of("two")),
        (vec!["finish"], vec!["finish"])
    );
    assert_eq!(bench.lab.state("one").chain, [""; 0], "finish ends the prepared state");
    assert_eq!(bench.run().exits(0).starts("finish"), 0);
}

#[test]
fn the_finish_command_fails_where_a_sut_cannot_be_had() {
    let bench = bench(1).mode(Mode::Finish);
    bench.lab.fail("one", "open", unreachable());
    bench.run().exits(3);
}

#[test]
fn a_finish_step_that_fails_is_3_and_keeps_no_other_from_running() {
    let plan = PLAN.replace(
        "finish: {script: finish}",
        "finish: [{script: first}, {script: second}]",
    );
    let bench = Bench::of(&[("plan.fmf", &plan), ("t1.fmf", "test: 'true'\n")]);
    bench.lab.script("first", vec![Step::Exit(1)]);
    let ended = bench.run().exits(3);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "first", "second"]);
    assert_eq!(bench.lab.state("one").unfinished, []);
}

#[test]
fn the_prepared_state_is_forgotten_before_the_first_finish_step() {
    let bench = bench(1);
    bench.lab.script("finish", vec![breaks()]);
    let ended = bench.run().exits(3);
    let at = |text: &str| {
        ended
            .calls
            .iter()
            .rposition(|call| call.contains(text))
            .expect("it was called")
    };
    let finish = at("start finish");
    let before = ended.calls[..finish]
        .iter()
        .rfind(|call| call.contains("set-state"))
        .unwrap();
    assert!(before.contains("set-state []"), "{before}");
}

#[test]
fn a_tree_that_cannot_be_brought_fails_finish_and_it_stays_due() {
    let bench = bench(1).mode(Mode::Test);
    bench.run().exits(0);
    let bench = bench.mode(Mode::Finish);
    bench
        .lab
        .fail("one", "sync", Trouble::new(TroubleKind::Setup, "`one`: disk full"));
    let ended = bench.run().exits(3);
    assert_eq!(ended.starts("finish"), 0);
    assert_eq!(bench.run().exits(0).starts("finish"), 1, "the next run pays");
    assert_eq!(bench.run().exits(0).starts("finish"), 0);
}
