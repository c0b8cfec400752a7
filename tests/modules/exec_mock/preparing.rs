//! Tests of prepare chains: what is reused, what fails, and when preparation is forgotten.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::mock::Step;
use atex::exec::options::{Mode, OnReboot, Until};
use atex::sut::{SutState, Trouble, TroubleKind};

use crate::exec_mock::bench::{Bench, aborted, bench, says, unreachable};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_failed_step_is_prepare_for_every_test_and_finish_runs_all_the_same() {
    let bench = bench(2);
    bench.lab.script("prepare", vec![Step::Exit(3)]);
    let ended = bench.run().exits(3);
    assert_eq!(ended.jobs_of("one"), ["prepare", "finish"]);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("infra prepare".into(), "infra prepare".into())
    );
    assert!(ended.note("/t1").contains("exited with 3"), "{}", ended.note("/t1"));
}

#[test]
fn where_prepare_fails_on_one_sut_the_other_runs_all_tests_and_the_run_ends_with_3() {
    let bench = bench(3).on(&["one", "two"]);
    bench.lab.script("prepare", vec![Step::Exit(3)]);
    let ended = bench.run().exits(3);
    for test in ["/t1", "/t2", "/t3"] {
        assert_eq!(ended.result(test), "pass");
    }
}

#[test]
fn an_interrupted_step_leaves_a_tainted_sut() {
    let bench = bench(1);
    bench.lab.fail("one", "adopt", aborted());
    let ended = bench.run().exits(3);
    assert_eq!(ended.result("/t1"), "infra unreachable");
    let state = bench.lab.state("one");
    assert!(state.taint.is_some() && state.chain.is_empty(), "{state:?}");
}

#[test]
fn the_taint_is_there_before_the_step_runs_and_the_chain_only_after_it() {
    let ended = bench(1).run().exits(0);
    let at = |text: &str| {
        ended
            .calls
            .iter()
            .position(|call| call.contains(text))
            .expect("it was called")
    };
    let step = at("start prepare");
    assert!(at("was interrupted") < step);
    assert!(
        ended.calls[..step]
            .iter()
            .all(|call| !call.contains("set-state [") || call.contains("set-state []"))
    );
    assert!(at("adopt") > step);
}

const TWO_STEPS: &str = "
discover: {how: fmf}
execute: {how: tmt}
prepare: [{how: shell, script: first}, {how: shell, script: second}]
";

#[test]
fn what_is_prepared_is_reused_and_a_longer_chain_goes_on_from_there() {
    let one_step = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: [{how: shell, script: first}]\n";
    let bench = Bench::of(&[("plan.fmf", one_step), ("t1.fmf", "test: 'true'\n")]).mode(Mode::Test);
    assert_eq!(bench.run().jobs_of("one"), ["first", "/t1"]);
    assert_eq!(bench.run().jobs_of("one"), ["/t1"]);
    bench.write("plan.fmf", TWO_STEPS);
    assert_eq!(bench.run().jobs_of("one"), ["second", "/t1"]);
    bench.write("plan.fmf", &TWO_STEPS.replace("first", "other"));
    assert_eq!(bench.run().jobs_of("one"), ["other", "second", "/t1"]);
}

#[test]
fn a_state_file_that_makes_no_sense_is_not_built_upon() {
    let bench = Bench::of(&[("plan.fmf", TWO_STEPS), ("t1.fmf", "test: 'true'\n")]).mode(Mode::Test);
    bench.run().exits(0);
    let SutState { mut chain, boot, .. } = bench.lab.state("one");
    // The last step's key stands for the whole chain, but at its place alone: places tell who made what in the tree.
    let last = chain.pop().unwrap();
    for chain in [vec!["x".into(), "y".into(), last.clone()], vec![last]] {
        let state = SutState {
            chain,
            boot: boot.clone(),
            ..SutState::default()
        };
        bench.lab.set_state("one", state);
        assert_eq!(bench.run().exits(0).jobs_of("one"), ["first", "second", "/t1"]);
        assert_eq!(bench.lab.state("one").chain.len(), 2);
    }
}

#[test]
fn a_prepared_state_is_forgotten_before_the_tree_and_the_environment_file_change() {
    let bench = Bench::of(&[("plan.fmf", TWO_STEPS), ("t1.fmf", "test: 'true'\n")]).mode(Mode::Test);
    bench.run().exits(0);
    bench.write("plan.fmf", &TWO_STEPS.replace("first", "other"));
    bench.lab.fail("one", "sync", unreachable());
    bench.run().exits(3);
    assert_eq!(bench.lab.state("one").chain, [""; 0], "the old chain would be believed");
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("one"), ["other", "second", "/t1"]);
}

#[test]
fn fresh_prepares_from_the_first_step_once() {
    let mut bench = bench(2).mode(Mode::Test);
    bench.run().exits(0);
    bench.options.fresh = true;
    assert_eq!(bench.run().jobs_of("one"), ["prepare", "/t1", "/t2"]);
}

#[test]
fn until_prepare_brings_every_sut_into_the_lane_once_and_runs_no_test() {
    for _ in 0..20 {
        let bench = bench(2).on(&["one", "two", "three"]).until(Until::Prepare);
        let ended = bench.run().exits(0);
        for machine in ["one", "two", "three"] {
            assert_eq!(ended.jobs_of(machine), ["prepare"]);
            assert_eq!(bench.lab.state(machine).chain.len(), 1);
        }
    }
}

#[test]
fn until_prepare_on_one_sut_runs_every_chain() {
    let plan = |script: &str| format!("discover: {{how: fmf}}\nexecute: {{how: tmt}}\nprepare: {{script: {script}}}\n");
    let files = [
        ("a.fmf", plan("first")),
        ("b.fmf", plan("second")),
        ("t1.fmf", "test: 'true'\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let ended = Bench::of(&files).until(Until::Prepare).run().exits(0);
    assert_eq!(ended.jobs_of("one"), ["first", "second"]);
}

#[test]
fn until_prepare_touches_no_sut_where_there_is_nothing_to_prepare() {
    let bench = Bench::of(&[("t1.fmf", "test: 'true'\n")]).until(Until::Prepare);
    assert_eq!(bench.run().exits(0).calls, [""; 0]);
}

#[test]
fn until_prepare_fails_where_a_sut_cannot_be_had() {
    let bench = bench(1).on(&["one", "two"]).until(Until::Prepare);
    bench.lab.fail("two", "open", unreachable());
    let ended = bench.run().exits(3);
    assert_eq!(ended.jobs_of("one"), ["prepare"]);
}

#[test]
fn packages_that_cannot_be_had_at_once_are_installed_test_by_test() {
    let bench = Bench::of(&[
        ("t1.fmf", "test: 'true'\nrequire: good\n"),
        ("t2.fmf", "test: 'true'\nrequire: ['bad\"name']\n"),
        ("t3.fmf", "test: 'true'\nrecommend: ['also\"bad']\n"),
    ]);
    let ended = bench.run().exits(3);
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2"), ended.result("/t3")),
        ("pass".into(), "infra setup".into(), "pass".into())
    );
    assert!(ended.note("/t2").contains("bad\"name"), "{}", ended.note("/t2"));
    assert_eq!(ended.warnings().len(), 2, "{:?}", ended.warnings());
}

#[test]
fn an_environment_file_that_cannot_be_emptied_is_setup() {
    let bench = bench(1);
    bench.lab.fail(
        "one",
        "reset-env-file",
        Trouble::new(TroubleKind::Setup, "`one`: cannot empty"),
    );
    assert_eq!(bench.run().exits(3).result("/t1"), "infra setup");
}

#[test]
fn a_chain_is_distrusted_from_its_first_step_that_is_too_old() {
    let mut bench = Bench::of(&[(
        "plan.fmf",
        "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: [{script: p1}, {script: p2}, {script: p3}]\n",
    )]);
    bench.write("t.fmf", "test: 'true'\n");
    assert_eq!(bench.run().exits(0).jobs_of("one"), ["p1", "p2", "p3", "/t"]);
    let whole = bench.lab.state("one");
    assert_eq!(whole.done_at.len(), 3);
    bench.options.rerun = true;
    bench.options.max_age = Some(Duration::from_hours(1));
    let hours = |ago: &[u64]| SutState {
        done_at: ago.iter().map(|hours| now() - hours * 3600).collect(),
        prepared_at: Some(now()),
        ..whole.clone()
    };
    for (state, ran) in [
        (hours(&[0, 0, 0]), &["/t"][..]),
        (hours(&[5, 0, 0]), &["p1", "p2", "p3", "/t"]),
        (hours(&[0, 5, 0]), &["p2", "p3", "/t"]),
        (hours(&[0, 0, 5]), &["p3", "/t"]),
    ] {
        bench.lab.set_state("one", state);
        assert_eq!(bench.run().exits(0).jobs_of("one"), ran);
        let done_at = bench.lab.state("one").done_at;
        assert!(
            done_at.len() == 3 && done_at.iter().all(|at| now() - at < 3600),
            "{done_at:?}"
        );
    }
}

#[test]
fn what_tests_of_plans_without_steps_said_to_each_other_ends_with_the_build() {
    let plan = "discover: {how: fmf}\nexecute: {how: tmt}\n";
    let resets = |ended: &crate::exec_mock::bench::Ended| {
        let is_reset = |call: &&String| call.contains("reset-env-file");
        ended.calls.iter().filter(is_reset).count()
    };
    let bench = Bench::of(&[("plan.fmf", plan), ("t.fmf", "test: 'true'\n")]);
    assert_eq!(resets(&bench.run().exits(0)), 1, "a build begins with none of it");
    let bench = bench.mode(Mode::Test);
    assert_eq!(
        resets(&bench.run().exits(0)),
        0,
        "a test by name goes on from what is there"
    );
    let bench = Bench::of(&[
        ("plan.fmf", &format!("{plan}finish: {{script: f}}\n")),
        ("t.fmf", "test: 'true'\n"),
    ]);
    let ended = bench.run().exits(0);
    assert_eq!(resets(&ended), 2, "and ends with none");
    let last = ended
        .calls
        .iter()
        .rposition(|call| call.contains("reset-env-file base"));
    assert!(last > ended.calls.iter().position(|call| call.contains("start f")));
}

#[test]
fn a_boot_that_no_test_asked_for_ends_what_was_prepared_unless_that_is_trusted() {
    let mut bench = Bench::of(&[("plan.fmf", TWO_STEPS), ("t1.fmf", "test: 'true'\n")]).mode(Mode::Test);
    bench.run().exits(0);
    bench.lab.boot("another");
    assert_eq!(bench.run().exits(0).jobs_of("one"), ["/t1"]);

    bench.lab.boot("one");
    bench.options.on_reboot = OnReboot::Trust;
    let ended = bench.run().exits(0);
    assert_eq!((ended.jobs_of("one"), ended.warnings()), (vec!["/t1"], vec![]));

    bench.options.on_reboot = OnReboot::Prepare;
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("one"), ["first", "second", "/t1"]);
    assert!(
        ended.warnings()[0].contains("was booted since"),
        "{:?}",
        ended.warnings()
    );
    assert_eq!(bench.run().exits(0).jobs_of("one"), ["/t1"]);
}

#[test]
fn a_boot_that_a_test_asked_for_ends_nothing() {
    let bench = Bench::of(&[("plan.fmf", TWO_STEPS), ("t1.fmf", "test: 'true'\n")]).mode(Mode::Test);
    bench.lab.script("/t1", vec![says("disconnect\n"), Step::Exit(0)]);
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("one"), ["first", "second", "/t1", "/t1"]);
    let ended = bench.run().exits(0);
    assert_eq!((ended.jobs_of("one"), ended.warnings()), (vec!["/t1"], vec![]));
}

#[test]
fn a_test_is_distrusted_that_stood_on_an_older_preparation_however_young_its_own_record_is() {
    let plan = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: [{script: p1}, {script: p2}]\n";
    let mut bench = Bench::of(&[("plan.fmf", plan), ("young.fmf", "test: 'true'\n")]);
    bench.run().exits(0);
    let young = bench.lab.state("one");
    bench.lab.set_state(
        "one",
        SutState {
            done_at: vec![now() - 5 * 3600, now()],
            ..young.clone()
        },
    );
    bench.write("old.fmf", "test: 'true'\n");
    assert_eq!(bench.run().exits(0).jobs_of("one"), ["/old"]);
    assert_eq!(bench.run().exits(0).jobs_of("one"), [""; 0]);

    bench.options.max_age = Some(Duration::from_hours(6));
    assert_eq!(bench.run().exits(0).jobs_of("one"), [""; 0]);
    bench.options.max_age = Some(Duration::from_hours(1));
    let ended = bench.run().exits(0);
    assert_eq!(ended.jobs_of("one"), ["p1", "p2", "/old"]);
    assert_eq!(ended.finished.cached, 1);
    assert_eq!(bench.run().exits(0).jobs_of("one"), [""; 0], "and then it is believed");
}
