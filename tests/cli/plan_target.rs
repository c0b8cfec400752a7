//! Tests of `-s plan`, which takes the machine that the plan's `provision` asks for, and of plans with several guests.

use crate::support::{Atex, Ran};

const TEST: (&str, &str) = ("t.fmf", "test: 'true'\n");

/// Runs `atex` in a tree with one plan that has these lines.
fn with_plan(lines: &str, args: &[&str]) -> Ran {
    let plan = format!("discover: {{how: fmf}}\nexecute: {{how: tmt}}\n{lines}");
    let atex = Atex::new();
    let dir = atex.world().sut();
    let atex = atex.tree([TEST, ("plan.fmf", &plan)]);
    atex.args(args).args(["--sut-dir".as_ref(), dir.as_os_str()]).run()
}

#[test]
fn the_plan_may_ask_for_this_host() {
    let ran = with_plan("provision: {how: local}\n", &["build", "-s", "plan"]).expect(0);
    assert!(ran.said("build /plan on local"), "{ran:?}");
}

#[test]
fn what_a_plan_asks_for_and_cannot_be_had_is_refused_with_its_place() {
    for (lines, place, problem) in [
        (
            "provision: {how: virtual, image: fedora}\n",
            "plan.fmf:3",
            "asks for `how: virtual`",
        ),
        ("provision: {image: fedora}\n", "plan.fmf:3", "asks for `how: virtual`"),
        ("", "plan.fmf:2", "asks for `how: virtual`"),
        (
            "provision:\n  how: connect\n  guest: h\n  password: hunter2\n",
            "plan.fmf:6",
            "the `password` in the metadata is not used",
        ),
        (
            "provision:\n  how: connect\n  guest: -oProxyCommand=id\n",
            "plan.fmf:5",
            "`-oProxyCommand=id` names no host",
        ),
        (
            "provision:\n  how: connect\n  guest: h?key=x\n",
            "plan.fmf:5",
            "`h?key=x` names no host",
        ),
        ("provision:\n  how: connect\n", "plan.fmf:4", "`` names no host"),
        (
            "provision:\n  how: connect\n  guest: h\n  port: 70000\n",
            "plan.fmf:6",
            "`port` must be a number from 1 to 65535",
        ),
        (
            "provision:\n  how: connect\n  guest: h\n  ssh-option: a=b\n",
            "plan.fmf:6",
            "`ssh-option` cannot be obeyed",
        ),
        (
            "provision:\n  how: connect\n  guest: h\n  key: [a, b]\n",
            "plan.fmf:6",
            "`key` names several keys",
        ),
    ] {
        let ran = with_plan(lines, &["build", "-s", "plan"]).expect(2);
        assert!(ran.said(place) && ran.said(problem), "{lines}\n{ran:?}");
        assert!(!ran.said("hunter2"), "{ran:?}");
        with_plan(lines, &["build", "-s", "local"]).expect(0);
    }
}

#[test]
fn plans_that_ask_for_different_machines_are_not_run_together() {
    let plan = |how: &str| format!("discover: {{how: fmf}}\nexecute: {{how: tmt}}\nprovision: {{{how}}}\n");
    let atex = Atex::new();
    let dir = atex.world().sut();
    let (one, two) = (plan("how: local"), plan("how: connect, guest: h"));
    let atex = atex.tree([TEST, ("one.fmf", &one), ("two.fmf", &two)]);
    let atex = atex
        .args(["build", "-s", "plan"])
        .args(["--sut-dir".as_ref(), dir.as_os_str()]);
    let ran = atex.run().expect(2);
    assert!(
        ran.said("plan `/one` asks for `local`, and plan `/two` for `ssh://h?user=root`"),
        "{ran:?}"
    );
    atex.args(["--plan", "/one"]).run().expect(0);
}

#[test]
fn a_plan_with_several_guests_is_refused_and_the_others_run() {
    let guests = "provision: [{how: local, name: server}, {how: local, name: client}]\n";
    let ran = with_plan(guests, &["build", "-s", "local"]).expect(2);
    assert!(
        ran.said("plan.fmf:3: plan `/plan`: `provision` asks for several guests (`server`, `client`)"),
        "{ran:?}"
    );
    let one = "provision: [{how: local, name: server}, {how: local, name: client, when: distro == none}]\n";
    with_plan(one, &["build", "-s", "local"]).expect(0);
}

#[test]
fn a_part_of_a_plan_is_for_its_guest_or_refused() {
    for (lines, code) in [
        (
            "provision: {how: local, name: one, role: server}\nprepare: {script: 'true', where: server}\n",
            0,
        ),
        (
            "provision: {how: local, name: one, role: server}\nprepare: {script: 'true', where: [one, two]}\n",
            0,
        ),
        ("prepare: {script: 'true', where: default-0}\n", 0),
        ("prepare: {script: 'true', where: client}\n", 2),
        ("finish: {script: 'true', where: [client]}\n", 2),
        ("prepare: {script: 'true', where: client, when: distro == none}\n", 0),
    ] {
        let ran = with_plan(lines, &["build", "-s", "local"]);
        assert_eq!(ran.code, code, "{lines}\n{ran:?}");
        assert_eq!(
            ran.said("`where` names `client`, and the plan has no such guest"),
            code == 2,
            "{ran:?}"
        );
    }
}
