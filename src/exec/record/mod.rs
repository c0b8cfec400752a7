//! Records of what ran, and records put back into a run's directory.
//!
//! Only what a node itself did is recorded. A test's record holds every file of its directory; a prepare step's, its log.

pub mod audit;
pub mod observed_inputs;
pub(crate) mod recorder;
pub(crate) mod times;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atex_cache::{CacheError, Exporter, Outcome, Output, OutputFile, Record, Store, Stored, Ticket, mounts};
use atex_graph::{ActionKey, Node, NodeId, transcript};

use crate::compile::spec::{TestId, Workload};
use crate::control::{InfraKind, RESULTS, ResultStore, StoreError, Summary, Verdict};
use crate::exec::event::{Event, NodeOutcome, Seen};
use crate::exec::pending::{CachedTest, JobSpec};
use crate::exec::run::shared::{Shared, unix_now};
use crate::exec::rundir::{RunDir, RunDirError};
use crate::exec::schedule::{JobId, Skip};

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
pub(crate) struct Ran {
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

impl Ran {
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
pub(crate) fn step(shared: &Shared<'_>, ticket: Ticket, ran: Ran, log: &Path) -> Result<(), RecordError> {
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
pub(crate) fn test(shared: &Shared<'_>, ticket: Ticket, ran: Ran, dir: &Path) -> Result<(), RecordError> {
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

/// Removes a file, or a directory with all in it, if it is there.
fn remove(path: &Path) -> Result<(), RecordError> {
    let gone = |found: fs::Metadata| {
        if found.is_dir() {
            mounts::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }
    };
    fs::symlink_metadata(path)
        .and_then(gone)
        .or_else(|source| match source.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(RecordError::Io {
                path: path.to_owned(),
                source,
            }),
        })
}

/// Where records are put back: a run's directory, and what they come from.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) store: &'a Store,
    pub(crate) dir: &'a RunDir,
    /// See [`Event::NodeCached`].
    pub(crate) seen: Option<&'a Seen>,
}

/// A recorded test: what it and its node are called, and what it left.
#[derive(Clone, Copy)]
pub(crate) struct Recorded<'a> {
    pub(crate) name: &'a str,
    /// See [`RunDir::test`].
    pub(crate) plan: Option<&'a str>,
    pub(crate) label: &'a str,
    pub(crate) key: ActionKey,
    pub(crate) output: &'a Output,
}

impl<'a> Recorded<'a> {
    fn of(work: &'a Workload, (test, node): (TestId, NodeId), plan: Option<&'a str>, output: &'a Output) -> Self {
        let node = work.graph.node(node);
        Self {
            name: &work.test(test).name,
            plan,
            label: node.label(),
            key: node.key(),
            output,
        }
    }
}

impl Place<'_> {
    /// Puts a recorded test into the run's directory. Returns the event that tells so, or nothing where the cache has lost a
    /// part of the record: then the directory is as it was.
    pub(crate) fn restore(self, work: &Workload, exporter: &Exporter<'_>, cached: &CachedTest) -> Restored {
        let plan = cached.distinct_in.as_deref();
        let recorded = Recorded::of(work, (cached.test, cached.node), plan, &cached.record);
        self.put_back(exporter, recorded)
    }

    /// The same for a test that another process ran while this one waited.
    pub(crate) fn restore_job(self, work: &Workload, job: &JobSpec, record: Record) -> Restored {
        let key = record.key;
        let output = record.into_output();
        let recorded = Recorded {
            key,
            ..Recorded::of(work, (job.test, job.node), job.distinct_in.as_deref(), &output)
        };
        self.put_back(&self.store.blobs().exporter(), recorded)
    }

    /// Takes what was put back of a test out of the run's directory again.
    pub(crate) fn take_back(self, work: &Workload, (test, plan): (TestId, Option<&str>)) -> Result<(), RecordError> {
        let (relative, made) = self.dir.test(&work.test(test).name, plan, 1);
        made?;
        let dir = self.dir.path().join(relative);
        OWN.iter().try_for_each(|own| remove(&dir.join(own)))
    }

    /// The same for any test.
    pub(crate) fn put_back(self, exporter: &Exporter<'_>, recorded: Recorded<'_>) -> Restored {
        let Recorded {
            name,
            plan,
            label,
            key,
            output,
        } = recorded;
        let (relative, made) = self.dir.test(name, plan, 1);
        made?;
        let dir = self.dir.path().join(relative);
        let restored = put_files(exporter, output, &dir);
        if !matches!(restored, Ok(true)) {
            for own in OWN {
                remove(&dir.join(own))?;
            }
        }
        if !restored? {
            // The cache tells of it.
            self.store.holds(key, &output.files);
            return Ok(None);
        }
        let age = unix_now().saturating_sub(output.started + output.duration_ms / 1000);
        Ok(Some(Event::NodeCached {
            node: label.to_owned(),
            key: key.to_string(),
            sut: String::new(),
            age,
            outcome: NodeOutcome::Pass,
            seen: self.seen.cloned(),
        }))
    }
}

/// Puts the files of a record into a directory. Returns whether all were there.
fn put_files(exporter: &Exporter<'_>, output: &Output, dir: &Path) -> Result<bool, RecordError> {
    let mut made = "";
    for file in &output.files {
        if let Some((parent, _)) = file.path.rsplit_once('/').filter(|&(parent, _)| parent != made) {
            let path = dir.join(parent);
            fs::create_dir_all(&path).map_err(|source| RecordError::Io { path, source })?;
            made = parent;
        }
        if exporter.export(file.digest, &dir.join(&file.path))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What came of putting a record back.
pub(crate) type Restored = Result<Option<Event>, RecordError>;

/// Writes the one result of a test that never started.
pub(crate) fn never_started(
    shared: &Shared<'_>,
    dir: &Path,
    kind: InfraKind,
    note: &str,
) -> Result<Summary, RecordError> {
    let note = shared.options.mask.text(note).into_owned();
    ResultStore::infra(dir, kind, &note)?;
    Ok(Summary {
        verdict: Verdict::Infra,
        results: 1,
        counts: [("infra".to_owned(), 1)].into(),
        note: note.clone(),
        infra: Some((kind, note)),
        late: Vec::new(),
    })
}

/// Tells of a test that will not start (any more: there may have been attempts), and whether its one result could be written.
pub(crate) fn skipped(
    shared: &Shared<'_>,
    (job, attempt): (JobId, u32),
    skip: &Skip,
) -> (NodeOutcome, Event, Result<(), RecordError>) {
    let spec = shared.job(job);
    let (kind, reason) = match skip {
        Skip::Prepare(reason) => (InfraKind::Prepare, reason.clone()),
        Skip::Setup(reason) => (InfraKind::Setup, reason.clone()),
        Skip::Unreachable(reason) => (InfraKind::Unreachable, reason.clone()),
        Skip::Cancelled => (InfraKind::Cancelled, "cancelled before it started".to_owned()),
        Skip::Stopped(reason) => (InfraKind::Cancelled, reason.clone()),
    };
    let name = &shared.work.test(spec.test).name;
    let (relative, made) = shared.dir.test(name, spec.distinct_in.as_deref(), attempt);
    let (dir, note) = (shared.dir.path().join(relative), shared.options.mask.text(&reason));
    let written = made
        .map_err(RecordError::from)
        .and_then(|()| Ok(ResultStore::infra(&dir, kind, &note)?));
    let outcome = if kind == InfraKind::Cancelled {
        NodeOutcome::Cancelled
    } else {
        NodeOutcome::Infra
    };
    let (node, _) = shared.identify(spec.node);
    let event = Event::NodeSkipped {
        node,
        reason: format!("{}: {reason}", kind.as_str()),
        outcome,
    };
    (outcome, event, written)
}

/// Writes the result of a test that was broken off. What the test reported stays; where it is nothing, there is one result now.
pub(crate) fn result_of_broken_off(
    shared: &Shared<'_>,
    (job, attempt): (JobId, u32),
    reason: &str,
) -> Result<(), RecordError> {
    let spec = shared.job(job);
    let name = &shared.work.test(spec.test).name;
    let (relative, made) = shared.dir.test(name, spec.distinct_in.as_deref(), attempt);
    made?;
    let dir = shared.dir.path().join(relative);
    let results = dir.join(RESULTS);
    if fs::metadata(&results).is_ok_and(|results| results.len() == 0) {
        remove(&results)?;
    }
    if !results.exists() {
        ResultStore::infra(&dir, InfraKind::Aborted, &shared.options.mask.text(reason))?;
    }
    Ok(())
}

/// Tells of a test that was broken off.
pub(crate) fn broken_off(shared: &Shared<'_>, job: JobId, sut: &str, reason: &str) -> Event {
    let (node, key) = shared.identify(shared.job(job).node);
    Event::NodeFinished {
        node,
        key,
        sut: sut.to_owned(),
        outcome: NodeOutcome::Infra,
        duration: 0,
        note: format!("{}: {reason}", InfraKind::Aborted.as_str()),
        log: String::new(),
        results: BTreeMap::new(),
        again: false,
    }
}
