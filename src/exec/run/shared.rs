//! What the scheduler and all workers of a run read: the workload, the options, the cache, the run's directory and logs.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use atex_cache::{CacheError, Lookup, Outcome, Record, Store};
use atex_graph::{Node, NodeId};

use crate::compile::spec::{PlanSpec, StepId, TestSpec, UploadFile, UploadId, UploadKind, UploadSpec, Workload};
use crate::exec::attempt::log::RunLog;
use crate::exec::event::{Event, NodeOutcome, Seen, Stamped};
use crate::exec::options::Options;
use crate::exec::pending::{Agenda, JobSpec, LaneSpec};
use crate::exec::record::observed_inputs::{self, MOST_FILES, Tree};
use crate::exec::record::{Place, RecordError};
use crate::exec::rundir::RunDir;
use crate::exec::schedule::{Input, JobId, LaneId, Said, SutId};
use crate::sut::files::{FileEntry, FileKind};
use crate::sut::trouble::without_os_numbers;
use crate::sut::{Cancel, EnvFile, FileSet, Project, Upload};

/// Everything of a run that does not change while it runs.
pub(crate) struct Shared<'a> {
    pub(crate) work: &'a Workload,
    pub(crate) agenda: &'a Agenda,
    pub(crate) options: &'a Options,
    pub(crate) store: &'a Store,
    pub(crate) dir: &'a RunDir,
    pub(crate) seen: Option<&'a Seen>,
    pub(crate) cancel: Cancel,
    /// Whose the trees are.
    pub(crate) project: &'a Project,
    /// The slot of each upload.
    pub(crate) slots: Vec<String>,
    pub(crate) prepare_log: RunLog,
    pub(crate) finish_log: RunLog,
    /// One for each upload of the workload.
    pub(crate) files: Vec<Files>,
    /// The same by name, of those that were asked for.
    pub(crate) trees: Vec<OnceLock<Arc<Tree>>>,
    /// Whether a job of the run has to be seen reading.
    pub(crate) observes: bool,
    /// Whether it was told that the cache cannot be used.
    pub(crate) cache_failed: AtomicBool,
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
    /// An attempt of a test is over, or of all that share a tree; the result lines are on disk.
    Verdict(Said, Vec<Told>),
    /// Somebody else holds the SUT that is opened.
    Held,
    /// The answer to the last command.
    Answer(Input),
    /// The host cannot go on (a full disk, say); the run ends.
    HostFailed(String),
    /// The host cannot write what one test did; the run goes on.
    NotWritten(String),
    /// A defect in atex: the worker of the SUT of this name is no more.
    Panicked(String),
}

/// What came of an attempt.
pub(crate) struct Told {
    pub(crate) job: JobId,
    pub(crate) outcome: NodeOutcome,
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

    /// Tells that what a node did is not recorded, and why.
    pub(crate) fn not_recorded(&self, node: &str, error: &RecordError) {
        let why = without_os_numbers(&error.to_string());
        let text = format!("`{node}` is not recorded, and will run again: {why}");
        self.event(Event::Warning { text });
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

    pub(crate) fn slot(&self, upload: UploadId) -> &str {
        &self.slots[upload.0 as usize]
    }

    /// A tree, as SUTs take it.
    pub(crate) fn upload(&self, upload: UploadId) -> Upload {
        Upload {
            slot: self.slot(upload).to_owned(),
            files: self.files[upload.0 as usize].now(),
            observed: self.observes && self.work.upload(upload).files.len() <= MOST_FILES,
        }
    }

    /// Looks again at the file of a list that was not what the list says. What depends on it is not recorded.
    pub(crate) fn look_again(&self, upload: UploadId, list: &FileSet, index: usize) {
        self.files[upload.0 as usize].look_again(list, index);
    }

    /// Returns a file of the tree that is an input of the node, or of a step that it stands on, and is not what the key says.
    pub(crate) fn unsettled(&self, upload: UploadId, chain: &[StepId], node: &Node) -> Option<String> {
        let unsettled = self.files[upload.0 as usize].unsettled();
        let steps = || {
            chain
                .iter()
                .map(|&step| self.work.graph.node(self.work.step(step).node))
        };
        unsettled
            .into_iter()
            .find(|path| steps().chain([node]).any(|node| node.reads(path)))
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

    /// A test, and those that run after it in the same tree.
    pub(crate) fn together(&self, first: JobId) -> impl Iterator<Item = JobId> + use<'a> {
        self.agenda.together(first)
    }

    pub(crate) fn test(&self, job: JobId) -> &'a TestSpec {
        self.work.test(self.job(job).test)
    }

    /// Whether a record of a test is taken in place of running it.
    pub(crate) fn stands(&self, job: &JobSpec, record: &Record) -> bool {
        let is_prepared = !self.chain(job.lane).is_empty();
        record.outcome == Outcome::Passed && self.options.believes(record.prepared, is_prepared)
    }

    /// Claims a test that is to be run, if no record of it stands and no other process runs it.
    pub(crate) fn claim(&self, job: JobId) -> Result<Lookup, CacheError> {
        let spec = self.job(job);
        let tree = || self.tree(self.lane(spec.lane).upload);
        let stands = |record: &Record| self.stands(spec, record);
        observed_inputs::claim(self.store, self.work.graph.node(spec.node), tree, stands)
    }

    /// The name of a node for people, and its key in hex.
    pub(crate) fn identify(&self, node: NodeId) -> (String, String) {
        identify(self.work, node)
    }

    pub(crate) fn place(&self) -> Place<'a> {
        Place {
            store: self.store,
            dir: self.dir,
            seen: self.seen,
        }
    }
}

/// The files of a tree as SUTs get them.
pub(crate) struct Files(Mutex<Current>);

struct Current {
    list: Arc<FileSet>,
    /// Those that were something else when the keys were made, as input files are called.
    unsettled: BTreeSet<String>,
}

impl Files {
    fn new(list: FileSet) -> Self {
        Self(Mutex::new(Current {
            list: Arc::new(list),
            unsettled: BTreeSet::new(),
        }))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Arc<FileSet> {
        Arc::clone(&self.current().list)
    }

    fn unsettled(&self) -> BTreeSet<String> {
        self.current().unsettled.clone()
    }

    /// Another worker may have looked already: then there is another list.
    fn look_again(&self, list: &FileSet, index: usize) {
        let mut current = self.current();
        let entry = &list.files[index];
        let Some(at) = current
            .list
            .files
            .iter()
            .position(|other| other.path == entry.path && other.kind == entry.kind)
        else {
            return;
        };
        let mut files = current.list.files.clone();
        match UploadKind::of(&entry.source) {
            Some(kind) => files[at].kind = kind_of(&kind),
            None => drop(files.remove(at)),
        }
        current.list = Arc::new(FileSet { files });
        current.unsettled.insert(UploadFile::input_name(&entry.path));
    }
}

fn kind_of(kind: &UploadKind) -> FileKind {
    match kind {
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
    }
}

/// The name of a node for people, and its key in hex.
pub(crate) fn identify(work: &Workload, node: NodeId) -> (String, String) {
    let node = work.graph.node(node);
    (node.label().to_string(), node.key().to_string())
}

/// Turns the uploads of a workload into what SUTs take.
pub(crate) fn file_sets(work: &Workload) -> Vec<Files> {
    let entry = |file: &UploadFile| FileEntry {
        path: file.path.clone(),
        source: file.source.clone(),
        kind: kind_of(&file.kind),
    };
    let set = |upload: &UploadSpec| {
        Files::new(FileSet {
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
