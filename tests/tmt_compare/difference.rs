//! Where two runs of a tree say something different.
//!
//! Compared are, for each plan: which tests it has and in which order they are to run, and for each test its outcome and those of its
//! parts, its notes, and the files that it left; and the exit codes. Whether a difference is meant, `meant.rs` says.

use std::collections::BTreeSet;
use std::fmt;

use super::meant::{MEANT, Meant, exit_codes_agree};
use super::verdict::{Outcome, Verdict, Verdicts};

/// What tmt keeps in the data directory for itself: reports with the time of each, which the parts tell, and lines of failures.
const OF_TMT: [&str; 2] = ["tmt-report-results.yaml", "failures.yaml"];

/// One difference.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) plan: String,
    pub(crate) test: String,
    /// The part, or `order` of the whole plan.
    pub(crate) part: Option<String>,
    pub(crate) tmt: String,
    pub(crate) atex: String,
    pub(crate) mark: Mark,
}

/// What is thought of a difference.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    /// It is a fault.
    Fault,
    /// It is written down, with a reason.
    Meant(&'static Meant),
    /// Somebody works on it.
    Waiting(&'static str),
}

/// A test as both see it, with what there is to know of its plan.
pub(crate) struct Sight<'a> {
    pub(crate) tmt: Option<&'a Verdict>,
    pub(crate) atex: Option<&'a Verdict>,
    /// An error ended this plan under tmt before it knew its tests.
    pub(crate) knows_no_tests: bool,
    /// This test is the first of its plan that tmt left pending.
    pub(crate) is_first_pending: bool,
}

/// Compares two runs.
pub(crate) fn differences(tmt: &Verdicts, atex: &Verdicts) -> Vec<Difference> {
    let plans: BTreeSet<&str> = tmt.plans.keys().chain(atex.plans.keys()).map(String::as_str).collect();
    let mut found: Vec<_> = plans.into_iter().flat_map(|plan| of_plan(plan, tmt, atex)).collect();
    if !exit_codes_agree(tmt, atex) {
        let told = |code: Option<i32>| code.map(|code| code.to_string()).unwrap_or_default();
        found.push(Difference {
            plan: "/".to_owned(),
            test: "the whole run".to_owned(),
            part: Some("exit code".to_owned()),
            tmt: told(tmt.exit_code),
            atex: told(atex.exit_code),
            mark: Mark::Fault,
        });
    }
    found
}

fn of_plan(plan: &str, tmt: &Verdicts, atex: &Verdicts) -> Vec<Difference> {
    let pending = |verdict: &Verdict| verdict.outcome == Some(Outcome::Pending);
    let mut names: Vec<&str> = tmt.tests(plan).collect();
    names.extend(atex.tests(plan).filter(|name| tmt.of(plan, name).is_none()));
    let knows_no_tests = tmt.plans.get(plan).is_some_and(|plan| plan.knows_no_tests);
    let mut is_first = true;
    let mut found = Vec::new();
    for test in names {
        let sight = Sight {
            tmt: tmt.of(plan, test),
            atex: atex.of(plan, test),
            knows_no_tests,
            is_first_pending: is_first && tmt.of(plan, test).is_some_and(pending),
        };
        is_first &= !sight.is_first_pending;
        of_test(plan, test, &sight, &mut found);
    }
    of_order(plan, tmt, atex, &mut found);
    found
}

fn of_test(plan: &str, test: &str, sight: &Sight, found: &mut Vec<Difference>) {
    let mut differ = |part: Option<&str>, tmt: String, atex: String| {
        if tmt == atex {
            return;
        }
        let mut difference = Difference {
            plan: plan.to_owned(),
            test: test.to_owned(),
            part: part.map(str::to_owned),
            tmt,
            atex,
            mark: Mark::Fault,
        };
        if let Some(meant) = MEANT.iter().find(|meant| (meant.applies)(&difference, sight)) {
            difference.mark = Mark::Meant(meant);
        }
        found.push(difference);
    };
    differ(None, told(sight.tmt), told(sight.atex));
    let parts = |verdict: Option<&Verdict>| verdict.map(|verdict| verdict.parts.clone()).unwrap_or_default();
    let (of_tmt, of_atex) = (parts(sight.tmt), parts(sight.atex));
    let names: BTreeSet<&str> = of_tmt.iter().chain(&of_atex).map(|(name, _)| name.as_str()).collect();
    for name in names {
        differ(Some(name), outcomes(&of_tmt, name), outcomes(&of_atex, name));
    }
    // Where the outcomes differ, so does what belongs to them.
    if let (Some(of_tmt), Some(of_atex)) = (sight.tmt, sight.atex)
        && of_tmt.outcome == of_atex.outcome
    {
        // Where tmt has nothing to say, atex may say why a test is an error.
        let (wanted, said) = (notes(of_tmt), notes(of_atex));
        if !wanted.is_subset(&said) {
            differ(Some("note"), of_tmt.note.clone(), of_atex.note.clone());
        }
        let names: BTreeSet<&String> = of_tmt.files.keys().chain(of_atex.files.keys()).collect();
        for name in names.into_iter().filter(|name| !OF_TMT.contains(&name.as_str())) {
            let told = |verdict: &Verdict| verdict.files.get(name).map_or("not there", String::as_str).to_owned();
            differ(Some(&format!("file {name}")), told(of_tmt), told(of_atex));
        }
    }
}

/// Returns the notes of a test as they can be compared: without paths, in quotes of one kind, in no order. What the test came to at first is
/// a value of its own.
fn notes(verdict: &Verdict) -> BTreeSet<String> {
    let notes = verdict
        .note
        .split("; ")
        .filter(|note| !note.starts_with("original test result"));
    let bare = |note: &str| note.split(" in ").next().unwrap_or_default().replace('`', "'");
    notes.map(bare).filter(|note| !note.is_empty()).collect()
}

/// What is said of the test itself.
fn told(verdict: Option<&Verdict>) -> String {
    let Some(verdict) = verdict else {
        return "not there".to_owned();
    };
    let outcome = verdict.outcome.as_ref();
    outcome.map_or_else(|| "no result".to_owned(), ToString::to_string)
}

/// The outcomes of all parts of this name: equal names are kept.
fn outcomes(parts: &[(String, Outcome)], name: &str) -> String {
    let of_name = parts.iter().filter(|(known, _)| known == name);
    let outcomes: Vec<String> = of_name.map(|(_, outcome)| outcome.to_string()).collect();
    if outcomes.is_empty() {
        return "not there".to_owned();
    }
    outcomes.join(", ")
}

/// Adds the first two tests of a plan that both have and that change places.
fn of_order(plan: &str, tmt: &Verdicts, atex: &Verdicts, found: &mut Vec<Difference>) {
    let of_tmt = tmt.tests(plan).filter(|test| atex.of(plan, test).is_some());
    let of_atex = atex.tests(plan).filter(|test| tmt.of(plan, test).is_some());
    if let Some((first, other)) = of_tmt.zip(of_atex).find(|(first, other)| first != other) {
        found.push(Difference {
            plan: plan.to_owned(),
            test: first.to_owned(),
            part: Some("order".to_owned()),
            tmt: first.to_owned(),
            atex: other.to_owned(),
            mark: Mark::Fault,
        });
    }
}

impl Difference {
    /// Returns whether nobody has said anything about it.
    pub(crate) fn is_fault(&self) -> bool {
        matches!(self.mark, Mark::Fault)
    }
}

impl fmt::Display for Difference {
    /// A line of the table of differences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.part {
            Some(part) => format!("{} [{part}]", self.test),
            None => self.test.clone(),
        };
        let mark = match self.mark {
            Mark::Fault => "FAULT".to_owned(),
            Mark::Meant(meant) => format!("meant: {}", meant.reason),
            Mark::Waiting(part) => format!("waits for {part}"),
        };
        write!(
            f,
            "{:<26} {name:<52} {:<10} {:<10} {mark}",
            self.plan, self.tmt, self.atex
        )
    }
}
