//! Asks the SUT which files a job read, and makes these files inputs of the job's node.

use atex_graph::Node;

use crate::compile::spec::{StepId, UploadId};
use crate::event::Event;
use crate::exec::record::observed_inputs::{InputTree, MOST_FILES, Paths, beside, remember, unknown};
use crate::exec::schedule::JobId;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::{Reads, Trouble};

impl Worker<'_> {
    /// Asks the machine which files of a tree were read since it was sent. Returns `None` if the reads cannot be seen, or need
    /// not be.
    pub(crate) fn ask_reads(&mut self, upload: UploadId) -> Result<Option<Reads>, Trouble> {
        if !self.shared.upload(upload).observed {
            return Ok(None);
        }
        let read = self.sut.reads(self.shared.slot(upload))?;
        if read.is_none() {
            self.tell_unseen();
        }
        Ok(read)
    }

    /// Returns a test's node with the files it read as inputs, if they were seen, or `None` if the cache cannot remember them.
    pub(crate) fn observed_with(&self, job: JobId, read: Option<&Reads>) -> Option<Node> {
        let shared = self.shared;
        let spec = shared.job(job);
        let test = shared.work.test(spec.test);
        let node = shared.work.graph.node(spec.node);
        // Without an observation, the inputs are those of an earlier run that passed, or those of the rules.
        let Some(read) = read else { return Some(node.clone()) };
        let tree = shared.tree(shared.work.plan(test.plan).upload);
        let mut paths = beside(&tree, node, read, &test.dir);
        paths.extend(self.prepared_reads.as_ref()?.iter().cloned());
        let (node, remembered) = self.with_paths(node, &tree, &paths);
        remembered.then_some(node)
    }

    /// Does the same for a prepare step that has just passed. The key of the returned node says on the machine that the step is
    /// done. If the reads cannot be remembered, the next run does not recognize this key and prepares again.
    pub(crate) fn observed_step(&mut self, step: StepId) -> Result<Node, CommandError> {
        let shared = self.shared;
        let spec = shared.work.step(step);
        let node = shared.work.graph.node(spec.node);
        let files = shared.work.upload(spec.upload).files.len();
        let read = if files > MOST_FILES {
            None
        } else {
            self.sut.reads(shared.slot(spec.upload))?
        };
        let tree = shared.tree(spec.upload);
        if self.is_unclear(read.as_ref()) {
            self.prepared_reads = None;
            return Ok(unknown(node));
        }
        let mut paths = self.prepared_reads.take().unwrap_or_default();
        match read {
            Some(read) => paths.extend(beside(&tree, node, &read, "")),
            None => self.tell_unseen(),
        }
        let observed = self.with_paths(node, &tree, &paths).0;
        self.prepared_reads = Some(paths);
        Ok(observed)
    }

    /// Returns whether the reads of a job, or of the prepare steps before it, could not be seen clearly.
    pub(crate) fn is_unclear(&self, read: Option<&Reads>) -> bool {
        self.prepared_reads.is_none() || read.is_some_and(|read| read.unclear)
    }

    /// Returns the node with the contents of the paths as inputs, and whether the cache remembers the paths.
    fn with_paths(&self, node: &Node, tree: &InputTree, paths: &Paths) -> (Node, bool) {
        let (fixed, store) = (node.observing([]), self.shared.store);
        let observed = node.observing(tree.now(paths));
        if observed.key() == fixed.key() || store.read_only().is_some() {
            return (observed, store.read_only().is_none());
        }
        let remembered = remember(store, fixed.key(), paths).inspect_err(|error| self.cache_failed(error));
        (observed, remembered.is_ok())
    }

    fn tell_unseen(&mut self) {
        if std::mem::replace(&mut self.told_unseen, true) {
            return;
        }
        let text = format!(
            "`{}` does not tell which files are read there (`noatime`, or a large tree): what a script reads beyond its input files is not noticed",
            self.sut.name()
        );
        self.outbox.event(Event::Warning { text });
    }
}
