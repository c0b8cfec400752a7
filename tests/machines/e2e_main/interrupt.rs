//! Tests of one and two Ctrl-C, SIGTERM, and SIGHUP: during a run, before it, and while atex waits for something that does not
//! come.

use std::fs::File;
use std::io::{PipeWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{FileType, OFlags, fcntl_setfl, mknodat};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use crate::e2e_main::running::{Running, processes_of};
use crate::e2e_main::scene::{Scene, eventually, report, results, witness};
use crate::support::Atex;

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo prepare >> \"$COUNTER\"'}
";

/// Reports one result, and goes on for ever.
const LONG: &str = r#"test: |
    REPORT
    echo begin >> "$COUNTER"
    sleep 1000
order: 1
"#;

fn suite() -> Scene {
    let early = report(r#"{"name":"early","status":"pass"}"#);
    Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("long.fmf", LONG.replace("REPORT", &early)),
        ("next.fmf", witness("next")),
        ("last.fmf", witness("last")),
    ])
}

fn running(scene: &Scene) -> Running {
    let run = scene.start("out", ["build"]);
    eventually("the start of the test", || {
        scene.world.read("ran").contains("begin").then_some(())
    });
    run
}

#[track_caller]
fn nothing_is_left(scene: &Scene) {
    let gone = || processes_of(&scene.world).is_empty().then_some(());
    eventually("the end of all processes of the run", gone);
}

#[track_caller]
fn complete(dir: &Path, exit_code: u8) {
    let text = std::fs::read_to_string(dir.join("run.json")).expect("the run is complete");
    let run: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(run["exit-code"], exit_code, "{run}");
}

/// What holds for every cancelled run of [`suite`].
#[track_caller]
fn cancelled(scene: &Scene, run: Running) {
    let dir = run.dir.clone();
    let ran = run.end().expect(130);
    assert!(ran.stdout.contains("cancelled"), "{ran:?}");
    assert_eq!(
        scene.ran_in_order(),
        ["prepare", "begin"],
        "nothing was started any more"
    );
    let of_long = results(&dir, "/long");
    assert_eq!(of_long[0]["name"], "early", "what was reported stays: {of_long:?}");
    assert_eq!(of_long.len(), 2);
    for result in [&of_long[1], &results(&dir, "/next")[0], &results(&dir, "/last")[0]] {
        assert_eq!(
            (&result["status"], &result["error"]),
            (&"infra".into(), &"cancelled".into()),
            "{result}"
        );
    }
    complete(&dir, 130);
    nothing_is_left(scene);
}

#[test]
fn ctrl_c_ends_the_test_and_cancels_the_rest() {
    let scene = suite();
    let run = running(&scene);
    run.signal(Signal::INT);
    cancelled(&scene, run);
}

#[test]
fn sigterm_is_as_ctrl_c() {
    let scene = suite();
    let run = running(&scene);
    run.signal(Signal::TERM);
    cancelled(&scene, run);
}

#[test]
fn a_cancelled_test_runs_again() {
    let scene = suite();
    let run = running(&scene);
    run.signal(Signal::INT);
    cancelled(&scene, run);
    scene.edit("long.fmf", "    sleep 1000\n", "");
    scene.run(0, ["build"]);
    assert_eq!(
        scene.ran_in_order(),
        ["begin", "test last", "test next"],
        "on the machine as it is prepared"
    );
}

#[test]
fn ctrl_c_in_a_preparation_cancels_all_tests_and_leaves_the_machine_in_doubt() {
    let scene = suite();
    scene.edit(
        "plan.fmf",
        ">> \"$COUNTER\"",
        ">> \"$COUNTER\"; until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done",
    );
    let run = scene.start("out", ["build", "--exclude", "long"]);
    eventually("the start of the preparation", || {
        scene.world.read("ran").contains("prepare").then_some(())
    });
    run.signal(Signal::INT);
    let dir = run.dir.clone();
    run.end().expect(130);
    for test in ["/next", "/last"] {
        assert_eq!(results(&dir, test)[0]["error"], "cancelled");
    }
    complete(&dir, 130);
    scene.world.write("ran.go", "");
    scene.run(0, ["build", "--exclude", "long"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "prepare", "test last", "test next"]);
}

#[test]
fn ctrl_c_ends_the_wait_for_a_machine() {
    let scene = suite();
    let holder = running(&scene);
    let waiter = scene.start("waiter", ["build"]);
    eventually("the wait", || {
        waiter
            .events()
            .iter()
            .any(|event| event["state"] == "waiting")
            .then_some(())
    });
    waiter.signal(Signal::INT);
    let dir = waiter.dir.clone();
    waiter.end().expect(130);
    assert_eq!(results(&dir, "/long")[0]["error"], "cancelled");
    complete(&dir, 130);
    holder.signal(Signal::INT);
    cancelled(&scene, holder);
}

#[test]
fn ctrl_c_twice_ends_what_the_first_one_lets_finish() {
    let scene = suite();
    let finish = "finish: {script: 'echo finish >> \"$COUNTER\"; sleep 1000; echo over >> \"$COUNTER\"'}\n";
    scene.write("plan.fmf", format!("{PLAN}{finish}"));
    let run = running(&scene);
    run.signal(Signal::INT);
    eventually("finish", || scene.world.read("ran").contains("finish").then_some(()));
    run.signal(Signal::INT);
    let dir = run.dir.clone();
    run.end().expect(130);
    complete(&dir, 130);
    assert_eq!(scene.ran_in_order(), ["prepare", "begin", "finish"]);
    nothing_is_left(&scene);
}

#[test]
fn ctrl_c_twice_does_not_wait_for_a_test_that_will_not_die() {
    let scene = suite();
    scene.edit("long.fmf", "test: |\n", "test: |\n    trap '' TERM INT HUP\n");
    scene.edit("long.fmf", "    sleep 1000\n", "    while :; do sleep 1000; done\n");
    let run = running(&scene);
    run.signal(Signal::INT);
    run.signal(Signal::INT);
    let dir = run.dir.clone();
    run.end().expect(130);
    assert_eq!(results(&dir, "/long")[1]["error"], "cancelled");
    complete(&dir, 130);
    nothing_is_left(&scene);
}

/// A plan whose probe does this.
fn probing(script: &str) -> Scene {
    let plan = format!("{PLAN}extra-atex-probe: {script}\n");
    Scene::new([("plan.fmf", plan), ("test.fmf", witness("it"))])
}

#[track_caller]
fn is_gone(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a process");
    eventually("the end of a process", || test_kill_process(pid).is_err().then_some(()));
}

/// Waits until a process handles signals: from then on it ends as it wants.
#[track_caller]
fn handles_signals(run: &Running) {
    let status = format!("/proc/{}/status", run.pid().as_raw_nonzero());
    eventually("the handler", || {
        let status = std::fs::read_to_string(&status).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
        (caught >> (Signal::TERM.as_raw() - 1) & 1 == 1).then_some(())
    });
}

#[test]
fn one_signal_before_the_run_ends_atex_and_the_probe() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let scene = probing("echo $$ >$PWD/../probe; exec sleep 1000");
        let run = Running::plain(scene.atex(["build"]));
        let probe = eventually("the probe", || {
            std::fs::read_to_string(scene.world.path("probe"))
                .ok()
                .filter(|pid| pid.ends_with('\n'))
        });
        run.signal(signal);
        let ran = run.end().expect(130);
        assert!(ran.said("interrupted while the probe `echo $$"), "{ran:?}");
        is_gone(&probe);
        nothing_is_left(&scene);
    }
}

#[test]
fn what_a_probe_leaves_behind_is_neither_waited_for_nor_left() {
    let scene = probing("sleep 1000 & echo $! >$PWD/../left; echo answer");
    scene.run(0, ["build"]);
    is_gone(&scene.world.read("left"));
    assert_eq!(scene.ran(), ["prepare", "test it"]);
}

#[test]
fn one_signal_ends_atex_wherever_a_fifo_is_in_its_way() {
    for fifo in ["atex.toml", ".fmf/config", "sub/main.fmf"] {
        let scene = Scene::new([("test.fmf", witness("it")), ("sub/x", String::new())]);
        let path = scene.world.tree().join(fifo);
        mknodat(rustix::fs::CWD, &path, FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
        let run = Running::plain(scene.atex(["build"]));
        handles_signals(&run);
        run.signal(Signal::TERM);
        let ran = run.end().expect(130);
        assert!(ran.said("error: interrupted"), "{fifo}: {ran:?}");
    }
}

/// A call whose signals the shell has made ignored.
fn ignoring(signals: &str, atex: &Atex) -> Command {
    let plain = atex.command();
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("trap '' {signals}; exec \"$0\" \"$@\"")]);
    shell.arg(plain.get_program()).args(plain.get_args());
    shell
        .current_dir(plain.get_current_dir().expect("it has one"))
        .env_clear();
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    let go = "until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done";
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        (
            "test.fmf",
            format!("test: |\n    echo begin >> \"$COUNTER\"\n    {go}\n"),
        ),
    ]);
    let atex = scene.atex(["build"]);
    let child = ignoring("HUP TERM", &atex).spawn().expect("bash runs");
    eventually("the start of the test", || {
        scene.world.read("ran").contains("begin").then_some(())
    });
    for signal in [Signal::HUP, Signal::TERM] {
        kill_process(Pid::from_child(&child), signal).expect("it runs");
    }
    scene.world.write("ran.go", "");
    atex.ran(&child.wait_with_output().expect("it ends")).expect(0);
}

/// A pipe that nobody reads and that takes nothing more.
fn full_pipe() -> (std::io::PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    fcntl_setfl(&writer, OFlags::NONBLOCK).expect("flags");
    while writer.write(&[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).expect("flags");
    (reader, writer)
}

#[test]
fn a_reader_that_reads_nothing_does_not_hold_a_run_that_is_interrupted() {
    let scene = suite();
    let (_reader, writer) = full_pipe();
    let stderr = File::create(scene.world.path("stderr")).expect("a file");
    let atex = scene.atex(["build", "--json"]);
    let mut child = atex.command().stdout(writer).stderr(stderr).spawn().expect("atex runs");
    let plain = Pid::from_child(&child);
    eventually("the first event", || {
        let stack = std::fs::read_to_string(format!("/proc/{}/wchan", plain.as_raw_nonzero())).ok()?;
        stack.contains("poll").then_some(())
    });
    kill_process(plain, Signal::INT).expect("it runs");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130), "{}", scene.world.read("stderr"));
    nothing_is_left(&scene);
}
