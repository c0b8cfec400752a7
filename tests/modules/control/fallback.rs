//! Tests of the end of a test: the fallback result and the kinds of infrastructure failure.

use atex::control::{ControlMessage, Finish, InfraKind, Judged, Judgement, ResultStore, Status, Verdict};

use crate::control::support::{Running, lines, result_with};

#[test]
fn without_a_final_nameless_result_the_exit_code_decides() {
    for (code, status, verdict) in [
        (0, "pass", Verdict::Pass),
        (1, "fail", Verdict::Fail),
        (255, "fail", Verdict::Fail),
    ] {
        let mut test = Running::new();
        test.report(r#"{"name":"sub","status":"info"}"#);
        let done = test.exit(code);
        assert_eq!(
            done.lines[1],
            format!(r#"{{"status":"{status}","files":["output.txt"]}}"#)
        );
        assert_eq!(done.summary.verdict, verdict);
    }
}

#[test]
fn a_failed_subtest_fails_the_test_whatever_its_exit_code() {
    let mut test = Running::new();
    test.report(r#"{"name":"sub","status":"fail"}"#);
    assert_eq!(test.exit(0).summary.verdict, Verdict::Fail);
}

#[test]
fn a_final_nameless_result_stays_the_only_one() {
    let mut test = Running::new();
    test.report(r#"{"status":"pass","note":"fine"}"#);
    let done = test.exit(1);
    assert_eq!(done.lines, [r#"{"status":"pass","note":"fine"}"#]);
    assert_eq!((done.summary.verdict, &*done.summary.note), (Verdict::Pass, "fine"));
}

#[test]
fn a_final_nameless_result_stays_the_only_one_also_where_the_test_was_ended_later() {
    let mut test = Running::new();
    test.report(r#"{"status":"pass"}"#);
    let done = test.fail(InfraKind::Timeout, "5m are over");
    assert_eq!(done.lines, [r#"{"status":"pass"}"#]);
    assert_eq!(done.summary.verdict, Verdict::Infra);
    assert_eq!(done.summary.infra, Some((InfraKind::Timeout, "5m are over".into())));
}

#[test]
fn an_open_nameless_result_is_the_base_of_the_fallback() {
    let mut test = Running::new();
    test.report(r#"{"note":"half way","x":[1],"partial":true}"#);
    assert_eq!(
        test.exit(3).lines,
        [r#"{"note":"half way","x":[1],"status":"fail","files":["output.txt"]}"#]
    );
}

#[test]
fn the_status_of_the_base_stays_if_it_has_one() {
    let mut test = Running::new();
    test.report(r#"{"status":"warn","partial":true}"#);
    assert_eq!(test.exit(1).lines, [r#"{"status":"warn","files":["output.txt"]}"#]);
    let mut test = Running::new();
    test.report(r#"{"status":null,"partial":true}"#);
    assert_eq!(test.exit(1).lines, [r#"{"status":"fail","files":["output.txt"]}"#]);
}

#[test]
fn output_is_added_only_to_a_base_that_names_no_testout_and_no_output() {
    let mut test = Running::new();
    test.report(r#"{"testout":"my.log","partial":true}"#);
    assert_eq!(test.exit(0).lines, [r#"{"status":"pass","files":["my.log"]}"#]);

    let mut test = Running::new();
    test.output.append(b"printed").expect("a disk");
    test.say(result_with(
        r#"{"files":[{"name":"output.txt","length":4}],"partial":true}"#,
        "mine",
    ));
    let done = test.exit(0);
    assert_eq!(done.lines, [r#"{"status":"pass","files":["output.txt"]}"#]);
    assert_eq!(done.files["files/output.txt"], b"mine");
    assert_eq!(
        done.files["output.txt"], b"printed",
        "the output gives way and is not lost"
    );
}

#[test]
fn an_infrastructure_failure_overrides_what_the_base_said() {
    let mut test = Running::new();
    test.report(r#"{"status":"pass","note":"fine","error":1,"x":2,"partial":true}"#);
    let done = test.fail(InfraKind::Aborted, "the connection \"ended\"");
    assert_eq!(
        done.lines,
        [r#"{"status":"infra","note":"the connection \"ended\"","error":"aborted","x":2,"files":["output.txt"]}"#]
    );
    assert_eq!(done.summary.counts[&Status::Infra], 1);
    assert_eq!(done.summary.late, [ControlMessage::Result(Status::Infra, None)]);
}

#[test]
fn a_remark_of_the_runner_follows_upon_the_tests_own_note() {
    for (own, line, note) in [
        ("", r#"{"status":"pass","note":"seen","files":["output.txt"]}"#, "seen"),
        (
            r#"{"note":"mine","partial":true}"#,
            r#"{"note":"mine; seen","status":"pass","files":["output.txt"]}"#,
            "mine; seen",
        ),
        // What is stored stays; the summary tells.
        (
            r#"{"status":"pass","note":"mine"}"#,
            r#"{"status":"pass","note":"mine"}"#,
            "mine; seen",
        ),
    ] {
        let mut test = Running::new();
        if !own.is_empty() {
            test.report(own);
        }
        test.remark("seen");
        let done = test.exit(0);
        assert_eq!(done.lines, [line]);
        assert_eq!(done.summary.note, note);
    }
}

#[test]
fn what_was_judged_of_a_test_is_stored_whatever_was_said_of_it_before() {
    let part = |name: Option<&str>, status| Judged {
        name: name.map(str::to_owned),
        ..Judged::own(status, "")
    };
    let own = r#"{"status":"fail","note":"judged; seen"}"#;
    let fallback = r#"{"status":"fail","note":"judged; seen","files":["output.txt"]}"#;
    let base = r#"{"x":1,"status":"fail","note":"judged; seen","files":["output.txt"]}"#;
    let cases: [(&str, Option<Judged>, &[&str]); 5] = [
        (
            "",
            Some(part(Some("p"), Status::Pass)),
            &[r#"{"name":"p","status":"pass"}"#, fallback],
        ),
        ("", Some(part(None, Status::Pass)), &[r#"{"status":"pass"}"#, own]),
        (r#"{"status":"pass"}"#, None, &[r#"{"status":"pass"}"#, own]),
        (
            r#"{"status":"pass","partial":true}"#,
            None,
            &[r#"{"status":"pass","files":["output.txt"]}"#, own],
        ),
        (r#"{"x":1,"partial":true}"#, None, &[base]),
    ];
    for (said, part, lines) in cases {
        let mut test = Running::new();
        if !said.is_empty() {
            test.report(said);
        }
        test.remark("seen");
        let done = test.finish(Finish::Judged(Box::new(Judgement {
            own: Judged::own(Status::Fail, "judged"),
            parts: part.into_iter().collect(),
            verdict: Verdict::Fail,
            fails: true,
        })));
        assert_eq!(done.lines, lines, "{said}");
        let summary = done.summary;
        assert_eq!(
            (summary.verdict, &*summary.note),
            (Verdict::Fail, "judged; seen"),
            "{said}"
        );
        assert_eq!(summary.counts[&Status::Fail], 1, "{said}");
    }
}

#[test]
fn the_base_keeps_its_place_among_the_open_results() {
    let mut test = Running::new();
    test.report(r#"{"name":"a","status":"pass","partial":true}"#)
        .report(r#"{"x":1,"partial":true}"#)
        .report(r#"{"name":"b","status":"pass","partial":true}"#);
    assert_eq!(
        test.exit(0).lines,
        [
            r#"{"name":"a","status":"pass"}"#,
            r#"{"x":1,"status":"pass","files":["output.txt"]}"#,
            r#"{"name":"b","status":"pass"}"#,
        ]
    );
}

#[test]
fn a_testout_that_cannot_be_linked_at_the_end_is_a_violation_that_loses_no_result() {
    let mut test = Running::new();
    test.report(r#"{"name":"s","status":"pass","testout":"log","partial":true}"#)
        .say(result_with(
            r#"{"name":"x","status":"pass","files":[{"name":"../s/log","length":1}]}"#
                .replace("../s", "s")
                .as_str(),
            "x",
        ));
    // Another result, whose name is that of the directory, takes the path.
    test.say(result_with(
        r#"{"name":"s","status":"pass","files":[{"name":"log","length":1}],"partial":true,"testout":null}"#,
        "x",
    ))
    .report(r#"{"name":"s","files":null,"testout":"log","partial":true}"#);
    let done = test.exit(0);
    assert_eq!(done.lines[1], r#"{"name":"s","status":"pass"}"#);
    assert_eq!(
        done.lines[2],
        r#"{"status":"infra","error":"control","note":"`testout` names a file that already is there: `s/log`","files":["output.txt"]}"#
    );
    assert_eq!(done.summary.verdict, Verdict::Infra);
}

#[test]
fn each_kind_of_infrastructure_failure_has_its_word() {
    let kinds = [
        (InfraKind::Timeout, "timeout"),
        (InfraKind::Aborted, "aborted"),
        (InfraKind::Control, "control"),
        (InfraKind::Setup, "setup"),
        (InfraKind::Prepare, "prepare"),
        (InfraKind::Unreachable, "unreachable"),
        (InfraKind::Cancelled, "cancelled"),
    ];
    for (kind, word) in kinds {
        let done = Running::new().fail(kind, "why");
        assert_eq!(
            done.lines,
            [format!(
                r#"{{"status":"infra","error":"{word}","note":"why","files":["output.txt"]}}"#
            )]
        );
    }
}

#[test]
fn a_test_that_never_started_has_one_result_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let test = dir.path().join("deep/test");
    ResultStore::infra(&test, InfraKind::Prepare, "dnf said \"no\"\n").expect("a disk");
    assert_eq!(
        lines(&test),
        [r#"{"status":"infra","error":"prepare","note":"dnf said \"no\"\u000a"}"#]
    );
}
