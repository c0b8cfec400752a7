//! Turns events into the lines of the console, without knowing of a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anstyle::Style;
use atex_graph::Kind;

use super::Verbosity;
use super::excerpt::{self, Limit};
use super::summary::{ClosingSummary, Failure, Totals, outcome_style, outcome_word, skipped_word};
use crate::control::Status;
use crate::event::{Event, NodeOutcome, NodeRef, SeenSut, Stamped, SutEvent};
use crate::report::human;
use crate::report::palette::{Palette, paint};
use crate::report::text::{harmless, pad, width};

/// How much of a failure's log is shown below its line.
const FAILURE_LOG: Limit = Limit {
    lines: 10,
    bytes: 16 * 1024,
};
/// How much of any log is shown with `-v`.
const VERBOSE_LOG: Limit = Limit {
    lines: 1000,
    bytes: 256 * 1024,
};

/// The number of columns for a line's first word. The longest word is `connecting`.
pub(super) const WORD: usize = 10;

/// The first columns of a line: the word, its style, and the time.
struct Lead<'a> {
    word: &'a str,
    style: Style,
    time: String,
}

/// Turns events into permanent lines, and keeps what the summary needs.
pub(super) struct Narrator {
    palette: Palette,
    verbosity: Verbosity,
    summary: ClosingSummary,
    dir: PathBuf,
    /// The width of the column with the SUT's name, or `None` if there is only one SUT.
    sut_column: Option<usize>,
}

impl Narrator {
    pub(super) fn new(palette: Palette, verbosity: Verbosity) -> Self {
        Self {
            palette,
            verbosity,
            summary: ClosingSummary::default(),
            dir: PathBuf::new(),
            sut_column: None,
        }
    }

    /// Writes whether the recorded tests that ran again agreed with their records.
    fn audited(&self, out: &mut String, ran: u64, disagreed: &[String]) {
        let hits = human::count(ran, "hit");
        let _infallible = if disagreed.is_empty() {
            writeln!(
                out,
                "{} {hits} ran again, all agreed",
                paint(self.palette.good, "audit:")
            )
        } else {
            let (count, names) = (disagreed.len(), disagreed.join(", "));
            let names = harmless(&names);
            let what = "not taken from the cache any more until an input changes";
            writeln!(
                out,
                "{} {count} of {hits} that ran again disagreed: {names}; {what}",
                paint(self.palette.bad, "audit:")
            )
        };
    }

    /// Appends the lines for an event. For most events, a quiet console prints nothing.
    pub(super) fn describe(&mut self, stamped: &Stamped, out: &mut String) {
        match &stamped.event {
            event @ Event::RunStarted { .. } => self.run_started(out, event),
            Event::Warning { text } => {
                let _infallible = writeln!(out, "{} {}", paint(self.palette.warn, "warning:"), harmless(text));
            }
            Event::Audited { ran, disagreed } => self.audited(out, *ran, disagreed),
            Event::Sut { sut, state, note } => self.sut(out, sut, *state, note),
            Event::NodeCached {
                node, sut, age, seen, ..
            } => self.node_cached(out, (node, sut), *age, seen.as_ref()),
            // What is left out was said before the run, with the lines at fault.
            Event::LeftOut { .. } | Event::NodeStarted { .. } | Event::Outlook { .. } => {}
            Event::Result { node, name, status } => {
                if let (Verbosity::Verbose, Some(name)) = (self.verbosity, name) {
                    let lead = Lead {
                        word: status.as_str(),
                        style: self.palette.dim,
                        time: String::new(),
                    };
                    self.line(out, &lead, "", node.label(), name);
                }
            }
            event @ Event::NodeFinished { .. } => self.node_finished(out, event),
            Event::NodeSkipped { node, reason, outcome } => {
                if self.verbosity > Verbosity::Quiet {
                    let lead = Lead {
                        word: skipped_word(*outcome),
                        style: self.palette.warn,
                        time: String::new(),
                    };
                    self.line(out, &lead, "", node.label(), reason);
                }
                *self.summary.skipped.entry((*outcome, reason.clone())).or_default() += 1;
            }
            Event::RunFinished {
                exit_code,
                duration,
                tests,
                cached,
            } => {
                let totals = Totals {
                    exit: *exit_code,
                    duration: *duration,
                    tests,
                    cached: *cached,
                    dir: &self.dir.to_string_lossy(),
                    quiet: self.verbosity == Verbosity::Quiet,
                };
                self.summary.write(out, &self.palette, &totals);
            }
        }
    }

    /// Writes one line about a node or a SUT.
    fn line(&self, out: &mut String, lead: &Lead<'_>, sut: &str, what: &str, note: &str) {
        let _infallible = write!(
            out,
            "{} {:>9}  ",
            paint(lead.style, pad(&harmless(lead.word), WORD)),
            lead.time
        );
        if let Some(columns) = self.sut_column {
            let _infallible = write!(out, "{}  ", paint(self.palette.dim, pad(&harmless(sut), columns)));
        }
        out.push_str(&harmless(what));
        if !note.is_empty() {
            let _infallible = write!(out, "  {}", paint(self.palette.dim, harmless(note)));
        }
        out.push('\n');
    }

    /// Writes the end of a log with indentation.
    fn log(&self, out: &mut String, log: &Path, limit: Limit) {
        let excerpt = match excerpt::tail(log, limit) {
            Ok(excerpt) => excerpt,
            Err(error) => {
                let lost = format!("cannot read `{}`: {error}", log.display());
                let _infallible = writeln!(out, "{:22}{}", "", paint(self.palette.warn, harmless(&lost)));
                return;
            }
        };
        if excerpt.cut {
            let _infallible = writeln!(out, "{:22}{}", "", paint(self.palette.dim, "…"));
        }
        for line in &excerpt.lines {
            let _infallible = writeln!(out, "{:22}{}", "", paint(self.palette.dim, line));
        }
    }

    fn run_started(&mut self, out: &mut String, event: &Event) {
        let Event::RunStarted {
            dir,
            command,
            plans,
            suts,
            tests,
            to_run,
            ..
        } = event
        else {
            return;
        };
        self.dir = PathBuf::from(dir);
        self.sut_column = (suts.len() > 1).then(|| suts.iter().map(|sut| width(&harmless(sut))).max().unwrap_or(0));
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let work: Vec<String> = to_run
            .iter()
            .filter(|(_, number)| **number > 0)
            .filter_map(|(kind, &number)| match kind {
                // A discover node runs nothing on a SUT.
                Kind::Discover => None,
                // Only the SUT knows how many of its steps are done already.
                Kind::Prepare => Some(format!("up to {}", human::count(number, "prepare step"))),
                Kind::Test => Some(human::count(number, "test")),
                Kind::Finish => Some(human::count(number, "finish step")),
            })
            .collect();
        let work = if work.is_empty() {
            "nothing to run".to_owned()
        } else {
            format!("to run: {}", work.join(", "))
        };
        let _infallible = writeln!(
            out,
            "{} {} on {}: {}; {work}",
            paint(self.palette.bold, command.word()),
            some_of(plans, "plan"),
            some_of(suts, "SUT"),
            human::count(*tests, "test"),
        );
    }

    fn node_cached(&self, out: &mut String, (node, sut): (&NodeRef, &str), age: u64, seen: Option<&SeenSut>) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let word = if sut.is_empty() { "cached" } else { "prepared" };
        let lead = Lead {
            word,
            style: self.palette.reused,
            time: human::age(age / 1000),
        };
        let note = seen.map(|seen| match seen.age / 1000 {
            0 => format!("{} as of now", seen.sut),
            age => format!("{} as of {}", seen.sut, human::age(age)),
        });
        self.line(out, &lead, sut, node.label(), &note.unwrap_or_default());
    }

    fn node_finished(&mut self, out: &mut String, event: &Event) {
        let Event::NodeFinished {
            node,
            sut,
            outcome,
            duration,
            note,
            log,
            results,
            again,
            ..
        } = event
        else {
            return;
        };
        let passed = matches!(outcome, NodeOutcome::Pass | NodeOutcome::Flaky);
        let log = (!log.is_empty()).then(|| self.dir.join(log));
        if !passed || self.verbosity > Verbosity::Quiet {
            let word = if passed && node.kind() != Kind::Test {
                "done"
            } else {
                outcome_word(*outcome)
            };
            let lead = Lead {
                word,
                style: outcome_style(&self.palette, *outcome),
                time: human::span(*duration),
            };
            let counted = match (*again, *outcome) {
                (true, _) if note.is_empty() => "it runs again".to_owned(),
                (true, _) => format!("{note}; it runs again"),
                (false, NodeOutcome::Flaky) => "passed after it had failed".to_owned(),
                (false, _) if note.is_empty() => result_counts(results),
                (false, _) => note.clone(),
            };
            self.line(out, &lead, sut, node.label(), &counted);
        }
        if let Some(log) = &log {
            match self.verbosity {
                Verbosity::Verbose => self.log(out, log, VERBOSE_LOG),
                Verbosity::Normal if *outcome == NodeOutcome::Fail || *outcome == NodeOutcome::Infra => {
                    self.log(out, log, FAILURE_LOG);
                }
                Verbosity::Normal | Verbosity::Quiet => {}
            }
        }
        if *outcome != NodeOutcome::Pass && !again {
            self.summary.failures.push(Failure {
                node: node.label().to_owned(),
                sut: if self.sut_column.is_some() {
                    sut.clone()
                } else {
                    String::new()
                },
                outcome: *outcome,
                note: note.clone(),
                log,
            });
        }
    }

    fn sut(&mut self, out: &mut String, sut: &str, state: SutEvent, note: &str) {
        if state == SutEvent::Joined {
            let columns = self.sut_column.get_or_insert(0);
            *columns = (*columns).max(width(&harmless(sut)));
        }
        let (least, style) = match state {
            SutEvent::Dropped => (Verbosity::Quiet, self.palette.warn),
            SutEvent::Waiting | SutEvent::Tainted | SutEvent::Owing => (Verbosity::Normal, self.palette.warn),
            SutEvent::Joined => (Verbosity::Normal, self.palette.dim),
            SutEvent::Connecting
            | SutEvent::Entering
            | SutEvent::Syncing
            | SutEvent::Installing
            | SutEvent::Changed
            | SutEvent::Restored
            | SutEvent::Ready
            | SutEvent::Idle
            | SutEvent::Leaving
            | SutEvent::Released => (Verbosity::Verbose, self.palette.dim),
        };
        if self.verbosity >= least {
            let lead = Lead {
                word: state.word(),
                style,
                time: String::new(),
            };
            self.line(out, &lead, sut, &format!("sut {sut}"), note);
        }
    }
}

/// Lists the names if there are few, or else says how many there are.
fn some_of(names: &[String], noun: &str) -> String {
    match names {
        [] => format!("no {noun}"),
        [_] | [_, _] | [_, _, _] => {
            let names: Vec<_> = names.iter().map(|name| harmless(name)).collect();
            names.join(", ")
        }
        many => human::count(many.len() as u64, noun),
    }
}

/// Describes the results of a test, if there are more than the test's own one.
fn result_counts(results: &BTreeMap<Status, u64>) -> String {
    let all: u64 = results.values().sum();
    if all < 2 {
        return String::new();
    }
    let parts: Vec<_> = results
        .iter()
        .map(|(status, number)| format!("{number} {status}"))
        .collect();
    format!("{all} results: {}", parts.join(", "))
}
