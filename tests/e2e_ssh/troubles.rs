//! Machines that are not there, or go away: which failure it is, and that the rest goes on.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::lab::{Lab, eventually};

/// A port on which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn a_machine_that_is_not_there_is_exit_code_3() {
    let lab = Lab::new();
    let gone = lab
        .target("")
        .replace(&lab.port().to_string(), &free_port().to_string());
    let ran = lab.on(&gone, ["test", "/a"]).run().expect(3);
    assert!(ran.stderr.contains("`lab`: cannot connect to"), "{ran:?}");
    let ran = lab.on("nobody@no-such-host.invalid", ["test", "/a"]).run().expect(3);
    assert!(ran.stderr.contains("`nobody@no-such-host.invalid`"), "{ran:?}");
}

#[test]
fn a_machine_that_is_known_and_gone_leaves_a_result_for_each_test() {
    let mut lab = Lab::new();
    lab.run(0, ["test", "/a"]);
    lab.sshd.stop();
    let ran = lab.run(3, ["test", "/a", "/b", "-o", "../out"]);
    for test in ["a", "b"] {
        let results = lab.world.read(format!("out/tests/{test}/results.jsonl"));
        assert!(results.contains("unreachable"), "{results} {ran:?}");
    }
}

#[test]
fn one_machine_of_two_that_is_not_there_leaves_the_work_to_the_other() {
    let lab = Lab::new();
    let gone = lab
        .target("2")
        .replace(&lab.port().to_string(), &free_port().to_string());
    let ran = lab.atex(["build"]).args(["-s", &gone]).run();
    assert!(ran.stderr.contains("`lab2`: cannot connect to"), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
}

#[test]
fn a_machine_that_dies_in_the_middle_is_exit_code_3_and_costs_only_what_ran_there() {
    let lab = Lab::new();
    lab.world
        .write("tree/b/main.fmf", "test: touch $COUNTER.up; sleep 600\nduration: 1h\n");
    let started = lab.world.path("ran.up");
    let atex = lab.atex(["build", "-o", "../out", "--dead-after", "5s"]);
    let running = atex
        .command()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the test runs", || started.exists().then_some(()));
    lab.sshd.signal(Signal::KILL);
    let ran = atex.ran(&running.wait_with_output().unwrap()).expect(3);
    let results = lab.world.read("out/tests/b/results.jsonl");
    assert!(
        results.contains("infra") || results.contains("aborted") || results.contains("unreachable"),
        "{results} {ran:?}"
    );
    let results = lab.world.read("out/tests/a/results.jsonl");
    assert!(!results.is_empty(), "{ran:?}");
}
