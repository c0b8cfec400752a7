use std::fs;
use std::path::Path;

use super::TmtRules;
use crate::compile::spec::check::{Check, CheckEffect, CheckKind, Checks, LinePatterns};
use crate::compile::spec::{Interpretation, Restart};
use crate::control::{Judgement, Status, Verdict};
use crate::exec::attempt::rest_of_plan::RestOfPlan::{self, EndsByExitFirst, GivenUp, Runs};

fn rules(result: &str) -> TmtRules {
    TmtRules {
        interpretation: Interpretation::named(result),
        ..TmtRules::default()
    }
}

/// Judges a test that left these files.
fn judged_by(rules: &TmtRules, code: i32, files: &[(&str, &str)]) -> Judgement {
    ended_by(rules, code, files).0
}

/// Judges a test that left these files, and decides what becomes of the tests after it.
fn ended_by(rules: &TmtRules, code: i32, files: &[(&str, &str)]) -> (Judgement, RestOfPlan) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let file = dir.path().join("files").join(name);
        fs::create_dir_all(file.parent().expect("it has one")).expect("a directory");
        fs::write(file, text).expect("written");
    }
    rules.judge(code, dir.path())
}

/// Judges a test that left these files in its data.
fn judged(result: &str, code: i32, files: &[(&str, &str)]) -> Judgement {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (format!("data/{name}"), *text))
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    judged_by(&rules(result), code, &files)
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
fn a_skip_of_a_required_test_is_an_error() {
    let required = |result: &str| TmtRules {
        is_required: true,
        ..rules(result)
    };
    let skip = [(
        "data/tmt-report-results.yaml",
        "- name: /x\n  result: skip\n- name: /y\n  result: skip\n",
    )];
    let some = [(
        "data/tmt-report-results.yaml",
        "- name: /x\n  result: skip\n- name: /y\n  result: pass\n",
    )];
    for (result, files, expected) in [
        ("respect", &skip, Status::Error),
        ("respect", &some, Status::Pass),
        ("restraint", &some, Status::Error),
        ("info", &skip, Status::Info),
    ] {
        assert_eq!(judged_by(&required(result), 0, files).own.status, expected, "{result}");
    }
    assert_eq!(judged_by(&rules("respect"), 0, &skip).own.status, Status::Skip);
    assert_eq!(judged_by(&required("respect"), 0, &[]).own.status, Status::Pass);
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
fn what_ends_a_plan_is_a_result_that_failed_and_not_a_warning_a_part_or_a_check() {
    let rest = |result: &str, code, files: &[(&str, &str)]| ended_by(&rules(result), code, files).1;
    let table = [
        ("respect", 0, Runs),
        ("respect", 1, EndsByExitFirst),
        ("respect", 2, EndsByExitFirst),
        ("xfail", 0, EndsByExitFirst),
        ("xfail", 1, Runs),
        ("warn", 1, Runs),
        ("info", 2, Runs),
        ("error", 0, EndsByExitFirst),
    ];
    for (result, code, expected) in table {
        assert_eq!(rest(result, code, &[]), expected, "{result} {code}");
    }
    let reports = [(
        "data/tmt-report-results.yaml",
        "- {name: /x, result: fail}\n- {name: /y, result: pass}\n",
    )];
    for (result, expected) in [
        ("pass", Runs),
        ("xfail", Runs),
        ("respect", EndsByExitFirst),
        ("restraint", EndsByExitFirst),
    ] {
        assert_eq!(rest(result, 0, &reports), expected, "{result}");
    }
    let custom = |text| rest("custom", 0, &[("data/results.yaml", text)]);
    assert_eq!(
        custom("- {name: /, result: pass}\n- {name: /x, result: fail}\n"),
        EndsByExitFirst
    );
    assert_eq!(custom("- {name: /, result: pass}\n- {name: /x, result: warn}\n"), Runs);
    assert_eq!(
        custom("- {name: /, subresult: [{name: /x, result: fail}]}\n"),
        Runs,
        "what is below an item is a part"
    );
    assert_eq!(
        custom("- {name: /, result: pending}\n- {name: /x, result: fail}\n"),
        EndsByExitFirst
    );
    assert_eq!(rest("pass", 0, &[("data/abort", "")]), GivenUp);
    assert_eq!(rest("respect", 143, &[("data/abort", "")]), GivenUp);
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
fn results_below_an_item_have_its_name_and_do_not_change_it() {
    let yaml =
        "- name: /\n  subresult: [{name: /own, result: fail}]\n- name: /a\n  subresult: [{name: b, result: error}]\n";
    let judgement = judged("custom", 0, &[("results.yaml", yaml)]);
    let parts: Vec<_> = judgement
        .parts
        .iter()
        .map(|part| (part.name.as_deref(), part.status.as_str()))
        .collect();
    assert_eq!(
        parts,
        [(Some("own"), "fail"), (Some("a"), "pass"), (Some("a/b"), "error")]
    );
    assert_eq!((judgement.own.status, judgement.verdict), (Status::Pass, Verdict::Pass));
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
        "- {name: /, subresult: x}",
        "- {name: /, subresult: [x]}",
        "- {name: /, subresult: [{name: /x, result: pass, guest: y}]}",
    ] {
        let judgement = judged("custom", 0, &[("results.yaml", text)]);
        assert_eq!(judgement.verdict, Verdict::Fail, "{text}");
    }
    let garbage = [("tmt-report-results.yaml", "}")];
    assert_eq!(judged("respect", 0, &garbage).verdict, Verdict::Fail);
    let (nowhere, _) = rules("custom").judge(0, Path::new("/nonexistent"));
    assert_eq!(nowhere.verdict, Verdict::Fail);
}

/// What is judged of a test with the check `dmesg`, which came to a word; `fail` where it found a line that is one.
fn checked(result: &str, effect: CheckEffect, code: i32, saw: &str) -> String {
    let failure = vec![atex_fmf::regex::Pattern::cached("Call Trace:").expect("a pattern")];
    let check = Check {
        kind: CheckKind::Dmesg,
        effect,
        patterns: LinePatterns {
            failure,
            ignore: Vec::new(),
        },
        options: Vec::new(),
    };
    let rules = TmtRules {
        checks: Checks {
            list: vec![check],
            wrong: None,
        },
        ..rules(result)
    };
    let (told, found) = match saw {
        "fail" => ("pass", "a\nb Call Trace: c\n"),
        other => (other, "a\n"),
    };
    let told = format!("dmesg\tbefore-test\t{told}\t\ndmesg\tafter-test\t{told}\t\n");
    let files = [
        ("checks/results.txt", told.as_str()),
        ("checks/dmesg-after-test.txt", found),
        ("data/results.yaml", "[{name: /, result: pass}]"),
    ];
    let judgement = judged_by(&rules, code, &files);
    assert_eq!(judgement.parts[0].name.as_deref(), Some("check/dmesg"));
    assert_eq!(
        judgement.parts[0].status.to_string(),
        saw,
        "what was seen is not interpreted"
    );
    let passes = matches!(judgement.own.status, Status::Pass | Status::Info | Status::Skip);
    assert_eq!(judgement.verdict == Verdict::Pass, passes);
    judgement.own.status.to_string()
}

#[test]
fn a_check_does_to_the_outcome_what_it_does_under_tmt() {
    use CheckEffect::{Info, Respect, Xfail};
    for (code, effect, saw, result, outcome) in [
        (0, Respect, "fail", "respect", "fail"),
        (0, Xfail, "fail", "respect", "pass"),
        (0, Xfail, "pass", "respect", "fail"),
        (0, Info, "fail", "respect", "pass"),
        (0, Info, "error", "respect", "pass"),
        (0, Respect, "fail", "xfail", "pass"),
        (1, Respect, "pass", "xfail", "pass"),
        (0, Respect, "pass", "xfail", "fail"),
        (0, Respect, "error", "respect", "error"),
        (0, Xfail, "error", "respect", "error"),
        (0, Respect, "skip", "respect", "pass"),
        (1, Respect, "skip", "respect", "fail"),
        (2, Respect, "fail", "respect", "error"),
        (0, Respect, "fail", "info", "info"),
        (1, Respect, "fail", "custom", "pass"),
    ] {
        let case = format!("{code} {effect:?} {saw} {result}");
        assert_eq!(checked(result, effect, code, saw), outcome, "{case}");
    }
}

#[test]
fn a_check_that_did_not_run_to_its_end_is_an_error() {
    let check = Check {
        kind: CheckKind::Avc,
        effect: CheckEffect::Respect,
        patterns: LinePatterns::default(),
        options: Vec::new(),
    };
    let checks = Checks {
        list: vec![check],
        wrong: None,
    };
    let rules = TmtRules {
        checks,
        ..TmtRules::default()
    };
    for told in ["", "avc", "avc\tafter-test\t\t\n", "dmesg\tafter-test\tpass\t\n"] {
        let judgement = judged_by(&rules, 0, &[("checks/results.txt", told)]);
        assert_eq!(judgement.own.status, Status::Error, "{told:?}");
    }
}

#[test]
fn what_tmt_would_not_take_as_a_check_makes_the_test_an_error() {
    let rules = TmtRules {
        checks: Checks {
            list: Vec::new(),
            wrong: Some("nonsense".to_owned()),
        },
        ..rules("pass")
    };
    let judgement = judged_by(&rules, 0, &[]);
    assert_eq!(
        (judgement.own.status, judgement.verdict),
        (Status::Error, Verdict::Fail)
    );
    assert_eq!(judgement.own.original, Some(Status::Pass));
}

#[test]
fn an_exit_code_that_wants_another_start_after_the_last_one_is_an_error() {
    for (result, code, status) in [
        ("respect", 5, "error"),
        ("xfail", 1, "error"),
        ("pass", 0, "error"),
        ("respect", 2, "error"),
        ("xfail", 3, "error"),
        ("pass", 3, "pass"),
    ] {
        let rules = TmtRules {
            restart: Restart {
                exit_codes: vec![0, 1, 5],
                most: 1,
                with_reboot: false,
            },
            ..rules(result)
        };
        let judgement = judged_by(&rules, code, &[]);
        assert_eq!(judgement.own.status.to_string(), status, "{result} {code}");
    }
}

#[test]
fn a_reboot_that_did_not_come_off_makes_the_test_an_error() {
    let told = "internal/guest\tafter-test\tfail\tit stayed\n";
    for result in ["respect", "pass", "xfail"] {
        let judgement = judged_by(&rules(result), 0, &[("checks/results.txt", told)]);
        assert_eq!(
            (judgement.own.status.clone(), judgement.verdict),
            (Status::Error, Verdict::Fail)
        );
        assert!(judgement.own.note.starts_with("it stayed"), "{:?}", judgement.parts);
        assert_eq!(judgement.parts[0].name.as_deref(), Some("check/internal/guest"));
    }
}
