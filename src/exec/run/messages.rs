//! The messages that workers send to the event loop.

use std::sync::mpsc::SyncSender;

use crate::event::{Event, NodeOutcome, NodeRef, Stamped};
use crate::exec::attempt::rest_of_plan::RestOfPlan;
use crate::exec::record::RecordError;
use crate::exec::run::clock::stamp;
use crate::exec::schedule::{AttemptOutcome, Input, JobId, SutId};
use crate::sut::trouble::without_os_numbers;

/// A message of the worker of one SUT.
pub(crate) struct Message {
    pub(crate) sut: SutId,
    pub(crate) what: WorkerMessage,
}

/// What a worker tells the event loop.
pub(crate) enum WorkerMessage {
    /// An event for the reporters.
    Event(Stamped),
    /// A prepare or finish step failed.
    StepFailed,
    /// An attempt of a test, or of all tests that share a tree, is over. Their result lines are on disk.
    Verdict(AttemptOutcome, Vec<EndedAttempt>),
    /// The SUT that is being opened is held by somebody else.
    Held,
    /// The answer to the last command.
    Answer(Input),
    /// The host cannot go on, because its disk is full for example. The run ends.
    HostFailed(String),
    /// The host cannot write what one test did. The run goes on.
    NotWritten(String),
    /// The worker of the SUT of this name panicked, which is a defect in atex.
    Panicked(String),
}

/// The end of an attempt of one test.
pub(crate) struct EndedAttempt {
    pub(crate) job: JobId,
    pub(crate) outcome: NodeOutcome,
    /// What it means for the tests of its plan after it.
    pub(crate) rest_of_plan: RestOfPlan,
    pub(crate) cached: bool,
    /// The event for the reporters.
    pub(crate) event: Stamped,
}

/// The sending side of a worker's channel to the event loop.
#[derive(Clone)]
pub(crate) struct Outbox {
    pub(crate) sut: SutId,
    pub(crate) sender: SyncSender<Message>,
}

impl Outbox {
    pub(crate) fn send(&self, what: WorkerMessage) {
        // The event loop receives until all workers are done; where it is gone, the process ends anyway.
        let _ = self.sender.send(Message { sut: self.sut, what });
    }

    pub(crate) fn event(&self, event: Event) {
        self.send(WorkerMessage::Event(stamp(event)));
    }

    /// Warns that what a node did is not recorded, and why.
    pub(crate) fn not_recorded(&self, node: &NodeRef, error: &RecordError) {
        let why = without_os_numbers(&error.to_string());
        let text = format!("`{node}` is not recorded, and will run again: {why}");
        self.event(Event::Warning { text });
    }
}
