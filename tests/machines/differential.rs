//! tmt and atex say the same of small trees, but for what is meant to differ.
//!
//! Each run of the tests compares a short list, `ATEX_TMT_COMPARE=all` all of them.

#[path = "../tmt_compare/mod.rs"]
mod tmt_compare;

use std::fs;
use std::path::Path;

use tmt_compare::meant::MEANT;
use tmt_compare::{compare_small_trees, missing};

#[test]
fn tmt_and_atex_say_the_same_of_small_trees() {
    if let Some(missing) = missing() {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
        return;
    }
    let all = std::env::var_os("ATEX_TMT_COMPARE").is_some_and(|what| what == "all");
    let atex = Path::new(env!("CARGO_BIN_EXE_atex"));
    let report = compare_small_trees(atex, |case| all || case.is_short, None).unwrap();
    for found in &report.differences {
        println!("{found}");
    }
    let faults: Vec<String> = report
        .differences
        .iter()
        .filter(|found| found.is_fault())
        .map(ToString::to_string)
        .collect();
    assert!(
        faults.is_empty(),
        "{} of {} tests differ:\n{}",
        faults.len(),
        report.tests,
        faults.join("\n")
    );
    assert!(report.tests > 0, "something was compared");
}

#[test]
fn users_are_told_of_each_difference_that_is_meant() {
    let doc = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tmt.md");
    let doc = fs::read_to_string(doc)
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for meant in MEANT {
        assert!(
            doc.contains(meant.documented),
            "docs/tmt.md does not say: {}",
            meant.documented
        );
    }
}
