//! The types that go into the schedule (lanes, inputs, outcomes of attempts) and that come out of it (commands, decisions, rulings).

/// A SUT of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SutId(pub u32);

/// A lane of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// A test of the run that has to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u32);

/// A step of a prepare chain. Chains that begin with the same steps share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepNo(pub u32);

/// What a lane needs.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Its tests in the order in which they are to start.
    pub tasks: Vec<Task>,
    /// SUTs to bring into it once each, even where it has no tests (`--until prepare`, `finish`).
    pub entries: u32,
    /// Its prepare chain.
    pub chain: Vec<ChainStep>,
    /// Whether leaving it runs finish steps, after which nothing counts as prepared.
    pub finishes: bool,
}

/// A step of a lane's prepare chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainStep {
    /// Which.
    pub step: StepNo,
    /// How long it is expected to take, in milliseconds.
    pub expected: u64,
}

/// A test as the schedule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Which.
    pub job: JobId,
    /// How long it is expected to take, in milliseconds.
    pub expected: u32,
    /// `extra-priority`: higher goes first.
    pub priority: i64,
}

/// How the schedule is to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleRules {
    /// How often a test that failed is run again.
    pub retries: u32,
    /// How often a test is run again that its machine broke off.
    pub retry_infra: u32,
    /// After so many failed tests no further one starts.
    pub max_failures: Option<u32>,
    /// After its prepare failed in the same way on so many SUTs, no further one enters a lane.
    pub same_failures: u32,
    /// So many SUTs are connected to at once.
    pub connecting: u32,
}

impl Default for ScheduleRules {
    fn default() -> Self {
        Self {
            retries: 0,
            retry_infra: 1,
            max_failures: None,
            same_failures: 2,
            connecting: 32,
        }
    }
}

/// What a worker is told to do; it answers with one [`Input`] about its SUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerCommand {
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
    Tell(SutId, WorkerCommand),
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
    /// Enough tests failed.
    Stopped(String),
}

/// What befell a SUT. A [`Skip`] is why tests do not run that only this SUT could have run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It is connected and leased. If it says that it is prepared: the last step that it has done.
    Opened(Option<StepNo>),
    /// It is in the lane it was told to enter.
    Entered,
    /// The lane cannot be entered on this SUT: a step failed. The SUT itself lives.
    EnterFailed(Skip),
    /// The test it ran is over. Unless it did not start, [`AttemptOutcome`] has told how before.
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

/// One attempt of a test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestAttempt {
    pub(crate) job: JobId,
    /// The number of the attempt, from 1.
    pub(crate) number: u32,
}

/// What came of one attempt of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It passed.
    Passed,
    /// It failed, or overran its duration, or broke the protocol: by its own fault.
    Failed,
    /// Its machine broke it off.
    Broken,
    /// The user cancelled it.
    Cancelled,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It was the last one. Flaky: it passed, after it had failed.
    Final {
        /// Whether attempts of the test differ.
        flaky: bool,
    },
    /// The test runs once more.
    Again,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Tests that have not started.
    pub waiting: u64,
    /// Tests that run.
    pub running: u64,
    /// Milliseconds until the last of them is expected to be over.
    pub left: u64,
}
