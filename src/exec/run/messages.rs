//! What workers tell the event loop.

use std::sync::mpsc::SyncSender;

use crate::exec::event::{Event, NodeOutcome, NodeRef, Stamped};
use crate::exec::record::RecordError;
use crate::exec::run::clock::stamp;
use crate::exec::schedule::{AttemptOutcome, Input, JobId, SutId};
use crate::sut::trouble::without_os_numbers;

/// What a worker tells the scheduler.
pub(crate) struct Message {
    pub(crate) sut: SutId,
    pub(crate) what: WorkerMessage,
}

/// The kinds of messages.
pub(crate) enum WorkerMessage {
    /// For the reporters.
    Event(Stamped),
    /// A prepare or finish step failed.
    StepFailed,
    /// An attempt of a test is over, or of all that share a tree; the result lines are on disk.
    Verdict(AttemptOutcome, Vec<EndedAttempt>),
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
pub(crate) struct EndedAttempt {
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
    pub(crate) fn send(&self, what: WorkerMessage) {
        // The scheduler hears all workers out; where it is gone the process ends anyway.
        let _ = self.sender.send(Message { sut: self.sut, what });
    }

    pub(crate) fn event(&self, event: Event) {
        self.send(WorkerMessage::Event(stamp(event)));
    }

    /// Tells that what a node did is not recorded, and why.
    pub(crate) fn not_recorded(&self, node: &NodeRef, error: &RecordError) {
        let why = without_os_numbers(&error.to_string());
        let text = format!("`{node}` is not recorded, and will run again: {why}");
        self.event(Event::Warning { text });
    }
}
