//! Tests of tainted machines: after a timeout, a lost wrapper or a failed step, and what is done about it.

use serde_json::Value;

use crate::e2e_main::running::events;
use crate::e2e_main::scene::{Scene, witness};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare:
  - script: echo 'prepare one' >> \"$COUNTER\"
  - script: echo 'prepare two' >> \"$COUNTER\"
";

/// A suite whose test `/slow` does not end by itself.
fn suite() -> Scene {
    Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("ok.fmf", witness("ok")),
        ("slow.fmf", "test: sleep 1000\nduration: 1s\n".to_owned()),
    ])
}

/// A suite whose machine is tainted by a timeout.
fn tainted() -> Scene {
    let scene = suite();
    scene.run(3, ["test", "/slow"]);
    assert_eq!(scene.ran_in_order(), ["prepare one", "prepare two"]);
    let result = &scene.results("/slow")[0];
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"timeout".into())
    );
    scene
}

/// The texts of the newest run's warnings and of what became of its SUT.
fn told(scene: &Scene) -> String {
    let texts = events(&scene.latest())
        .into_iter()
        .filter_map(|event| match event["event"].as_str() {
            Some("warning") => Some(event["text"].clone()),
            Some("sut") => Some(event["note"].clone()),
            _ => None,
        });
    texts
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_timeout_makes_the_next_run_prepare_from_the_first_step_and_say_why() {
    let scene = tainted();
    let ran = scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["prepare one", "prepare two", "test ok"]);
    assert!(ran.stdout.contains("ended by timeout"), "{ran:?}");
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["test ok"], "and then it is trusted again");
}

#[test]
fn a_timeout_makes_the_next_test_of_the_same_run_wait_for_a_new_preparation() {
    let scene = suite();
    scene.edit("slow.fmf", "duration", "order: 1\nduration");
    scene.run(3, ["build"]);
    let chain = ["prepare one", "prepare two"];
    assert_eq!(scene.ran_in_order(), [&chain[..], &chain, &["test ok"]].concat());
}

#[test]
fn a_test_that_kills_its_wrapper_is_aborted_and_taints() {
    let scene = suite();
    // A test with tmt's interface has a shell of ours between it and the wrapper.
    scene.write(
        "abort.fmf",
        "test: kill -9 $PPID; sleep 1000\nextra-atex-interface: atex\n",
    );
    scene.run(3, ["test", "/abort"]);
    assert_eq!(scene.results("/abort")[0]["error"], "aborted");
    scene.ran();
    let ran = scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["prepare one", "prepare two", "test ok"]);
    assert!(ran.stdout.contains("ended by aborted"), "{ran:?}");
}

#[test]
fn a_test_of_tmts_that_kills_the_shell_around_it_is_an_error() {
    let scene = suite();
    scene.write("abort.fmf", "test: kill -9 $PPID; sleep 1000\n");
    scene.run(1, ["test", "/abort"]);
    let result = &scene.results("/abort")[0];
    assert_eq!(
        (&result["status"], &result["note"]),
        (&"error".into(), &"exit code 137".into())
    );
}

#[test]
fn on_taint_drop_takes_the_machine_out_of_the_run() {
    let scene = tainted();
    let ran = scene.run(3, ["test", "/ok", "--on-taint", "drop"]);
    assert_eq!(scene.ran(), [""; 0]);
    let result = &scene.results("/ok")[0];
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"unreachable".into())
    );
    assert!(
        result["note"].as_str().unwrap_or_default().contains("timeout"),
        "{result}"
    );
    assert!(ran.stdout.contains("ended by timeout"), "{ran:?}");
}

#[test]
fn on_taint_ignore_trusts_the_machine_for_this_run_only() {
    let scene = tainted();
    scene.run(0, ["test", "/ok", "--on-taint", "ignore"]);
    assert_eq!(scene.ran(), ["test ok"]);
    assert!(
        !told(&scene).contains("prepared again"),
        "it was not:\n{}",
        told(&scene)
    );
    scene.run(0, ["test", "/ok"]);
    assert_eq!(
        scene.ran_in_order(),
        ["prepare one", "prepare two", "test ok"],
        "the mark is still there"
    );
}

#[test]
fn sut_reset_clears_the_mark() {
    let scene = tainted();
    scene.run(0, ["sut", "reset"]);
    let shown: Vec<Value> = scene.run(0, ["sut", "show", "--json"]).json();
    assert_eq!(shown[0]["state"]["taint"], Value::Null);
    scene.run(0, ["test", "/ok", "--on-taint", "drop"]);
    assert_eq!(
        scene.ran_in_order(),
        ["prepare one", "prepare two", "test ok"],
        "what it was in is unknown"
    );
    assert!(!told(&scene).contains("timeout"), "{}", told(&scene));
}

#[test]
fn a_failed_step_fails_its_tests_as_prepare_and_runs_again() {
    let scene = suite();
    scene.edit(
        "plan.fmf",
        "'prepare two'",
        "'prepare two' >> \"$COUNTER\"; [ -e \"$COUNTER.ready\" ]; echo done",
    );
    let ran = scene.run(3, ["build", "--exclude", "slow"]);
    assert_eq!(scene.ran_in_order(), ["prepare one", "prepare two"]);
    let result = &scene.results("/ok")[0];
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"prepare".into())
    );
    let note = result["note"].as_str().unwrap_or_default();
    assert!(
        note.contains("prepare /plan#2 shell") && note.contains("exited with 1"),
        "{note}"
    );
    assert!(ran.stdout.contains("prepare.log"), "the log is named: {ran:?}");

    scene.world.write("ran.ready", "");
    let ran = scene.run(0, ["build", "--exclude", "slow"]);
    assert_eq!(scene.ran_in_order(), ["prepare one", "prepare two", "done", "test ok"]);
    assert!(
        ran.stdout.contains("failed: exited with 1"),
        "why it is prepared from the first step: {ran:?}"
    );
}

#[test]
fn a_machine_whose_state_cannot_be_kept_is_dropped_and_its_last_test_keeps_its_result() {
    let scene = suite();
    scene.write(
        "clog.fmf",
        "test: mkdir -p \"${TMT_TREE%/tree/*}/state.new/x\"; sleep 1000\nduration: 1s\norder: 1\n",
    );
    let ran = scene.run(3, ["build", "--exclude", "slow"]);
    assert_eq!(scene.results("/clog")[0]["error"], "timeout", "{ran:?}");
    assert_eq!(scene.results("/ok")[0]["error"], "setup", "{ran:?}");
    let end = events(&scene.latest()).pop().unwrap_or_default();
    assert_eq!(end["tests"], serde_json::json!({"infra": 2}));
}

#[test]
fn a_machine_that_cannot_be_marked_after_a_timeout_is_an_infrastructure_failure_and_not_believed_later() {
    for sabotage in [
        // Nothing can be written there any more.
        "mkdir \"${TMT_TREE%/*/*}/state.new\"",
        // Who would write it is gone: the process that holds the lease.
        "for p in /proc/[0-9]*; do [ \"$(readlink $p/fd/9)\" != \"${TMT_TREE%/*/*/*}/lease\" ] || kill -9 ${p#/proc/}; done",
    ] {
        let scene = suite();
        scene.write(
            "slow.fmf",
            format!("test: |\n    {sabotage}\n    sleep 1000\nduration: 2s\n"),
        );
        let ran = scene.run(3, ["test", "/slow", "/ok"]);
        let result = &scene.results("/slow")[0];
        assert_eq!(result["error"], "timeout", "{ran:?}");
        assert_eq!(ran.stderr, "", "{ran:?}");
        scene.ran();
        let _gone = std::fs::remove_dir(scene.world.path("sut/v1/state.new"));
        let again = scene.run(0, ["test", "/ok"]);
        assert_eq!(
            scene.ran_in_order(),
            ["prepare one", "prepare two", "test ok"],
            "{again:?}"
        );
        assert!(again.stdout.contains("`/slow`"), "{again:?}");
    }
}

#[test]
fn a_run_that_was_killed_in_a_test_leaves_a_machine_that_is_prepared_again() {
    let scene = suite();
    scene.write("slow.fmf", "test: echo began >> \"$COUNTER\"; sleep 1000\n");
    let run = scene.start("out", ["test", "/slow"]);
    crate::e2e_main::scene::eventually("the start of the test", || {
        scene.world.read("ran").contains("began").then_some(())
    });
    run.signal(rustix::process::Signal::KILL);
    run.end();
    scene.ran();
    let ran = scene.run(0, ["test", "/ok"]);
    assert_eq!(
        scene.ran_in_order(),
        ["prepare one", "prepare two", "test ok"],
        "{ran:?}"
    );
    assert!(ran.stdout.contains("`/slow` was cut off"), "{ran:?}");
    scene.run(0, ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["test ok"]);
}
