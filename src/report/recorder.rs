//! The reporter that records a run in its directory: it writes `events.jsonl` as events come, and `run.json` last.
//!
//! Invariant: `run.json` appears by a rename after the last event was written and synced, so a directory that contains it is
//! complete.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{ReportError, Reporter};
use crate::event::{Event, Stamped};
use crate::rundir::{EVENTS, EventWriter, RunInfo, RunSummary, SUMMARY};

/// Writes the files of a run's directory.
pub struct Recorder {
    dir: PathBuf,
    events: EventWriter<File>,
    summary: RunSummary,
}

impl Recorder {
    /// Starts recording in `dir`, which must exist. It fails if a new `events.jsonl` cannot be created there.
    pub fn create(dir: &Path, info: RunInfo) -> Result<Self, ReportError> {
        let events = EventWriter::create(dir).map_err(|source| ReportError::File {
            path: dir.join(EVENTS),
            source,
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            events,
            summary: RunSummary::new(info),
        })
    }

    fn complete(&mut self) -> Result<(), ReportError> {
        self.events.sync().map_err(|source| self.failed(EVENTS, source))?;
        self.summary
            .write(&self.dir)
            .map_err(|source| self.failed(SUMMARY, source))
    }

    fn failed(&self, file: &str, source: io::Error) -> ReportError {
        let path = self.dir.join(file);
        ReportError::File { path, source }
    }
}

impl Reporter for Recorder {
    fn event(&mut self, event: &Stamped) -> Result<(), ReportError> {
        self.events.write(event).map_err(|source| self.failed(EVENTS, source))?;
        match &event.event {
            Event::RunStarted {
                run,
                command,
                plans,
                suts,
                ..
            } => {
                self.summary.started = event.time;
                self.summary.run.clone_from(run);
                self.summary.command = Some(*command);
                self.summary.plans.clone_from(plans);
                self.summary.suts.clone_from(suts);
                Ok(())
            }
            Event::RunFinished {
                exit_code,
                duration,
                tests,
                cached,
            } => {
                self.summary.exit_code = *exit_code;
                self.summary.duration = *duration;
                self.summary.tests.clone_from(tests);
                self.summary.cached = *cached;
                self.complete()
            }
            Event::Warning { .. }
            | Event::LeftOut { .. }
            | Event::Sut { .. }
            | Event::NodeCached { .. }
            | Event::NodeStarted { .. }
            | Event::Result { .. }
            | Event::NodeFinished { .. }
            | Event::Outlook { .. }
            | Event::NodeSkipped { .. }
            | Event::Audited { .. } => Ok(()),
        }
    }

    fn tick(&mut self, _now: u64) -> Result<(), ReportError> {
        self.events.flush().map_err(|source| self.failed(EVENTS, source))
    }
}
