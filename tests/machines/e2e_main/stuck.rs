//! Tests of what hangs or is missing on a machine: the run does not hang because of it, and reports it as what it is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use crate::e2e_main::running::Running;
use crate::e2e_main::scene::{Scene, eventually, witness};

/// The processes that have the lease of the scene's machine open.
fn agents(scene: &Scene) -> Vec<Pid> {
    let lease = scene.world.path("sut/lease").canonicalize().expect("a lease");
    let holds = |pid: &i32| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        open.into_iter()
            .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target == lease))
    };
    let all = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found: Vec<Pid> = pids.filter(holds).filter_map(Pid::from_raw).collect();
    assert!(!found.is_empty(), "somebody has the lease");
    found
}

/// A test that says that it begins, and then does this.
fn beginning(then: &str) -> Scene {
    // The wrapper is the parent of a test that knows the control stream.
    let test = format!("test: |\n    echo begin >> \"$COUNTER\"\n    {then}\nextra-atex-interface: atex\n");
    Scene::new([("test.fmf", test), ("other.fmf", witness("other"))])
}

fn begun(scene: &Scene) -> Running {
    let run = scene.start("out", ["build", "--name", "/test"]);
    eventually("the start of the test", || {
        scene.world.read("ran").contains("begin").then_some(())
    });
    run
}

#[test]
fn a_wrapper_that_a_test_stopped_is_ended_by_the_next_run() {
    let scene = beginning("kill -STOP $PPID; echo stopped >> \"$COUNTER\"; sleep 1000");
    let run = begun(&scene);
    eventually("the stop", || scene.world.read("ran").contains("stopped").then_some(()));
    run.signal(Signal::KILL);
    drop(run);
    scene.run(0, ["build", "--name", "/other"]);
    assert_eq!(scene.ran_in_order(), ["begin", "stopped", "test other"]);
    scene.run(0, ["sut", "reset"]);
}

#[test]
fn a_stopped_agent_whose_runner_is_gone_is_ended_by_the_next_run() {
    let scene = beginning("sleep 1000");
    let run = begun(&scene);
    for agent in agents(&scene) {
        kill_process(agent, Signal::STOP).expect("it is there");
    }
    run.signal(Signal::KILL);
    drop(run);
    scene.run(0, ["build", "--no-wait", "--name", "/other"]);
    assert_eq!(scene.ran_in_order(), ["begin", "test other"]);
}

#[test]
fn a_stopped_agent_of_a_living_runner_is_ended_by_a_reset_only() {
    let scene = beginning("sleep 1000");
    let run = begun(&scene);
    for agent in agents(&scene) {
        kill_process(agent, Signal::STOP).expect("it is there");
    }
    let held = scene.run(3, ["build", "--no-wait", "--name", "/other"]);
    assert!(held.said("held by pid"), "{held:?}");
    scene.run(0, ["sut", "reset"]);
    drop(run);
    scene.run(0, ["build", "--name", "/other"]);
}

/// A directory with the programs of this machine, and what else is written there.
fn programs(scene: &Scene, without: &[&str], own: &[(&str, &str)]) -> PathBuf {
    let dir = scene.world.path(format!("bin-{}", own.len() + 2 * without.len()));
    let _made_anew = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).expect("a directory");
    let path = std::env::var_os("PATH").expect("a PATH");
    for place in std::env::split_paths(&path) {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is = |other: &str| name == other;
            if !without.iter().copied().any(is) && !own.iter().any(|(other, _)| is(other)) {
                let _the_first_counts = std::os::unix::fs::symlink(entry.path(), dir.join(name));
            }
        }
    }
    for (name, text) in own {
        std::fs::write(dir.join(name), text).expect("written");
        std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o755)).expect("executable");
    }
    dir
}

#[test]
fn a_machine_that_lacks_a_program_says_which() {
    for program in ["flock", "setsid", "sync", "stat", "comm", "sort", "tar"] {
        let scene = beginning("true");
        let ran = scene
            .atex(["build"])
            .env("PATH", programs(&scene, &[program], &[]))
            .run()
            .expect(3);
        assert!(
            ran.said(&format!("not installed there, and needed: `{program}`")),
            "{ran:?}"
        );
        assert!(scene.ran().is_empty());
    }
}

#[test]
fn a_lock_that_cannot_be_had_is_told_as_what_it_is_and_not_waited_for() {
    let scene = beginning("true");
    let refused = "#!/bin/sh\necho 'flock: 9: No locks available' >&2\nexit 71\n";
    let path = programs(&scene, &[], &[("flock", refused)]);
    let ran = scene.atex(["build"]).env("PATH", path).run().expect(3);
    assert!(ran.said("lease`: flock: 9: No locks available"), "{ran:?}");
    assert!(!ran.said("held by"), "{ran:?}");
    assert!(scene.ran().is_empty());
}

#[test]
fn a_flock_that_knows_no_w_is_good_enough() {
    let flock = std::env::split_paths(&std::env::var_os("PATH").expect("a PATH"))
        .map(|dir| dir.join("flock"))
        .find(|path| path.exists())
        .expect("flock is installed");
    let scene = beginning("true");
    let text = format!(
        "#!/bin/sh\ncase $1 in -w) echo 'flock: unrecognized option: w' >&2; exit 1;; esac\nexec {} \"$@\"\n",
        flock.display()
    );
    let path = programs(&scene, &[], &[("flock", &text)]);
    scene
        .atex(["build", "--name", "/test"])
        .env("PATH", path)
        .run()
        .expect(0);
    assert_eq!(scene.ran(), ["begin"]);
}

#[test]
fn a_zombie_that_a_test_leaves_in_its_group_is_not_waited_for() {
    // A process that left the group, and never asks for its child, which did not.
    let parent =
        "(sleep 0 & echo $! > \"$COUNTER.zombie\"; exec setsid env -i sleep 1000) & echo $! > \"$COUNTER.parent\"";
    let zombie = "grep -qs ') Z' \"/proc/$(cat \"$COUNTER.zombie\" 2>/dev/null)/stat\"";
    let scene = beginning(&format!("{parent}\n    until {zombie}; do sleep 0.01; done"));
    let log = scene.world.path("slept");
    let text = format!(
        "#!/bin/bash\necho \"$*\" >>{}\nPATH={}\nexec sleep \"$@\"\n",
        log.display(),
        std::env::var("PATH").expect("a PATH")
    );
    let path = programs(&scene, &[], &[("sleep", &text)]);
    scene
        .atex(["build", "--name", "/test"])
        .env("PATH", path)
        .run()
        .expect(0);
    let parent = scene.world.read("ran.parent").trim().parse().expect("a number");
    kill_process(Pid::from_raw(parent).expect("a process"), Signal::KILL).expect("it left the group and lives");
    let slept = scene.world.read("slept");
    assert!(
        !slept.lines().any(|line| line == "0.05"),
        "the wrapper waited for a group of zombies: {slept}"
    );
}
