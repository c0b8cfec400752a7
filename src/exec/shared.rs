//! What the scheduler and all workers of a run read: the workload, the options, the cache, the run's directory and logs.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use atex_cache::Store;
use atex_graph::NodeId;

use crate::compile::spec::{PlanSpec, StepId, TestSpec, UploadId, Workload};
use crate::exec::agenda::{Agenda, JobSpec, LaneSpec};
use crate::exec::event::{Event, NodeOutcome, Stamped};
use crate::exec::log::RunLog;
use crate::exec::observing::{MOST_FILES, Tree};
use crate::exec::options::Options;
use crate::exec::recording::Place;
use crate::exec::rundir::RunDir;
use crate::exec::schedule::{Input, JobId, LaneId, Said, SutId};
use crate::sut::files::{FileEntry, FileKind};
use crate::sut::{Cancel, EnvFile, FileSet, Upload};

/// Everything of a run that does not change while it runs.
pub(crate) struct Shared<'a> {
    pub(crate) work: &'a Workload,
    pub(crate) agenda: &'a Agenda,
    pub(crate) options: &'a Options,
    pub(crate) store: &'a Store,
    pub(crate) dir: &'a RunDir,
    pub(crate) cancel: Cancel,
    pub(crate) prepare_log: RunLog,
    pub(crate) finish_log: RunLog,
    /// One for each upload of the workload.
    pub(crate) files: Vec<Arc<FileSet>>,
    /// The same by name, of those that were asked for.
    pub(crate) trees: Vec<OnceLock<Arc<Tree>>>,
    /// Whether a job of the run has to be seen reading.
    pub(crate) observes: bool,
}

/// What a worker tells the scheduler.
pub(crate) struct Message {
    pub(crate) sut: SutId,
    pub(crate) what: What,
}

/// The kinds of messages.
pub(crate) enum What {
    /// For the reporters.
    Event(Stamped),
    /// A prepare or finish step failed.
    StepFailed,
    /// An attempt of a test is over; the result lines are on disk.
    Verdict(Box<Told>),
    /// Somebody else holds the SUT that is opened.
    Held,
    /// The answer to the last command.
    Answer(Input),
    /// The host cannot go on (a full disk, say); the run ends.
    HostFailed(String),
    /// A defect in atex: the worker of the SUT of this name is no more.
    Panicked(String),
}

/// What came of an attempt.
pub(crate) struct Told {
    pub(crate) job: JobId,
    pub(crate) outcome: NodeOutcome,
    pub(crate) said: Said,
    pub(crate) cached: bool,
    /// The event that tells of it.
    pub(crate) event: Stamped,
}

/// A worker's way to the scheduler.
#[derive(Clone)]
pub(crate) struct Outbox {
    pub(crate) sut: SutId,
    pub(crate) sender: SyncSender<Message>,
}

impl Outbox {
    pub(crate) fn send(&self, what: What) {
        // The scheduler hears all workers out; where it is gone the process ends anyway.
        let _ = self.sender.send(Message { sut: self.sut, what });
    }

    pub(crate) fn event(&self, event: Event) {
        self.send(What::Event(stamp(event)));
    }
}

impl<'a> Shared<'a> {
    pub(crate) fn lane(&self, lane: LaneId) -> &'a LaneSpec {
        &self.agenda.lanes[lane.0 as usize]
    }

    pub(crate) fn plans(&self, lane: LaneId) -> impl Iterator<Item = &'a PlanSpec> + use<'a> {
        let work = self.work;
        self.lane(lane).plans.iter().map(|&plan| work.plan(plan))
    }

    /// The prepare steps of a lane: those of any of its plans.
    pub(crate) fn chain(&self, lane: LaneId) -> &'a [StepId] {
        let work = self.work;
        self.lane(lane)
            .plans
            .first()
            .map_or(&[], |&plan| &work.plan(plan).chain)
    }

    /// Which environment file belongs to a chain.
    pub(crate) fn env_file(chain: &[StepId]) -> EnvFile {
        if chain.is_empty() {
            EnvFile::Base
        } else {
            EnvFile::Prepared
        }
    }

    pub(crate) fn slot(&self, upload: UploadId) -> &'a str {
        &self.work.upload(upload).slot
    }

    /// A tree, as SUTs take it.
    pub(crate) fn upload(&self, upload: UploadId) -> Upload {
        Upload {
            slot: self.slot(upload).to_owned(),
            files: self.files[upload.0 as usize].clone(),
            observed: self.observes && self.files[upload.0 as usize].files.len() <= MOST_FILES,
        }
    }

    /// The files of a tree by name.
    pub(crate) fn tree(&self, upload: UploadId) -> Arc<Tree> {
        let tree = || Arc::new(Tree::of(self.work.upload(upload)));
        Arc::clone(self.trees[upload.0 as usize].get_or_init(tree))
    }

    pub(crate) fn job(&self, job: JobId) -> &'a JobSpec {
        let agenda = self.agenda;
        &agenda.jobs[job.0 as usize]
    }

    pub(crate) fn test(&self, job: JobId) -> &'a TestSpec {
        self.work.test(self.job(job).test)
    }

    /// The name of a node for people, and its key in hex.
    pub(crate) fn identify(&self, node: NodeId) -> (String, String) {
        identify(self.work, node)
    }

    pub(crate) fn place(&self) -> Place<'a> {
        Place {
            store: self.store,
            dir: self.dir,
        }
    }
}

/// The name of a node for people, and its key in hex.
pub(crate) fn identify(work: &Workload, node: NodeId) -> (String, String) {
    let node = work.graph.node(node);
    (node.label().to_string(), node.key().to_string())
}

/// Turns the uploads of a workload into what SUTs take.
pub(crate) fn file_sets(work: &Workload) -> Vec<Arc<FileSet>> {
    use crate::compile::spec::UploadKind;
    let set = |upload: &crate::compile::spec::UploadSpec| {
        let entry = |file: &crate::compile::spec::UploadFile| FileEntry {
            path: file.path.clone(),
            source: file.source.clone(),
            kind: match &file.kind {
                UploadKind::File {
                    digest,
                    executable,
                    size,
                } => FileKind::File {
                    digest: *digest.as_bytes(),
                    executable: *executable,
                    size: *size,
                },
                UploadKind::Symlink(target) => FileKind::Symlink(target.clone()),
                UploadKind::Directory => FileKind::Directory,
            },
        };
        Arc::new(FileSet {
            files: upload.files.iter().map(entry).collect(),
        })
    };
    work.uploads.iter().map(set).collect()
}

/// Puts the time on an event.
pub(crate) fn stamp(event: Event) -> Stamped {
    Stamped {
        time: unix_millis(),
        event,
    }
}

/// Milliseconds since the epoch.
pub(crate) fn unix_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds since the epoch.
pub(crate) fn unix_now() -> u64 {
    unix_millis() / 1000
}
