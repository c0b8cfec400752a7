//! Tests of partial results: what is merged, and how.

use atex::control::{ControlMessage, Status};

use crate::control::support::{Running, result, result_with};

/// The line that comes of pieces under one name, the last one final.
fn merged(pieces: &[&str]) -> String {
    let mut test = Running::new();
    for (position, piece) in pieces.iter().enumerate() {
        assert_eq!(test.lines().len(), 0, "nothing is final before the last piece");
        let partial = position + 1 < pieces.len();
        let members = piece.trim_start_matches('{').trim_end_matches('}');
        let comma = if members.is_empty() { "" } else { "," };
        let json = format!(
            r#"{{"name":"n"{comma}{}{}}}"#,
            &piece[1..piece.len() - 1],
            if partial { r#","partial":true"# } else { "" }
        );
        test.report(&json);
    }
    let line = test.lines().concat();
    line.strip_prefix(r#"{"name":"n","#)
        .map_or(line.clone(), |rest| format!("{{{rest}"))
}

#[test]
fn null_removes_the_key() {
    assert_eq!(merged(&[r#"{"a":1,"b":2}"#, r#"{"a":null,"c":null}"#]), r#"{"b":2}"#);
    assert_eq!(
        merged(&[r#"{"o":{"a":1,"b":2}}"#, r#"{"o":{"a":null}}"#]),
        r#"{"o":{"b":2}}"#
    );
    assert_eq!(
        merged(&[r#"{"a":1,"b":2}"#, r#"{"a":null}"#, r#"{"a":3}"#]),
        r#"{"b":2,"a":3}"#
    );
}

#[test]
fn a_new_key_is_added() {
    assert_eq!(
        merged(&[r#"{"a":1}"#, r#"{"z":{"y":null}}"#, r#"{"b":[ 2 ]}"#]),
        r#"{"a":1,"z":{"y":null},"b":[2]}"#
    );
}

#[test]
fn an_array_is_appended_to() {
    assert_eq!(
        merged(&[r#"{"a":[1, [2]]}"#, r#"{"a":[ ]}"#, r#"{"a":[{"x": 3}, 1.0]}"#]),
        r#"{"a":[1,[2],{"x":3},1.0]}"#
    );
    assert_eq!(merged(&[r#"{"a":[]}"#, r#"{"a":[null]}"#]), r#"{"a":[null]}"#);
}

#[test]
fn an_object_is_merged_by_the_same_rules() {
    assert_eq!(
        merged(&[
            r#"{"o":{"a":[1],"p":{"q":1,"r":2}}}"#,
            r#"{"o":{"a":[2],"p":{"q":null,"s":"t"}}}"#
        ]),
        r#"{"o":{"a":[1,2],"p":{"r":2,"s":"t"}}}"#
    );
}

#[test]
fn a_scalar_or_a_value_of_another_type_replaces() {
    assert_eq!(
        merged(&[
            r#"{"a":1,"b":"x","c":[1],"d":{"e":1},"f":1}"#,
            r#"{"a":2.50,"b":[1],"c":{"x":1},"d":true,"f":{"g":1}}"#
        ]),
        r#"{"a":2.50,"b":[1],"c":{"x":1},"d":true,"f":{"g":1}}"#
    );
}

#[test]
fn a_result_with_partial_false_merges_and_is_final() {
    let mut test = Running::new();
    test.report(r#"{"name":"n","a":1,"partial":true}"#)
        .report(r#"{"name":"n","status":"pass","partial":false}"#);
    assert_eq!(test.lines(), [r#"{"name":"n","a":1,"status":"pass"}"#]);
    test.report(r#"{"name":"n","status":"fail"}"#);
    assert_eq!(
        test.lines()[1],
        r#"{"name":"n","status":"fail"}"#,
        "nothing waits any more"
    );
}

#[test]
fn results_are_merged_only_with_those_of_the_same_name() {
    let mut test = Running::new();
    test.report(r#"{"name":"a","x":1,"partial":true}"#)
        .report(r#"{"x":2,"partial":true}"#)
        .report(r#"{"name":"b","status":"pass"}"#)
        .report(r#"{"name":"a","status":"pass"}"#)
        .report(r#"{"status":"pass"}"#);
    assert_eq!(
        test.lines(),
        [
            r#"{"name":"b","status":"pass"}"#,
            r#"{"name":"a","x":1,"status":"pass"}"#,
            r#"{"x":2,"status":"pass"}"#
        ]
    );
}

#[test]
fn what_is_open_at_the_end_becomes_final_in_the_order_of_first_appearance() {
    let mut test = Running::new();
    for name in ["z", "a", "m", "z", "b"] {
        test.report(&format!(r#"{{"name":"{name}","status":"pass","partial":true}}"#));
    }
    test.report(r#"{"name":"a","status":"pass"}"#);
    let done = test.exit(0);
    let names: Vec<_> = done.lines[1..4].iter().map(|line| line.chars().nth(9)).collect();
    assert_eq!(names, [Some('z'), Some('m'), Some('b')]);
    let late: Vec<_> = ["z", "m", "b"]
        .map(|name| ControlMessage::Result(Status::Pass, Some(name.into())))
        .into();
    assert_eq!(
        done.summary.late,
        [&late[..], &[ControlMessage::Result(Status::Pass, None)]].concat()
    );
}

#[test]
fn files_of_a_partial_result_are_stored_at_once_and_all_named_in_the_end() {
    let mut test = Running::new();
    let piece = |name: &str| {
        result_with(
            &format!(r#"{{"name":"n","files":[{{"name":"{name}","length":1}}],"partial":true}}"#),
            "x",
        )
    };
    test.say(piece("b")).say(piece("a")).say(piece("b"));
    assert_eq!((test.file("n/a"), test.file("n/b")), ("x".into(), "xx".into()));
    test.report(r#"{"name":"n","status":"pass","testout":"c"}"#);
    assert_eq!(test.lines(), [r#"{"name":"n","status":"pass","files":["c","a","b"]}"#]);
}

#[test]
fn null_takes_back_files_and_testout() {
    let mut test = Running::new();
    test.say(result_with(
        r#"{"name":"n","files":[{"name":"a","length":1}],"testout":"t","partial":true}"#,
        "x",
    ))
    .report(r#"{"name":"n","files":null,"testout":null}"#);
    assert_eq!(test.lines(), [r#"{"name":"n"}"#]);
    assert!(!test.path().join("files/n/t").exists());
}

#[test]
fn open_partial_results_hold_at_most_64_mib() {
    let mut test = Running::new();
    let json = |name: usize| {
        format!(
            r#"{{"name":"{name}","partial":true,"x":"{}"}}"#,
            "x".repeat((16 << 20) - 100)
        )
    };
    for name in 0..3 {
        test.report(&json(name));
    }
    test.report(r#"{"name":"2","status":"pass"}"#)
        .report(&json(3))
        .report(&json(4));
    let note = test.break_with(result(&json(5)));
    assert_eq!(
        note,
        "open partial results hold more than 67108864 bytes, the last one under the name: `5`"
    );
}
