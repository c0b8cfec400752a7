//! The summary at the end of a run on the console: the failures, where their logs are, and the counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::narrate::WORD;
use crate::event::NodeOutcome;
use crate::exit::Exit;
use crate::report::palette::{Palette, paint};
use crate::report::text::harmless;
use crate::report::{human, text};

/// A node that did not pass, or not at once.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) node: String,
    /// The name of the SUT, which is empty if there was only one.
    pub(super) sut: String,
    pub(super) outcome: NodeOutcome,
    pub(super) note: String,
    /// The path of the log, if there is one.
    pub(super) log: Option<PathBuf>,
}

/// The failures in the order in which they came, and the nodes that did not start, by reason.
#[derive(Debug, Default)]
pub(super) struct ClosingSummary {
    pub(super) failures: Vec<Failure>,
    pub(super) skipped: BTreeMap<(NodeOutcome, String), u64>,
}

/// The counts at the end of a run.
pub(super) struct Totals<'a> {
    pub(super) exit: Exit,
    pub(super) duration: u64,
    pub(super) tests: &'a BTreeMap<NodeOutcome, u64>,
    pub(super) cached: u64,
    pub(super) dir: &'a str,
    /// Whether only failures were printed before the summary.
    pub(super) quiet: bool,
}

impl ClosingSummary {
    /// Writes the summary to `out`.
    pub(super) fn write(&self, out: &mut String, palette: &Palette, totals: &Totals<'_>) {
        // `fmt::Write` for `String` cannot fail.
        let _infallible = self.write_all(out, palette, totals);
    }

    fn write_all(&self, out: &mut String, palette: &Palette, totals: &Totals<'_>) -> std::fmt::Result {
        if !self.failures.is_empty() || !self.skipped.is_empty() {
            writeln!(out)?;
        }
        for failure in &self.failures {
            write_failure(out, palette, failure)?;
        }
        for ((outcome, reason), count) in &self.skipped {
            let word = text::pad(skipped_word(*outcome), WORD);
            write!(out, "{} {}", paint(palette.warn, word), human::count(*count, "node"))?;
            writeln!(out, " did not start: {}", harmless(reason))?;
        }
        if !totals.quiet || !self.failures.is_empty() || !self.skipped.is_empty() {
            writeln!(out)?;
        }
        writeln!(out, "{}", counts(palette, totals))?;
        let any = totals.tests.values().any(|number| *number > 0);
        let style = if totals.exit == Exit::Passed {
            palette.good
        } else {
            palette.bad
        };
        if any || totals.exit != Exit::Passed {
            writeln!(
                out,
                "{}",
                paint(style, format!("exit {}: {}", totals.exit.code(), totals.exit.meaning()))
            )?;
        }
        if !totals.dir.is_empty() {
            writeln!(
                out,
                "{}",
                paint(palette.dim, format!("results in {}", harmless(totals.dir)))
            )?;
        }
        Ok(())
    }
}

fn write_failure(out: &mut String, palette: &Palette, failure: &Failure) -> std::fmt::Result {
    let word = text::pad(outcome_word(failure.outcome), WORD);
    write!(
        out,
        "{} {}",
        paint(outcome_style(palette, failure.outcome), word),
        harmless(&failure.node)
    )?;
    if !failure.sut.is_empty() {
        write!(
            out,
            "  {}",
            paint(palette.dim, format!("on {}", harmless(&failure.sut)))
        )?;
    }
    if !failure.note.is_empty() {
        write!(out, "  {}", harmless(&failure.note))?;
    }
    writeln!(out)?;
    if let Some(log) = &failure.log {
        let log = log.to_string_lossy();
        writeln!(out, "{:WORD$} {}", "", paint(palette.dim, harmless(&log)))?;
    }
    Ok(())
}

/// Returns the word for an outcome of a test or a failed step.
pub(super) const fn outcome_word(outcome: NodeOutcome) -> &'static str {
    match outcome {
        NodeOutcome::Pass => "pass",
        NodeOutcome::Flaky => "flaky",
        NodeOutcome::Fail => "fail",
        NodeOutcome::Cancelled => "cancelled",
        NodeOutcome::Infra => "infra",
    }
}

/// Returns the word for a node that did not start.
pub(super) const fn skipped_word(outcome: NodeOutcome) -> &'static str {
    match outcome {
        NodeOutcome::Cancelled => "cancelled",
        NodeOutcome::Pass | NodeOutcome::Flaky | NodeOutcome::Fail | NodeOutcome::Infra => "skipped",
    }
}

/// Returns the style of an outcome.
pub(super) const fn outcome_style(palette: &Palette, outcome: NodeOutcome) -> anstyle::Style {
    match outcome {
        NodeOutcome::Pass => palette.good,
        NodeOutcome::Fail => palette.bad,
        NodeOutcome::Flaky | NodeOutcome::Cancelled => palette.warn,
        NodeOutcome::Infra => palette.trouble,
    }
}

fn counts(palette: &Palette, totals: &Totals<'_>) -> String {
    let all: u64 = totals.tests.values().sum();
    let mut parts = Vec::new();
    for (outcome, &number) in totals.tests {
        if number == 0 {
            continue;
        }
        let mut part = match outcome {
            NodeOutcome::Pass => format!("{number} passed"),
            NodeOutcome::Flaky => format!("{number} flaky"),
            NodeOutcome::Fail => format!("{number} failed"),
            NodeOutcome::Cancelled => format!("{number} cancelled"),
            NodeOutcome::Infra => format!("{number} infra"),
        };
        if *outcome == NodeOutcome::Pass && totals.cached > 0 {
            let _infallible = write!(part, " ({} cached)", totals.cached);
        }
        parts.push(paint(outcome_style(palette, *outcome), part).to_string());
    }
    let took = human::span(totals.duration);
    if parts.is_empty() {
        return format!("no tests, {took}");
    }
    let tests = paint(palette.bold, human::count(all, "test"));
    format!("{tests}: {} in {took}", parts.join(", "))
}
