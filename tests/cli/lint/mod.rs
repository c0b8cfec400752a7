//! Tests of what `atex lint` finds and does not find, through the real binary.

mod cases;
mod corpus;
mod output;

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use crate::support::{Atex, Ran};
use atex::compile::lint::LintCode;
use cases::{CASES, Case};

/// Runs lint in a tree of the given files.
fn lint(files: &[(&str, &str)], args: &[&str]) -> Ran {
    let (links, files): (Vec<_>, Vec<_>) = files.iter().copied().partition(|(_, text)| text.starts_with("-> "));
    let atex = Atex::new().tree(files);
    for (link, target) in links {
        symlink(target.trim_start_matches("-> "), atex.world().tree().join(link)).expect("linked");
    }
    atex.args(["lint"]).args(args).run()
}

/// The findings of a tree, as `file:line:column code`.
fn found(files: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    let ran = lint(files, &[args, &["--json"]].concat());
    let mut findings = ran.json();
    // The last line may be the score.
    findings.retain(|finding| finding.get("code").is_some());
    ran.expect(i32::from(!findings.is_empty()));
    let text = |finding: &serde_json::Value| {
        format!(
            "{}:{}:{} {}",
            finding["file"].as_str().unwrap_or_default(),
            finding["line"],
            finding["column"],
            finding["code"].as_str().unwrap_or_default()
        )
    };
    findings.iter().map(text).collect()
}

/// The findings of a case's code in one of its trees.
fn of_case(case: &Case, files: &[(&str, &str)]) -> Vec<String> {
    let args: &[&str] = if case.code.starts_with("tmt-") { &["--tmt"] } else { &[] };
    let mut all = found(files, args);
    all.retain(|finding| finding.ends_with(&format!(" {}", case.code)));
    all
}

#[test]
fn each_code_is_found_where_it_stands() {
    let mut wrong = Vec::new();
    for case in CASES {
        let places: Vec<String> = case.at.iter().map(|at| format!("{at} {}", case.code)).collect();
        let found = of_case(case, case.wrong);
        if found != places {
            wrong.push(format!("{found:?}, not {places:?}, in {:?}", case.wrong));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_only_looks_like_it_is_left_alone() {
    let mut wrong = Vec::new();
    for case in CASES {
        let found = of_case(case, case.right);
        if !found.is_empty() {
            wrong.push(format!("{found:?} in {:?}", case.right));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_case_and_is_documented() {
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.code).collect();
    let codes: BTreeSet<&str> = LintCode::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(cases, codes);
    let document = include_str!("../../../docs/lint.md");
    let documented: Vec<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let in_order: Vec<&str> = LintCode::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(documented, in_order);
}

#[test]
fn a_code_that_is_allowed_is_not_found() {
    for case in CASES {
        let all = found(case.wrong, &["--tmt", "--allow", case.code]);
        let code = format!(" {}", case.code);
        assert!(!all.iter().any(|finding| finding.ends_with(&code)), "{all:?}");
    }
}
