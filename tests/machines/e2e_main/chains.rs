//! Tests of prepare chains: equal ones are shared, and they run only if something needs them.

use std::fmt::Write as _;

use crate::e2e_main::scene::{Scene, witness};

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
}

#[test]
fn a_probe_is_run_by_what_runs_tests_and_by_nothing_that_only_looks() {
    let plan = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: 'echo prepare >> \"$COUNTER\"'}\n";
    let scene = Scene::new([("a.fmf", witness("a"))]);
    let (asked, probe) = (scene.world.path("asked"), scene.world.path("probe"));
    let probe = format!(
        "extra-atex-probe: echo >> {}; cat {}\n",
        asked.display(),
        probe.display()
    );
    scene.write("plan.fmf", format!("{plan}{probe}"));
    scene.world.write("asked", "");
    scene.world.write("probe", "one");
    let sut = ["--sut-dir".into(), scene.world.sut().into_os_string()];
    let looks = |said: &str, dry: [&str; 2]| {
        let compiles = [
            &["graph"][..],
            &["why", "/a"],
            &["build", "--dry-run"],
            &["test", "/a", "--dry-run"],
            &["finish", "--dry-run"],
        ];
        for args in compiles {
            let ran = scene.world.atex().args(args).args(&sut).run().expect(0);
            assert_eq!(ran.stderr.matches(said).count(), 1, "{args:?}: {ran:?}");
            if args == ["build", "--dry-run"] {
                let lines: Vec<_> = ran
                    .stdout
                    .lines()
                    .filter(|line| line.contains("/a") || line.contains("prepare"))
                    .collect();
                assert!(
                    lines.iter().all(|line| line.starts_with(dry[0])) && !lines.is_empty(),
                    "{ran:?}"
                );
            }
            if args[0] == "why" {
                assert!(ran.stdout.contains(dry[1]), "{ran:?}");
            }
        }
        for args in [
            &["ls"][..],
            &["ls", "plans"],
            &["lint"],
            &["cache", "ls"],
            &["cache", "du"],
            &["cache", "verify"],
        ] {
            scene.world.atex().args(args).run().expect(0);
        }
    };
    looks(
        "the probe of `/plan` was not run, and never was",
        ["run", "runs: there is no record of it"],
    );
    assert_eq!(scene.world.read("asked"), "");
    scene.run(0, ["build"]);
    assert_eq!(scene.world.read("asked"), "\n");
    scene.world.write("probe", "two");
    looks(
        "the probe of `/plan` was not run: its answer of ",
        ["cached", "does not run"],
    );
    assert_eq!(scene.world.read("asked"), "\n");
    scene.run(0, ["build"]);
    assert_eq!(scene.world.read("asked"), "\n\n");
    assert_eq!(scene.ran(), ["prepare", "prepare", "test a", "test a"]);
    scene.run(0, ["finish"]);
    assert_eq!(
        scene.world.read("asked"),
        "\n\n",
        "what ends a machine's use asks nothing"
    );
}
