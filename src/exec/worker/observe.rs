//! What jobs were seen to read, asked of the SUT and taken into the nodes under which they are recorded.

use atex_graph::Node;

use crate::compile::spec::{StepId, UploadId};
use crate::exec::event::Event;
use crate::exec::record::observed_inputs::{InputTree, MOST_FILES, Paths, beside, remember, unknown};
use crate::exec::schedule::JobId;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::{Reads, Trouble};

impl Worker<'_> {
    /// Asks the machine what was read of a tree since it was brought. Nothing where that cannot be seen, or need not be.
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

    /// A test's node with what was read as an input, if that was seen; nothing where it cannot be remembered.
    pub(crate) fn observed_with(&self, job: JobId, read: Option<&Reads>) -> Option<Node> {
        let shared = self.shared;
        let spec = shared.job(job);
        let test = shared.work.test(spec.test);
        let node = shared.work.graph.node(spec.node);
        // Its inputs are those of a run that passed, or the rules count.
        let Some(read) = read else { return Some(node.clone()) };
        let tree = shared.tree(shared.work.plan(test.plan).upload);
        let mut paths = beside(&tree, node, read, &test.dir);
        paths.extend(self.prepared_reads.as_ref()?.iter().cloned());
        let (node, remembered) = self.with_paths(node, &tree, &paths);
        remembered.then_some(node)
    }

    /// The same for a prepare step that has just ended well: what it stands for on the machine. Where that cannot be remembered, the
    /// next run knows the machine for one in another state.
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

    /// Whether what a job depends on could not be seen, or what the prepare steps before it depend on.
    pub(crate) fn is_unclear(&self, read: Option<&Reads>) -> bool {
        self.prepared_reads.is_none() || read.is_some_and(|read| read.unclear)
    }

    /// The node with what the paths hold, and whether the cache remembers them.
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
