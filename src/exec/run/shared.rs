//! The data that the event loop and all workers of a run share: the workload, the options, the cache, the run's directory and logs.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use atex_cache::{CacheError, Lookup, Record, RecordOutcome, Store};
use atex_graph::{Node, NodeId};

use crate::compile::spec::{PlanSpec, StepId, TestSpec, UploadId, Workload};
use crate::event::{NodeRef, SeenSut};
use crate::exec::attempt::log::RunLog;
use crate::exec::options::Options;
use crate::exec::pending::{JobSpec, LaneSpec, PendingWork};
use crate::exec::record::observed_inputs::{self, InputTree, MOST_FILES};
use crate::exec::record::restore::Restorer;
use crate::exec::run::upload_files::UploadedFiles;
use crate::exec::schedule::{JobId, LaneId};
use crate::rundir::RunDir;
use crate::sut::{Cancel, EnvFile, Project, SlotFiles, Upload};

/// Everything of a run that does not change while it runs.
pub(crate) struct Shared<'a> {
    pub(crate) work: &'a Workload,
    pub(crate) pending: &'a PendingWork,
    pub(crate) options: &'a Options,
    pub(crate) store: &'a Store,
    pub(crate) dir: &'a RunDir,
    pub(crate) seen: Option<&'a SeenSut>,
    pub(crate) cancel: Cancel,
    /// The project that the trees belong to.
    pub(crate) project: &'a Project,
    /// The slot of each upload.
    pub(crate) slots: Vec<String>,
    pub(crate) prepare_log: RunLog,
    pub(crate) finish_log: RunLog,
    /// The files of each upload of the workload.
    pub(crate) files: Vec<UploadedFiles>,
    /// The same files by name, built when they are first asked for.
    pub(crate) trees: Vec<OnceLock<Arc<InputTree>>>,
    /// Whether the reads of any job of the run have to be observed.
    pub(crate) observes: bool,
    /// Whether the user was warned that the cache cannot be used.
    pub(crate) cache_failed: AtomicBool,
    /// A text that no other run has.
    pub(crate) mark: String,
    /// Whether the user was told that a test changed the data of its plan.
    pub(crate) told_changed_data: AtomicBool,
}

impl<'a> Shared<'a> {
    pub(crate) fn lane(&self, lane: LaneId) -> &'a LaneSpec {
        &self.pending.lanes[lane.0 as usize]
    }

    pub(crate) fn plans(&self, lane: LaneId) -> impl Iterator<Item = &'a PlanSpec> + use<'a> {
        let work = self.work;
        self.lane(lane).plans.iter().map(|&plan| work.plan(plan))
    }

    /// Returns the prepare steps of a lane, which are the same for each of its plans.
    pub(crate) fn chain(&self, lane: LaneId) -> &'a [StepId] {
        let work = self.work;
        self.lane(lane)
            .plans
            .first()
            .map_or(&[], |&plan| &work.plan(plan).chain)
    }

    /// Returns which environment file belongs to a chain.
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

    /// Returns a tree in the form in which it is sent to SUTs.
    pub(crate) fn upload(&self, upload: UploadId) -> Upload {
        Upload {
            slot: self.slot(upload).to_owned(),
            files: self.files[upload.0 as usize].now(),
            observed: self.observes && self.work.upload(upload).files.len() <= MOST_FILES,
        }
    }

    /// Reads a file again that was not what the list says. What depends on this file is not recorded.
    pub(crate) fn look_again(&self, upload: UploadId, list: &SlotFiles, index: usize) {
        self.files[upload.0 as usize].look_again(list, index);
    }

    /// Returns a file that is an input of the node, or of a prepare step before it, and whose content is not what the key says.
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

    /// Returns the files of a tree by name.
    pub(crate) fn tree(&self, upload: UploadId) -> Arc<InputTree> {
        let tree = || Arc::new(InputTree::of(self.work.upload(upload)));
        Arc::clone(self.trees[upload.0 as usize].get_or_init(tree))
    }

    pub(crate) fn job(&self, job: JobId) -> &'a JobSpec {
        let pending = self.pending;
        &pending.jobs[job.0 as usize]
    }

    /// Returns a test, and the tests that run after it in the same tree.
    pub(crate) fn together(&self, first: JobId) -> impl Iterator<Item = JobId> + use<'a> {
        self.pending.together(first)
    }

    pub(crate) fn test(&self, job: JobId) -> &'a TestSpec {
        self.work.test(self.job(job).test)
    }

    /// Returns whether a record of a test is taken in place of running it.
    pub(crate) fn stands(&self, job: &JobSpec, record: &Record) -> bool {
        let is_prepared = !self.chain(job.lane).is_empty();
        record.outcome == RecordOutcome::Passed && self.options.believes(record.prepared, is_prepared)
    }

    /// Claims a test that is to be run, if no record of it stands and no other process runs it.
    pub(crate) fn claim(&self, job: JobId) -> Result<Lookup, CacheError> {
        let spec = self.job(job);
        let tree = || self.tree(self.lane(spec.lane).upload);
        let stands = |record: &Record| self.stands(spec, record);
        observed_inputs::claim(self.store, self.work.graph.node(spec.node), tree, stands)
    }

    /// How events name a node, and its key in hexadecimal.
    pub(crate) fn identify(&self, node: NodeId) -> (NodeRef, String) {
        identify(self.work, node)
    }

    pub(crate) fn restorer(&self) -> Restorer<'a> {
        Restorer {
            store: self.store,
            dir: self.dir,
            seen: self.seen,
        }
    }
}

/// How events name a node, and its key in hexadecimal.
pub(crate) fn identify(work: &Workload, node: NodeId) -> (NodeRef, String) {
    let node = work.graph.node(node);
    (node.into(), node.key().to_string())
}
