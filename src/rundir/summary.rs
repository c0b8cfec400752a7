//! `run.json`: a complete run in short.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ReadError, SUMMARY};
use crate::event::{Mode, NodeOutcome};
use crate::exit::Exit;

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
    pub exit_code: Exit,
}

/// The version of `run.json` that is written here.
const FORMAT: u32 = 1;

impl RunSummary {
    /// Starts the summary of a run that has not begun.
    pub fn new(info: RunInfo) -> Self {
        Self {
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
            exit_code: Exit::Passed,
        }
    }

    /// Writes the file to the run's directory. It appears as a whole and synced, by a rename.
    pub fn write(&self, run: &Path) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".run-").tempfile_in(run)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(run.join(SUMMARY))?;
        Ok(())
    }

    /// Reads the file of a run's directory, if it is there.
    pub(super) fn read(run: &Path) -> Result<Option<Self>, ReadError> {
        let path = run.join(SUMMARY);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|source| ReadError::NotASummary { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ReadError::Read { path, source }),
        }
    }
}
