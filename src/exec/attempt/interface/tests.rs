use std::fs;
use std::path::Path;

use super::judge;
use crate::compile::spec::{Framework, Interpretation};
use crate::control::{Judgement, Status, Verdict};

/// Judges a test that left these files in its data.
fn judged(result: &str, code: i32, files: &[(&str, &str)]) -> Judgement {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("files/data");
    fs::create_dir_all(&data).expect("a directory");
    for (name, text) in files {
        fs::write(data.join(name), text).expect("written");
    }
    judge((Framework::Shell, &Interpretation::named(result)), code, dir.path())
}

fn own(result: &str, code: i32) -> (String, Verdict) {
    let judgement = judged(result, code, &[]);
    (judgement.own.status.to_string(), judgement.verdict)
}

fn reported(items: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let lines = items
        .iter()
        .map(|(name, word)| format!("- name: \"{name}\"\n  result: \"{word}\"\n"));
    vec![("tmt-report-results.yaml", lines.collect())]
}

fn by_reports(result: &str, code: i32, items: &[(&str, &str)]) -> Judgement {
    let files = reported(items);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    judged(result, code, &files)
}

#[test]
fn an_exit_code_comes_to_what_it_does_under_tmt() {
    let table = [
        ("respect", ["pass", "fail", "error"]),
        ("xfail", ["fail", "pass", "error"]),
        ("pass", ["pass"; 3]),
        ("info", ["info"; 3]),
        ("warn", ["warn"; 3]),
        ("error", ["error"; 3]),
        ("fail", ["fail"; 3]),
        ("custom", ["error"; 3]),
        ("restraint", ["error"; 3]),
        ("skip", ["error"; 3]),
        ("PASS", ["error"; 3]),
    ];
    for (result, expected) in table {
        for (codes, expected) in [&[0][..], &[1], &[2, 79, 124, 126, 127, 130, 137, 143, 255, -1]]
            .iter()
            .zip(expected)
        {
            for code in *codes {
                let passes = matches!(expected, "pass" | "info");
                let verdict = if passes { Verdict::Pass } else { Verdict::Fail };
                assert_eq!(own(result, *code), (expected.to_owned(), verdict), "{result} {code}");
            }
        }
    }
}

#[test]
fn what_was_interpreted_is_told_with_what_it_was() {
    let own = judged("xfail", 1, &[]).own;
    assert_eq!(own.original, Some(Status::Fail));
    assert_eq!(own.note, "test failed as expected; original test result: fail");
    let own = judged("info", 3, &[]).own;
    assert_eq!(
        own.note,
        "test result overridden: info; original test result: error; exit code 3"
    );
    assert_eq!(judged("pass", 0, &[]).own.original, None);
}

#[test]
fn reports_count_and_the_exit_code_does_not() {
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("/x", "pass")], "pass"),
        (&[("/x", "pass"), ("/y", "fail")], "fail"),
        (&[("/x", "skip")], "skip"),
        (&[("/x", "skip"), ("/y", "pass"), ("/z", "warn")], "warn"),
        (&[("/x", "info"), ("/y", "pass")], "error"),
        (&[("/x", "banana")], "error"),
    ];
    for (items, expected) in cases {
        for code in [0, 1, 255] {
            let judgement = by_reports("respect", code, items);
            assert_eq!(judgement.own.status.as_str(), expected, "{items:?}");
            let names: Vec<_> = judgement
                .parts
                .iter()
                .map(|part| part.name.as_deref().unwrap_or_default())
                .collect();
            let expected: Vec<_> = items.iter().map(|(name, _)| &name[1..]).collect();
            assert_eq!(names, expected);
        }
    }
    let judgement = by_reports("xfail", 0, &[("/x", "fail")]);
    assert_eq!(judgement.verdict, Verdict::Pass, "a part that failed was expected to");
    assert_eq!(judgement.parts[0].status, Status::Fail);
}

#[test]
fn under_restraint_each_report_counts_for_itself() {
    let judgement = by_reports("restraint", 3, &[("/x", "pass"), ("/y", "info")]);
    assert_eq!((judgement.own.status, judgement.verdict), (Status::Pass, Verdict::Pass));
    assert_eq!(
        by_reports("restraint", 0, &[("/x", "pass"), ("/y", "fail")]).verdict,
        Verdict::Fail
    );
    assert_eq!(by_reports("restraint", 0, &[("/x", "pending")]).verdict, Verdict::Fail);
}

#[test]
fn custom_results_are_those_of_the_file() {
    let yaml = "- {name: /, result: pass, note: [a, b], log: [x.log]}\n- {name: /s/t, result: fail}\n- name: u\n";
    let judgement = judged("custom", 5, &[("results.yaml", yaml), ("results.json", "[]")]);
    assert_eq!(
        (judgement.own.status, judgement.own.note.as_str()),
        (Status::Pass, "a; b")
    );
    assert_eq!(judgement.own.log, ["data/x.log"]);
    let parts: Vec<_> = judgement
        .parts
        .iter()
        .map(|part| (part.name.as_deref(), part.status.as_str()))
        .collect();
    assert_eq!(parts, [(Some("s/t"), "fail"), (Some("u"), "pass")]);
    assert_eq!(judgement.verdict, Verdict::Fail);
    let twice = r#"[{"name": "/a", "result": "fail"}, {"name": "/a", "result": "info"}]"#;
    let judgement = judged("custom", 0, &[("results.json", twice)]);
    assert_eq!((judgement.parts.len(), judgement.verdict), (1, Verdict::Pass));
    assert_eq!(
        judgement.own.status,
        Status::Info,
        "the worst where it has none for itself"
    );
}

#[test]
fn a_file_of_results_that_tmt_would_not_take_is_an_error() {
    for text in [
        "",
        "[]",
        "- [",
        "{name: /}",
        "- pass",
        "- {result: pass}",
        "- {name: /, result: PASS}",
        "- {name: /, result: 1}",
        "- {name: /, result: pass, colour: red}",
        "- {name: /, result: pending}",
    ] {
        let judgement = judged("custom", 0, &[("results.yaml", text)]);
        assert_eq!(judgement.verdict, Verdict::Fail, "{text}");
    }
    let garbage = [("tmt-report-results.yaml", "}")];
    assert_eq!(judged("respect", 0, &garbage).verdict, Verdict::Fail);
    assert_eq!(
        judge(
            (Framework::Shell, &Interpretation::Custom),
            0,
            Path::new("/nonexistent")
        )
        .verdict,
        Verdict::Fail
    );
}
