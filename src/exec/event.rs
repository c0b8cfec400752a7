//! What happens during a run, as one type: told by the executor, consumed by `report`, stored as `events.jsonl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::control::Mask;

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since the epoch.
    pub time: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. Names are node names for people (`test /a/b`); keys are hex.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The graph is compiled; first event of a run.
    RunStarted {
        /// The run's id: the last component of its directory.
        run: String,
        /// The run's directory.
        dir: String,
        /// What was asked for: `build`, `test`, `finish`.
        command: String,
        /// Plans in the graph.
        plans: Vec<String>,
        /// SUTs by name.
        suts: Vec<String>,
        /// Tests that belong to the run, whether they must run or are recorded.
        tests: u64,
        /// Nodes that must run now, by kind (`prepare`, `test`, `finish`).
        to_run: BTreeMap<String, u64>,
    },
    /// Something for the user's eyes.
    Warning {
        /// One line.
        text: String,
    },
    /// A SUT changed its state.
    Sut {
        /// Its name.
        sut: String,
        /// `joined`, `waiting`, `connecting`, `entering`, `syncing`, `installing`, `ready`, `idle`, `leaving`, `tainted`, `owing`,
        /// `dropped`, `released`.
        state: String,
        /// Who holds it, why it was dropped, what was found there, which plans it enters.
        note: String,
    },
    /// A node's output was taken from the cache, or the SUT was already in its state.
    NodeCached {
        /// Node name.
        node: String,
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
        seen: Option<Seen>,
    },
    /// A node started on a SUT.
    NodeStarted {
        /// Node name.
        node: String,
        /// Its key.
        key: String,
        /// Where.
        sut: String,
        /// From 1.
        attempt: u32,
    },
    /// A test reported a final result. Only the first thousand of a test are told; all are in its `results.jsonl`.
    Result {
        /// Node name of the test.
        node: String,
        /// The subtest, if the result has a name.
        name: Option<String>,
        /// `pass`, `fail`, …
        status: String,
    },
    /// A node ended.
    NodeFinished {
        /// Node name.
        node: String,
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
        /// Number of results a test gave, by status.
        results: BTreeMap<String, u64>,
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
        /// Node name.
        node: String,
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
        /// Exit code of the process.
        exit_code: u8,
        /// Duration in milliseconds.
        duration: u64,
        /// Tests by outcome.
        tests: BTreeMap<NodeOutcome, u64>,
        /// Tests among them that were taken from the cache.
        cached: u64,
    },
}

/// A machine that keys are of, as it was when it was looked at last. Of a pool it is that which nobody looked at for the longest time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its name.
    pub sut: String,
    /// How long ago, in seconds.
    pub age: u64,
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
