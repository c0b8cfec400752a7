//! Tests of `how: ansible` over SSH: the playbook takes the way of the target, with its key and its check of the host's key.

use crate::e2e_ssh::lab::Lab;
use crate::support::Ran;
use crate::sut_support::ansible::{path, playbook, with_ansible};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {how: ansible, playbook: play.yml}
environment: {ANSIBLE_REMOTE_TMP: /tmp/.ansible-of-atex-tests, ANSIBLE_STDOUT_CALLBACK: default}
";

/// A lab whose plan is prepared by a playbook that tells by which connection it came.
fn lab() -> Option<(Lab, std::ffi::OsString)> {
    let path = path()?;
    let lab = Lab::new();
    lab.world.write("tree/plan.fmf", PLAN);
    let text = playbook("{{ ansible_connection }} {{ ansible_host }} {{ inventory_hostname }}");
    lab.world.write(
        "tree/play.yml",
        text.replace("shell: echo", "shell: test -n \"$SSH_CONNECTION\" && echo"),
    );
    Some((lab, path))
}

#[track_caller]
fn build(lab: &Lab, path: &std::ffi::OsString, code: i32, target: &str) -> Ran {
    let atex = lab.on(target, ["build", "--until", "test"]);
    with_ansible(atex, path).run().expect(code)
}

#[test]
fn a_playbook_goes_over_the_connection_of_the_target() {
    let Some((lab, path)) = lab() else { return };
    build(&lab, &path, 0, &lab.target(""));
    assert_eq!(lab.ran(), ["ssh 127.0.0.1 127.0.0.1", "a", "b"]);
}

#[test]
fn a_host_key_that_is_not_known_is_refused_by_ansible_too() {
    let Some((lab, path)) = lab() else { return };
    // The machine is opened while its key is known. What Ansible starts reads the file again.
    let forgets = format!(
        "prepare: [{{script: ': > {}'}}, {{how: ansible",
        lab.file("known_hosts").display()
    );
    let plan = PLAN
        .replace("prepare: {how: ansible", &forgets)
        .replace("play.yml}", "play.yml}]");
    lab.world.write("tree/plan.fmf", plan);
    let ran = build(&lab, &path, 3, &lab.target(""));
    let log = lab.world.read("home/.local/state/atex/runs/latest/prepare.log");
    assert!(log.contains("Host key verification failed"), "{ran:?}\n{log}");
    assert!(lab.ran().is_empty());
}

#[test]
fn a_playbook_goes_through_the_machines_on_the_way() {
    let Some((lab, path)) = lab() else { return };
    let (port, key, known) = (lab.port(), lab.file("key"), lab.file("known_hosts"));
    let hop = format!(
        "Host hop\n HostName 127.0.0.1\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\nHost behind\n HostName 127.0.0.1\n \
         Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n ProxyJump hop\n UserKnownHostsFile {}\n",
        key.display(),
        key.display(),
        known.display()
    );
    lab.configure(&hop);
    let target = format!("behind?dir={}&name=lab", lab.world.sut().display());
    build(&lab, &path, 0, &target);
    assert_eq!(lab.ran(), ["ssh 127.0.0.1 127.0.0.1", "a", "b"]);
}
