//! Tests of each kind of infrastructure failure that no other file here tests.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::e2e_protocol::case::{Case, Done, awaited};

const PLAN: &str = "execute:\n    how: tmt\ndiscover:\n    how: fmf\nprepare:\n    script: ";

#[test]
fn a_required_package_that_cannot_be_had_is_setup() {
    let done = Case::new("true").with("require: ['-no-package']").exits(3).run();
    let note = done.infra("setup");
    assert!(note.contains("-no-package"), "{note}");
    assert!(!done.was_tainted());
}

#[test]
fn a_recommended_package_that_cannot_be_had_is_no_failure() {
    let done = Case::new("true").with("recommend: ['-no-package']").run();
    assert_eq!(done.result()["status"], "pass");
}

#[test]
fn a_failed_prepare_step_is_prepare_and_the_test_never_starts() {
    let done = Case::new("touch \"$WORLD/started\"")
        .file("plan.fmf", &format!("{PLAN}exit 3\n"))
        .exits(3)
        .run();
    let note = done.infra("prepare");
    assert!(note.contains("exited with 3"), "{note}");
    assert!(!done.world.path("started").exists());
}

#[test]
fn a_sut_that_somebody_else_holds_is_unreachable_for_who_does_not_wait() {
    let case = Case::new(r#"touch "$WORLD/running"; until [ -e "$WORLD/enough" ]; do sleep 0.05; done"#);
    let world = case.world();
    let mut holder = case.atex().command().stdout(Stdio::null()).spawn().unwrap();
    awaited(&world, "running");
    let second = world
        .atex()
        .args(["test", "/t", "-o", "../second", "--sut-dir", "../sut", "--no-wait"]);
    let ran = second.run();
    world.write("enough", "");
    assert!(holder.wait().unwrap().success());
    ran.expect(3);
    let result: serde_json::Value = serde_json::from_str(&world.read("second/tests/t/results.jsonl")).unwrap();
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"unreachable".into()),
        "{result}"
    );
    assert!(result["note"].as_str().unwrap().contains("held by pid"), "{result}");
}

#[test]
fn a_sut_directory_that_cannot_be_made_is_setup() {
    let case = Case::new("true").exits(3);
    case.world().write("sut", "a file");
    case.run().infra("setup");
}

#[test]
fn ctrl_c_is_cancelled_with_what_was_reported_before() {
    let case = Case::new(r#"result '{"status":"pass","name":"before"}'; touch "$WORLD/running"; sleep 600"#);
    let world = case.world();
    let mut run = case.atex().command().stdout(Stdio::null()).spawn().unwrap();
    awaited(&world, "running");
    kill_process(Pid::from_child(&run), Signal::INT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let ran = world.atex().args(["--version"]).run();
    let done = Done { ran, world };
    assert_eq!(done.results()[0]["name"], "before");
    done.infra("cancelled");
}

#[test]
fn output_that_the_host_has_no_room_for_ends_the_run_with_3_and_says_so() {
    let case = Case::new("head -c 3000000 /dev/zero; sleep 600");
    let atex = case.atex();
    let inner = atex.command();
    // Files of at most 1 MiB stand for a full disk.
    let script = r#"trap '' XFSZ; ulimit -f 1024; exec "$0" "$@""#;
    let mut limited = Command::new("bash");
    limited
        .args(["-c", script])
        .arg(inner.get_program())
        .args(inner.get_args());
    limited
        .env_clear()
        .stdin(Stdio::null())
        .current_dir(inner.get_current_dir().expect("it has one"));
    limited.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ran = atex.ran(&limited.output().unwrap()).expect(3);
    assert!(ran.stderr.contains("cannot write"), "{ran:?}");
    assert!(ran.stderr.contains("out/tests/t/files/output.txt"), "{ran:?}");
}
