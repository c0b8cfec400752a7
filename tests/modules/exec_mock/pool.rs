//! Tests of many machines and one plan: which machine gets which test, which are dropped, and which join.

use std::time::Duration;

use super::mock::{Gate, Lab, Step};
use atex::event::{Event, NodeOutcome, SutEvent};
use atex::exec::options::Mode;
use atex::exec::run::{Arrival, Arrivals};
use atex::sut::Cancel;
use atex_graph::Kind;

use crate::exec_mock::bench::{Bench, Ended, bench, breaks, started, unreachable};

fn plan(script: &str) -> String {
    format!("discover: {{how: fmf, test: /{script}/}}\nexecute: {{how: tmt}}\nprepare: {{script: {script}}}\n")
}

/// Two plans with chains of their own, of one test each.
fn two_chains() -> Bench {
    let bench = Bench::of(&[("a.fmf", &plan("a")), ("b.fmf", &plan("b"))]);
    for chain in ["a", "b"] {
        bench.write(&format!("tests/{chain}/t1.fmf"), "test: 'true'\n");
    }
    bench
}

/// Runs it so that no test of `tests` ends before two have started: neither machine does all the work before the other one is there.
fn run_side_by_side(bench: &Bench, tests: &[&str]) -> Ended {
    let both = Gate::default();
    for test in tests {
        bench.lab.script(test, vec![Step::Until(both.clone()), Step::Exit(0)]);
    }
    let mut running = 0;
    bench.run_with(|event, _| {
        running += usize::from(tests.iter().any(|test| started(event, test)));
        if running == 2 {
            both.open();
        }
    })
}

#[test]
fn a_sut_that_is_prepared_for_a_chain_runs_the_tests_of_that_chain() {
    // Of one test each: whoever is done first would help with the rest of the other chain, as preparing takes no time here.
    let bench = two_chains().on(&["one", "two"]).mode(Mode::Test);
    let tests = ["/tests/a/t1", "/tests/b/t1"];
    run_side_by_side(&bench, &tests).exits(0);
    let prepared: Vec<_> = ["one", "two"].map(|machine| bench.lab.state(machine).chain).into();
    assert_ne!(prepared[0], prepared[1], "each has one of the chains");
    for _ in 0..3 {
        let ended = run_side_by_side(&bench, &tests).exits(0);
        assert_eq!(
            (ended.starts("a"), ended.starts("b")),
            (0, 0),
            "nobody is prepared anew"
        );
    }
}

#[test]
fn plans_with_the_same_chain_share_the_suts_that_are_prepared() {
    let bench = Bench::of(&[]);
    for plan in ["x", "y", "z"] {
        let text = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: same}\nenvironment: {PLAN: NAME}\n";
        bench.write(&format!("{plan}.fmf"), &text.replace("NAME", plan));
    }
    for number in 0..4 {
        bench.write(&format!("t{number}.fmf"), "test: 'true'\n");
    }
    let ended = bench.run().exits(0);
    assert_eq!(ended.tests(NodeOutcome::Pass), 12);
    assert!(ended.starts("same") <= 3, "{:?}", ended.jobs_of("one"));
}

#[test]
fn a_destructive_test_taints_its_sut_which_is_prepared_again() {
    for mark in ["tag: [slow, destructive]", "extra-destructive: true"] {
        let bench = bench(2);
        bench.write("t1.fmf", &format!("test: 'true'\norder: 1\n{mark}\n"));
        let ended = bench.run().exits(0);
        assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "prepare", "/t2", "finish"]);
        assert_eq!(ended.states(SutEvent::Tainted), ["`test /t1` is destructive"]);
    }
}

#[test]
fn on_several_suts_a_short_destructive_test_starts_last_and_a_long_one_first() {
    for (duration, expected) in [
        ("1s", ["prepare", "/t2", "/t3", "/t1", "finish"].as_slice()),
        ("1h", &["prepare", "/t1", "prepare", "/t2", "/t3", "finish"]),
    ] {
        let bench = bench(3).on(&["one", "two"]);
        bench.write(
            "t1.fmf",
            &format!("test: 'true'\norder: 1\ntag: destructive\nduration: {duration}\n"),
        );
        bench.lab.fail("two", "open", unreachable());
        let ended = bench.run();
        assert_eq!(ended.jobs_of("one"), expected);
    }
}

#[test]
fn a_chain_that_fails_the_same_way_on_two_suts_leaves_the_others_alone() {
    // They are opened one after the other, and a few may be at it before the second one fails: not all.
    let machines: Vec<&str> = "a b c d e f g h i j k l m n o p q r s t u v w x y z"
        .split(' ')
        .collect();
    let mut bench = bench(26).on(&machines);
    bench.options.rules.connecting = 1;
    for _ in &machines {
        bench.lab.script("prepare", vec![Step::Exit(3)]);
    }
    let ended = bench.run().exits(3);
    assert!(ended.starts("prepare") < machines.len(), "{:?}", ended.calls);
    assert_eq!(ended.tests(NodeOutcome::Infra), 26);
    assert_eq!(ended.result("/t26"), "infra prepare");
}

#[test]
fn after_so_many_failures_nothing_starts_and_the_exit_code_is_that_of_failures() {
    let mut bench = bench(5);
    bench.options.rules.max_failures = Some(2);
    for test in ["/t1", "/t2"] {
        bench.lab.script(test, vec![Step::Exit(1)]);
    }
    let ended = bench.run().exits(1);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "/t2", "finish"]);
    assert_eq!(
        (ended.tests(NodeOutcome::Fail), ended.tests(NodeOutcome::Cancelled)),
        (2, 3)
    );
    assert_eq!(ended.note("/t3"), "stopped after 2 tests failed");
}

#[test]
fn what_was_measured_decides_which_tests_start_first() {
    let mut bench = bench(3).on(&["one"]);
    bench.options.rerun = true;
    let wait = Gate::default();
    bench.lab.script("/t3", vec![Step::Until(wait.clone()), Step::Exit(0)]);
    bench
        .run_with(|event, _| {
            if started(event, "/t3") {
                // It is measured, and nothing is asserted of how long it is.
                std::thread::sleep(Duration::from_millis(300));
                wait.open();
            }
        })
        .exits(0);
    let bench = bench.on(&["one", "two"]);
    let ended = run_side_by_side(&bench, &["/t1", "/t2", "/t3"]).exits(0);
    let starts = ended.events.iter().filter_map(|event| match event {
        Event::NodeStarted { node, .. } if node.kind() == Kind::Test => Some(node.label()),
        _ => None,
    });
    // Which of the two machines tells first is chance.
    assert!(starts.take(2).any(|test| test == "test /t3"), "{:?}", ended.events);
}

/// Machines that come when a gate is open.
struct Later {
    lab: Lab,
    cancel: Cancel,
    gate: Gate,
    names: Vec<&'static str>,
}

impl Arrivals for Later {
    fn look(&mut self) -> Vec<Arrival> {
        if !self.gate.is_open() {
            return Vec::new();
        }
        let machine = |name| Arrival::Sut(Box::new(self.lab.machine(name, &self.cancel)));
        self.names.drain(..).map(machine).collect()
    }
}

#[test]
fn a_sut_that_joins_while_a_test_runs_takes_the_other_test() {
    let bench = bench(2);
    let (begun, joined) = (Gate::default(), Gate::default());
    bench
        .lab
        .script("/t1", vec![Step::Until(joined.clone()), Step::Exit(0)]);
    let ended = bench
        .run_joined(
            |cancel| {
                Box::new(Later {
                    lab: bench.lab.clone(),
                    cancel: cancel.clone(),
                    gate: begun.clone(),
                    names: vec!["late"],
                })
            },
            |event, _| {
                if started(event, "/t1") {
                    begun.open();
                }
                if matches!(event, Event::NodeFinished { node, .. } if node.label() == "test /t2") {
                    joined.open();
                }
            },
        )
        .exits(0);
    assert_eq!(ended.jobs_of("late"), ["prepare", "/t2", "finish"]);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1", "finish"]);
    assert_eq!(ended.states(SutEvent::Joined).len(), 1);
}

#[test]
fn a_sut_that_is_not_needed_any_more_is_finished_and_let_go_while_others_work() {
    let bench = bench(2).on(&["one", "two"]);
    let released = Gate::default();
    bench
        .lab
        .script("/t1", vec![Step::Until(released.clone()), Step::Exit(0)]);
    let ended = bench
        .run_with(|event, _| {
            if matches!(event, Event::Sut { state, .. } if *state == SutEvent::Released) {
                released.open();
            }
        })
        .exits(0);
    assert_eq!(ended.starts("finish"), 2);
}

#[test]
fn a_sut_that_was_let_go_is_taken_again_where_the_last_one_at_work_is_lost() {
    let mut bench = bench(2).on(&["one", "two"]);
    bench.options.rules.retry_infra = 1;
    let released = Gate::default();
    bench.lab.script("/t1", vec![Step::Until(released.clone()), breaks()]);
    for machine in ["one", "two"] {
        bench.lab.fail(machine, "reopen", unreachable());
    }
    let ended = bench
        .run_with(|event, _| {
            if matches!(event, Event::Sut { state, .. } if *state == SutEvent::Released) {
                released.open();
            }
        })
        .exits(0);
    assert_eq!(ended.starts("/t1"), 2);
    assert_eq!(ended.starts("prepare"), 3, "{:?}", ended.calls);
}
