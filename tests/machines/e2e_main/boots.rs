//! Tests of a boot that no test asked for: what prepare steps started, mounted or put into memory is gone after it.

use std::process::Command;

use crate::e2e_main::scene::{Scene, witness};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo prepare >> \"$COUNTER\"'}
finish: {script: 'echo finish >> \"$COUNTER\"'}
";

/// A suite whose machine is prepared.
fn prepared() -> Scene {
    let scene = Scene::new([("plan.fmf", PLAN.to_owned()), ("ok.fmf", witness("ok"))]);
    scene.run(0, ["test", "/ok"]);
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok", "test ok"]);
    scene
}

/// Makes the machine say that it was prepared in another boot than this one.
fn boot(scene: &Scene) {
    let mut state: serde_json::Value = serde_json::from_str(&scene.world.read("sut/v1/state")).expect("a state");
    assert!(state["boot"].as_str().is_some_and(|boot| boot.len() > 30), "{state}");
    state["boot"] = "before".into();
    scene.world.write("sut/v1/state", state.to_string());
}

#[test]
fn a_machine_that_was_booted_is_prepared_again_and_the_run_says_why() {
    let scene = prepared();
    boot(&scene);
    assert!(scene.run(0, ["sut", "ls"]).said("booted since"));
    let ran = scene.run(0, ["test", "/ok"]);
    assert!(ran.said("`local` was booted since it was prepared"), "{ran:?}");
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok"]);
    let ran = scene.run(0, ["test", "/ok"]);
    assert!(!ran.said("booted"), "{ran:?}");
    assert_eq!(scene.ran_in_order(), ["test ok"], "once");
}

#[test]
fn a_boot_can_be_trusted_by_option_and_by_configuration() {
    let scene = prepared();
    boot(&scene);
    scene.run(0, ["test", "/ok", "--on-reboot", "trust"]);
    assert_eq!(scene.ran_in_order(), ["test ok"]);
    scene.write("atex.toml", "[defaults]\non-reboot = \"trust\"\n");
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["test ok"]);
    scene.run(0, ["test", "/ok", "--on-reboot", "prepare"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test ok"]);
}

#[test]
fn a_finish_that_was_due_before_the_boot_is_due_after_it() {
    let scene = prepared();
    boot(&scene);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["finish"]);
}

#[test]
fn a_container_that_was_started_again_is_prepared_again() {
    if !rustix::process::geteuid().is_root() {
        assert!(
            std::env::var_os("CI").is_none(),
            "only root can make processes with numbers of their own"
        );
        eprintln!("SKIPPED: only root can make processes with numbers of their own");
        return;
    }
    let scene = Scene::new([("plan.fmf", PLAN.to_owned()), ("ok.fmf", witness("ok"))]);
    let in_a_container = |number: usize| {
        let atex = scene.atex(["test", "/ok"]);
        let inner = atex.command();
        let mut command = Command::new("unshare");
        // The first process stays: `sh` must not become what it runs.
        let script = "for _ in $N; do \"$@\"; done; exit $?";
        command.args(["--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh"]);
        command.arg(inner.get_program()).args(inner.get_args());
        command.current_dir(scene.world.tree()).env_clear();
        for (name, value) in inner.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("N", vec!["again"; number].join(" "));
        atex.ran(&command.output().expect("unshare runs")).expect(0);
        scene.ran_in_order()
    };
    assert_eq!(in_a_container(2), ["prepare", "test ok", "test ok"]);
    assert_eq!(in_a_container(1), ["prepare", "test ok"]);
}
