//! Tests of an agent that hangs while its sshd answers, because it is stopped or in a call that does not return. atex waits for
//! an agent as long as the agent makes progress.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use atex::sut::kind::ssh::Login;
use atex::sut::{OnHeld, Sut, SutState, SyncMode, Trouble, TroubleKind};

use crate::ssh_deaths::Lab;
use crate::sut_support::stopped::Stopped;
use crate::sut_support::{Host, Running, describe, eventually, run, sync, test};

/// A machine whose agent is dead after some seconds, and one of whose tools, which lies in the directory, does something else first.
fn slow(seconds: u64, tool: &str, first: &str) -> (Lab, Login, tempfile::TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let tools = kept.path();
    let file = tools.join(tool);
    fs::write(&file, format!("#!/bin/bash\n{first}\nexec /usr/bin/{tool} \"$@\"\n")).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(tools, PermissionsExt::from_mode(0o755)).unwrap();
    let lab = Lab::new(&format!(
        "SetEnv PATH={}:/usr/sbin:/usr/bin:/sbin:/bin",
        tools.display()
    ));
    let login = dead_after(&lab, seconds);
    (lab, login, kept)
}

fn dead_after(lab: &Lab, seconds: u64) -> Login {
    Login {
        dead_after: Duration::from_secs(seconds),
        ..lab.login()
    }
}

#[track_caller]
fn assert_stuck(trouble: &Trouble, seconds: u64) {
    assert_eq!(trouble.kind, TroubleKind::Aborted);
    let said = format!("`lab`: the agent there is stuck: nothing moved for {seconds} s");
    assert_eq!(trouble.message, said);
}

#[test]
fn agent_that_is_stopped_while_a_test_runs_is_lost_when_it_is_wanted_and_not_before() {
    let lab = Lab::new("");
    let mut sut = lab.open_as(dead_after(&lab, 2));
    let mut running = Running::start(&mut sut, &test("echo up >&7; sleep 5; exit 4"));
    running.said("up\n");
    let stopped = Stopped::agent_of(&lab.dir());
    assert_eq!(running.finish().exit_code(), 4);
    let trouble = sut.set_state(&SutState::default()).unwrap_err();
    assert_stuck(&trouble, 2);
    drop(stopped);
    sut.open(OnHeld::Wait, &mut |_| ()).expect("it lives again");
    assert_eq!(run(&mut sut, &test("exit 5")).exit_code(), 5);
}

#[test]
fn agent_that_is_stopped_during_an_upload_is_lost_and_the_half_never_counts_as_whole() {
    let lab = Lab::new("");
    let host = Host::new(&[("a", "1")]);
    fs::File::create(host.path("big")).unwrap().set_len(150 << 20).unwrap();
    let mut sut = lab.open_as(dead_after(&lab, 3));
    let arriving = lab.dir().join("v1/tree/tree/big");
    let upload = host.upload();
    let (trouble, stopped) = std::thread::scope(|scope| {
        let syncing = scope.spawn(|| sut.sync(&upload, SyncMode::Exact));
        eventually("a part arrives", || {
            syncing.is_finished() || fs::metadata(&arriving).is_ok_and(|meta| meta.len() > 1 << 20)
        });
        let stopped = Stopped::agent_of(&lab.dir());
        (syncing.join().unwrap().expect_err("150 MiB take longer"), stopped)
    });
    assert_stuck(&trouble, 3);
    drop(stopped);
    sut.open(OnHeld::Wait, &mut |_| ()).expect("it lives again");
    assert!(sync(&mut sut, &host, SyncMode::KeepPrepared(1)).sent >= 1);
    assert_eq!(describe(&lab.dir().join("v1/tree/tree")), describe(host.dir.path()));
}

#[test]
fn tool_that_hangs_makes_the_agent_stuck() {
    let (lab, login, _tools) = slow(2, "find", "exec sleep 1000");
    let mut sut = lab.open_as(login);
    let trouble = sut
        .sync(&Host::new(&[("a", "1")]).upload(), SyncMode::Exact)
        .unwrap_err();
    assert_stuck(&trouble, 2);
}

#[test]
fn agent_that_works_for_long_is_not_stuck() {
    let (lab, login, _tools) = slow(4, "find", "for i in {1..100}; do sleep 0.1; done");
    let mut sut = lab.open_as(login);
    assert_eq!(sync(&mut sut, &Host::new(&[("a", "1")]), SyncMode::Exact).sent, 1);
}

#[test]
fn machine_that_takes_long_to_start_a_job_stays_ours() {
    // An agent that hears nothing for so long, while no job runs, takes the runner for dead.
    let wrapper_locks = "[[ $* != '-n 9' || $(readlink /proc/self/fd/9) != */run.lock ]]";
    let (lab, login, tools) = slow(
        1800,
        "flock",
        &format!("{wrapper_locks} || {{ : >\"${{0%/*}}/slow\"; sleep 32; }}"),
    );
    let mut sut = lab.open_as(login.clone());
    sync(&mut sut, &Host::new(&[("a", "1")]), SyncMode::Exact);
    let mut running = Running::start(&mut sut, &test("echo up >&7; sleep 3; exit 4"));
    running.said("up\n");
    let held = lab.over(login).open(OnHeld::Fail, &mut |_| ()).unwrap_err();
    assert_eq!(held.kind, TroubleKind::Held);
    assert_eq!(running.finish().exit_code(), 4);
    assert!(tools.path().join("slow").exists(), "it took long");
    sut.set_state(&SutState::default()).expect("the agent lives");
}

#[test]
fn lease_that_somebody_else_holds_for_long_is_waited_for() {
    let lab = Lab::new("");
    let first = lab.open();
    let mut second = lab.over(dead_after(&lab, 2));
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| second.open(OnHeld::Wait, &mut |_| ()));
        // Longer than an agent may be stuck.
        std::thread::sleep(Duration::from_secs(5));
        assert!(!opening.is_finished());
        drop(first);
        eventually("it is opened", || opening.is_finished());
        opening.join().unwrap().expect("it opens");
    });
}
