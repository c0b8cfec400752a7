//! Tests of `duration`, in metadata and on the control stream. They do not measure how long things take, only whether the time
//! ran out.

use crate::e2e_protocol::case::{Case, lives};

/// More than any test here waits for.
const LONG: &str = "sleep 600";

#[test]
fn a_test_that_outlives_its_duration_is_a_timeout() {
    let done = Case::new(&format!("echo begun; {LONG}"))
        .with("duration: 1")
        .exits(3)
        .run();
    done.infra("timeout");
    assert_eq!(done.output(), "begun\n");
    assert!(done.was_tainted());
}

#[test]
fn sums_and_factors_of_metadata_are_understood() {
    Case::new(LONG).with("duration: 1s *2").exits(3).run().infra("timeout");
}

#[test]
fn a_duration_counts_from_the_moment_it_is_said() {
    Case::new(&format!("say duration 1s; {LONG}"))
        .exits(3)
        .run()
        .infra("timeout");
    let done = Case::new("say duration 10m; sleep 4").with("duration: 3s").run();
    assert_eq!(done.result()["status"], "pass");
}

#[test]
fn plus_moves_the_deadline_away() {
    let done = Case::new("say duration +10m; sleep 4").with("duration: 3s").run();
    assert_eq!(done.result()["status"], "pass");
}

#[test]
fn minus_moves_the_deadline_nearer() {
    Case::new(&format!("say duration -599; {LONG}"))
        .with("duration: 10m")
        .exits(3)
        .run()
        .infra("timeout");
    Case::new(&format!("say duration -1h; {LONG}"))
        .with("duration: 10m")
        .exits(3)
        .run()
        .infra("timeout");
}

#[test]
fn plus_and_minus_leave_the_used_time_used() {
    let script = format!("sleep 2; say duration +1h; say duration -1h; {LONG}");
    Case::new(&script).with("duration: 4s").exits(3).run().infra("timeout");
}

#[test]
fn restore_gives_back_the_time_that_remained() {
    let script = format!("say duration save; say duration 10m; sleep 4; say duration restore; {LONG}");
    let done = Case::new(&script).with("duration: 3s").exits(3).run();
    done.infra("timeout");
    let script = "say duration save; say duration 10m; sleep 4; say duration restore; echo alive";
    let done = Case::new(script).with("duration: 3s").run();
    assert_eq!(done.output(), "alive\n");
}

#[test]
fn of_nested_pairs_only_the_outermost_acts() {
    let script = "say duration save; say duration 10m; say duration save; say duration restore; sleep 4; echo alive";
    let done = Case::new(script).with("duration: 3s").run();
    assert_eq!(done.output(), "alive\n", "the inner restore gave nothing back");
    let script = format!(
        "say duration save; say duration 10m; say duration save; say duration restore; say duration restore; {LONG}"
    );
    Case::new(&script).with("duration: 3s").exits(3).run().infra("timeout");
}

#[test]
fn a_timeout_keeps_what_was_reported_before() {
    let done = Case::new(&format!("result '{{\"status\":\"pass\",\"name\":\"before\"}}'; {LONG}"))
        .with("duration: 2s")
        .exits(3)
        .run();
    assert_eq!(done.results()[0]["name"], "before");
    done.infra("timeout");
}

#[test]
fn a_timeout_ends_the_whole_process_group_also_children_that_ignore_sigterm() {
    let script = format!(
        r#"trap '' TERM
        (trap '' TERM; echo $BASHPID >> "$WORLD/pids"; {LONG}) &
        bash -c 'trap "" TERM HUP INT; echo $$ >> "$WORLD/pids"; while :; do sleep 1; done' &
        echo $$ >> "$WORLD/pids"; {LONG}"#
    );
    let done = Case::new(&script).with("duration: 2s").exits(3).run();
    done.infra("timeout");
    let pids = done.pids("pids");
    assert_eq!(pids.len(), 3);
    for pid in pids {
        assert!(!lives(pid), "{pid} outlived the test");
    }
}

#[test]
fn what_a_test_says_while_it_is_ended_is_heard() {
    let script = format!(
        r#"trap 'result "{{\"status\":\"info\",\"name\":\"last words\"}}"; exit 0' TERM
        {LONG} & wait"#
    );
    let done = Case::new(&script).with("duration: 2s").exits(3).run();
    assert_eq!(done.results()[0]["name"], "last words");
    done.infra("timeout");
}

#[test]
fn a_test_that_is_being_ended_cannot_ask_for_another_start() {
    let script = format!("trap 'say disconnect; exit 0' TERM; {LONG} & wait");
    let done = Case::new(&script).with("duration: 2s").exits(3).run();
    done.infra("timeout");
}

#[test]
fn the_sut_is_not_trusted_after_a_timeout_and_prepared_again() {
    let case = Case::new(&format!("[ ! -e \"$WORLD/hang\" ] || {LONG}"))
        .with("duration: 2s")
        .file(
            "plan.fmf",
            "execute:\n    how: tmt\ndiscover:\n    how: fmf\nprepare:\n    script: echo x >> \"$WORLD/prepared\"\n",
        );
    let (atex, world) = (case.atex(), case.world());
    world.write("hang", "");
    atex.clone().run().expect(3);
    assert_eq!(world.read("prepared"), "x\n");
    std::fs::remove_file(world.path("hang")).unwrap();
    std::fs::remove_dir_all(world.path("out")).unwrap();
    let ran = atex.run().expect(0);
    assert_eq!(world.read("prepared"), "x\nx\n");
    assert!(ran.stdout.contains("prepared again"), "{ran:?}");
}
