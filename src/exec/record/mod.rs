//! Records of nodes in the cache: what a run keeps there, and what is restored from there.
//!
//! Only what a node itself did is recorded, never a failure of the infrastructure. The record of a test contains every file of
//! the test's directory; the record of a prepare step contains its log.

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

use atex_cache::{CacheError, OutputFile, Record, RecordOutcome, Stored, Ticket};
use atex_graph::{Node, NodeId, transcript};

use crate::control::StoreError;
use crate::exec::run::shared::Shared;
use crate::rundir::{OWN, RunDirError};

/// The path of a step's output in its record.
const LOG: &str = "log";

/// Why a result could not be written or recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The test's directory could not be made.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A file of the run's directory could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The path at fault.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The results could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// When and where a node ran, for its record.
pub(crate) struct NodeRun {
    pub(crate) node: NodeId,
    /// The node with the files it was seen to read as inputs, if they were observed.
    pub(crate) observed: Option<Box<Node>>,
    pub(crate) sut: String,
    pub(crate) begun: u64,
    pub(crate) took: Duration,
    /// See [`Record::prepared`].
    pub(crate) prepared: Option<u64>,
    pub(crate) outcome: RecordOutcome,
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
        // The names in results are JSON, so a name that is not UTF-8 belongs to no result.
        if let Ok(path) = path.into_os_string().into_string() {
            files.push(OutputFile { path, digest, size });
        }
    }
    batch.finish()?;
    let record = ran.into_record(shared, files);
    Ok(ticket.commit(record)?)
}

/// Lists the file at `below` in `dir`, or all files under that directory, sorted.
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
        // A link here was made by atex and leads to the test's output.
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
