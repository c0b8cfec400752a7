//! The recorders: threads that write the records of tests while the next tests are already running.
//!
//! A durable record needs several writes that the disk must confirm, and a worker that waited for them would serve its connection
//! late. The claim of a node is held until its record is written. If atex is killed before, the test has to run again.
//!
//! Invariants: the records of one SUT are written in the order in which its tests ended. [`RecorderHandle::wait`] returns when
//! everything that was handed over before is written, or the run was told that it cannot be written. A test that cannot be
//! recorded runs again next time; nothing else depends on it.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use atex_cache::Ticket;

use crate::exec::record::{self, NodeRun};
use crate::exec::run::messages::Outbox;
use crate::exec::run::shared::Shared;

/// How many recorders there are at most. They help because the disk confirms several writes at once.
pub(crate) const MOST: usize = 4;

/// How many records can wait for one recorder. A worker that has more waits until there is room.
const BACKLOG: usize = 64;

/// A test that has no record yet.
pub(crate) struct Unrecorded {
    pub(crate) ticket: Ticket,
    pub(crate) ran: NodeRun,
    /// The directory with everything that it left.
    pub(crate) dir: PathBuf,
}

/// What a recorder is asked to do.
pub(crate) enum RecorderTask {
    Record(Box<Unrecorded>, Outbox),
    /// Answer when everything before is done.
    Answer(SyncSender<()>),
}

/// Makes the channel to a recorder: the sending side, and the receiving side for [`serve`].
pub(crate) fn way() -> (SyncSender<RecorderTask>, Receiver<RecorderTask>) {
    sync_channel(BACKLOG)
}

/// Writes records until all senders are gone.
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

/// The sending side of a worker's channel to its recorder.
pub(crate) struct RecorderHandle(pub(crate) SyncSender<RecorderTask>);

impl RecorderHandle {
    /// Hands a test over to be recorded. If the recorder has panicked, nothing is recorded.
    pub(crate) fn hand(&self, test: Unrecorded, outbox: &Outbox) {
        let _its_panic_is_told_by_itself = self.0.send(RecorderTask::Record(Box::new(test), outbox.clone()));
    }

    /// Waits until everything that was handed over is written.
    pub(crate) fn wait(&self) {
        let (waiting, answer) = sync_channel(0);
        let _gone = self.0.send(RecorderTask::Answer(waiting));
        let _its_end_is_the_answer = answer.recv();
    }
}
