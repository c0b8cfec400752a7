//! Tests of several atex processes at once: they share a HOME and a cache, and have machines of their own or share one.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use crate::e2e_main::running::Running;
use crate::e2e_main::scene::{Scene, eventually, results, witness};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo \"prepare $TMT_TREE\" >> \"$COUNTER\"'}
";

/// A test that ends when a file is there.
const GATED: &str = r#"test: |
    echo "begin $TMT_TEST_NAME" >> "$COUNTER"
    until [ -e "$COUNTER.go" ]; do sleep 0.02; done
    echo "end $TMT_TEST_NAME" >> "$COUNTER"
"#;

fn suite() -> Scene {
    Scene::new([("plan.fmf", PLAN.to_owned()), ("one.fmf", witness("one"))])
}

#[test]
fn fifty_processes_on_fifty_machines_all_succeed_and_prepare_each_once() {
    let scene = suite();
    let runs: Vec<_> = (0..50)
        .map(|number| Running::plain(scene.on(&format!("sut-{number}"), ["test", "/one"])))
        .collect();
    for run in runs {
        run.end().expect(0);
    }
    let ran = scene.ran();
    let (prepared, tests): (Vec<_>, Vec<_>) = ran.iter().partition(|line| line.starts_with("prepare"));
    assert_eq!(tests.len(), 50);
    assert_eq!(prepared.len(), 50);
    for number in 0..50 {
        let dir = format!("/sut-{number}/");
        assert_eq!(
            prepared.iter().filter(|line| line.contains(&dir)).count(),
            1,
            "{dir}: {ran:?}"
        );
    }
}

#[test]
fn eight_processes_on_one_machine_take_turns() {
    let scene = suite();
    scene.write("one.fmf", GATED);
    scene.world.write("ran.go", "");
    let runs: Vec<_> = (0..8).map(|_| Running::plain(scene.atex(["test", "/one"]))).collect();
    for run in runs {
        run.end().expect(0);
    }
    let ran = scene.ran_in_order();
    assert!(ran[0].starts_with("prepare"), "{ran:?}");
    assert_eq!(
        ran[1..],
        ["begin /one", "end /one"].repeat(8),
        "prepared once, and one at a time"
    );
}

#[test]
fn who_does_not_want_to_wait_is_told_who_holds_the_machine() {
    let scene = suite();
    scene.write("one.fmf", GATED);
    let holder = scene.start("holder", ["test", "/one"]);
    holder.wait_for("node-started", "test /one");
    let pid = format!("pid {} of ", holder.pid().as_raw_nonzero());

    let ran = scene.run(3, ["test", "/one", "--no-wait"]);
    assert!(ran.stdout.contains(&pid), "the run says who: {ran:?}");
    let result = &scene.results("/one")[0];
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"unreachable".into())
    );
    assert!(result["note"].as_str().unwrap_or_default().contains(&pid), "{result}");

    let waiter = scene.start("waiter", ["test", "/one"]);
    eventually("a message that names the holder", || {
        let waits = |event: &serde_json::Value| event["state"] == "waiting" && event["note"].to_string().contains(&pid);
        waiter.events().iter().any(waits).then_some(())
    });
    scene.world.write("ran.go", "");
    holder.end().expect(0);
    waiter.end().expect(0);
}

#[test]
fn the_machine_is_free_when_a_run_is_over() {
    let scene = suite();
    for _ in 0..4 {
        scene.run(0, ["test", "/one"]);
        let lease = File::open(scene.world.path("sut/lease")).expect("the lease");
        flock(&lease, FlockOperation::NonBlockingLockExclusive).expect("nobody holds the machine");
    }
}

#[test]
fn two_builds_of_one_tree_run_each_test_once_in_all() {
    let scene = suite();
    scene.write("gated.fmf", format!("{GATED}order: 1\n"));
    scene.write("two.fmf", witness("two"));
    let first = Running::start(scene.on("sut-1", ["build"]), "first");
    first.wait_for("node-started", "test /gated");
    let second = Running::start(scene.on("sut-2", ["build"]), "second");
    for test in ["test /one", "test /two"] {
        second.wait_for("node-finished", test);
    }
    scene.world.write("ran.go", "");
    let dirs = [first.dir.clone(), second.dir.clone()];
    first.end().expect(0);
    second.end().expect(0);
    let ran: Vec<_> = scene
        .ran()
        .into_iter()
        .filter(|line| !line.starts_with("prepare"))
        .collect();
    assert_eq!(ran, ["begin /gated", "end /gated", "test one", "test two"]);
    for dir in dirs {
        for test in ["/gated", "/one", "/two"] {
            assert_eq!(results(&dir, test)[0]["status"], "pass", "{test} in {}", dir.display());
        }
    }
}

/// A build that runs `/gated`, and one that waits for its record.
fn one_runs_and_one_waits(scene: &Scene) -> (Running, Running) {
    scene.write("gated.fmf", format!("{GATED}order: 1\n"));
    let first = Running::start(scene.on("sut-1", ["build"]), "first");
    first.wait_for("node-started", "test /gated");
    let second = Running::start(scene.on("sut-2", ["build"]), "second");
    second.wait_for("node-finished", "test /one");
    (first, second)
}

#[test]
fn who_waits_for_a_build_that_is_killed_runs_the_test_itself() {
    let scene = suite();
    let (first, second) = one_runs_and_one_waits(&scene);
    first.signal(Signal::KILL);
    assert_eq!(first.end().code, 128 + 9);
    second.wait_for("node-started", "test /gated");
    scene.world.write("ran.go", "");
    second.end().expect(0);
    assert_eq!(scene.ran().iter().filter(|line| *line == "end /gated").count(), 1);
}

#[test]
fn who_waits_for_another_build_can_be_cancelled() {
    let scene = suite();
    let (first, second) = one_runs_and_one_waits(&scene);
    second.signal(Signal::INT);
    let dir = second.dir.clone();
    second.end().expect(130);
    assert_eq!(results(&dir, "/gated")[0]["error"], "cancelled");
    scene.world.write("ran.go", "");
    first.end().expect(0);
}
