//! Tests of violations: each one ends the test as `control`, with a note that shows the bytes at fault.

use crate::e2e_protocol::case::{Case, Done, lives};

/// Runs a script that breaks the protocol after it gave a result, and would go on for long.
#[track_caller]
fn broken(bytes: &str) -> Done {
    let script = format!(
        r#"result '{{"status":"pass","name":"before"}}'
        echo $$ > "$WORLD/pid"
        printf '{bytes}' >&$ATEX_TEST_CONTROL
        sleep 600"#
    );
    let done = Case::new(&script).with("duration: 30s").exits(3).run();
    assert_eq!(done.results()[0]["name"], "before", "nothing reported before is lost");
    assert!(done.pids("pid").iter().all(|&pid| !lives(pid)));
    assert!(!done.was_tainted(), "the SUT is not to blame");
    done
}

/// Breaks it with `bytes`, and wants to see `shown` in the note.
#[track_caller]
fn note(bytes: &str, shown: &str) {
    let note = broken(bytes).infra("control");
    assert!(note.contains(shown), "{note}");
}

/// The same with a result of this JSON.
#[track_caller]
fn note_of_result(json: &str, shown: &str) {
    note(&format!(r"result {}\n{json}", json.len()), shown);
}

#[test]
fn an_unknown_word() {
    note(r"frobnicate 1\n", "`frobnicate 1`");
}

#[test]
fn an_empty_line() {
    note(r"\n", "empty");
}

#[test]
fn a_line_that_is_not_ascii() {
    note(r"noop \303\274\n", r"`noop \xc3\xbc`");
}

#[test]
fn numbers_that_are_none() {
    note(r"result five\n", "`result five`");
    note(r"exitcode x\n", "`exitcode x`");
    note(r"duration soon\n", "`duration soon`");
    note(r"duration +\n", "`duration +`");
    note(r"result -1\n", "`result -1`");
}

#[test]
fn json_that_is_none_or_no_object() {
    note_of_result("{bad}", "{bad}");
    note_of_result("[1]", "[1]");
    note_of_result("", "0 bytes");
}

#[test]
fn members_of_the_wrong_type() {
    note_of_result(r#"{"name":5}"#, "`name`");
    note_of_result(r#"{"files":"x"}"#, "`files`");
    note_of_result(r#"{"files":[{"name":"x"}]}"#, "`files`");
}

#[test]
fn a_testout_that_is_empty_or_also_a_file() {
    note_of_result(r#"{"testout":""}"#, "`testout`");
    note_of_result(r#"{"testout":"x","files":[{"name":"x","length":0}]}"#, "`testout`");
}

/// Ends in the middle of what was announced: `missing` bytes before its end.
#[track_caller]
fn cut(json: &str, missing: usize, shown: &str) {
    let length = if json.ends_with('}') {
        json.len()
    } else {
        json.len() + missing
    };
    let script = format!(
        r#"result '{{"status":"pass","name":"before"}}'; printf 'result {length}\n{json}' >&$ATEX_TEST_CONTROL; exit 0"#
    );
    let done = Case::new(&script).exits(3).run();
    assert_eq!(done.results()[0]["name"], "before");
    let note = done.infra("control");
    assert!(note.contains(shown), "{note}");
    assert!(!done.was_tainted(), "the SUT is not to blame");
}

#[test]
fn the_end_of_the_stream_in_the_middle_of_a_json() {
    cut(r#"{"status":"#, 1000, "JSON");
    // What the wrapper says last has 11 bytes: as many as are missing, fewer, more.
    for missing in [5, 11, 12] {
        cut(r#"{"status":"#, missing, "JSON");
    }
}

#[test]
fn the_end_of_the_stream_in_the_middle_of_a_file() {
    for missing in [10_000, 12, 11, 5] {
        cut(
            &format!(r#"{{"name":"x","files":[{{"name":"short","length":{missing}}}]}}"#),
            missing,
            "",
        );
    }
}

#[test]
fn a_line_that_the_test_leaves_unfinished() {
    let done = Case::new("printf noop >&$ATEX_TEST_CONTROL").exits(3).run();
    done.infra("control");
}

#[test]
fn what_comes_after_the_fault_is_not_heard() {
    let done = Case::new(
        r#"say oops
        result '{"status":"pass","name":"late"}'; result '{"status":"pass"}'; sleep 600"#,
    )
    .exits(3)
    .run();
    assert_eq!(done.results().len(), 1);
    done.infra("control");
}
