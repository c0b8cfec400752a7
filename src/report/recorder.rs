//! Records a run in its directory: `events.jsonl` as it happens, and `run.json` last.
//!
//! Invariant: `run.json` appears by a rename after the last event was written and synced, so a directory that has it is complete.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::json::append;
use super::{ReportError, Reporter};
use crate::exec::event::{Event, NodeOutcome, Stamped};
use crate::exec::options::Mode;

/// The name of the file that ends a run's directory.
pub const RUN_FILE: &str = "run.json";
/// The name of the file with the events.
pub const EVENTS_FILE: &str = "events.jsonl";

/// What is known of a run before it starts and is in no event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunInfo {
    /// The root of the fmf tree.
    pub tree: String,
    /// Digest (hex) of all that the run was compiled from.
    pub tree_digest: String,
    /// The context of the run.
    pub context: BTreeMap<String, Vec<String>>,
}

/// What `run.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunSummary {
    /// The version of this form.
    pub format: u32,
    /// The run's id.
    pub run: String,
    /// What was asked for; nothing until the run starts.
    pub command: Option<Mode>,
    /// When it started: milliseconds since the epoch.
    pub started: u64,
    /// How long it took, in milliseconds.
    pub duration: u64,
    /// Plans by name.
    pub plans: Vec<String>,
    /// SUTs by name.
    pub suts: Vec<String>,
    /// Tree and context.
    #[serde(flatten)]
    pub info: RunInfo,
    /// Tests by outcome.
    pub tests: BTreeMap<NodeOutcome, u64>,
    /// Tests among them that were taken from the cache.
    pub cached: u64,
    /// Exit code of the process.
    pub exit_code: u8,
}

/// The version of `run.json` that is written here.
const FORMAT: u32 = 1;

/// Writes the files of a run's directory.
pub struct Recorder {
    dir: PathBuf,
    events: io::BufWriter<File>,
    summary: RunSummary,
}

impl Recorder {
    /// Starts recording in `dir`, which must exist. Fails where `events.jsonl` cannot be created anew there.
    pub fn create(dir: &Path, info: RunInfo) -> Result<Self, ReportError> {
        let path = dir.join(EVENTS_FILE);
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.map_err(|source| ReportError::File { path, source })?;
        let summary = RunSummary {
            format: FORMAT,
            run: String::new(),
            command: None,
            started: 0,
            duration: 0,
            plans: Vec::new(),
            suts: Vec::new(),
            info,
            tests: BTreeMap::new(),
            cached: 0,
            exit_code: 0,
        };
        Ok(Self {
            dir: dir.to_owned(),
            events: io::BufWriter::with_capacity(64 * 1024, file),
            summary,
        })
    }

    fn complete(&mut self) -> Result<(), ReportError> {
        self.events
            .get_ref()
            .sync_data()
            .map_err(|source| self.failed(EVENTS_FILE, source))?;
        self.write_summary().map_err(|source| self.failed(RUN_FILE, source))
    }

    fn write_summary(&self) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".run-").tempfile_in(&self.dir)?;
        serde_json::to_writer_pretty(&mut file, &self.summary)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(self.dir.join(RUN_FILE))?;
        Ok(())
    }

    fn failed(&self, file: &str, source: io::Error) -> ReportError {
        let path = self.dir.join(file);
        ReportError::File { path, source }
    }
}

impl Reporter for Recorder {
    fn event(&mut self, event: &Stamped) -> Result<(), ReportError> {
        append(&mut self.events, event).map_err(|source| self.failed(EVENTS_FILE, source))?;
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
        self.events.flush().map_err(|source| self.failed(EVENTS_FILE, source))
    }
}
