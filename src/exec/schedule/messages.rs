//! The types that go into the schedule (lanes, inputs, outcomes of attempts) and that come out of it (commands, decisions,
//! rulings).

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
    /// How many SUTs have to enter it once even without tests (`--until prepare`, `atex finish`).
    pub entries: u32,
    /// Its prepare chain.
    pub chain: Vec<ChainStep>,
    /// Whether leaving it runs finish steps, after which nothing counts as prepared.
    pub finishes: bool,
}

/// A step of a lane's prepare chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainStep {
    /// The step.
    pub step: StepNo,
    /// How long it is expected to take, in milliseconds.
    pub expected: u64,
}

/// A test as the schedule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The test.
    pub job: JobId,
    /// How long it is expected to take, in milliseconds.
    pub expected: u32,
    /// Its `extra-priority`. Higher ones go first.
    pub priority: i64,
}

/// The limits that the user sets to the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleRules {
    /// How often a test that failed is run again.
    pub retries: u32,
    /// How often a test is run again that its machine broke off.
    pub retry_infra: u32,
    /// After how many failed tests no further one starts.
    pub max_failures: Option<u32>,
    /// After how many SUTs on which prepare failed in the same way no further one enters the lane.
    pub same_failures: u32,
    /// How many SUTs are connected to at once.
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
    /// Release the SUT: answered by `Closed`.
    Close,
}

/// What the schedule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Give the worker of a SUT a command.
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

/// What happened to a SUT. A [`Skip`] says why tests are skipped that only this SUT could have run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It is connected and leased, and has done this prepare step and the ones before it, if any.
    Opened(Option<StepNo>),
    /// It has entered the lane.
    Entered,
    /// It could not enter the lane because a step failed. The SUT itself still answers.
    EnterFailed(Skip),
    /// Its test is over. The [`AttemptOutcome`] was reported before, unless the test did not start.
    Ended(After),
    /// It has left the lane.
    Left,
    /// It was released.
    Closed,
    /// It is lost, whatever it was doing. If it was running a test, that test has its result already.
    Lost(Skip),
}

/// The condition in which a test left its SUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The SUT can run the next test.
    Clean,
    /// The SUT must enter its lane again.
    Tainted,
    /// The test did not start, because another process runs the same node now. It will be offered again later.
    Busy,
}

/// One attempt of a test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestAttempt {
    pub(crate) job: JobId,
    /// The number of the attempt, from 1.
    pub(crate) number: u32,
}

/// The outcome of one attempt of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It passed.
    Passed,
    /// It failed by its own fault: it reported so, overran its duration or broke the protocol.
    Failed,
    /// Its machine broke it off.
    Broken,
    /// The user cancelled it.
    Cancelled,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It was the last one.
    Final {
        /// Whether the test passed after it had failed.
        flaky: bool,
    },
    /// The test runs once more.
    Again,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// How many tests have not started.
    pub waiting: u64,
    /// How many tests run.
    pub running: u64,
    /// How many milliseconds it will take until the last of them is over.
    pub left: u64,
}
