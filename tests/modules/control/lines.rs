//! Tests of control lines: their forms, which ones break the protocol, and that nothing is lost then.

use std::time::Duration;

use atex::control::{ControlMessage, DurationChange, InfraKind, Status, Verdict};

use crate::control::support::{Running, result, result_with, violation};

#[test]
fn a_control_line_has_at_most_4096_bytes_with_its_newline() {
    let line = |length: usize| format!("noop {}\n", "x".repeat(length - 6));
    let mut test = Running::new();
    test.say(line(4096));
    assert_eq!(test.said, [ControlMessage::Noop]);
    let note = test.break_with(line(4097));
    assert!(
        note.starts_with("control line is longer than 4096 bytes: `noop xxxx"),
        "{note}"
    );
    assert!(note.ends_with("more bytes") && note.len() < 300, "{note}");
}

#[test]
fn a_line_too_long_is_noticed_before_its_end() {
    let mut test = Running::new();
    test.say("x".repeat(4095));
    assert!(test.break_with("x").starts_with("control line is longer"));
}

#[test]
fn a_control_line_is_ascii() {
    let note = Running::new().break_with("noop ü\n");
    assert_eq!(note, r"control line is not ASCII: `noop \xc3\xbc`");
}

#[test]
fn the_next_n_bytes_are_one_json_object() {
    let mut test = Running::new();
    test.say("result 17\n{\"status\":\"").say("pass\"").say("}noop\n");
    assert_eq!(
        test.said,
        [ControlMessage::Result(Status::Pass, None), ControlMessage::Noop]
    );
    assert_eq!(test.lines(), [r#"{"status":"pass"}"#]);
}

#[test]
fn exitcode_is_the_tests_exit_code_and_the_last_one_counts() {
    let mut test = Running::new();
    test.say("exitcode 255\n");
    assert_eq!(test.protocol.exit_code(), Some(255));
    test.say("exitcode 7\n");
    assert_eq!(test.protocol.exit_code(), Some(7));
    assert_eq!(test.said, [ControlMessage::ExitCode(255), ControlMessage::ExitCode(7)]);
}

#[test]
fn the_exit_code_counts_anew_after_a_restart() {
    let mut test = Running::new();
    test.say("exitcode 3\n").protocol.restart();
    assert_eq!(test.protocol.exit_code(), None);
}

#[test]
fn duration_lines_reach_the_executor_in_all_forms() {
    let mut test = Running::new();
    test.say("duration 15m\nduration +60\nduration -5m\nduration save\nduration restore\n");
    let changes = [
        DurationChange::Set(Duration::from_mins(15)),
        DurationChange::Extend(Duration::from_mins(1)),
        DurationChange::Shorten(Duration::from_mins(5)),
        DurationChange::Save,
        DurationChange::Restore,
    ];
    assert_eq!(test.said, changes.map(ControlMessage::Duration));
}

#[test]
fn after_disconnect_the_channel_is_closed_until_the_test_starts_again() {
    let mut test = Running::new();
    test.say("disconnect\nnoop\n\ngarbage").say(" and more");
    assert_eq!(test.said, [ControlMessage::Disconnect]);
    test.protocol.end_of_stream().expect("nobody reads any more");
    test.protocol.restart();
    test.say("noop\n");
    assert_eq!(test.said, [ControlMessage::Disconnect, ControlMessage::Noop]);
}

#[test]
fn after_reconnect_the_channel_stays_open() {
    let mut test = Running::new();
    test.say("reconnect\nnoop\nreconnect always\n")
        .report(r#"{"status":"pass"}"#);
    assert_eq!(
        test.said,
        [
            ControlMessage::Reconnect { always: false },
            ControlMessage::Noop,
            ControlMessage::Reconnect { always: true },
            ControlMessage::Result(Status::Pass, None),
        ]
    );
}

#[test]
fn noop_is_nothing() {
    let mut test = Running::new();
    test.say("noop\n".repeat(100));
    let done = test.exit(0);
    assert_eq!(done.lines, [r#"{"status":"pass","files":["output.txt"]}"#]);
}

#[test]
fn results_and_files_survive_a_restart() {
    let mut test = Running::new();
    test.report(r#"{"name":"a","status":"pass"}"#)
        .report(r#"{"name":"b","status":"fail","note":"before","partial":true}"#)
        .say(result_with(
            r#"{"name":"c","status":"pass","files":[{"name":"f","length":3}]}"#,
            "one",
        ))
        .say("result 10\n{\"sta");
    test.protocol.restart();
    test.report(r#"{"name":"b","status":"pass"}"#).say(result_with(
        r#"{"name":"c","status":"pass","files":[{"name":"f","length":3}]}"#,
        "two",
    ));
    assert_eq!(test.file("c/f"), "onetwo");
    assert_eq!(
        test.exit(0).lines,
        [
            r#"{"name":"a","status":"pass"}"#,
            r#"{"name":"c","status":"pass","files":["f"]}"#,
            r#"{"name":"b","status":"pass","note":"before"}"#,
            r#"{"name":"c","status":"pass","files":["f"]}"#,
            r#"{"status":"pass","files":["output.txt"]}"#,
        ]
    );
}

// What breaks the protocol

/// Lines that break the protocol, and what the note must show.
const LINES: &[(&str, &str)] = &[
    ("frobnicate 5", "unknown control word: `frobnicate 5`"),
    ("", "empty control line"),
    ("result five", "`result five`"),
    ("result", "`result`"),
    ("result -5", "`result -5`"),
    ("result  5", "`result  5`"),
    ("result 99999999999999999999", "longer than 16777216 bytes"),
    ("result 17000000", "longer than 16777216 bytes"),
    ("exitcode none", "`exitcode none`"),
    ("duration later", "`duration later`"),
    ("duration 1h 30m", "`duration 1h 30m`"),
    ("reconnect sometimes", "`reconnect sometimes`"),
];

/// Results that break the protocol, and what the note must show.
const RESULTS: &[(&str, &str)] = &[
    ("", "0 bytes"),
    ("[]", "`[]`"),
    ("null", "`null`"),
    ("{} {}", "`{} {}`"),
    (r#"{"a": 1,}"#, r#"`{"a": 1,}`"#),
    (r#"{"status":1}"#, "`status` is no string: `1`"),
    (r#"{"name":[]}"#, "`name` is no string: `[]`"),
    (r#"{"partial":1}"#, "`partial` is neither `true` nor `false`: `1`"),
    (r#"{"files":{}}"#, "`files` is no array: `{}`"),
    (r#"{"files":[1]}"#, "an entry of `files` is no object: `1`"),
    (r#"{"files":[{"length":1}]}"#, "has no `name`"),
    (r#"{"files":[{"name":"a"}]}"#, "as `length`"),
    (r#"{"files":[{"name":"a","length":"1"}]}"#, "as `length`"),
    (r#"{"files":[{"name":"a","length":-1}]}"#, "as `length`"),
    (
        r#"{"files":[{"name":"a","length":1.5}]}"#,
        r#"as `length`: `{"name":"a","length":1.5}`"#,
    ),
    (r#"{"files":[{"name":"/a","length":1}]}"#, "file name is absolute: `/a`"),
    (
        r#"{"files":[{"name":"../a","length":1}]}"#,
        "file name has `..`: `../a`",
    ),
    (
        r#"{"files":[{"name":"a\u0000","length":1}]}"#,
        r"file name has NUL: `a\0`",
    ),
    (r#"{"name":"../s","files":[{"name":"a","length":1}]}"#, "`../s`"),
    (r#"{"testout":""}"#, "`testout` is empty"),
    (r#"{"testout":"/a"}"#, "`testout`: file name is absolute: `/a`"),
    (r#"{"testout":1}"#, "`testout` is no string: `1`"),
];

fn breaches() -> impl Iterator<Item = (Vec<u8>, &'static str)> {
    let lines = LINES
        .iter()
        .map(|(line, shown)| (format!("{line}\n").into_bytes(), *shown));
    let results = RESULTS.iter().map(|(json, shown)| (result(json), *shown));
    lines
        .chain(results)
        .chain([(b"result 3\n{\"\xfc".to_vec(), r"not UTF-8: `\xfc`")])
}

#[test]
fn each_breach_is_a_violation_that_shows_the_bytes_at_fault() {
    for (said, shown) in breaches() {
        let note = Running::new().break_with(said);
        assert!(note.contains(shown), "{shown}: {note}");
        assert!(note.is_ascii() && note.len() < 500, "{note}");
    }
}

#[test]
fn an_end_in_the_middle_of_a_line_a_json_or_a_file_is_a_violation() {
    let file = |bytes: &str| result_with(r#"{"files":[{"name":"f","length":9}]}"#, bytes);
    for (said, shown) in [
        (b"noo".to_vec(), "in the middle of a control line: `noo`"),
        (b"result 5\n".to_vec(), "5 bytes before the end of the JSON"),
        (
            b"result 5\n{\"a\"".to_vec(),
            r#"1 bytes before the end of the JSON of a result: `{"a"`"#,
        ),
        (file(""), "9 bytes before the end of the file `f`"),
        (
            file("abc"),
            r#"6 bytes before the end of the file `f` of the result: `{"files":[{"name":"f","length":9}]}`"#,
        ),
    ] {
        let mut test = Running::new();
        test.say(said);
        let note = violation(test.protocol.end_of_stream());
        assert!(note.contains(shown), "{shown}: {note}");
    }
    let mut test = Running::new();
    test.say("noop\n").protocol.end_of_stream().expect("a whole line");
}

#[test]
fn nothing_reported_before_a_violation_is_lost() {
    for (breach, shown) in breaches() {
        let mut test = Running::new();
        let said = [
            result(r#"{"name":"a","status":"pass"}"#),
            result(r#"{"name":"b","status":"fail","partial":true}"#),
            result_with(
                r#"{"name":"c","status":"pass","files":[{"name":"f","length":3}]}"#,
                "one",
            ),
            b"exitcode 5\n".to_vec(),
            breach,
        ];
        let note = test.break_with(said.concat());
        assert_eq!(violation(test.try_say("noop\n")), note, "what is broken stays broken");
        assert_eq!(test.lines().len(), 2, "{shown}");
        assert!(test.said.contains(&ControlMessage::ExitCode(5)), "{shown}");
        test.output.append(b"printed").expect("a disk");
        let done = test.fail(InfraKind::Control, &note);
        assert_eq!(done.lines.len(), 4);
        assert_eq!(done.lines[2], r#"{"name":"b","status":"fail"}"#);
        assert!(
            done.lines[3].starts_with(r#"{"status":"infra","error":"control","note":""#),
            "{}",
            done.lines[3]
        );
        assert_eq!(done.files["files/c/f"], b"one");
        assert_eq!(done.files["files/output.txt"], b"printed");
        assert_eq!(done.summary.infra, Some((InfraKind::Control, note.clone())));
        assert_eq!((done.summary.verdict, done.summary.note), (Verdict::Infra, note));
    }
}

#[test]
fn the_json_of_one_result_is_at_most_16_mib() {
    let json = |length: usize| format!(r#"{{"status":"pass","x":"{}"}}"#, "x".repeat(length - 24));
    let mut test = Running::new();
    test.report(&json(16 << 20));
    assert_eq!(test.lines()[0].len(), 16 << 20);
    assert!(test.break_with(result(&json((16 << 20) + 1))).contains("16777216"));
}
