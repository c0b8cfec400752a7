//! Tests of finishes that are due: a run that did not do a finish leaves it due, and a later build does it, even if all tests
//! are recorded.

use crate::e2e_main::running::events;
use crate::e2e_main::scene::{Scene, eventually, witness};

/// The finish waits for a file before it is over.
const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo prepare >> \"$COUNTER\"'}
finish: {script: 'echo begin >> \"$COUNTER\"; until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done; echo finish >> \"$COUNTER\"'}
";

fn suite() -> Scene {
    Scene::new([("plan.fmf", PLAN.to_owned()), ("ok.fmf", witness("ok"))])
}

/// Kills a build in the middle of its finish, after which nothing is in its way.
fn killed_in_finish(scene: &Scene, sut: &str) {
    let run = crate::e2e_main::running::Running::start(scene.on(sut, ["build"]), &format!("killed-{sut}"));
    scene.kill(run, |ran| ran.ends_with("begin\n"));
}

#[test]
fn a_finish_that_a_killed_run_owes_is_run_once_by_the_next_build_though_all_tests_stand() {
    let scene = suite();
    killed_in_finish(&scene, "sut");
    let listed = scene.run(0, ["sut", "ls"]).stdout;
    assert!(listed.contains("finish owed: /plan"), "{listed}");
    let planned = scene.run(0, ["build", "--dry-run"]).stdout;
    assert!(planned.contains("finish /plan#1"), "{planned}");

    let ran = scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["begin", "finish"], "{ran:?}");
    let said = ran
        .stdout
        .lines()
        .filter(|line| line.contains("finish is due since an earlier run: `/plan`"));
    assert_eq!(said.count(), 1, "{ran:?}");
    assert_eq!(
        ran.stdout.lines().filter(|line| line.starts_with("cached")).count(),
        1,
        "{ran:?}"
    );

    let listed = scene.run(0, ["sut", "ls"]).stdout;
    assert!(!listed.contains("owed"), "{listed}");
    let ran = scene.run(0, ["build"]);
    assert_eq!((scene.ran(), ran.said("due")), (vec![], false), "once: {ran:?}");
}

#[test]
fn what_stops_before_the_finish_pays_nothing_and_atex_finish_pays() {
    let scene = suite();
    killed_in_finish(&scene, "sut");
    scene.run(0, ["build", "--until", "test"]);
    assert_eq!(scene.ran(), [""; 0]);
    scene.run(0, ["finish"]);
    assert_eq!(scene.ran_in_order(), ["begin", "finish"]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
}

#[test]
fn a_machine_that_tests_by_name_left_prepared_is_finished_by_the_next_build() {
    let scene = suite();
    scene.world.write("ran.go", "");
    scene.run(0, ["build"]);
    scene.run(0, ["test", "/ok"]);
    assert_eq!(
        scene.ran_in_order(),
        ["prepare", "test ok", "begin", "finish", "prepare", "test ok"]
    );
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["begin", "finish"]);
}

#[test]
fn what_is_owed_does_not_undo_what_a_test_still_needs() {
    let scene = suite();
    scene.world.write("ran.go", "");
    scene.run(0, ["test", "/ok"]);
    scene.write("more.fmf", witness("more"));
    scene.run(0, ["build"]);
    assert_eq!(
        scene.ran_in_order(),
        ["prepare", "test ok", "test more", "begin", "finish"]
    );
}

#[test]
fn exactly_the_machines_that_owe_are_opened_and_only_where_they_are_given() {
    let scene = suite();
    killed_in_finish(&scene, "owes");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0], "another machine owes nothing");
    let [one, owes] = ["sut", "owes"].map(|name| format!("local?name={name}&dir={}", scene.world.path(name).display()));
    let both = ["build", "-s", &one, "-s", &owes, "-o"];
    scene
        .world
        .atex()
        .args(both)
        .args([scene.world.path("out")])
        .run()
        .expect(0);
    assert_eq!(scene.ran_in_order(), ["begin", "finish"]);
    let opened: Vec<_> = events(&scene.world.path("out"))
        .into_iter()
        .filter(|event| event["state"] == "connecting")
        .map(|event| event["sut"].clone())
        .collect();
    assert_eq!(opened, ["owes"]);
}

#[test]
fn a_machine_that_owes_and_cannot_be_had_is_a_failure_of_the_infrastructure_and_owes_on() {
    let scene = suite();
    killed_in_finish(&scene, "sut");
    let lease = scene.world.path("sut");
    std::fs::rename(&lease, scene.world.path("kept")).expect("moved");
    scene.world.write("sut", "this is no directory");
    let ran = scene.run(3, ["build"]);
    assert!(ran.said("finish /plan#1"), "{ran:?}");
    let listed = scene.run(3, ["sut", "ls"]).stdout;
    assert!(listed.contains("finish owed: /plan"), "{listed}");
    std::fs::remove_file(&lease).expect("removed");
    std::fs::rename(scene.world.path("kept"), &lease).expect("moved back");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["begin", "finish"]);
}

#[test]
fn what_a_run_has_in_hand_is_owed_by_nobody() {
    let scene = suite();
    let run = scene.start("first", ["build"]);
    eventually("the start of the finish", || {
        scene.world.read("ran").ends_with("begin\n").then_some(())
    });
    let second = scene.run(0, ["build"]);
    assert!(!second.said("due"), "{second:?}");
    scene.world.write("ran.go", "");
    run.end().expect(0);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok", "begin", "finish"]);
}

#[test]
fn a_plan_of_another_tree_with_the_same_name_owes_nothing() {
    let scene = suite();
    killed_in_finish(&scene, "sut");
    scene.world.write("other/.fmf/version", "1\n");
    scene.world.write("other/plan.fmf", PLAN);
    scene.world.write("other/another.fmf", witness("another"));
    let other = || scene.on("elsewhere", ["build"]).cwd("other").run().expect(0);
    other();
    scene.ran();
    scene.atex(["build"]).cwd("other").run().expect(0);
    assert_eq!(scene.ran(), [""; 0]);
}

#[test]
fn a_machine_that_was_emptied_owes_nothing() {
    let scene = suite();
    killed_in_finish(&scene, "sut");
    std::fs::remove_dir_all(scene.world.path("sut")).expect("removed");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
    let listed = scene.run(0, ["sut", "ls"]).stdout;
    assert!(!listed.contains("owed"), "{listed}");
}

#[test]
fn where_nothing_can_be_remembered_a_run_says_so_and_goes_on() {
    let scene = suite();
    scene.world.write("ran.go", "");
    scene
        .world
        .write("home/.local/state/atex/owed-v1", "this is no directory");
    let ran = scene.run(0, ["build"]);
    assert!(
        ran.stderr
            .contains("warning: a finish that this run leaves due is known to its machine alone"),
        "{ran:?}"
    );
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok", "begin", "finish"]);
}
