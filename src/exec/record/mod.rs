//! Records of what ran, and records put back into a run's directory.
//!
//! Only what a node itself did is recorded. A test's record holds every file of its directory; a prepare step's, its log.

pub mod audit;
pub(crate) mod durations;
pub(crate) mod infra_result;
pub mod observed_inputs;
pub(crate) mod recorder;
pub(crate) mod restore;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atex_cache::{CacheError, Outcome, OutputFile, Record, Stored, Ticket};
use atex_graph::{Node, NodeId, transcript};

use crate::control::{RESULTS, StoreError};
use crate::exec::run::shared::Shared;
use crate::exec::rundir::RunDirError;

/// What of a test's directory is the test's own: below it lie the directories of tests whose names go on from there.
const OWN: [&str; 3] = ["files", "output.txt", RESULTS];

/// The path of a step's output in its record.
const LOG: &str = "log";

/// A failure to keep what ran.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The run's directory.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A file of the run's directory.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The path at fault.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The results of a test that never started.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// When and where a node ran.
pub(crate) struct NodeRun {
    pub(crate) node: NodeId,
    /// The node with what it was seen to read, where that was looked at.
    pub(crate) observed: Option<Box<Node>>,
    pub(crate) sut: String,
    pub(crate) begun: u64,
    pub(crate) took: Duration,
    /// See [`Record::prepared`].
    pub(crate) prepared: Option<u64>,
    pub(crate) outcome: Outcome,
    pub(crate) meta: serde_json::Value,
}

impl NodeRun {
    fn into_record(self, shared: &Shared<'_>, files: Vec<OutputFile>) -> Record {
        let node = (self.observed.as_deref()).unwrap_or_else(|| shared.work.graph.node(self.node));
        let mut names = node.names().iter().map(ToString::to_string);
        Record {
            key: node.key(),
            name: names.next().unwrap_or_default(),
            aliases: names.collect(),
            kind: node.kind(),
            sut: self.sut,
            started: self.begun,
            duration_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            prepared: self.prepared,
            outcome: self.outcome,
            inputs: transcript(node),
            files,
            meta: self.meta,
        }
    }
}

/// Records a prepare step with its log.
pub(crate) fn step(shared: &Shared<'_>, ticket: Ticket, ran: NodeRun, log: &Path) -> Result<(), RecordError> {
    let Stored { digest, size } = shared.store.blobs().put_file(log)?;
    let files = vec![OutputFile {
        path: LOG.to_owned(),
        digest,
        size,
    }];
    let record = ran.into_record(shared, files);
    Ok(ticket.commit(record)?)
}

/// Records a test with everything that its directory holds.
pub(crate) fn test(shared: &Shared<'_>, ticket: Ticket, ran: NodeRun, dir: &Path) -> Result<(), RecordError> {
    let mut paths = Vec::new();
    for own in OWN {
        collect(dir, Path::new(own), &mut paths)?;
    }
    let mut batch = shared.store.blobs().batch();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let Stored { digest, size } = batch.put_file(&dir.join(&path))?;
        // A name that is no UTF-8 cannot come from a result: names are JSON.
        if let Ok(path) = path.into_os_string().into_string() {
            files.push(OutputFile { path, digest, size });
        }
    }
    batch.finish()?;
    let record = ran.into_record(shared, files);
    Ok(ticket.commit(record)?)
}

/// Lists what is a file at `below` in `dir`, or below that, sorted.
fn collect(dir: &Path, below: &Path, paths: &mut Vec<PathBuf>) -> Result<(), RecordError> {
    let path = dir.join(below);
    let error = |source| RecordError::Io {
        path: path.clone(),
        source,
    };
    let kind = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata.file_type(),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(error(source)),
    };
    if !kind.is_dir() {
        // Links are the store's own, to the test's output.
        if kind.is_file() || kind.is_symlink() {
            paths.push(below.to_owned());
        }
        return Ok(());
    }
    let entries = fs::read_dir(&path).map_err(error)?.collect::<Result<Vec<_>, _>>();
    let mut names: Vec<_> = entries.map_err(error)?.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    names.iter().try_for_each(|name| collect(dir, &below.join(name), paths))
}
