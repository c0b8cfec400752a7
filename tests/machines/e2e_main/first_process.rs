//! Tests of atex as the first process of a container, where no other process reaps orphans.

use std::process::{Command, Output};

use crate::e2e_main::scene::Scene;

/// Runs atex as the first process of a namespace.
fn first(scene: &Scene, args: &[&str]) -> Output {
    let call = scene.atex(args.iter().copied()).command();
    let mut outer = Command::new("unshare");
    outer
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(call.get_program())
        .args(call.get_args());
    outer.env_clear();
    outer.envs(call.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(dir) = call.get_current_dir() {
        outer.current_dir(dir);
    }
    outer.output().expect("unshare is there")
}

#[test]
fn orphans_are_asked_for_and_the_exit_code_is_that_of_the_run() {
    let scene = Scene::new([
        (
            "a.fmf",
            "order: 1\ntest: for n in 1 2 3 4 5 6 7 8 9; do (setsid true &); done; sleep 0.2\n",
        ),
        (
            "b.fmf",
            "order: 2\ntest: '! cat /proc/[0-9]*/stat 2>/dev/null | grep \") Z 1 \"'\n",
        ),
    ]);
    let told = first(&scene, &["build"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    scene.write("c.fmf", "test: exit 1\n");
    let told = first(&scene, &["build"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let told = first(&scene, &["build", "--no-such-option"]);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
}

#[test]
fn a_signal_to_the_first_process_ends_the_run() {
    let scene = Scene::new([("a.fmf", "test: kill -TERM 1; sleep 60\n")]);
    let told = first(&scene, &["build"]);
    assert_eq!(told.status.code(), Some(130), "{told:?}");
}
