//! Restores recorded tests from the cache into the directory of a run.

use std::fs;
use std::io;
use std::path::Path;

use atex_cache::{Exporter, Record, RecordOutput, Store, mounts};
use atex_graph::{ActionKey, NodeId};

use crate::compile::spec::{TestId, Workload};
use crate::event::{Event, NodeOutcome, NodeRef, SeenSut};
use crate::exec::pending::{CachedTest, JobSpec};
use crate::exec::record::RecordError;
use crate::host::clock::unix_now;
use crate::rundir::{OWN, RunDir};

/// Puts records of the cache back into a run's directory.
#[derive(Clone, Copy)]
pub(crate) struct Restorer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) dir: &'a RunDir,
    /// See [`Event::NodeCached`].
    pub(crate) seen: Option<&'a SeenSut>,
}

/// A recorded test: its name, the label and key of its node, and what it left.
#[derive(Clone, Copy)]
pub(crate) struct Recorded<'a> {
    pub(crate) name: &'a str,
    /// See [`RunDir::test`].
    pub(crate) plan: Option<&'a str>,
    pub(crate) label: &'a str,
    pub(crate) key: ActionKey,
    pub(crate) output: &'a RecordOutput,
}

impl<'a> Recorded<'a> {
    fn of(work: &'a Workload, test: TestId, node: NodeId, plan: Option<&'a str>, output: &'a RecordOutput) -> Self {
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

impl Restorer<'_> {
    /// Puts a recorded test into the run's directory. Returns the event for it, or `None` if the cache has lost a part of the record; then
    /// the directory stays as it was.
    pub(crate) fn restore(self, work: &Workload, exporter: &Exporter<'_>, cached: &CachedTest) -> Restored {
        let plan = cached.distinct_in.as_deref();
        let recorded = Recorded::of(work, cached.test, cached.node, plan, &cached.record);
        self.put_back(exporter, recorded)
    }

    /// Does the same for a test that another process ran while this one waited.
    pub(crate) fn restore_job(self, work: &Workload, job: &JobSpec, record: Record) -> Restored {
        let key = record.key;
        let output = record.into_output();
        let recorded = Recorded {
            key,
            ..Recorded::of(work, job.test, job.node, job.distinct_in.as_deref(), &output)
        };
        self.put_back(&self.store.blobs().exporter(), recorded)
    }

    /// Removes a restored test from the run's directory again.
    pub(crate) fn take_back(self, work: &Workload, test: TestId, plan: Option<&str>) -> Result<(), RecordError> {
        let (relative, made) = self.dir.test(&work.test(test).name, plan, 1);
        made?;
        let dir = self.dir.path().join(relative);
        OWN.iter().try_for_each(|own| remove(&dir.join(own)))
    }

    /// Does the same as [`Restorer::restore`] for any recorded test.
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
            // The cache checks the record and notes that it is damaged.
            self.store.holds(key, &output.files);
            return Ok(None);
        }
        let age = unix_now().saturating_sub(output.started + output.duration_ms / 1000);
        Ok(Some(Event::NodeCached {
            node: NodeRef::test(label),
            key: key.to_string(),
            sut: String::new(),
            age: age * 1000,
            outcome: NodeOutcome::Pass,
            seen: self.seen.cloned(),
        }))
    }
}

/// Restores the files of a record into a directory. Returns whether the cache had all of them.
fn put_files(exporter: &Exporter<'_>, output: &RecordOutput, dir: &Path) -> Result<bool, RecordError> {
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

/// The result of restoring a record.
pub(crate) type Restored = Result<Option<Event>, RecordError>;

/// Removes a file, or a directory with everything in it, if it exists.
pub(super) fn remove(path: &Path) -> Result<(), RecordError> {
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
