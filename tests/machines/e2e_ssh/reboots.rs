//! Tests of reboots: a machine goes down with all its processes and comes back in another boot. It has a process namespace, a
//! `/proc` and a boot id of its own, which the kernel ends together. `vm` does the same with a real kernel.

use std::path::PathBuf;

use crate::e2e_ssh::lab::{Lab, eventually, start};
use crate::support::{Atex, Ran, World};

/// A lab whose machine can go down. Where this machine does not let us make one, nothing.
fn machine() -> Option<Lab> {
    if !rustix::process::geteuid().is_root() {
        assert!(
            std::env::var_os("CI").is_none(),
            "only root can make a machine that goes down"
        );
        eprintln!("SKIPPED: only root can make a machine that goes down");
        return None;
    }
    let world = World::new();
    let boot = world.path("boot");
    let script = format!(
        "cat /proc/sys/kernel/random/uuid >{0} && mount --bind {0} /proc/sys/kernel/random/boot_id && exec \"$@\"",
        boot.display()
    );
    let prefix = [
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        &script,
        "sshd",
    ];
    // With this bash reads no start-up file: one that is killed in the middle may leave locks to all that come later.
    Some(Lab::within(world, &prefix, "SetEnv SHLVL=5"))
}

/// A test that says in which boot it starts, wants to be gone once, and passes if it comes back in another one.
fn goes_down(lab: &Lab, leave: &str) {
    let text = format!(
        "duration: 1h\ntest: |\n    echo a >>$COUNTER\n    read -r boot </proc/sys/kernel/random/boot_id\n    \
         echo \"start $TMT_REBOOT_COUNT of $TMT_TEST_RESTART_COUNT in $boot\"\n    \
         if [[ $TMT_REBOOT_COUNT != 0 ]]; then [[ $boot != $(<before) ]]; exit; fi\n    echo $boot >before\n    {leave}\n    \
         touch $COUNTER.down\n    sleep 600\n"
    );
    lab.world.write("tree/a/main.fmf", text);
}

const DISCONNECT: &str = "echo disconnect >&$ATEX_TEST_CONTROL\n    \
                          while :; do echo noop >&$ATEX_TEST_CONTROL || break; sleep 0.1; done";

/// Lets a machine go down and come back while a call runs, once the test there says so.
fn goes_down_under(lab: &mut Lab, atex: &Atex) -> Ran {
    let running = start(atex);
    let down: PathBuf = lab.world.path("ran.down");
    eventually("the machine goes down", || down.exists().then_some(()));
    let before = lab.world.read("boot");
    lab.sshd.stop();
    assert!(lab.sshd.resume(), "the machine comes back");
    assert_ne!(lab.world.read("boot"), before);
    atex.ran(&running.wait_with_output().unwrap())
}

#[test]
fn a_test_goes_on_in_another_boot_of_its_machine_which_stays_prepared() {
    for leave in [DISCONNECT, "echo reconnect >&$ATEX_TEST_CONTROL"] {
        let Some(mut lab) = machine() else { return };
        goes_down(&lab, leave);
        let atex = lab.atex(["build", "--until", "test", "-o", "../out"]);
        let ran = goes_down_under(&mut lab, &atex).expect(0);
        assert_eq!(lab.ran(), ["prepare", "a", "a", "b"], "{leave}: {ran:?}");
        let output = lab.world.read("out/tests/a/files/output.txt");
        let starts: Vec<_> = output.lines().filter_map(|line| line.split_once(" in ")).collect();
        let [("start 0 of 0", before), ("start 1 of 1", after)] = starts[..] else {
            panic!("{output}");
        };
        assert!(before != after && after == lab.world.read("boot").trim(), "{output}");
        assert_eq!(
            lab.world.read("out/tests/a/results.jsonl").trim(),
            r#"{"status":"pass","files":["output.txt"]}"#
        );
        lab.run(0, ["test", "/b"]);
        assert_eq!(lab.ran(), ["b"], "also for the next run");
    }
}

/// A test of tmt's that says how it starts, reports, and reboots once by tmt's command.
fn reboots(lab: &Lab, keys: &str, reboot: &str) {
    let text = format!(
        "duration: 1h\n{keys}test: |\n    echo a >>$COUNTER\n    \
         echo \"start $TMT_REBOOT_COUNT $REBOOTCOUNT $RSTRNT_REBOOTCOUNT of $TMT_TEST_RESTART_COUNT\" >>$TMT_TEST_DATA/starts\n    \
         tmt-report-result /in/$TMT_REBOOT_COUNT PASS\n    [ $TMT_REBOOT_COUNT = 0 ] || exit 0\n    {reboot}\n    echo after >>$COUNTER\n"
    );
    lab.world.write("tree/a/main.fmf", text);
}

#[test]
fn a_test_of_tmts_reboots_by_its_command_and_finds_what_it_left() {
    // Also out of a shell that others started, and that does not want to be ended.
    for (before, after) in [("", ""), ("bash -c 'trap : TERM; ", "; echo after >>$COUNTER' || true")] {
        let Some(mut lab) = machine() else { return };
        let down = lab.world.path("ran.down");
        let command = format!("touch {}; sleep 600", down.display());
        reboots(&lab, "", &format!("{before}rhts-reboot -t 60 -c \"{command}\"{after}"));
        let atex = lab.atex(["build", "--until", "test", "-o", "../out"]);
        let ran = goes_down_under(&mut lab, &atex).expect(0);
        assert_eq!(lab.ran(), ["prepare", "a", "a", "b"], "{before}: {ran:?}");
        let starts = lab.world.read("out/tests/a/files/data/starts");
        assert_eq!(starts, "start 0 0 0 of 0\nstart 1 1 1 of 1\n");
        let results = lab.world.read("out/tests/a/results.jsonl");
        assert!(
            results.contains("\"in/0\"") && results.contains("\"in/1\""),
            "{results}"
        );
    }
}

#[test]
fn a_machine_that_does_not_go_down_when_a_test_of_tmts_asks_for_it_makes_the_test_an_error() {
    let Some(lab) = machine() else { return };
    for (reboot, note) in [
        ("tmt-reboot -t 1 -c true", "the machine did not go down within 1 s"),
        ("tmt-reboot -c 'exit 3'", "the command for the reboot exited with 3"),
    ] {
        reboots(&lab, "result: pass\n", reboot);
        let ran = lab.run(1, ["test", "/a", "/b"]);
        assert!(ran.said(note) && ran.said("1 failed"), "{ran:?}");
        let ran = lab.ran();
        assert_eq!(
            ran.iter().filter(|line| *line == "a").count(),
            1,
            "it is not started again: {ran:?}"
        );
        assert!(!ran.iter().any(|line| line == "after"), "{ran:?}");
    }
}

#[test]
fn a_machine_that_was_booted_between_two_runs_is_prepared_again() {
    let Some(mut lab) = machine() else { return };
    lab.run(0, ["test", "/b"]);
    lab.sshd.stop();
    assert!(lab.sshd.resume(), "the machine comes back");
    let ran = lab.run(0, ["test", "/b"]);
    assert!(ran.said("`lab` was booted since it was prepared"), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "b", "prepare", "b"]);
    lab.run(0, ["test", "/b"]);
    assert_eq!(lab.ran(), ["b"]);
}

#[test]
fn a_machine_that_goes_down_unasked_aborts_the_test_and_harms_nobody_when_it_is_back() {
    let Some(mut lab) = machine() else { return };
    goes_down(&lab, "true");
    let atex = lab.atex(["build", "--until", "test", "-o", "../out", "--retry-infra", "0"]);
    let ran = goes_down_under(&mut lab, &atex).expect(3);
    assert!(
        lab.world
            .read("out/tests/a/results.jsonl")
            .contains(r#""error":"aborted""#),
        "{ran:?}"
    );
    assert!(ran.said("`lab` is prepared again from the first step"), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "a", "prepare", "b"], "{ran:?}");
}

#[test]
fn a_runner_that_died_with_the_machine_leaves_a_taint_to_the_next_boot() {
    let Some(mut lab) = machine() else { return };
    goes_down(&lab, "true");
    let mut running = start(&lab.atex(["build", "--until", "test"]));
    let down: PathBuf = lab.world.path("ran.down");
    eventually("the machine goes down", || down.exists().then_some(()));
    running.kill().unwrap();
    running.wait().unwrap();
    lab.sshd.stop();
    assert!(lab.sshd.resume());
    assert!(lab.run(0, ["sut", "ls"]).said("tainted"));
    let ran = lab.run(0, ["test", "/b"]);
    assert!(ran.said("`/a`"), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "a", "prepare", "b"], "{ran:?}");
}
