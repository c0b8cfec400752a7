//! Tests of finish: it runs once on each machine that a plan touched, whatever happened there.

use rustix::process::Signal;

use crate::e2e_main::scene::{Scene, witness};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo prepare >> \"$COUNTER\"'}
finish: {script: 'echo finish >> \"$COUNTER\"'}
";

fn suite() -> Scene {
    Scene::new([("plan.fmf", PLAN.to_owned()), ("ok.fmf", witness("ok"))])
}

#[test]
fn a_build_finishes_once_and_the_prepared_state_is_not_believed_afterwards() {
    let scene = suite();
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok", "finish"]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0], "nothing was touched");
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok"]);
}

#[test]
fn finish_runs_after_failures() {
    let scene = suite();
    scene.write("bad.fmf", "test: 'false'\n");
    scene.run(1, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok", "finish"]);

    let scene = suite();
    scene.edit("plan.fmf", "echo prepare", "false; echo prepare");
    scene.run(3, ["build"]);
    assert_eq!(scene.ran_in_order(), ["finish"]);

    let scene = suite();
    scene.write("slow.fmf", "test: sleep 1000\nduration: 1s\n");
    scene.run(3, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok", "finish"]);
}

#[test]
fn finish_runs_after_ctrl_c() {
    let scene = suite();
    scene.write("ok.fmf", "test: echo test >> \"$COUNTER\"; sleep 1000\n");
    let run = scene.start("out", ["build"]);
    run.wait_for("node-started", "test /ok");
    run.signal(Signal::INT);
    run.end().expect(130);
    let ran = scene.ran_in_order();
    assert_eq!((&*ran[0], &*ran[ran.len() - 1]), ("prepare", "finish"), "{ran:?}");
}

#[test]
fn atex_test_does_not_finish_and_atex_finish_does() {
    let scene = suite();
    scene.run(0, ["test", "/ok"]);
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok", "test ok"]);
    scene.run(0, ["finish"]);
    assert_eq!(scene.ran_in_order(), ["finish"]);
    scene.run(0, ["finish"]);
    assert_eq!(scene.ran(), [""; 0], "once");
    scene.run(0, ["test", "/ok"]);
    assert_eq!(
        scene.ran_in_order(),
        ["prepare", "test ok"],
        "finish may have undone the preparation"
    );
}

#[test]
fn atex_finish_takes_the_plans_it_is_given() {
    let plans = "discover: {how: fmf}
execute: {how: tmt}
/p: {finish: {script: 'echo finish p >> \"$COUNTER\"'}}
/q: {finish: {script: 'echo finish q >> \"$COUNTER\"'}}
";
    let scene = Scene::new([("plans.fmf", plans.to_owned()), ("ok.fmf", witness("ok"))]);
    scene.run(0, ["test", "/ok", "--plan", "/plans/p"]);
    scene.run(0, ["test", "/ok", "--plan", "/plans/q"]);
    assert_eq!(scene.ran(), ["test ok", "test ok"]);
    scene.run(0, ["finish", "/plans/q"]);
    assert_eq!(scene.ran(), ["finish q"]);
    scene.run(0, ["finish"]);
    assert_eq!(scene.ran(), ["finish p"]);
}

#[test]
fn each_plan_of_a_shared_chain_is_finished() {
    let scene = suite();
    let plans = "/p:\n    summary: One\n/q:\n    finish+: {script: 'echo finish q >> \"$COUNTER\"'}\n";
    scene.write("plan.fmf", format!("{PLAN}{plans}"));
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok", "finish", "finish q"]);
}

#[test]
fn a_finish_that_fails_is_a_failure_of_the_infrastructure() {
    let scene = suite();
    scene.edit("plan.fmf", "echo finish", "false; echo finish");
    let ran = scene.run(3, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok"]);
    assert!(ran.stdout.contains("finish.log"), "{ran:?}");
}
