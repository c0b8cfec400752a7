//! Threads that write the records of tests while the next tests of their SUTs run already.
//!
//! A durable record costs several writes that the disk must confirm, and a worker that waited for them would serve its connection
//! late. Until a record is there the claim of its node is held, and who is killed before has run the test for nothing.
//!
//! Invariants: records of one SUT are written in the order in which its tests ended; [`Records::wait`] returns when all that was
//! handed over before is written, or the run was told that it cannot be. A test that cannot be recorded runs again next time: nothing
//! else depends on it.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use atex_cache::Ticket;

use crate::exec::record::{self, NodeRun};
use crate::exec::run::messages::Outbox;
use crate::exec::run::shared::Shared;

/// So many are there at most: the disk confirms to several at once.
pub(crate) const MOST: usize = 4;

/// Records that may wait for one. Who has more to record waits.
const BACKLOG: usize = 64;

/// A test that has no record yet.
pub(crate) struct Unrecorded {
    pub(crate) ticket: Ticket,
    pub(crate) ran: NodeRun,
    /// The directory with all that it left.
    pub(crate) dir: PathBuf,
}

/// What a recorder is told.
pub(crate) enum RecorderTask {
    Record(Box<Unrecorded>, Outbox),
    /// All before is to be done.
    Answer(SyncSender<()>),
}

/// Makes the way to a recorder, and its own end of it, for [`serve`].
pub(crate) fn way() -> (SyncSender<RecorderTask>, Receiver<RecorderTask>) {
    sync_channel(BACKLOG)
}

/// Writes records until nobody has any more.
pub(crate) fn serve(shared: &Shared<'_>, tasks: &Receiver<RecorderTask>) {
    for task in tasks {
        match task {
            RecorderTask::Record(test, outbox) => record(shared, *test, &outbox),
            RecorderTask::Answer(waiting) => drop(waiting),
        }
    }
}

fn record(shared: &Shared<'_>, test: Unrecorded, outbox: &Outbox) {
    let Unrecorded { ticket, ran, dir } = test;
    let (node, _) = shared.identify(ran.node);
    if let Err(error) = record::test(shared, ticket, ran, &dir) {
        outbox.not_recorded(&node, &error);
    }
}

/// A worker's way to its recorder.
pub(crate) struct RecorderHandle(pub(crate) SyncSender<RecorderTask>);

impl RecorderHandle {
    /// Hands a test over. Where the recorder is no more, nothing is recorded.
    pub(crate) fn hand(&self, test: Unrecorded, outbox: &Outbox) {
        let _its_panic_is_told_by_itself = self.0.send(RecorderTask::Record(Box::new(test), outbox.clone()));
    }

    /// Waits until all that was handed over is written.
    pub(crate) fn wait(&self) {
        let (waiting, answer) = sync_channel(0);
        let _gone = self.0.send(RecorderTask::Answer(waiting));
        let _its_end_is_the_answer = answer.recv();
    }
}
