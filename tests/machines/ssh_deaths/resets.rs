//! Tests of a connection that is reset, or lost on one side only: it is not closed properly, and nothing that was in transit
//! arrives.

use std::time::{Duration, Instant};

use atex::sut::kind::ssh::{Login, Ssh};
use atex::sut::{OnHeld, Sut, SutState, SyncMode, TroubleKind};

use crate::ssh_deaths::{Lab, STAYS, broken, pid};
use crate::sut_support::proxy::Proxy;
use crate::sut_support::{HANG, Host, Running, describe, eventually, lives, run, sync, test};

/// A machine that is reached through a proxy, and is dead after half an hour of silence: only the reset itself can tell.
pub(crate) fn through(lab: &Lab) -> (Proxy, Login) {
    let proxy = Proxy::to(lab.login().port);
    let login = Login {
        port: proxy.port(),
        dead_after: Duration::from_mins(30),
        host_key_alias: Some(format!("[127.0.0.1]:{}", lab.login().port)),
        ..lab.login()
    };
    (proxy, login)
}

/// A machine with a test that stays, and the pid of that.
fn staying(lab: &Lab, login: &Login) -> (Ssh, Running, String) {
    let mut sut = lab.open_as(login.clone());
    sync(&mut sut, &Host::new(&[("a", "1")]), SyncMode::Exact);
    let mut running = Running::start(&mut sut, &test(&format!("echo early; {STAYS}")));
    let pid = pid(&mut running);
    (sut, running, pid)
}

#[test]
fn reset_in_the_middle_of_a_test_is_known_at_once_taints_and_frees_the_machine() {
    let lab = Lab::new("");
    let (proxy, login) = through(&lab);
    let (mut sut, running, pid) = staying(&lab, &login);
    let before = Instant::now();
    proxy.reset();
    let outcome = running.finish();
    assert!(before.elapsed() < HANG, "{:?}", before.elapsed());
    assert_eq!(outcome.output(), "early\n");
    let how = format!("{:?}", outcome.end);
    assert!(
        how.contains("Broken") && how.contains("the other side closed it"),
        "{how}"
    );
    eventually("the test is gone", || !lives(&pid));
    // Who holds the lease is not the one who lost the connection.
    let mut other = lab.over(login.clone());
    let hello = other.open(OnHeld::Wait, &mut |_| ()).expect("the machine is free");
    let taint = hello.state.taint.expect("the machine is not trusted");
    assert!(taint.reason.contains("`/a/b`"), "{}", taint.reason);
    other.set_state(&SutState::default()).unwrap();
    drop(other);
    let hello = sut.reopen(Instant::now() + HANG).expect("it comes back");
    assert_eq!(hello.state.taint, None);
    assert_eq!(run(&mut sut, &test("exit 4")).exit_code(), 4);
}

#[test]
fn half_a_connection_is_dead_after_its_time_and_the_machine_is_free_before() {
    let lab = Lab::new("");
    let (proxy, login) = through(&lab);
    let login = Login {
        dead_after: Duration::from_secs(12),
        ..login
    };
    let (_sut, running, pid) = staying(&lab, &login);
    let before = Instant::now();
    proxy.leave_half_open();
    // There, the connection has ended.
    eventually("the test is gone", || !lives(&pid));
    let mut other = lab.over(login);
    let hello = other.open(OnHeld::Wait, &mut |_| ()).expect("the machine is free");
    assert!(hello.state.taint.is_some());
    let how = broken(running);
    assert!(how.contains("no sign of life for 12 s"), "{how}");
    assert!(before.elapsed() >= Duration::from_secs(6), "{:?}", before.elapsed());
}

#[test]
fn reset_while_the_streams_are_full_is_known_at_once() {
    let lab = Lab::new("");
    let (proxy, login) = through(&lab);
    let mut sut = lab.open_as(login);
    let flood = "flood() { while :; do head -c 1000000 /dev/zero || exit; done; }; flood >&7 & flood";
    let mut running = Running::start(&mut sut, &test(flood));
    running.until(|seen| seen.output.len() > 10_000_000);
    proxy.reset();
    let how = broken(running);
    assert!(how.contains("connection"), "{how}");
}

#[test]
fn reset_during_an_upload_is_told_and_the_half_never_counts_as_whole() {
    let lab = Lab::new("");
    let (proxy, login) = through(&lab);
    let host = Host::new(&[("a", "1")]);
    let big = std::fs::File::create(host.path("big")).unwrap();
    big.set_len(150 << 20).unwrap();
    let mut sut = lab.open_as(login);
    let arriving = lab.dir().join("v1/tree/tree/big");
    let upload = host.upload();
    let trouble = std::thread::scope(|scope| {
        let syncing = scope.spawn(|| sut.sync(&upload, SyncMode::Exact));
        eventually("a part arrives", || {
            syncing.is_finished() || std::fs::metadata(&arriving).is_ok_and(|meta| meta.len() > 1 << 20)
        });
        proxy.reset();
        syncing.join().unwrap()
    });
    let trouble = trouble.expect_err("150 MiB take longer");
    assert_eq!(trouble.kind, TroubleKind::Aborted);
    assert!(trouble.message.starts_with("`lab`: "), "{trouble}");
    sut.reopen(Instant::now() + HANG).expect("it comes back");
    assert!(sync(&mut sut, &host, SyncMode::KeepPrepared(1)).sent >= 1);
    assert_eq!(describe(&lab.dir().join("v1/tree/tree")), describe(host.dir.path()));
}
