//! The state behind the live region: what runs on which SUT, since when, and how much is left.

use std::collections::BTreeMap;

use atex_graph::Kind;

use super::live::LiveRow;
use crate::event::{Event, NodeOutcome, NodeRef, Stamped, SutEvent};
use crate::report::human;
use crate::report::palette::Palette;
use crate::report::text::{harmless, pad, width};

/// The text for a SUT that waits for work.
const IDLE: &str = "idle";

/// A SUT that is doing something.
#[derive(Debug)]
struct Activity {
    what: String,
    since: u64,
}

/// Counts what has happened, and keeps what is going on.
#[derive(Debug, Default)]
pub(super) struct RunProgress {
    started: u64,
    to_run: u64,
    done: u64,
    passed: u64,
    failed: u64,
    infra: u64,
    flaky: u64,
    /// When the run is expected to end, in milliseconds since the epoch, or 0 while that is not known.
    end: u64,
    /// The activities by SUT. A SUT does one thing at a time.
    active: BTreeMap<String, Activity>,
}

impl RunProgress {
    /// Takes an event into account.
    pub(super) fn event(&mut self, stamped: &Stamped) {
        match &stamped.event {
            Event::RunStarted { to_run, .. } => {
                self.started = stamped.time;
                self.to_run = to_run.values().sum();
            }
            Event::Sut { sut, state, .. } => self.sut(sut, *state, stamped.time),
            Event::NodeStarted { node, sut, attempt, .. } => {
                let again = if *attempt > 1 {
                    format!(" (attempt {attempt})")
                } else {
                    String::new()
                };
                self.begin(sut, format!("{node}{again}"), stamped.time);
            }
            Event::NodeFinished {
                node,
                sut,
                outcome,
                again,
                ..
            } => {
                self.begin(sut, IDLE.to_owned(), stamped.time);
                if !again {
                    self.done += 1;
                    self.tally(node, *outcome);
                }
            }
            Event::Outlook { end, .. } => self.end = *end,
            Event::NodeSkipped { .. } => self.done += 1,
            // Steps that the SUT has done already were counted among those to run.
            Event::NodeCached { sut, .. } if !sut.is_empty() => self.done += 1,
            Event::RunFinished { .. } => self.active.clear(),
            Event::Warning { .. }
            | Event::LeftOut { .. }
            | Event::Audited { .. }
            | Event::NodeCached { .. }
            | Event::Result { .. } => {}
        }
    }

    /// Returns the rows of the live region, at most `height`. There are none while nothing is going on.
    pub(super) fn rows(&self, now: u64, height: usize, palette: &Palette) -> Vec<LiveRow> {
        if self.active.is_empty() {
            return Vec::new();
        }
        let mut longest_first: Vec<_> = self.active.iter().collect();
        longest_first.sort_by_key(|(_, activity)| (activity.what == IDLE, activity.since));
        let room = height.saturating_sub(1).max(1);
        if longest_first.len() > room {
            longest_first.retain(|(_, activity)| activity.what != IDLE);
        }
        let shown = if longest_first.len() > room { room - 1 } else { room };
        let hidden = longest_first.len().saturating_sub(shown);
        longest_first.truncate(shown);
        let names: Vec<_> = longest_first.iter().map(|(sut, _)| harmless(sut)).collect();
        let columns = names.iter().map(|name| width(name)).max().unwrap_or(0);
        let mut rows: Vec<LiveRow> = longest_first
            .iter()
            .zip(&names)
            .map(|((_, activity), name)| {
                let since = human::running(now.saturating_sub(activity.since));
                LiveRow::default()
                    .with(palette.dim, format!("{since:>9}  "))
                    .with(palette.dim, format!("{}  ", pad(name, columns)))
                    .with(palette.bold, harmless(&activity.what))
            })
            .collect();
        if hidden > 0 {
            rows.push(LiveRow::default().with(palette.dim, format!("{:9}  and {hidden} more", "")));
        }
        rows.push(self.status(now, palette));
        rows
    }

    fn status(&self, now: u64, palette: &Palette) -> LiveRow {
        let elapsed = human::running(now.saturating_sub(self.started));
        let left = self.to_run.saturating_sub(self.done);
        let running = self.active.values().filter(|activity| activity.what != IDLE).count();
        let mut row = LiveRow::default()
            .with(palette.bold, format!("{elapsed:>9}  "))
            .with(palette.bold, format!("{left} left, {running} running"));
        for (number, word, style) in [
            (self.passed, "passed", palette.good),
            (self.flaky, "flaky", palette.warn),
            (self.failed, "failed", palette.bad),
            (self.infra, "infra", palette.trouble),
        ] {
            if number > 0 {
                row = row.with(palette.dim, ", ").with(style, format!("{number} {word}"));
            }
        }
        if self.end > now {
            row = row.with(palette.dim, format!("; about {} to go", human::running(self.end - now)));
        }
        row
    }

    fn sut(&mut self, sut: &str, state: SutEvent, time: u64) {
        match state {
            SutEvent::Dropped | SutEvent::Released => drop(self.active.remove(sut)),
            // These events do not end what the SUT was doing.
            SutEvent::Joined | SutEvent::Tainted | SutEvent::Owing => {}
            SutEvent::Ready | SutEvent::Idle => self.begin(sut, IDLE.to_owned(), time),
            SutEvent::Waiting
            | SutEvent::Connecting
            | SutEvent::Entering
            | SutEvent::Syncing
            | SutEvent::Installing
            | SutEvent::Changed
            | SutEvent::Restored
            | SutEvent::Leaving => self.begin(sut, state.word().to_owned(), time),
        }
    }

    fn begin(&mut self, sut: &str, what: String, since: u64) {
        self.active.insert(sut.to_owned(), Activity { what, since });
    }

    fn tally(&mut self, node: &NodeRef, outcome: NodeOutcome) {
        match outcome {
            NodeOutcome::Pass if node.kind() == Kind::Test => self.passed += 1,
            NodeOutcome::Pass | NodeOutcome::Cancelled => {}
            NodeOutcome::Flaky => self.flaky += 1,
            NodeOutcome::Fail => self.failed += 1,
            NodeOutcome::Infra => self.infra += 1,
        }
    }
}
