//! Ctrl-C once and twice, and SIGTERM.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::running::{Running, processes_of};
use crate::scene::{Scene, eventually, report, results, witness};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo prepare >> \"$COUNTER\"'}
";

/// Reports one result, and goes on for ever.
const LONG: &str = r#"test: |
    REPORT
    echo begin >> "$COUNTER"
    sleep 1000
order: 1
"#;

fn suite() -> Scene {
    let early = report(r#"{"name":"early","status":"pass"}"#);
    Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("long.fmf", LONG.replace("REPORT", &early)),
        ("next.fmf", witness("next")),
        ("last.fmf", witness("last")),
    ])
}

fn running(scene: &Scene) -> Running {
    let run = scene.start("out", ["build"]);
    eventually("the start of the test", || {
        scene.world.read("ran").contains("begin").then_some(())
    });
    run
}

#[track_caller]
fn nothing_is_left(scene: &Scene) {
    let gone = || processes_of(&scene.world).is_empty().then_some(());
    eventually("the end of all processes of the run", gone);
}

#[track_caller]
fn complete(dir: &Path, exit_code: u8) {
    let text = std::fs::read_to_string(dir.join("run.json")).expect("the run is complete");
    let run: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(run["exit-code"], exit_code, "{run}");
}

/// What holds for every cancelled run of [`suite`].
#[track_caller]
fn cancelled(scene: &Scene, run: Running) {
    let dir = run.dir.clone();
    let ran = run.end().expect(130);
    assert!(ran.stdout.contains("cancelled"), "{ran:?}");
    assert_eq!(
        scene.ran_in_order(),
        ["prepare", "begin"],
        "nothing was started any more"
    );
    let of_long = results(&dir, "/long");
    assert_eq!(of_long[0]["name"], "early", "what was reported stays: {of_long:?}");
    assert_eq!(of_long.len(), 2);
    for result in [&of_long[1], &results(&dir, "/next")[0], &results(&dir, "/last")[0]] {
        assert_eq!(
            (&result["status"], &result["error"]),
            (&"infra".into(), &"cancelled".into()),
            "{result}"
        );
    }
    complete(&dir, 130);
    nothing_is_left(scene);
}

#[test]
fn ctrl_c_ends_the_test_and_cancels_the_rest() {
    let scene = suite();
    let run = running(&scene);
    run.signal(Signal::INT);
    cancelled(&scene, run);
}

#[test]
fn sigterm_is_as_ctrl_c() {
    let scene = suite();
    let run = running(&scene);
    run.signal(Signal::TERM);
    cancelled(&scene, run);
}

#[test]
fn a_cancelled_test_runs_again() {
    let scene = suite();
    let run = running(&scene);
    run.signal(Signal::INT);
    cancelled(&scene, run);
    scene.edit("long.fmf", "    sleep 1000\n", "");
    scene.run(0, ["build"]);
    assert_eq!(
        scene.ran_in_order(),
        ["begin", "test last", "test next"],
        "on the machine as it is prepared"
    );
}

#[test]
fn ctrl_c_in_a_preparation_cancels_all_tests_and_leaves_the_machine_in_doubt() {
    let scene = suite();
    scene.edit(
        "plan.fmf",
        ">> \"$COUNTER\"",
        ">> \"$COUNTER\"; until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done",
    );
    let run = scene.start("out", ["build", "--exclude", "long"]);
    eventually("the start of the preparation", || {
        scene.world.read("ran").contains("prepare").then_some(())
    });
    run.signal(Signal::INT);
    let dir = run.dir.clone();
    run.end().expect(130);
    for test in ["/next", "/last"] {
        assert_eq!(results(&dir, test)[0]["error"], "cancelled");
    }
    complete(&dir, 130);
    scene.world.write("ran.go", "");
    scene.run(0, ["build", "--exclude", "long"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "prepare", "test last", "test next"]);
}

#[test]
fn ctrl_c_ends_the_wait_for_a_machine() {
    let scene = suite();
    let holder = running(&scene);
    let waiter = scene.start("waiter", ["build"]);
    eventually("the wait", || {
        waiter
            .events()
            .iter()
            .any(|event| event["state"] == "waiting")
            .then_some(())
    });
    waiter.signal(Signal::INT);
    let dir = waiter.dir.clone();
    waiter.end().expect(130);
    assert_eq!(results(&dir, "/long")[0]["error"], "cancelled");
    complete(&dir, 130);
    holder.signal(Signal::INT);
    cancelled(&scene, holder);
}

#[test]
fn ctrl_c_twice_ends_what_the_first_one_lets_finish() {
    let scene = suite();
    let finish = "finish: {script: 'echo finish >> \"$COUNTER\"; sleep 1000; echo over >> \"$COUNTER\"'}\n";
    scene.write("plan.fmf", format!("{PLAN}{finish}"));
    let run = running(&scene);
    run.signal(Signal::INT);
    eventually("finish", || scene.world.read("ran").contains("finish").then_some(()));
    run.signal(Signal::INT);
    let dir = run.dir.clone();
    run.end().expect(130);
    complete(&dir, 130);
    assert_eq!(scene.ran_in_order(), ["prepare", "begin", "finish"]);
    nothing_is_left(&scene);
}

#[test]
fn ctrl_c_twice_does_not_wait_for_a_test_that_will_not_die() {
    let scene = suite();
    scene.edit("long.fmf", "test: |\n", "test: |\n    trap '' TERM INT HUP\n");
    scene.edit("long.fmf", "    sleep 1000\n", "    while :; do sleep 1000; done\n");
    let run = running(&scene);
    run.signal(Signal::INT);
    run.signal(Signal::INT);
    let dir = run.dir.clone();
    run.end().expect(130);
    assert_eq!(results(&dir, "/long")[1]["error"], "cancelled");
    complete(&dir, 130);
    nothing_is_left(&scene);
}
