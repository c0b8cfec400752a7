//! Tests of what prepare scripts leave running: it serves the tests, is a part of what is prepared, and ends with that.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::e2e_main::running::events;
use crate::e2e_main::scene::{Scene, eventually};

/// A server of the first step, and a second step. The server holds what its script prints to.
const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare:
  - script: |
      echo 'prepare one' >> \"$COUNTER\"
      setsid sleep 1000 & echo $! > \"$COUNTER.pid\"
  - script: echo 'prepare two' >> \"$COUNTER\"
finish:
    script: kill -0 \"$(cat \"$COUNTER.pid\")\"; echo finish >> \"$COUNTER\"
";

/// A test that needs the server.
const TEST: &str = "test: |
    echo ok >> \"$COUNTER\"
    kill -0 \"$(cat \"$COUNTER.pid\")\"
";

const PREPARED: [&str; 2] = ["prepare one", "prepare two"];

fn suite() -> Scene {
    Scene::new([("plan.fmf", PLAN), ("ok.fmf", TEST)])
}

fn server(scene: &Scene) -> Pid {
    process(scene, "ran.pid")
}

/// The process whose number a file of the world holds.
fn process(scene: &Scene, file: &str) -> Pid {
    let pid = scene.world.read(file).trim().parse().expect("a number");
    Pid::from_raw(pid).expect("a process")
}

fn lives(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    test_kill_process(pid).is_ok() && stat.is_ok_and(|stat| !stat.contains(") Z "))
}

fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).expect("it runs");
}

fn warnings(scene: &Scene) -> String {
    let told = events(&scene.latest())
        .into_iter()
        .filter(|event| event["event"] == "warning");
    told.map(|event| event["text"].to_string()).collect()
}

#[test]
fn a_server_of_prepare_serves_the_tests_of_later_runs_and_ends_after_finish() {
    let scene = suite();
    scene.run(0, ["test", "/ok"]);
    let pid = server(&scene);
    assert!(lives(pid));
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), [&PREPARED[..], &["ok", "ok"]].concat());
    let shown = scene.run(0, ["sut", "show"]).stdout;
    let line = shown.lines().find(|line| line.contains("daemons")).expect("a line");
    assert!(line.contains("sleep 1000") && line.contains("prepare /plan"), "{shown}");
    scene.run(0, ["finish"]);
    assert_eq!(scene.ran_in_order(), ["finish"], "the finish script still finds it");
    assert!(!lives(pid));
    assert!(!scene.run(0, ["sut", "show"]).stdout.contains("sleep 1000"));
}

#[test]
fn a_server_that_died_between_runs_has_its_step_and_the_later_ones_run_again() {
    let scene = suite();
    scene.run(0, ["test", "/ok"]);
    scene.ran();
    kill(server(&scene));
    let shown = scene.run(0, ["sut", "show"]).stdout;
    assert!(shown.contains("it has ended"), "{shown}");
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), [&PREPARED[..], &["ok"]].concat());
    assert!(warnings(&scene).contains("`sleep 1000`"), "{}", warnings(&scene));
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["ok"]);
    assert_eq!(warnings(&scene), "");
    scene.run(0, ["sut", "reset"]);
    assert!(!lives(server(&scene)));
}

#[test]
fn only_what_steps_left_that_run_again_or_are_not_wanted_any_more_is_ended() {
    let scene = suite();
    scene.edit(
        "plan.fmf",
        "echo 'prepare two'",
        "sleep 1001 & echo $! >\"$COUNTER.second\"; echo 'prepare two'",
    );
    scene.run(0, ["test", "/ok"]);
    let second = || process(&scene, "ran.second");
    let (first, before) = (server(&scene), second());
    scene.ran();
    kill(before);
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["prepare two", "ok"]);
    assert!(lives(first) && lives(second()));
    assert_eq!(server(&scene), first);
    scene.edit("plan.fmf", "setsid sleep 1000", "sleep 1002");
    let before = second();
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), [&PREPARED[..], &["ok"]].concat());
    assert!(!lives(first) && !lives(before));
    let shown = scene.run(0, ["sut", "show"]).stdout;
    assert!(shown.contains("sleep 1001") && shown.contains("sleep 1002"), "{shown}");
    scene.run(0, ["sut", "rm"]);
    assert!(!lives(server(&scene)) && !lives(second()));
}

#[test]
fn a_test_that_ends_the_server_is_not_recorded_and_the_next_one_finds_a_new_server() {
    let scene = suite();
    let killer =
        "order: 1\ntest: |\n    echo killer >> \"$COUNTER\"\n    kill \"$(cat \"$COUNTER.pid\")\"; sleep 0.2\n";
    scene.write("killer.fmf", killer);
    let ran = scene.run(0, ["build", "--until", "test"]);
    assert_eq!(
        scene.ran_in_order(),
        [&PREPARED[..], &["killer"], &PREPARED, &["ok"]].concat()
    );
    assert!(ran.stdout.contains("has ended: not recorded"), "{ran:?}");
    let ran = scene.run(0, ["build", "--until", "test"]);
    assert!(ran.stdout.contains("1 cached"), "{ran:?}");
    assert_eq!(
        scene.ran_in_order(),
        ["killer"],
        "it runs again, and finds the new server"
    );
    scene.run(0, ["finish"]);
}

#[test]
fn what_ends_during_each_test_is_started_anew_once_in_a_run_and_nothing_is_recorded() {
    let scene = Scene::new([
        (
            "plan.fmf",
            "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: 'echo prepare >> \"$COUNTER\"; sleep 1.5 &'}\n",
        ),
        (
            "t.fmf",
            "/1: {test: sleep 2}\n/2: {test: sleep 2}\n/3: {test: sleep 2}\n",
        ),
    ]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["prepare", "prepare"]);
    let ran = scene.run(0, ["build"]);
    assert!(!ran.stdout.contains("cached"), "{ran:?}");
    scene.run(0, ["sut", "reset"]);
}

#[test]
fn a_step_that_fails_leaves_nothing_running() {
    let scene = suite();
    scene.edit(
        "plan.fmf",
        "\"$COUNTER.pid\"\n  -",
        "\"$COUNTER.pid\"; sleep 0.1; false\n  -",
    );
    scene.run(3, ["test", "/ok"]);
    assert!(!lives(server(&scene)));
}

#[test]
fn a_run_that_is_killed_during_prepare_leaves_nothing_running_that_is_not_listed() {
    let scene = suite();
    scene.edit(
        "plan.fmf",
        "script: echo 'prepare two' >> \"$COUNTER\"",
        "script: setsid sleep 1001 & echo $! >\"$COUNTER.second\"; echo 'prepare two' >> \"$COUNTER\"; sleep 1000",
    );
    let run = scene.start("out", ["test", "/ok"]);
    eventually("the second step", || {
        scene.world.read("ran").contains("prepare two").then_some(())
    });
    run.signal(Signal::KILL);
    run.end();
    let second = process(&scene, "ran.second");
    eventually("what was not listed is gone", || (!lives(second)).then_some(()));
    let shown = scene.run(0, ["sut", "show"]).stdout;
    assert!(shown.contains("sleep 1000") && !shown.contains("sleep 1001"), "{shown}");
    scene.run(0, ["sut", "reset"]);
    assert!(!lives(server(&scene)));
}
