//! What happens during a run, as one type: the executor sends events, `report` consumes them, and `events.jsonl` holds them.
//!
//! Nothing here is a bare word that a reader has to compare with a literal: states, kinds of nodes and statuses are enums, so a
//! new one does not compile until each reporter says what it does with it. Serde gives each the spelling of `events.jsonl`.

mod node;
mod sut;

pub use node::NodeRef;
pub use sut::SutEvent;

use std::collections::BTreeMap;

use atex_graph::Kind;
use serde::{Deserialize, Serialize};

use crate::control::{Mask, Status};
use crate::exit::Exit;

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since the epoch.
    pub time: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. Keys are hexadecimal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The graph is compiled; first event of a run.
    RunStarted {
        /// The run's id: the last component of its directory.
        run: String,
        /// The run's directory.
        dir: String,
        /// What was asked for.
        command: Mode,
        /// Plans in the graph.
        plans: Vec<String>,
        /// SUTs by name.
        suts: Vec<String>,
        /// Tests that belong to the run, whether they must run or are recorded.
        tests: u64,
        /// The number of nodes that must run now, by kind.
        to_run: BTreeMap<Kind, u64>,
    },
    /// Something for the user's eyes.
    Warning {
        /// One line.
        text: String,
    },
    /// A SUT does something else now, or something happened to it.
    Sut {
        /// Its name.
        sut: String,
        /// What it does, or what happened.
        state: SutEvent,
        /// Who holds it, why it was dropped, what was found there, which plans it enters.
        note: String,
    },
    /// A node's output was taken from the cache, or the SUT was already in its state.
    NodeCached {
        /// The node.
        node: NodeRef,
        /// Its key.
        key: String,
        /// The SUT whose state was reused; empty for a recorded result.
        sut: String,
        /// Age of what was reused, in seconds.
        age: u64,
        /// The recorded outcome.
        outcome: NodeOutcome,
        /// For a recorded result: what its key says of the machine, and since when that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<SeenSut>,
    },
    /// A node started on a SUT.
    NodeStarted {
        /// The node.
        node: NodeRef,
        /// Its key.
        key: String,
        /// Where.
        sut: String,
        /// From 1.
        attempt: u32,
    },
    /// A test reported a final result. Only the first thousand of a test are told; all are in its `results.jsonl`.
    Result {
        /// The test's node.
        node: NodeRef,
        /// The subtest, if the result has a name.
        name: Option<String>,
        /// How it came out.
        status: Status,
    },
    /// A node ended.
    NodeFinished {
        /// The node.
        node: NodeRef,
        /// Its key.
        key: String,
        /// Where.
        sut: String,
        /// How.
        outcome: NodeOutcome,
        /// How long it ran, in milliseconds.
        duration: u64,
        /// Kind and reason of an infrastructure failure, or what else is worth a line; may be empty.
        note: String,
        /// The log that tells more, below the run's directory; may be empty.
        log: String,
        /// The number of results a test gave, by status.
        results: BTreeMap<Status, u64>,
        /// Whether the test runs once more: then this is not its last word.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// When the run is expected to end, where that changed.
    Outlook {
        /// Tests that wait for a SUT.
        waiting: u64,
        /// Tests that run.
        running: u64,
        /// Milliseconds since the epoch.
        end: u64,
    },
    /// A node will not run: what it needs failed, or the user cancelled.
    NodeSkipped {
        /// The node.
        node: NodeRef,
        /// Why.
        reason: String,
        /// The kind of its `infra` result, for a test.
        outcome: NodeOutcome,
    },
    /// What came of the hits that ran again.
    Audited {
        /// Those that came to a verdict.
        ran: u64,
        /// The tests among them that failed, by name.
        disagreed: Vec<String>,
    },
    /// The run is over; last event.
    RunFinished {
        /// How the process ends.
        exit_code: Exit,
        /// Duration in milliseconds.
        duration: u64,
        /// Tests by outcome.
        tests: BTreeMap<NodeOutcome, u64>,
        /// Tests among them that were taken from the cache.
        cached: u64,
    },
}

/// Which command a run carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The whole graph; recorded results are taken, finish runs.
    Build,
    /// The given tests, always; the SUT stays prepared.
    Test,
    /// Only the finish steps of plans that touched the SUTs.
    Finish,
}

impl Mode {
    /// The command's name.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Finish => "finish",
        }
    }
}

/// A machine that keys are of, as it was when it was looked at last. Of a pool it is that which nobody looked at for the longest time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenSut {
    /// Its name.
    pub sut: String,
    /// How long ago, in seconds.
    pub age: u64,
}

impl Event {
    /// Returns whether events of the kind come in such numbers that they should not be written one by one.
    pub fn is_one_of_many(&self) -> bool {
        match self {
            Self::Result { .. } | Self::NodeCached { .. } => true,
            Self::RunStarted { .. }
            | Self::Warning { .. }
            | Self::Sut { .. }
            | Self::NodeStarted { .. }
            | Self::NodeFinished { .. }
            | Self::Outlook { .. }
            | Self::NodeSkipped { .. }
            | Self::Audited { .. }
            | Self::RunFinished { .. } => false,
        }
    }
}

impl Stamped {
    /// The event with values masked in what jobs, machines and other programs said. Names are the tree's own.
    #[must_use]
    pub fn masked(&self, mask: &Mask) -> Self {
        let mut masked = self.clone();
        let text = match &mut masked.event {
            Event::Warning { text } => text,
            Event::Sut { note, .. } | Event::NodeFinished { note, .. } => note,
            Event::NodeSkipped { reason, .. } => reason,
            // What a result says is masked before it is stored.
            Event::Result { .. }
            | Event::RunStarted { .. }
            | Event::NodeCached { .. }
            | Event::NodeStarted { .. }
            | Event::Outlook { .. }
            | Event::Audited { .. }
            | Event::RunFinished { .. } => return masked,
        };
        *text = mask.text(text).into_owned();
        masked
    }
}

/// How a node ended. Severity grows in declaration order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeOutcome {
    /// It did what it should.
    Pass,
    /// The test passed after it had failed in this run.
    Flaky,
    /// The test said so, or its script failed.
    Fail,
    /// The user cancelled.
    Cancelled,
    /// The infrastructure failed.
    Infra,
}
