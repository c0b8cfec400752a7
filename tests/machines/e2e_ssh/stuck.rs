//! Tests of a machine whose agent is stuck while its sshd answers: the run ends in time, and other machines do the remaining
//! work.

use std::fs;

use crate::e2e_ssh::lab::{Lab, eventually, start};
use crate::support::{Atex, Ran};
use crate::sut_support::stopped::Stopped;

/// A second machine on the same sshd, with a directory of its own.
fn other(lab: &Lab) -> String {
    let dir = format!("dir={}", lab.world.sut().display());
    lab.target("2").replace(&dir, &format!("{dir}-2"))
}

/// Runs atex, and stops the agent of the first machine once that has begun.
fn stopping(lab: &Lab, atex: &Atex, begun: impl Fn() -> bool) -> Ran {
    let running = start(atex);
    eventually("it has begun", || begun().then_some(()));
    let stopped = Stopped::agent_of(&lab.world.sut());
    let ran = atex.ran(&running.wait_with_output().unwrap());
    drop(stopped);
    ran
}

const STUCK: &str = "`lab`: the agent there is stuck: nothing moved for 4 s";

#[test]
fn a_machine_that_is_stuck_at_the_finish_fails_it_and_the_tests_count() {
    let lab = Lab::new();
    lab.world.write(
        "tree/b/main.fmf",
        "test: echo b >>$COUNTER; touch $COUNTER.up; sleep 3\n",
    );
    let atex = lab.atex(["build", "-o", "../out", "--dead-after", "4s"]);
    let ran = stopping(&lab, &atex, || lab.world.path("ran.up").exists()).expect(3);
    assert!(ran.said(STUCK), "{ran:?}");
    for test in ["a", "b"] {
        let results = lab.world.read(format!("out/tests/{test}/results.jsonl"));
        assert!(results.contains(r#""status":"pass""#), "{results} {ran:?}");
    }
}

/// Runs a build with more machines, and stops the agent of the first one in the middle of its upload.
fn stopping_the_upload(lab: &Lab, more: &[&str]) -> Ran {
    let big = fs::File::create(lab.world.path("tree/big")).unwrap();
    big.set_len(150 << 20).unwrap();
    let atex = lab.atex(["build", "-o", "../out", "--dead-after", "4s"]);
    let atex = more.iter().fold(atex, |atex, target| atex.args(["-s", target]));
    let trees = lab.world.sut().join("v1/tree");
    let arriving = || {
        let slots = fs::read_dir(&trees).into_iter().flatten().flatten();
        let mut files = slots.filter_map(|slot| slot.path().join("big").metadata().ok());
        files.any(|big| big.len() > 1 << 20)
    };
    let ran = stopping(lab, &atex, arriving);
    assert!(ran.said(STUCK), "{ran:?}");
    ran
}

#[test]
fn a_machine_that_is_stuck_during_the_upload_leaves_the_work_to_the_other() {
    let lab = Lab::new();
    stopping_the_upload(&lab, &[&other(&lab)]).expect(0);
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
}

#[test]
fn a_machine_that_is_stuck_and_alone_is_exit_code_3() {
    let lab = Lab::new();
    stopping_the_upload(&lab, &[]).expect(3);
    let results = lab.world.read("out/tests/a/results.jsonl");
    assert!(results.contains("unreachable"), "{results}");
}
