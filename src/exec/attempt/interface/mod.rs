//! What tmt's rules make of a test that ended by itself, for tests with the interface `tmt`.
//!
//! In tmt's order: the exit code, or what the test reported with commands (`reports`), or what its framework left (`beakerlib`), makes the
//! outcome; checks beside the test can make it worse (`checks`); `result` of the metadata interprets that; with `result: custom` a file of
//! the test has all results (`custom`). What could not be done as the test asked is an error over all of that. What is on the machine in
//! `TMT_TEST_DATA` lies here in the test's `files/data`. docs/tmt.md has the table of it.
//!
//! tmt ends a whole plan where a file of results is broken; here that is an `error` of its test alone. As in tmt, `warn` and `error` are no
//! pass.

mod beakerlib;
mod checks;
mod custom;
mod reports;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::compile::spec::check::Checks;
use crate::compile::spec::{Framework, Interpretation, Restart, TestSpec};
use crate::control::{Judged, Judgement, Status, Verdict, files_dir};
use crate::exec::attempt::rest_of_plan::RestOfPlan;

/// The directory of a test's `files` that holds what it left in `TMT_TEST_DATA`.
const DATA: &str = "data";

/// The file there that `tmt-abort` makes.
const ABORT: &str = "abort";

/// A file of results of more bytes is not read.
const LARGEST: u64 = 16 << 20;

/// What a test came to before its metadata interpret that.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    status: Status,
    note: String,
}

impl Outcome {
    fn new(status: Status, note: impl Into<String>) -> Self {
        let note = note.into();
        Self { status, note }
    }

    fn error(note: impl Into<String>) -> Self {
        Self::new(Status::Error, note)
    }
}

/// What the metadata of a test say of how its end is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct TmtRules {
    framework: Framework,
    interpretation: Interpretation,
    restart: Restart,
    checks: Checks,
    is_required: bool,
}

impl TmtRules {
    /// Those of a test.
    pub(crate) fn of(test: &TestSpec) -> Self {
        Self {
            framework: test.framework,
            interpretation: test.interpretation.clone(),
            restart: test.restart.clone(),
            checks: test.checks.clone(),
            is_required: test.is_required,
        }
    }

    /// Judges a test that ended with an exit code, and whose results lie in the directory `test`, and decides what becomes of the tests
    /// after it.
    pub(crate) fn judge(&self, code: i32, test: &Path) -> (Judgement, RestOfPlan) {
        let found = checks::Found::read(&self.checks.list, test);
        let mut judgement = self.judge_test(code, test, &found);
        let broken = match &self.checks.wrong {
            Some(wrong) => Some(wrong.clone()),
            None if found.broken().is_some() => found.broken().map(str::to_owned),
            // The machine starts it again after such a code as long as it may.
            None if self.restart.exit_codes.contains(&code) => Some(format!(
                "exit code {code} came again after all restarts ({})",
                self.restart.most
            )),
            None if self.is_required && self.has_skipped(&judgement) => {
                Some("the plan requires this test (`require-test`), and it was skipped".to_owned())
            }
            None => None,
        };
        if let Some(why) = broken {
            overrule(&mut judgement, &why);
        }
        let rest = rest_of_plan(judgement.fails, test);
        judgement.parts.extend(found.into_parts());
        (judgement, rest)
    }

    /// Returns whether a result of the test is a skip. Parts are results of their own only where the test says so.
    fn has_skipped(&self, judgement: &Judgement) -> bool {
        let own_results = matches!(self.interpretation, Interpretation::Custom | Interpretation::Restraint);
        let parts = judgement.parts.iter().filter(|_| own_results);
        std::iter::once(&judgement.own)
            .chain(parts)
            .any(|result| result.status == Status::Skip)
    }

    fn judge_test(&self, code: i32, test: &Path, found: &checks::Found) -> Judgement {
        let data = files_dir(test).join(DATA);
        match &self.interpretation {
            Interpretation::Custom => custom::judge(&data),
            Interpretation::Restraint => restraint(&data),
            other => {
                let (outcome, parts) = match self.framework {
                    Framework::Shell => of_shell(code, &data),
                    Framework::Beakerlib => beakerlib::outcome(code, test),
                };
                let own = interpreted(other, found.apply(outcome));
                Judgement {
                    verdict: verdict(&own.status),
                    fails: fails(&own.status),
                    own,
                    parts,
                }
            }
        }
    }
}

/// Decides what becomes of the tests after one that lies in the directory `test`.
fn rest_of_plan(fails: bool, test: &Path) -> RestOfPlan {
    if files_dir(test).join(DATA).join(ABORT).exists() {
        RestOfPlan::GivenUp
    } else if fails {
        RestOfPlan::EndsByExitFirst
    } else {
        RestOfPlan::Runs
    }
}

/// Makes a test an error, whatever came of it.
fn overrule(judgement: &mut Judgement, why: &str) {
    let own = &mut judgement.own;
    if own.status != Status::Error {
        own.original.get_or_insert(own.status.clone());
        own.status = Status::Error;
    }
    own.note = if own.note.is_empty() {
        why.to_owned()
    } else {
        format!("{why}; {}", own.note)
    };
    judgement.verdict = judgement.verdict.max(Verdict::Fail);
    judgement.fails = true;
}

/// What tmt makes of an exit code: only 0 and 1 are words of a test.
fn of_code(code: i32) -> Outcome {
    match code {
        0 => Outcome::new(Status::Pass, ""),
        1 => Outcome::new(Status::Fail, ""),
        other => Outcome::error(format!("exit code {other}")),
    }
}

/// Outcome and parts of a test of the framework `shell`: where it reported anything, its exit code does not count.
fn of_shell(code: i32, data: &Path) -> (Outcome, Vec<Judged>) {
    match reports::read(data) {
        Ok(reports) if reports.is_empty() => (of_code(code), Vec::new()),
        Ok(reports) => (reports::outcome(&reports), reports),
        Err(why) => (Outcome::error(why), Vec::new()),
    }
}

/// Under `result: restraint` each report is a result of its own, and the exit code never counts.
fn restraint(data: &Path) -> Judgement {
    let parts = match reports::read(data) {
        Ok(parts) if parts.is_empty() => {
            return failed("the test reported no result, and `result: restraint` wants one");
        }
        Ok(parts) => parts,
        Err(why) => return failed(why),
    };
    let statuses = || parts.iter().map(|part| &part.status);
    Judgement {
        verdict: statuses().map(verdict).max().unwrap_or(Verdict::Fail),
        fails: statuses().any(fails),
        own: Judged::own(worst(statuses()), ""),
        parts,
    }
}

/// A test of which nothing but an error can be told.
fn failed(note: impl Into<String>) -> Judgement {
    Judgement {
        own: Judged::own(Status::Error, note),
        parts: Vec::new(),
        verdict: Verdict::Fail,
        fails: true,
    }
}

/// The result of a test whose outcome is known: what `result` makes of it.
fn interpreted(interpretation: &Interpretation, outcome: Outcome) -> Judged {
    let Outcome { status, note } = outcome;
    let (interpreted, said) = match (interpretation, &status) {
        (Interpretation::Xfail, Status::Fail) => (Status::Pass, "test failed as expected".to_owned()),
        (Interpretation::Xfail, Status::Pass) => (Status::Fail, "test was expected to fail".to_owned()),
        (Interpretation::Forced(word), _) => (Status::said(word), format!("test result overridden: {word}")),
        (Interpretation::Unknown(word), _) => (Status::Error, format!("`result: {word}` is nothing that tmt knows")),
        _ => (status.clone(), String::new()),
    };
    let changed = interpreted != status;
    let original = changed.then(|| format!("original test result: {status}"));
    let notes = [said, original.unwrap_or_default(), note];
    let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    Judged {
        original: changed.then_some(status),
        ..Judged::own(interpreted, notes.join("; "))
    }
}

/// What a result makes of its test: tmt's run fails by `warn`, too, and does not pass by what is still pending.
fn verdict(status: &Status) -> Verdict {
    match status {
        Status::Pass | Status::Info | Status::Skip => Verdict::Pass,
        Status::Infra => Verdict::Infra,
        Status::Fail | Status::Warn | Status::Error | Status::Other(_) | Status::Missing => Verdict::Fail,
    }
}

/// Returns whether a result fails: a warning does not, although no test passes with one.
fn fails(status: &Status) -> bool {
    matches!(status, Status::Fail | Status::Error)
}

/// The worst of several outcomes. A test without any is an error.
fn worst<'s>(statuses: impl Iterator<Item = &'s Status>) -> Status {
    let worst = statuses.max_by_key(|status| severity(status));
    worst.cloned().unwrap_or(Status::Error)
}

/// tmt's order of outcomes, the worst last.
fn severity(status: &Status) -> u8 {
    match status {
        Status::Skip => 1,
        Status::Info => 2,
        Status::Pass => 3,
        Status::Warn => 4,
        Status::Fail => 5,
        Status::Error | Status::Infra | Status::Other(_) | Status::Missing => 6,
    }
}

/// A name of tmt's as that of a part: nothing for `/`, which is the test itself.
fn part_name(name: &str) -> Option<String> {
    let name = name.strip_prefix('/').unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

/// Reads a file that a test left; nothing where there is none. The error says what is wrong, for people.
fn text_of(data: &Path, name: &str) -> Result<Option<String>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("`{name}` in TMT_TEST_DATA cannot be read: {why}");
    let file = match File::open(data.join(name)) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(wrong(&error)),
    };
    let mut text = String::new();
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    read.map_err(|error| wrong(&error))?;
    if text.len() as u64 > LARGEST {
        return Err(wrong(&format_args!("it has more than {LARGEST} bytes")));
    }
    Ok(Some(text))
}

/// Reads a list of results, each with its keys; an empty file is an empty list.
fn items(name: &str, text: &str) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, String> {
    let wrong = |why: &str| format!("`{name}` in TMT_TEST_DATA is no list of results: {why}");
    let value: serde_json::Value = if text.trim().is_empty() {
        serde_json::Value::Null
    } else {
        serde_yaml::from_str(text).map_err(|error| wrong(error.to_string().lines().next().unwrap_or_default()))?
    };
    let list = match value {
        serde_json::Value::Null => Vec::new(),
        serde_json::Value::Array(list) => list,
        _ => return Err(wrong("it holds something else")),
    };
    let item = |value| match value {
        serde_json::Value::Object(item) => Ok(item),
        _ => Err(wrong("an item is no mapping")),
    };
    list.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests;
