//! Tests of a machine that is connected to in advance: one connection is enough, and one that broke in the meantime does no harm.

use atex::sut::kind::ssh::Login;
use atex::sut::kind::ssh::login::HostKeys;
use atex::sut::{OnHeld, Sut, TroubleKind};

use crate::ssh_deaths::Lab;
use crate::ssh_deaths::resets::through;
use crate::sut_support::{eventually, run, test};

/// So many connections of ours the server has seen.
fn connections(lab: &Lab) -> usize {
    lab.sshd.log().matches("remote software version libssh2").count()
}

/// Waits until the server has said something of the one connection it has.
fn said(lab: &Lab, what: &str) {
    eventually(what, || lab.sshd.log().contains(what));
}

#[test]
fn what_was_approached_is_gone_on_with() {
    let lab = Lab::new("LogLevel DEBUG1");
    let mut sut = lab.over(lab.login());
    sut.approach();
    // Nobody has logged in yet.
    said(&lab, "SSH2_MSG_NEWKEYS received");
    assert!(!lab.sshd.log().contains("Accepted publickey"));
    sut.open(OnHeld::Wait, &mut |_| ()).unwrap();
    assert_eq!(connections(&lab), 1, "{}", lab.sshd.log());
    assert_eq!(run(&mut sut, &test("exit 7")).exit_code(), 7);
    // The next time there is nothing to go on with.
    sut.close();
    sut.open(OnHeld::Wait, &mut |_| ()).unwrap();
    assert_eq!(connections(&lab), 2);
}

#[test]
fn an_approach_that_broke_is_begun_anew() {
    let lab = Lab::new("LogLevel DEBUG1");
    let (proxy, login) = through(&lab);
    let mut sut = lab.over(login);
    sut.approach();
    said(&lab, "SSH2_MSG_NEWKEYS received");
    proxy.reset();
    said(&lab, "Connection reset by");
    sut.open(OnHeld::Wait, &mut |_| ()).unwrap();
    assert_eq!(run(&mut sut, &test("exit 7")).exit_code(), 7);
    assert_eq!(connections(&lab), 2);
}

#[test]
fn an_approach_trusts_nobody() {
    let lab = Lab::new("LogLevel DEBUG1");
    let nothing = lab.home.path().join("known");
    let login = Login {
        known_hosts: vec![nothing.clone()],
        host_keys: HostKeys::Refuse,
        ..lab.login()
    };
    let mut sut = lab.over(login);
    sut.approach();
    said(&lab, "SSH2_MSG_NEWKEYS received");
    let trouble = sut.open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("is not known"), "{trouble}");
    assert!(!lab.sshd.log().contains("Accepted publickey"));
    let login = Login {
        known_hosts: vec![nothing.clone()],
        host_keys: HostKeys::AcceptNew,
        ..lab.login()
    };
    lab.over(login).approach();
    let exchanged = || lab.sshd.log().matches("SSH2_MSG_NEWKEYS received").count();
    eventually("keys are exchanged once more", || exchanged() > 1);
    assert!(!nothing.exists(), "what nobody has opened is not remembered");
}

#[test]
fn an_approach_to_nobody_is_told_when_the_machine_is_wanted() {
    let mut lab = Lab::new("");
    lab.sshd.stop();
    let mut sut = lab.over(lab.login());
    sut.approach();
    let trouble = sut.open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.message.contains("refused"), "{trouble}");
}
