//! Tests of results: known keys, files, the stored line, and the output.

use atex::control::{ControlMessage, Status, Verdict};

use crate::control::support::{Running, result, result_with};

#[test]
fn other_statuses_are_kept_as_they_are() {
    let mut test = Running::new();
    for status in [
        "pass", "fail", "info", "warn", "skip", "error", "flaky", "infra", "Größe", "",
    ] {
        test.report(&format!(r#"{{"name":"x","status":"{status}"}}"#));
    }
    assert_eq!(test.lines()[6], r#"{"name":"x","status":"flaky"}"#);
    assert_eq!(test.lines()[8], r#"{"name":"x","status":"Größe"}"#);
    let done = test.exit(0);
    assert_eq!((done.summary.verdict, done.summary.results), (Verdict::Fail, 11));
    assert_eq!(
        (
            done.summary.counts[&Status::Pass],
            done.summary.counts[&Status::Other("flaky".into())]
        ),
        (2, 1)
    );
}

#[test]
fn infra_is_the_runners_own_and_from_a_test_an_unknown_status() {
    let mut test = Running::new();
    test.report(r#"{"status":"infra","note":"I say"}"#);
    let done = test.exit(0);
    assert_eq!(done.lines, [r#"{"status":"infra","note":"I say"}"#]);
    assert_eq!((done.summary.verdict, done.summary.infra), (Verdict::Fail, None));
}

#[test]
fn a_result_without_a_status_is_stored_and_fails_the_test() {
    let mut test = Running::new();
    test.report(r#"{"name":"x"}"#);
    let done = test.exit(0);
    assert_eq!(done.lines[0], r#"{"name":"x"}"#);
    assert_eq!(
        (done.summary.verdict, done.summary.counts[&Status::Missing]),
        (Verdict::Fail, 1)
    );
}

#[test]
fn all_other_keys_are_passed_through_with_their_order_and_digits() {
    let mut test = Running::new();
    test.report("{\n  \"zeta\": 1.50, \"big\": 123456789012345678901234567890,\n\t\"status\": \"pass\", \"exp\": 1e400, \"o\": {\"b\": [1, null], \"a\": \"x  y\"}, \"\\u0061\": null }");
    assert_eq!(
        test.lines(),
        [
            r#"{"zeta":1.50,"big":123456789012345678901234567890,"status":"pass","exp":1e400,"o":{"b":[1,null],"a":"x  y"},"a":null}"#
        ]
    );
}

#[test]
fn of_a_key_given_twice_the_last_value_counts() {
    let mut test = Running::new();
    test.report(r#"{"status":"fail","name":"a","status":"pass","partial":true,"partial":false}"#);
    assert_eq!(test.said, [ControlMessage::Result(Status::Pass, Some("a".into()))]);
    assert_eq!(test.lines(), [r#"{"status":"pass","name":"a"}"#]);
}

#[test]
fn a_name_that_is_null_or_empty_is_the_test_itself() {
    for name in ["null", "\"\""] {
        let mut test = Running::new();
        test.report(&format!(r#"{{"name":{name},"status":"pass"}}"#));
        assert_eq!(test.said, [ControlMessage::Result(Status::Pass, None)]);
        assert_eq!(test.exit(1).lines.len(), 1);
    }
}

#[test]
fn a_surrogate_that_python_escaped_becomes_a_replacement_character() {
    let mut test = Running::new();
    test.report(r#"{"name":"caf\udce9","status":"pass","note":"\ud83e\udd80"}"#);
    assert_eq!(
        test.lines(),
        [r#"{"name":"caf\ufffd","status":"pass","note":"\ud83e\udd80"}"#]
    );
    assert_eq!(
        test.said,
        [ControlMessage::Result(Status::Pass, Some("caf\u{fffd}".into()))]
    );
}

#[test]
fn file_bytes_follow_in_the_order_of_the_array() {
    let mut test = Running::new();
    let json =
        r#"{"status":"pass","files":[{"name":"z","length":3},{"name":"empty","length":0},{"name":"d/a","length":4}]}"#;
    test.say([result_with(json, "zzzaaaa"), b"noop\n".to_vec()].concat());
    assert_eq!(
        (test.file("z"), test.file("empty"), test.file("d/a")),
        ("zzz".into(), String::new(), "aaaa".into())
    );
    assert_eq!(
        test.said,
        [ControlMessage::Result(Status::Pass, None), ControlMessage::Noop]
    );
}

#[test]
fn a_result_whose_last_files_are_empty_is_final_with_its_json() {
    let mut test = Running::new();
    test.report(r#"{"status":"pass","files":[{"name":"a","length":0},{"name":"b","length":0}]}"#);
    assert_eq!(test.lines(), [r#"{"status":"pass","files":["a","b"]}"#]);
}

#[test]
fn the_same_file_twice_in_a_result_or_again_in_a_later_one_appends() {
    let mut test = Running::new();
    let twice = r#"{"name":"s","status":"pass","files":[{"name":"f","length":3},{"name":"g","length":1},{"name":"f","length":3}]}"#;
    test.say(result_with(twice, "one|two"));
    assert_eq!((test.file("s/f"), test.file("s/g")), ("onetwo".into(), "|".into()));
    test.say(result_with(
        r#"{"name":"s","status":"pass","files":[{"name":"f","length":3}]}"#,
        "six",
    ));
    assert_eq!(test.file("s/f"), "onetwosix");
    assert_eq!(test.lines()[0], r#"{"name":"s","status":"pass","files":["f","g"]}"#);
}

#[test]
fn uploaded_bytes_lie_below_the_name_of_the_subtest() {
    let mut test = Running::new();
    for (name, path) in [
        ("", "f"),
        ("sub", "sub/f"),
        ("sub/two", "sub/two/f"),
        ("/abs/three", "abs/three/f"),
    ] {
        let json = format!(
            r#"{{"name":"{name}","status":"pass","files":[{{"name":"f","length":{}}}]}}"#,
            name.len()
        );
        test.say(result_with(&json, name));
        assert_eq!(test.file(path), name);
    }
}

#[test]
fn files_are_stored_as_sorted_plain_names_with_the_testout_first() {
    let mut test = Running::new();
    test.say(result_with(
        r#"{"status":"pass","files":[{"name":"b","length":1},{"name":"a","length":1}],"testout":"log","partial":false,"x":1}"#,
        "ba",
    ));
    assert_eq!(test.lines(), [r#"{"status":"pass","x":1,"files":["log","a","b"]}"#]);
}

#[test]
fn files_are_absent_where_none_were_given_and_empty_where_an_empty_array_was() {
    let mut test = Running::new();
    test.report(r#"{"name":"a","status":"pass"}"#)
        .report(r#"{"name":"a","status":"pass","files":[]}"#)
        .report(r#"{"name":"a","status":"pass","files":[],"partial":true}"#)
        .report(r#"{"name":"a","status":"pass"}"#)
        .report(r#"{"files":[]}"#);
    assert_eq!(
        test.lines(),
        [
            r#"{"name":"a","status":"pass"}"#,
            r#"{"name":"a","status":"pass","files":[]}"#,
            r#"{"name":"a","status":"pass","files":[]}"#,
            r#"{"files":[]}"#,
        ]
    );
}

#[test]
fn a_line_is_in_the_file_in_the_moment_the_result_is_final() {
    let mut test = Running::new();
    let json = r#"{"status":"pass"}"#;
    let said = result(json);
    test.say(&said[..said.len() - 1]);
    assert_eq!(test.lines().len(), 0);
    test.say(&said[said.len() - 1..]);
    assert_eq!(test.lines(), [json]);
}

// testout

#[test]
fn testout_is_the_complete_output_by_link_and_not_by_copy() {
    use std::os::unix::fs::MetadataExt;
    let mut test = Running::new();
    test.output.append(b"before ").expect("a disk");
    test.report(r#"{"name":"s","status":"pass","testout":"logs/out.log"}"#)
        .report(r#"{"status":"pass","testout":"out.log"}"#)
        .report(r#"{"name":"s","status":"pass","testout":"logs/out.log"}"#);
    test.output.append(b"after").expect("a disk");
    assert_eq!(test.file("s/logs/out.log"), "before after");
    assert_eq!(test.file("out.log"), "before after");
    let inode = |path: &str| {
        std::fs::metadata(test.path().join("files").join(path))
            .expect(path)
            .ino()
    };
    assert_eq!(inode("output.txt"), inode("s/logs/out.log"));
    assert_eq!(inode("output.txt"), inode("out.log"));
    assert_eq!(
        test.lines()[0],
        r#"{"name":"s","status":"pass","files":["logs/out.log"]}"#
    );
}

#[test]
fn testout_equal_to_a_name_in_files_is_an_error() {
    let file = |name: &str, rest: &str| {
        result_with(
            &format!(r#"{{"status":"pass","files":[{{"name":"{name}","length":1}}]{rest}}}"#),
            "x",
        )
    };
    let note = Running::new().break_with(file("a", r#","testout":"a""#));
    assert_eq!(note, "`testout` is also a name in `files`: `a`");
    assert!(
        Running::new()
            .break_with(file("./a", r#","testout":"a""#))
            .contains("`testout`")
    );

    let mut test = Running::new();
    test.say(file("a", r#","partial":true"#));
    assert!(
        test.break_with(result(r#"{"testout":"a","partial":true}"#))
            .contains("`testout`")
    );

    let mut test = Running::new();
    test.say(file("a", ""));
    assert_eq!(
        test.break_with(result(r#"{"testout":"a"}"#)),
        "`testout` names a file that already is there: `a`"
    );

    let mut test = Running::new();
    test.report(r#"{"status":"pass","testout":"a"}"#);
    assert!(
        test.break_with(file("a", ""))
            .contains("a result named it as `testout`")
    );
}
