//! Writes and reads `run.json`, the summary of a complete run.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ReadError, SUMMARY};
use crate::event::{Mode, NodeOutcome};
use crate::exit::Exit;
use crate::json_version::JsonVersion;

/// What is known of a run before it starts and is not in any event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunInfo {
    /// The root of the fmf tree.
    pub tree: String,
    /// The digest, in hexadecimal, of everything that the run was compiled from.
    pub tree_digest: String,
    /// The context of the run.
    pub context: BTreeMap<String, Vec<String>>,
}

/// The content of `run.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunSummary {
    /// The version of this form.
    pub version: JsonVersion,
    /// The run's id.
    pub run: String,
    /// The command, or `None` until the run starts.
    pub command: Option<Mode>,
    /// When it started, in milliseconds since the epoch.
    pub started: u64,
    /// How long it took, in milliseconds.
    pub duration: u64,
    /// The names of the plans.
    pub plans: Vec<String>,
    /// The names of the SUTs.
    pub suts: Vec<String>,
    /// The tree and the context.
    #[serde(flatten)]
    pub info: RunInfo,
    /// The number of tests by outcome.
    pub tests: BTreeMap<NodeOutcome, u64>,
    /// How many of these tests were taken from the cache.
    pub cached: u64,
    /// The exit code of the process.
    pub exit_code: Exit,
}

impl RunSummary {
    /// Starts the summary of a run that has not begun.
    pub fn new(info: RunInfo) -> Self {
        Self {
            version: JsonVersion,
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

    /// Writes the file to the run's directory. A rename makes it appear whole and synced.
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
