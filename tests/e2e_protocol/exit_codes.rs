//! How a test ends, and that nothing of it is mistaken for the infrastructure.

use crate::case::Case;

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
fn a_test_may_replace_its_shell() {
    let done = Case::new("exec sh -c 'echo replaced; exit 7'").exits(1).run();
    assert_eq!(done.output(), "replaced\n");
}
