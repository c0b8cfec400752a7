//! Checks: what the programs beside the test found on its machine, and what that does to the outcome of the test.
//!
//! They leave `files/checks/results.txt`, a line for each time that a check ran: its name, when (`before-test`, `after-test`), what came of
//! it, and a note, with tabs between. What they found lies in files beside it. Under names with a slash (`internal/guest`) it says that the
//! test could not be run to its end as it wanted.

use std::path::Path;

use super::{Outcome, severity, text_of};
use crate::compile::spec::check::{Check, CheckEffect, CheckKind};
use crate::control::{Judged, Status, files_dir};

/// The directory of a test's `files` that holds what the checks left.
const DIRECTORY: &str = "checks";

/// The list of what they came to, in it.
const RESULTS: &str = "results.txt";

/// Which names of checks say that the test was not run to its end.
const INTERNAL: &str = "internal/";

/// What was told of one run of a check.
struct Told {
    name: String,
    status: Status,
    note: String,
}

/// What all checks of a test came to.
pub(super) struct Found {
    told: Vec<Told>,
    parts: Vec<(CheckEffect, Judged)>,
}

impl Found {
    /// Reads what the checks of a test left, whose results lie in the directory `test`.
    pub(super) fn read(checks: &[Check], test: &Path) -> Self {
        let files = files_dir(test);
        let text = text_of(&files, &format!("{DIRECTORY}/{RESULTS}")).ok().flatten();
        let told: Vec<Told> = text.as_deref().unwrap_or_default().lines().filter_map(line).collect();
        let parts = checks.iter().map(|check| (check.effect, seen(check, &told, &files)));
        Self {
            parts: parts.collect(),
            told,
        }
    }

    /// The outcome of the test, after what the checks do to it.
    pub(super) fn apply(&self, outcome: Outcome) -> Outcome {
        self.parts.iter().fold(outcome, |outcome, (effect, part)| {
            let name = part.name.as_deref().unwrap_or_default();
            let (status, said) = applied(*effect, &part.status, name.rsplit('/').next().unwrap_or(name));
            let worst = if severity(&status) > severity(&outcome.status) {
                status
            } else {
                outcome.status
            };
            let notes = [outcome.note, said];
            let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
            Outcome::new(worst, notes.join("; "))
        })
    }

    /// Why the test was not run to its end as it wanted, if so.
    pub(super) fn broken(&self) -> Option<&str> {
        let internal = self.told.iter().find(|told| told.name.starts_with(INTERNAL));
        internal.map(|told| told.note.as_str())
    }

    /// The results of the checks themselves.
    pub(super) fn into_parts(self) -> Vec<Judged> {
        let internal = self.told.into_iter().filter(|told| told.name.starts_with(INTERNAL));
        let internal = internal.map(|told| Judged {
            name: Some(part_of(&told.name)),
            ..Judged::own(told.status, told.note)
        });
        self.parts.into_iter().map(|(_, part)| part).chain(internal).collect()
    }
}

/// The name of a check as that of a part of its test.
fn part_of(check: &str) -> String {
    format!("check/{check}")
}

fn line(line: &str) -> Option<Told> {
    let mut fields = line.split('\t');
    let (name, _when, status, note) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let status = match Status::said(status) {
        status @ (Status::Pass | Status::Fail | Status::Skip) => status,
        _ => Status::Error,
    };
    Some(Told {
        name: name.to_owned(),
        status,
        note: note.to_owned(),
    })
}

/// The result of a check: the worst of what its runs came to, and of what they found.
fn seen(check: &Check, told: &[Told], files: &Path) -> Judged {
    let name = check.kind.word();
    let own = told.iter().filter(|told| told.name == name);
    let worst = own.max_by_key(|told| severity(&told.status));
    let (status, note) = worst.map_or((Status::Error, "it did not run to its end"), |told| {
        (told.status.clone(), told.note.as_str())
    });
    let found = format!("{DIRECTORY}/{}", found_in(check.kind));
    let (text, unread) = match text_of(files, &found) {
        Ok(text) => (text, None),
        Err(why) => (None, Some(why)),
    };
    let failure = check.patterns.first(text.as_deref().unwrap_or_default());
    let (status, note) = match (failure, unread) {
        (_, Some(why)) => (Status::Error, why),
        (Err(why), _) => (Status::Error, why.to_string()),
        (Ok(Some(line)), None) if severity(&status) < severity(&Status::Fail) => (Status::Fail, line.trim().to_owned()),
        (Ok(_), None) => (status, note.to_owned()),
    };
    Judged {
        name: Some(part_of(name)),
        log: text.map(|_| found).into_iter().collect(),
        ..Judged::own(status, note)
    }
}

/// The file with what a check found.
fn found_in(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Dmesg => "dmesg-after-test.txt",
        CheckKind::Avc => "avc.txt",
        CheckKind::Coredump => "coredump.txt",
        CheckKind::Journal => "journal.txt",
    }
}

/// What a check counts as for its test, and what is said of that.
fn applied(effect: CheckEffect, seen: &Status, name: &str) -> (Status, String) {
    match (effect, seen) {
        (CheckEffect::Info, _) => (Status::Info, format!("check `{name}` is informational")),
        (CheckEffect::Respect, Status::Fail) => (Status::Fail, format!("check `{name}` failed")),
        (CheckEffect::Xfail, Status::Fail) => (Status::Pass, format!("check `{name}` failed as expected")),
        (CheckEffect::Xfail, Status::Pass) => (Status::Fail, format!("check `{name}` did not fail as expected")),
        (CheckEffect::Respect | CheckEffect::Xfail, other) => (other.clone(), String::new()),
    }
}
