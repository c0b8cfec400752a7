//! The directory of one run: its layout, its names, and the form of its files, for those who write it and those who read it.
//!
//! ```text
//! <runs>/latest                           a link to the newest run
//! <run>/events.jsonl                      what happened, as it happens: one event a line
//! <run>/run.json                          the whole run in short; written last, by rename
//! <run>/prepare.log  <run>/finish.log     what the scripts of these steps printed
//! <run>/plan-data/<plan>/<SUT>/           the data of a plan (`TMT_PLAN_DATA`) at its end on a SUT
//! <run>/tests/<test name>/results.jsonl   the first attempt of a test: its results, one a line
//! <run>/tests/<test name>/files/          what it uploaded, and what it printed (`output.txt`)
//! <run>/tests/<test name>/output.txt      what it printed, where the test uploaded an `output.txt` of its own
//! <run>/tests/<test name>/attempt-2/…     its second attempt
//! <run>/tests/<test name>/@plans:b/…      the same test in a further plan of the run that runs it differently
//! ```
//!
//! A run is complete if `run.json` is there. Without it, the run is still going on or was broken off. Both can be read: every
//! reader here takes only whole lines, and ignores a last line without its newline.
//!
//! How the name of a test becomes a path, and is read back, is in `test_path`. `attempt` finds the attempts of a run, `results`
//! and `events` read and write lines, and `summary` is `run.json`. The files of an attempt are written by
//! [`ResultStore`](crate::control::ResultStore), because their content is the test's own choice.

mod attempt;
mod events;
mod lines;
mod results;
mod summary;
mod test_path;

pub use attempt::{OWN, StoredAttempt, output_of};
pub use events::{EventReader, EventWriter};
pub use results::{ResultReader, StoredResult};
pub use summary::{RunInfo, RunSummary};
pub use test_path::test_path;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use atex_cache::ownership::{self, Foreign};

/// The file with the events.
pub const EVENTS: &str = "events.jsonl";
/// The file that makes a run complete.
pub const SUMMARY: &str = "run.json";
/// What the scripts of prepare steps printed.
pub const PREPARE_LOG: &str = "prepare.log";
/// What the scripts of finish steps printed.
pub const FINISH_LOG: &str = "finish.log";
/// The directory of the tests' results.
const TESTS: &str = "tests";
/// The directory of the data of plans.
const PLAN_DATA: &str = "plan-data";
/// The link to the newest run.
const LATEST: &str = "latest";

/// The error for a run's directory that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A directory cannot be listed.
    #[error("cannot read `{}`: {source}", path.display())]
    List {
        /// The path of the directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be opened.
    #[error("cannot open `{}`: {source}", path.display())]
    Open {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be read to its end.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line is not a result.
    #[error("`{}:{line}` is no result", path.display())]
    NotAResult {
        /// The path of the file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
    },
    /// A line is not an event.
    #[error("`{}:{line}` is no event: {source}", path.display())]
    NotAnEvent {
        /// The path of the file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// `run.json` has another version, or is not what a run writes.
    #[error("`{}` does not describe a run: {source}", path.display())]
    NotASummary {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The error for a run's directory that cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The directory that the user named is not empty.
    #[error("the output directory `{}` is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// Other users can write to the directory, or put another directory in its place.
    #[error("the run's directory `{}` is not used: {source}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Who can do that.
        source: Foreign,
    },
    /// The operating system refused.
    #[error("cannot use the run's directory `{}`: {source}", path.display())]
    Io {
        /// The path at fault.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The directory of one run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
    id: String,
}

impl RunDir {
    /// Uses the directory that the user named, which must be empty or not exist.
    pub fn at(path: &Path) -> Result<Self, RunDirError> {
        let error = |source| RunDirError::Io {
            path: path.to_owned(),
            source,
        };
        make_own(path)?;
        if fs::read_dir(path).map_err(error)?.next().is_some() {
            return Err(RunDirError::NotEmpty(path.to_owned()));
        }
        Ok(Self::named(path.canonicalize().map_err(error)?))
    }

    fn named(path: PathBuf) -> Self {
        let id = path
            .file_name()
            .map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned());
        Self { path, id }
    }

    /// Opens the directory of an earlier run, complete or not. Returns `None` if there is none.
    pub fn open(path: &Path) -> Option<Self> {
        let is_run = path.join(TESTS).is_dir() || path.join(EVENTS).is_file();
        is_run.then(|| Self::named(path.to_owned()))
    }

    /// Opens the newest run below `runs`.
    pub fn latest(runs: &Path) -> Option<Self> {
        let path = runs.join(LATEST);
        path.is_dir().then(|| Self::named(path))
    }

    /// Lists what is in `runs`, by name. The list is empty if `runs` does not exist.
    pub fn known(runs: &Path) -> Result<Vec<String>, ReadError> {
        match fs::read_dir(runs) {
            Ok(entries) => Ok(entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(ReadError::List {
                path: runs.to_owned(),
                source,
            }),
        }
    }

    /// Makes a new directory `<time>-<id>` below `runs` and points `runs/latest` to it.
    pub fn create(runs: &Path, now: jiff::Timestamp) -> Result<Self, RunDirError> {
        make_own(runs)?;
        loop {
            let id = format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), random_hex());
            let path = runs.join(&id);
            match DirBuilder::new().mode(0o755).create(&path) {
                Ok(()) => {
                    // The link is a convenience, so if something is in its way, the run goes on all the same.
                    let _names_an_older_one = point_latest(runs, &id);
                    return Ok(Self { path, id });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(RunDirError::Io { path, source }),
            }
        }
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the run's id, which is the directory's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Makes the directory for a test's attempt, which counts from 1. Returns its path relative to the run's directory, and
    /// whether it could be made. `plan` is given only if another plan of the run has taken the plain path for a test of this
    /// name.
    pub fn test(&self, name: &str, plan: Option<&str>, attempt: u32) -> (PathBuf, Result<(), RunDirError>) {
        let relative = test_path(name, plan, attempt);
        let path = self.path.join(&relative);
        let made = make(&path).map_err(|source| RunDirError::Io { path, source });
        (relative, made)
    }

    /// Returns the directory for the data of a plan on a SUT.
    pub fn plan_data(&self, plan: &str, sut: &str) -> PathBuf {
        self.path.join(PLAN_DATA).join(test_path::of_plan_data(plan, sut))
    }

    /// Lists the attempts of all tests, sorted by name.
    pub fn attempts(&self) -> Result<Vec<StoredAttempt>, ReadError> {
        attempt::find(&self.path.join(TESTS))
    }

    /// Reads the events from the first one on.
    pub fn events(&self) -> Result<EventReader, ReadError> {
        EventReader::open(&self.path.join(EVENTS))
    }

    /// Reads the summary of the run. Returns `None` while the run is going on, and also if it was broken off.
    pub fn summary(&self) -> Result<Option<RunSummary>, ReadError> {
        RunSummary::read(&self.path)
    }
}

/// Makes a directory that only this user can write to.
fn make_own(path: &Path) -> Result<(), RunDirError> {
    ownership::make(path, 0o755).map_err(|source| match source {
        Foreign::Io { path, source, .. } => RunDirError::Io { path, source },
        source => RunDirError::Foreign {
            path: path.to_owned(),
            source,
        },
    })
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Points `latest` at a run by rename, so that concurrent runs never leave it missing.
fn point_latest(runs: &Path, id: &str) -> io::Result<()> {
    let temporary = runs.join(format!(".latest-{}", random_hex()));
    symlink(id, &temporary)?;
    fs::rename(&temporary, runs.join(LATEST)).inspect_err(|_| {
        let _stays = fs::remove_file(&temporary);
    })
}

fn random_hex() -> String {
    let mut bytes = [0_u8; 4];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = std::process::id().to_ne_bytes();
    }
    format!("{:08x}", u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_directory_with_content_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        RunDir::at(&dir.path().join("new/deep")).unwrap();
        fs::write(dir.path().join("kept"), "").unwrap();
        assert!(matches!(RunDir::at(dir.path()), Err(RunDirError::NotEmpty(_))));
    }

    #[test]
    fn latest_names_the_newest_run() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            let run = RunDir::create(dir.path(), jiff::Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(fs::read_link(dir.path().join("latest")).unwrap(), Path::new(run.id()));
        }
    }
}
