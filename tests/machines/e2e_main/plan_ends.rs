//! What ends a plan before all of its tests ran (`exit-first`, `tmt-abort`), and what ends its tests (`ignore-duration`).

use std::fs;

use serde_json::Value;

use crate::e2e_main::scene::Scene;

const EXIT_FIRST: &str = "discover: {how: fmf, test: [^/t/]}\nexecute: {how: tmt, exit-first: true}\n";

/// A plan with three tests, of which one does what is told, and all say so.
fn suite(plan: &str, second: &str) -> Scene {
    let test = |name: &str, script: &str| format!("/{name}: {{test: 'echo {name} >>\"$COUNTER\"; {script}'}}\n");
    let tests = [test("a", "true"), test("b", second), test("c", "true")].concat();
    Scene::new([("plan.fmf", plan), ("t.fmf", &tests)])
}

/// The only result of a test.
fn status(scene: &Scene, test: &str) -> (String, String) {
    let results = scene.results(test);
    let word = |key: &str| results[0][key].as_str().unwrap_or_default().to_owned();
    assert_eq!(results.len(), 1, "{results:?}");
    (word("status"), word("error"))
}

fn not_run() -> (String, String) {
    ("infra".to_owned(), "cancelled".to_owned())
}

#[test]
fn with_exit_first_no_test_of_the_plan_starts_after_one_that_failed_and_finish_and_other_plans_run() {
    let plan = format!("{EXIT_FIRST}finish: {{how: shell, script: 'echo finish >>\"$COUNTER\"'}}\n");
    let scene = suite(&plan, "false");
    scene.write("u.fmf", "test: 'echo other >>\"$COUNTER\"'\n");
    scene.write("z.fmf", "discover: {how: fmf, test: [^/u]}\nexecute: {how: tmt}\n");
    let ran = scene.run(1, ["build"]);
    assert!(ran.said("`/t/b` failed, and its plan has `exit-first`"), "{ran:?}");
    assert!(!ran.said("not obeyed"), "{ran:?}");
    assert_eq!(scene.ran_in_order(), ["a", "b", "other", "finish"]);
    assert_eq!(status(&scene, "/t/c"), not_run());
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(scene.latest().join("run.json")).expect("it is there"))
            .expect("it is JSON");
    assert_eq!(
        summary["tests"],
        serde_json::json!({"pass": 2, "fail": 1, "cancelled": 1})
    );

    scene.run(1, ["build"]);
    assert_eq!(
        scene.ran_in_order(),
        ["b", "finish"],
        "what passed stands, and nothing else starts"
    );
    scene.edit("t.fmf", "false", "true");
    let mended = scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["b", "c", "finish"], "{mended:?}");
}

#[test]
fn what_ends_a_plan_with_exit_first_is_a_failure_and_an_error_and_a_timeout_and_no_warning() {
    for (test, runs, code) in [
        ("exit 1'}", false, 1),
        ("exit 2'}", false, 1),
        ("true', result: xfail}", false, 1),
        ("false', result: xfail}", true, 0),
        ("true', result: warn}", true, 1),
        ("sleep 60', duration: 1s}", false, 3),
    ] {
        let scene = suite(EXIT_FIRST, "SCRIPT");
        scene.edit("t.fmf", "SCRIPT'}", test);
        let ran = scene.run(code, ["build"]);
        assert_eq!(scene.ran().contains(&"c".to_owned()), runs, "{test}: {ran:?}");
    }
}

#[test]
fn a_test_that_another_plan_has_too_runs_for_that_plan() {
    let scene = suite(EXIT_FIRST, "false");
    scene.write("z.fmf", "discover: {how: fmf, test: [/c$]}\nexecute: {how: tmt}\n");
    scene.run(1, ["build"]);
    assert_eq!(scene.ran_in_order(), ["a", "b", "c"]);
}

#[test]
fn what_runs_on_another_machine_goes_on_and_nothing_else_starts() {
    let scene = suite(EXIT_FIRST, "true");
    scene.write(
        "t.fmf",
        "/a: {test: 'until [ -e \"$COUNTER.b\" ]; do sleep 0.1; done; false'}
/b: {test: 'touch \"$COUNTER.b\"; sleep 2; echo b >>\"$COUNTER\"'}
/c: {test: 'echo c >>\"$COUNTER\"'}
",
    );
    scene.run(1, ["build", "-s", "local*2"]);
    assert_eq!(scene.ran(), ["b"]);
    assert_eq!(status(&scene, "/t/b").0, "pass");
    assert_eq!(status(&scene, "/t/c"), not_run());
}

#[test]
fn tests_that_share_a_tree_end_with_the_first_failure_and_are_tried_again_together() {
    let plan = format!("{EXIT_FIRST}extra-atex-shared-tree: true\n");
    let scene = suite(
        &plan,
        "[ -e \"$COUNTER.again\" ] || { touch \"$COUNTER.again\"; false; }",
    );
    let ran = scene.run(1, ["build"]);
    assert_eq!(scene.ran_in_order(), ["a", "b"], "{ran:?}");
    assert_eq!(status(&scene, "/t/c"), not_run());
    fs::remove_file(scene.world.path("ran.again")).expect("the test made it");
    let ran = scene.run(0, ["build", "--retries", "1"]);
    assert_eq!(scene.ran_in_order(), ["a", "b", "a", "b", "c"], "{ran:?}");
    assert!(!ran.said("cancelled"), "{ran:?}");
}

#[test]
fn an_abort_ends_the_plan_and_is_no_pass_that_is_recorded() {
    for name in ["tmt-abort", "rstrnt-abort", "rhts-abort"] {
        let scene = suite(
            "discover: {how: fmf, test: [^/t/]}\nexecute: {how: tmt}\n",
            &format!("tmt-report-result /x PASS; {name}; sleep 60"),
        );
        let ran = scene.run(1, ["build"]);
        assert!(ran.said("`/t/b` gave its plan up (`tmt-abort`)"), "{ran:?}");
        assert_eq!(scene.ran_in_order(), ["a", "b"]);
        assert_eq!(
            scene.results("/t/b").last().expect("its own")["status"],
            "pass",
            "its report counts"
        );
        assert_eq!(status(&scene, "/t/c"), not_run());
        let again = scene.run(1, ["build"]);
        assert_eq!(scene.ran_in_order(), ["b"], "it gives up in each run: {again:?}");
    }
}

#[test]
fn where_durations_are_ignored_none_ends_a_test_or_is_in_its_key() {
    let scene = suite(
        "discover: {how: fmf}\nexecute: {how: tmt, ignore-duration: true}\n",
        "sleep 3",
    );
    scene.edit("t.fmf", "sleep 3'}", "sleep 3', duration: 1s}");
    let ran = scene.run(0, ["build"]);
    assert!(!ran.said("not obeyed"), "{ran:?}");
    scene.edit("t.fmf", "1s", "2s");
    let again = scene.run(0, ["build"]);
    assert!(again.said("3 cached"), "{again:?}");
    scene.edit("plan.fmf", ", ignore-duration: true", "");
    assert!(scene.why(["/t/b"]).contains("duration"));
    let late = scene.run(3, ["build"]);
    assert!(late.said("timeout"), "a pass without limit is none with one: {late:?}");
}

#[test]
fn a_value_of_execute_that_is_no_truth_value_is_an_error_of_its_plan() {
    for (execute, place) in [
        ("{how: tmt, exit-first: maybe}", "plan.fmf:2"),
        ("{how: tmt, ignore-duration: [true]}", "plan.fmf:2"),
        ("{how: tmt, restraint-compatible: 1}", "plan.fmf:2"),
        ("[{how: tmt}, {how: tmt}]", "plan.fmf:2"),
    ] {
        let scene = suite(&format!("discover: {{how: fmf}}\nexecute: {execute}\n"), "true");
        let ran = scene.run(2, ["build"]);
        assert!(ran.stderr.contains(place), "{execute}: {ran:?}");
        assert_eq!(scene.ran(), [""; 0]);
    }
}
