//! Prepare chains: shared where they are the same, and only run where something needs them.

use std::fmt::Write as _;

use crate::scene::{Scene, witness};

/// Plans that discover everything; the scripts of plan `n` say the number of its chain.
fn plans(count: usize, chains: usize) -> String {
    let mut text = "discover: {how: fmf}\nexecute: {how: tmt}\n".to_owned();
    for plan in 0..count {
        let chain = plan % chains;
        let _infallible = write!(
            text,
            "/p{plan}:\n    prepare:\n      - script: echo 'chain {chain} one' >> \"$COUNTER\"\n      \
             - script: echo 'chain {chain} two' >> \"$COUNTER\"\n"
        );
    }
    text
}

#[test]
fn two_plans_with_the_same_chain_prepare_once() {
    let scene = Scene::new([("plans.fmf", plans(2, 1)), ("a.fmf", witness("a"))]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["chain 0 one", "chain 0 two", "test a"]);
}

#[test]
fn seventy_five_plans_with_three_chains_prepare_three_times() {
    let scene = Scene::new([("plans.fmf", plans(75, 3)), ("a.fmf", witness("a"))]);
    scene.run(0, ["build"]);
    let mut expected = Vec::new();
    for chain in 0..3 {
        expected.extend([
            format!("chain {chain} one"),
            format!("chain {chain} two"),
            "test a".to_owned(),
        ]);
    }
    assert_eq!(scene.ran_in_order(), expected);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
}

#[test]
fn where_all_is_recorded_no_machine_is_touched() {
    let scene = Scene::new([("plans.fmf", plans(2, 2)), ("a.fmf", witness("a"))]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran().len(), 6);
    scene.on("untouched", ["build"]).run().expect(0);
    assert_eq!(scene.ran(), [""; 0]);
    assert!(!scene.world.path("untouched").exists(), "a SUT was opened for nothing");
}

#[test]
fn a_plan_whose_tests_are_recorded_is_not_prepared_for_another_one() {
    let scene = Scene::new([("plans.fmf", plans(2, 2)), ("a.fmf", witness("a"))]);
    scene.run(0, ["build", "/plans/p0"]);
    assert_eq!(scene.ran_in_order(), ["chain 0 one", "chain 0 two", "test a"]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["chain 1 one", "chain 1 two", "test a"]);
}

#[test]
fn a_probe_prepares_anew_when_its_answer_is_new() {
    let plan = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: 'echo prepare >> \"$COUNTER\"'}\n";
    let scene = Scene::new([("a.fmf", witness("a")), ("plan.fmf", plan.to_owned())]);
    let probe = scene.world.path("probe");
    scene.write("plan.fmf", format!("{plan}extra-atex-probe: cat {}\n", probe.display()));
    for (answer, runs) in [("one", true), ("one", false), ("two", true), ("two", false)] {
        scene.world.write("probe", answer);
        scene.run(0, ["build"]);
        let expected: &[&str] = if runs { &["prepare", "test a"] } else { &[] };
        assert_eq!(scene.ran_in_order(), expected, "the probe says {answer}");
    }
    scene.world.write("probe", "three");
    let why = scene.why(["/a"]);
    assert!(why.contains("\"two\" -> \"three\""), "{why}");
}
