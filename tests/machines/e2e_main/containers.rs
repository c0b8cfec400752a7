//! Tests of machines that are containers of podman (`podman:IMAGE`), with the real binary and the image of `tests/podman`.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::e2e_main::running::{Running, processes_of};
use crate::e2e_main::scene::{Scene, eventually};
use crate::support::{Atex, Ran};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare:
- {name: a, how: shell, script: 'printf a >> /steps'}
- {name: b, how: shell, script: 'printf b >> /steps'}
- {name: c, how: shell, script: 'printf c >> /steps'}
";

/// A test that passes in what the three steps have made of the image, each of them once.
const TEST: &str = "/one: {test: 'cat /steps; test \"$(cat /steps)\" = abc'}\n";

/// A scene, and the container of its own, which is removed when the test ends.
struct Contained {
    scene: Scene,
    name: String,
}

impl Contained {
    /// Returns nothing, and says so, where there are no containers.
    fn new(name: &str, tests: &str) -> Option<Self> {
        let there = Command::new("podman")
            .args(["image", "exists", "localhost/atex-test"])
            .status();
        if !there.is_ok_and(|status| status.success()) {
            assert!(
                std::env::var_os("CI").is_none(),
                "the image of `tests/podman` is not there"
            );
            eprintln!("SKIPPED: there is no image for containers");
            return None;
        }
        let contained = Self {
            scene: Scene::new([("plan.fmf", PLAN), ("t.fmf", tests)]),
            name: format!("atex-test-{name}-{}", std::process::id()),
        };
        Some(contained)
    }

    fn target(&self) -> String {
        format!(
            "podman:localhost/atex-test?network=none&pull=never&container={}",
            self.name
        )
    }

    fn atex<const N: usize>(&self, args: [&str; N]) -> Atex {
        let conf = std::env::var_os("CONTAINERS_CONF").unwrap_or_default();
        let atex = self.scene.world.atex().env("CONTAINERS_CONF", conf);
        atex.args(args).args(["-s", &self.target()])
    }

    /// Builds, and returns which prepare steps ran.
    #[track_caller]
    fn build(&self) -> (Vec<usize>, Ran) {
        let ran = self.atex(["build"]).run().expect(0);
        let steps = (1..=3).filter(|step| {
            ran.stdout
                .lines()
                .any(|line| line.starts_with("done") && line.contains(&format!("#{step} ")))
        });
        (steps.collect(), ran)
    }

    fn podman<const N: usize>(args: [&str; N]) -> String {
        let output = Command::new("podman").args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Contained {
    /// Removes the container, and the states of the project, whose id the container tells even where nothing runs in it any more.
    fn drop(&mut self) {
        let told = self.scene.world.path("state");
        Self::podman([
            "cp",
            &format!("{}:/var/lib/atex/v1/state", self.name),
            &told.display().to_string(),
        ]);
        Self::podman(["rm", "--force", "--time", "0", &self.name]);
        let state: Value = std::fs::read(told)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let Some(project) = state["projects"][0]["id"].as_str() else {
            return;
        };
        let format = "{{.ID}} {{.Labels}}";
        let states = Self::podman([
            "image",
            "ls",
            "--no-trunc",
            "--filter",
            "label=atex.state",
            "--format",
            format,
        ]);
        for line in states.lines().filter(|line| line.contains(&format!(".{project}"))) {
            let id = line.split(' ').next().unwrap_or_default();
            Self::podman(["image", "rm", "--force", id]);
        }
    }
}

#[test]
fn each_prepare_step_is_a_state_and_an_edit_of_the_last_runs_that_alone() {
    let Some(contained) = Contained::new("states", TEST) else {
        return;
    };
    let (steps, _) = contained.build();
    assert_eq!(steps, [1, 2, 3]);
    let (steps, again) = contained.build();
    assert!(steps.is_empty() && again.said("nothing to run"), "{again:?}");
    contained.scene.edit("plan.fmf", "printf c", "printf  c");
    let (steps, edited) = contained.build();
    assert_eq!(
        steps,
        [3],
        "the container was made of the state after the second step: {edited:?}"
    );
    contained.scene.edit("plan.fmf", "printf  c", "printf c");
    let back = contained.atex(["build", "--rerun"]).run().expect(0);
    assert!(back.said("prepared") && !back.said("done"), "{back:?}");
}

#[test]
fn what_prepare_left_running_is_there_for_each_test() {
    let tests =
        "/one: {test: 'kill -0 \"$(cat /daemon)\"'}\n/two: {test: 'kill -0 \"$(cat /daemon)\"', tag: destructive}\n";
    let Some(contained) = Contained::new("daemon", tests) else {
        return;
    };
    // The step ends when the daemon is in a session of its own, since what is not would end with it.
    let daemon = "rm -f /daemon; setsid bash -c \"echo \\$\\$ >/daemon; exec sleep 1000\" </dev/null >/dev/null 2>&1 & \
                  until [ -s /daemon ]; do sleep 0.05; done";
    contained.scene.edit("plan.fmf", "printf c >> /steps", daemon);
    let (steps, _) = contained.build();
    assert_eq!(steps, [1, 2, 3]);
    // The container is thrown away after the destructive test. The step that starts the daemon runs again, and it alone.
    let again = contained.atex(["build", "--rerun"]).run().expect(0);
    assert!(again.said("2 passed"), "{again:?}");
    assert_eq!(
        again.stdout.lines().filter(|line| line.starts_with("done")).count(),
        1,
        "{again:?}"
    );
}

#[test]
fn a_test_that_wrecks_its_container_costs_nobody_a_verdict() {
    let tests = format!("{TEST}/wreck: {{test: 'rm -rf /usr/bin /bin/bash', tag: destructive}}\n");
    let Some(contained) = Contained::new("wrecked", &tests) else {
        return;
    };
    let (steps, ran) = contained.build();
    assert_eq!(steps, [1, 2, 3]);
    assert!(ran.said("2 passed"), "{ran:?}");
    let again = contained.atex(["build", "--rerun"]).run().expect(0);
    assert!(again.said("2 passed") && !again.said("done"), "{again:?}");
}

#[test]
fn killed_at_any_time_leaves_no_container_beyond_the_one_that_is_removed() {
    // Each run makes the container anew, because of the destructive test of the run before, and commits states.
    let tests = format!("{TEST}/destroys: {{test: 'true', tag: destructive}}\n");
    let Some(contained) = Contained::new("killed", &tests) else {
        return;
    };
    for round in 0..10_u64 {
        let mut run = Running::plain(contained.atex(["build", "--rerun"]));
        std::thread::sleep(Duration::from_millis(100 + round * 1933 % 3500));
        if run.lives() {
            run.signal(Signal::KILL);
        }
        run.end();
    }
    let ran = contained.atex(["build", "--rerun"]).run().expect(0);
    assert!(ran.said("2 passed"), "{ran:?}");
    contained.atex(["sut", "rm"]).run().expect(0);
    let ours = format!("name={}", contained.name);
    assert_eq!(Contained::podman(["ps", "--all", "--quiet", "--filter", &ours]), "");
    eventually("the end of all processes of the runs", || {
        processes_of(&contained.scene.world).is_empty().then_some(())
    });
}

#[test]
fn the_plan_may_ask_for_a_container() {
    let Some(contained) = Contained::new("asked", TEST) else {
        return;
    };
    let execute = "execute: {how: tmt}\n";
    let asks = format!("{execute}provision: {{how: container, image: localhost/atex-test}}\n");
    contained.scene.edit("plan.fmf", execute, &asks);
    let conf = std::env::var_os("CONTAINERS_CONF").unwrap_or_default();
    let atex = |args: &[&str]| {
        contained
            .scene
            .world
            .atex()
            .env("CONTAINERS_CONF", &conf)
            .args(args.iter().copied())
    };
    let ran = atex(&["build", "-s", "plan", "--dry-run"]).run().expect(0);
    assert!(ran.said("test /t/one"), "{ran:?}");
    atex(&["sut", "rm", "-s", "podman:localhost/atex-test"]).run().expect(0);
    contained
        .scene
        .edit("plan.fmf", "{how: container,", "{how: container, user: somebody,");
    let ran = atex(&["build", "-s", "plan"]).run().expect(2);
    assert!(
        ran.said("plan.fmf:3: plan `/plan`") && ran.said("as user `somebody`"),
        "{ran:?}"
    );
}

#[test]
fn a_container_is_listed_and_removed_and_another_image_is_another_machine() {
    let Some(contained) = Contained::new("listed", TEST) else {
        return;
    };
    contained.build();
    let listed = contained.scene.world.atex().env(
        "CONTAINERS_CONF",
        std::env::var_os("CONTAINERS_CONF").unwrap_or_default(),
    );
    // It lists the containers of all tests, and one of them may be wrecked by its test, which decides the exit code.
    let listed = listed.args(["sut", "ls"]).run();
    assert!(listed.said("podman:localhost/atex-test"), "{listed:?}");
    assert_eq!(
        Contained::podman(["ps", "--quiet", "--filter", &format!("name={}", contained.name)])
            .lines()
            .count(),
        1
    );
    contained.atex(["sut", "rm"]).run().expect(0);
    assert_eq!(
        Contained::podman([
            "ps",
            "--all",
            "--quiet",
            "--filter",
            &format!("name={}", contained.name)
        ]),
        ""
    );
    let missing = "podman:localhost/atex-test:nosuch?pull=never";
    let ran = contained.scene.world.atex().args(["ls", "-s", missing]).run().expect(2);
    assert!(ran.said("is not on this host") && ran.said("hint"), "{ran:?}");
}
