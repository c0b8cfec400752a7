//! What goes into the schedule and what comes out of it.

use atex_graph::SkipReason;

/// A SUT of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SutId(pub u32);

/// A lane of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// A test of the run that has to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u32);

/// What a lane needs.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Its tests in the order in which they are to start.
    pub jobs: Vec<JobId>,
    /// SUTs to bring into it once each, even where it has no tests (`--until prepare`, `finish`).
    pub entries: u32,
}

/// What a worker is told to do; it answers with one [`Input`] about its SUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Connect and take the lease: answered by `Opened` or `Lost`.
    Open,
    /// Bring the SUT into the lane: answered by `Entered`, `EnterFailed` or `Lost`.
    Enter(LaneId),
    /// Run a test: answered by `Ended` or `Lost`.
    Run(JobId),
    /// Run the finish steps of the lane: answered by `Left` or `Lost`.
    Leave(LaneId),
    /// Let the SUT go: answered by `Closed`.
    Close,
}

/// What the schedule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Tell a worker.
    Tell(SutId, Command),
    /// A test will not run.
    Skip(JobId, Skip),
}

/// Why a test does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// A prepare step of its lane failed on every SUT that is left.
    Prepare(String),
    /// What it needs could not be put in place on any SUT that is left.
    Setup(String),
    /// No SUT is left.
    Unreachable(String),
    /// The user cancelled.
    Cancelled,
}

impl Skip {
    /// The reason as the graph has it.
    pub(crate) fn reason(&self) -> SkipReason {
        match self {
            Self::Cancelled => SkipReason::Cancelled,
            Self::Prepare(_) | Self::Setup(_) | Self::Unreachable(_) => SkipReason::NoSut,
        }
    }
}

/// What befell a SUT. A [`Skip`] is why tests do not run that only this SUT could have run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It is connected and leased.
    Opened,
    /// It is in the lane it was told to enter.
    Entered,
    /// The lane cannot be entered on this SUT: a step failed. The SUT itself lives.
    EnterFailed(Skip),
    /// The test it ran is over.
    Ended(After),
    /// The lane was left.
    Left,
    /// It was let go.
    Closed,
    /// It is gone, whatever it was doing; a test it ran has its result already.
    Lost(Skip),
}

/// What a test left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The SUT as it was.
    Clean,
    /// A SUT that must enter its lane again.
    Tainted,
    /// The test did not start: another process runs the same node now. It is to be offered again later.
    Busy,
}
