//! The events of a run as one type: the executor sends them, `report` receives them, and `events.jsonl` contains them.
//!
//! States, kinds of nodes and statuses are enums and not texts that a reader compares with literals. So a new one does not
//! compile until each reporter says what it does with it. Serde gives each one its spelling in `events.jsonl`.

mod node;
mod sut;

pub use node::NodeRef;
pub use sut::SutEvent;

use std::collections::BTreeMap;

use atex_graph::Kind;
use serde::{Deserialize, Serialize};

use crate::control::{Mask, Status};
use crate::exit::Exit;
use crate::json_version::JsonVersion;

/// An event and the time at which it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since the epoch.
    pub time: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened in a run. Keys are hexadecimal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The graph is compiled. This is the first event of a run.
    RunStarted {
        /// The version of all events of the run.
        version: JsonVersion,
        /// The run's id: the last component of its directory.
        run: String,
        /// The run's directory.
        dir: String,
        /// The command.
        command: Mode,
        /// The names of the plans in the graph.
        plans: Vec<String>,
        /// The names of the SUTs.
        suts: Vec<String>,
        /// The number of tests that belong to the run, whether they must run or are recorded.
        tests: u64,
        /// The number of nodes that must run now, by kind.
        to_run: BTreeMap<Kind, u64>,
    },
    /// The user should know something.
    Warning {
        /// The warning, on one line.
        text: String,
    },
    /// A plan or a test that was asked for is left out, because it cannot be used.
    LeftOut {
        /// The plan, or the plan of the test.
        plan: String,
        /// The test, if it is not the plan itself that cannot be used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test: Option<String>,
        /// What is wrong with it.
        error: String,
    },
    /// A SUT now does something else, or something happened to it.
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
        /// The age of what was reused, in milliseconds.
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
        /// The SUT on which it started.
        sut: String,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// A test reported a final result. Only the first thousand results of a test have an event; all are in its `results.jsonl`.
    Result {
        /// The test's node.
        node: NodeRef,
        /// The subtest, if the result has a name.
        name: Option<String>,
        /// The status of the result.
        status: Status,
    },
    /// A node ended.
    NodeFinished {
        /// The node.
        node: NodeRef,
        /// Its key.
        key: String,
        /// The SUT on which it ran.
        sut: String,
        /// The outcome.
        outcome: NodeOutcome,
        /// How long it ran, in milliseconds.
        duration: u64,
        /// The kind and reason of an infrastructure failure, or another note for the user. It may be empty.
        note: String,
        /// The log that tells more, relative to the run's directory. It may be empty.
        log: String,
        /// The number of results that a test gave, by status.
        results: BTreeMap<Status, u64>,
        /// Whether the test runs once more, so that this attempt is not its last one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// The expected end of the run has changed.
    Outlook {
        /// The number of tests that wait for a SUT.
        waiting: u64,
        /// The number of tests that run.
        running: u64,
        /// The expected end, in milliseconds since the epoch.
        end: u64,
    },
    /// A node will not run, because what it needs failed or because the user cancelled.
    NodeSkipped {
        /// The node.
        node: NodeRef,
        /// The reason.
        reason: String,
        /// The outcome. For a test, it is the one for the kind of its `infra` result.
        outcome: NodeOutcome,
    },
    /// The result of an audit, in which recorded tests ran again.
    Audited {
        /// How many tests came to a verdict.
        ran: u64,
        /// The names of the tests among them that failed.
        disagreed: Vec<String>,
    },
    /// The run is over. This is the last event.
    RunFinished {
        /// The exit code of the process.
        exit_code: Exit,
        /// The duration of the run in milliseconds.
        duration: u64,
        /// The number of tests by outcome.
        tests: BTreeMap<NodeOutcome, u64>,
        /// How many of these tests were taken from the cache.
        cached: u64,
    },
}

/// The command that a run carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The whole graph runs: recorded results are taken from the cache, and finish steps run.
    Build,
    /// The given tests run in any case, and the SUT stays prepared.
    Test,
    /// Only the finish steps of plans that touched the SUTs run.
    Finish,
}

impl Mode {
    /// Returns the command's name.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Finish => "finish",
        }
    }
}

/// The machine that keys refer to, as it was when it was last asked for its facts. Of a pool, this is the machine whose facts are
/// oldest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenSut {
    /// The name of the machine.
    pub sut: String,
    /// How long ago that was, in milliseconds.
    pub age: u64,
}

impl Event {
    /// Returns whether events of the kind come in such numbers that they should not be written one by one.
    pub fn is_one_of_many(&self) -> bool {
        match self {
            Self::Result { .. } | Self::NodeCached { .. } => true,
            Self::RunStarted { .. }
            | Self::Warning { .. }
            | Self::LeftOut { .. }
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
    /// Returns the event with values masked in everything that jobs, machines and other programs said. Names come from the tree
    /// and stay.
    #[must_use]
    pub fn masked(&self, mask: &Mask) -> Self {
        let mut masked = self.clone();
        let text = match &mut masked.event {
            Event::Warning { text } | Event::LeftOut { error: text, .. } => text,
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

/// The outcome of a node. Severity grows in declaration order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeOutcome {
    /// It did what it should.
    Pass,
    /// The test passed after it had failed in this run.
    Flaky,
    /// The test reported a failure, or the script failed.
    Fail,
    /// The user cancelled.
    Cancelled,
    /// The infrastructure failed.
    Infra,
}
