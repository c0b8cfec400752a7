//! Tests of how a test can end, and that no such end is mistaken for an infrastructure failure.

use crate::e2e_protocol::case::Case;

#[test]
fn exit_code_255_is_a_failed_test_and_not_a_lost_connection() {
    let done = Case::new("exit 255").exits(1).run();
    assert_eq!(done.result()["status"], "fail");
    assert!(!done.was_tainted());
}

#[test]
fn a_test_that_a_signal_ends_fails() {
    for signal in ["KILL", "TERM", "SEGV", "INT"] {
        let done = Case::new(&format!("kill -{signal} $$; sleep 600")).exits(1).run();
        assert_eq!(done.result()["status"], "fail", "{signal}");
        assert!(!done.was_tainted(), "{signal}");
    }
}

#[test]
fn the_shell_stops_at_the_first_failure_also_within_a_pipe() {
    let done = Case::new("false | true; echo not reached").exits(1).run();
    assert_eq!(done.output(), "");
    let done = Case::new("false; echo not reached").exits(1).run();
    assert_eq!(done.output(), "");
}

#[test]
fn the_exit_code_that_the_wrapper_says_is_the_one_that_counts() {
    let done = Case::new("say exitcode 1; exit 0").run();
    assert_eq!(done.result()["status"], "pass");
    let done = Case::new("say exitcode 0; exit 1").exits(1).run();
    assert_eq!(done.result()["status"], "fail");
}

#[test]
fn what_a_test_says_is_never_the_end_that_the_wrapper_did_not_see() {
    for end in [
        "kill -9 $PPID; sleep 600",
        "kill -9 $PPID 0",
        "for i in 1 2; do say exitcode 0; done; kill -9 $PPID; exit 0",
        "echo exitcode 0 >/proc/$PPID/fd/5; exec 7>&-; kill -9 $PPID; exit 0",
    ] {
        let done = Case::new(&format!("say exitcode 0; {end}"))
            .arg("--retry-infra=0")
            .exits(3)
            .run();
        done.infra("aborted");
    }
}

#[test]
fn a_word_that_hangs_on_half_a_line_of_the_test_is_not_the_wrappers() {
    for half in ["half", "exitcode ", "noop ", "exitcode 0 ", "exitcode 0"] {
        let done = Case::new(&format!("printf '{half}' >&7"))
            .arg("--retry-infra=0")
            .exits(3)
            .run();
        done.infra("control");
    }
}

#[test]
fn a_test_may_replace_its_shell() {
    let done = Case::new("exec sh -c 'echo replaced; exit 7'").exits(1).run();
    assert_eq!(done.output(), "replaced\n");
}
