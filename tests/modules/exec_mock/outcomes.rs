//! Tests of runs in which nothing is wrong with the machines, and of their exit codes.

use super::mock::Step;
use atex::event::{Event, NodeOutcome};

use crate::exec_mock::bench::{Bench, bench, says};

#[test]
fn all_passed_is_0_and_the_second_run_touches_no_machine() {
    let bench = bench(3);
    let first = bench.run().exits(0);
    assert_eq!(first.jobs_of("one"), ["prepare", "/t1", "/t2", "/t3", "finish"]);
    let second = bench.run().exits(0);
    assert_eq!(second.calls, [""; 0]);
    assert_eq!((second.finished.cached, second.result("/t2").as_str()), (3, "pass"));
}

#[test]
fn a_failed_test_is_1_and_runs_again() {
    let bench = bench(2);
    bench.lab.script("/t2", vec![Step::Exit(7)]);
    let ended = bench.run().exits(1);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("pass".into(), "error".into())
    );
    let again = bench.run().exits(0);
    assert_eq!((again.starts("/t1"), again.starts("/t2")), (0, 1));
}

#[test]
fn infrastructure_is_3_and_wins_over_failed_tests() {
    let bench = bench(2);
    bench.lab.script("/t1", vec![Step::Exit(1)]);
    bench.lab.script("/t2", vec![says("nonsense\n"), Step::Exit(0)]);
    let ended = bench.run().exits(3);
    assert_eq!(ended.result("/t2"), "infra control");
    assert_eq!(
        (ended.tests(NodeOutcome::Fail), ended.tests(NodeOutcome::Infra)),
        (1, 1)
    );
}

#[test]
fn a_control_violation_ends_the_test_and_leaves_the_sut_trusted() {
    let bench = bench(2);
    bench.lab.script("/t1", vec![says("nonsense\n"), Step::UntilCancelled]);
    let ended = bench.run().exits(3);
    assert!(
        ended.calls.contains(&"one: terminate /t1".to_owned()),
        "{:?}",
        ended.calls
    );
    assert_eq!((ended.starts("prepare"), ended.result("/t2").as_str()), (1, "pass"));
}

#[test]
fn test_mode_runs_what_is_recorded_too_and_leaves_the_sut_prepared() {
    let bench = bench(2);
    bench.run().exits(0);
    let mut bench = bench.mode(atex::exec::options::Mode::Test);
    bench.tests = vec!["/t1".to_owned()];
    let first = bench.run().exits(0);
    assert_eq!(
        first.jobs_of("one"),
        ["prepare", "/t1"],
        "finish had ended the prepared state"
    );
    let second = bench.run().exits(0);
    assert_eq!(second.jobs_of("one"), ["/t1"]);
}

#[test]
fn events_of_a_node_come_in_order() {
    let ended = bench(1).run();
    let nodes = ended.events.iter().filter_map(|event| match event {
        Event::NodeStarted { node, .. } => Some(format!("start {node}")),
        Event::NodeFinished { node, outcome, .. } => Some(format!("{outcome:?} {node}")),
        Event::Result { node, status, .. } => Some(format!("{status} {node}")),
        _ => None,
    });
    assert_eq!(
        nodes.collect::<Vec<_>>(),
        [
            "start prepare /plan#1 shell",
            "Pass prepare /plan#1 shell",
            "start test /t1",
            "pass test /t1",
            "Pass test /t1",
            "start finish /plan#1",
            "Pass finish /plan#1",
        ]
    );
}

#[test]
fn plans_with_equal_chains_prepare_once_and_share_tests() {
    let plan = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: prepare}\n";
    let bench = Bench::of(&[("a.fmf", plan), ("b.fmf", plan), ("t1.fmf", "test: 'true'\n")]);
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("one"), ["prepare", "/t1"]);
}

#[test]
fn a_name_of_a_result_does_not_choose_the_size_of_its_event() {
    let bench = bench(1);
    let json = format!(
        r#"{{"status":"{}","name":"{}"}}"#,
        "s".repeat(100_000),
        "n".repeat(100_000)
    );
    bench.lab.script(
        "/t1",
        vec![says(&format!("result {}\n{json}", json.len())), Step::Exit(0)],
    );
    let ended = bench.run().exits(1);
    let sizes = ended
        .events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap().len());
    assert!(sizes.max().unwrap() < 5000);
    assert_eq!(ended.results("/t1")[0]["name"].as_str().unwrap().len(), 100_000);
}
