//! Who does what next: a pure state machine, inputs in, commands out.
//!
//! Knows SUTs, lanes and tests as numbers; has no clock, no threads and no I/O, so that any order of events can be played to
//! it. A **lane** is what tests share that a SUT must be brought into before they start: a prepare chain and an uploaded tree.
//!
//! Invariants:
//! - a SUT has at most one command at a time, and answers each with exactly one input;
//! - a test is given out at most once at a time, and is answered or skipped exactly once;
//! - a SUT runs a test only in the test's lane, entered since the SUT was last tainted;
//! - a SUT that entered a lane leaves it (finish) before it enters another or is closed, also after failures.

use std::collections::VecDeque;

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

/// What a worker is told to do; it answers with one [`Input`] about its SUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Connect and take the lease: answered by `Opened` or `Lost`.
    Open,
    /// Bring the SUT into the lane: answered by `Entered`, `EnterFailed` or `Lost`.
    Enter(LaneId),
    /// Run a test: answered by `Ended`.
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
    /// No SUT is left: the last one cannot be reached.
    Unreachable(String),
    /// No SUT is left: on the last one something could not be put in place.
    Setup(String),
    /// The user cancelled.
    Cancelled,
}

impl Skip {
    /// The reason as the graph has it.
    pub(crate) fn reason(&self) -> SkipReason {
        match self {
            Self::Cancelled => SkipReason::Cancelled,
            Self::Prepare(_) | Self::Unreachable(_) | Self::Setup(_) => SkipReason::NoSut,
        }
    }
}

/// What befell a SUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// It is connected and leased.
    Opened,
    /// It is in the lane it was told to enter.
    Entered,
    /// The lane cannot be entered on this SUT: a step failed. The SUT itself lives.
    EnterFailed(String),
    /// The test it ran is over.
    Ended(After),
    /// The lane was left.
    Left,
    /// It was let go.
    Closed,
    /// It is gone, whatever it was doing; a test it ran has its result already. Tests that no other SUT can run are skipped with this.
    Lost(Skip),
}

/// What a test left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The SUT as it was.
    Clean,
    /// A SUT that must enter its lane again.
    Tainted,
    /// The test did not start: another process runs the same node now. It is to be asked for again later.
    Busy,
}

/// What a lane needs.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Its tests in the order in which they are to start.
    pub jobs: Vec<JobId>,
    /// SUTs to bring into it even where it has no tests (`--until prepare`).
    pub entries: u32,
    /// Whether every SUT leaves it, having entered it in an earlier run (`atex finish`).
    pub finish: bool,
}

#[derive(Debug, Default)]
struct LaneState {
    pending: VecDeque<JobId>,
    busy: Vec<JobId>,
    entries: u32,
    finish: bool,
    finished_on: Vec<SutId>,
    failed_on: Vec<SutId>,
    failure: String,
}

impl LaneState {
    fn wants_sut(&self) -> bool {
        !self.pending.is_empty() || self.entries > 0
    }
}

/// Where a SUT stands. `Option<LaneId>` is the lane it is in and has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sut {
    Unopened,
    Opening,
    Idle { lane: Option<LaneId>, tainted: bool },
    Entering(LaneId),
    Running(LaneId, JobId),
    Leaving,
    Closing,
    Gone,
}

/// The state machine. Drive it: [`Schedule::start`], then [`Schedule::handle`] for each answer until [`Schedule::is_over`].
#[derive(Debug)]
pub struct Schedule {
    lanes: Vec<LaneState>,
    suts: Vec<Sut>,
    lane_of: Vec<LaneId>,
    cancelled: bool,
    last_loss: Skip,
}

impl Schedule {
    /// Makes a schedule of `lanes` over `suts` machines. `jobs` is the number of tests in all lanes.
    pub fn new(lanes: Vec<Lane>, suts: usize, jobs: usize) -> Self {
        let mut lane_of = vec![LaneId(0); jobs];
        for (index, lane) in lanes.iter().enumerate() {
            for job in &lane.jobs {
                lane_of[job.0 as usize] = LaneId(u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
        let lanes = lanes
            .into_iter()
            .map(|lane| LaneState {
                pending: lane.jobs.into(),
                entries: lane.entries,
                finish: lane.finish,
                ..LaneState::default()
            })
            .collect();
        Self {
            lanes,
            suts: vec![Sut::Unopened; suts],
            lane_of,
            cancelled: false,
            last_loss: Skip::Unreachable("there is no SUT".to_owned()),
        }
    }

    /// Opens as many SUTs as can be of use.
    pub fn start(&mut self) -> Vec<Decision> {
        let work: usize = self
            .lanes
            .iter()
            .map(|lane| lane.pending.len() + lane.entries as usize)
            .sum();
        let all = self.lanes.iter().any(|lane| lane.finish);
        let mut decisions = Vec::new();
        for index in 0..self.suts.len() {
            if all || index < work {
                self.suts[index] = Sut::Opening;
                decisions.push(Decision::Tell(sut_id(index), Command::Open));
            } else {
                self.suts[index] = Sut::Gone;
            }
        }
        decisions
    }

    /// Returns the tests of a lane that still wait for a SUT.
    pub fn pending(&self, lane: LaneId) -> impl Iterator<Item = JobId> + '_ {
        let lane = &self.lanes[lane.0 as usize];
        lane.pending.iter().chain(&lane.busy).copied()
    }

    /// Returns the test that a SUT runs.
    pub fn job_on(&self, sut: SutId) -> Option<JobId> {
        match self.suts[sut.0 as usize] {
            Sut::Running(_, job) => Some(job),
            _ => None,
        }
    }

    /// Returns whether every test is answered and every SUT let go.
    pub fn is_over(&self) -> bool {
        self.suts.iter().all(|sut| *sut == Sut::Gone)
    }

    /// Returns whether tests wait for another process that runs the same nodes.
    pub fn waits_for_others(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.busy.is_empty())
    }

    /// Takes a worker's answer and decides what follows from it.
    pub fn handle(&mut self, sut: SutId, input: Input) -> Vec<Decision> {
        let mut decisions = Vec::new();
        self.suts[sut.0 as usize] = self.after(sut, input);
        self.skip_what_cannot_run(&mut decisions);
        self.give_work(&mut decisions);
        decisions
    }

    /// Offers tests again that another process was running.
    pub fn retry_busy(&mut self) -> Vec<Decision> {
        for lane in &mut self.lanes {
            lane.pending.extend(lane.busy.drain(..));
        }
        let mut decisions = Vec::new();
        self.give_work(&mut decisions);
        decisions
    }

    /// Gives out no further test; SUTs that are in a lane leave it, and all are let go.
    pub fn cancel(&mut self) -> Vec<Decision> {
        self.cancelled = true;
        let mut decisions = Vec::new();
        self.skip_what_cannot_run(&mut decisions);
        self.give_work(&mut decisions);
        decisions
    }

    /// One transition of one SUT.
    fn after(&mut self, sut: SutId, input: Input) -> Sut {
        match (self.suts[sut.0 as usize], input) {
            (Sut::Opening, Input::Opened) | (Sut::Leaving, Input::Left) => Sut::Idle {
                lane: None,
                tainted: false,
            },
            (Sut::Entering(lane), Input::Entered) => {
                let state = &mut self.lanes[lane.0 as usize];
                state.entries = state.entries.saturating_sub(1);
                Sut::Idle {
                    lane: Some(lane),
                    tainted: false,
                }
            }
            (Sut::Entering(lane), Input::EnterFailed(reason)) => {
                let state = &mut self.lanes[lane.0 as usize];
                state.failed_on.push(sut);
                state.failure = reason;
                Sut::Idle {
                    lane: Some(lane),
                    tainted: true,
                }
            }
            (Sut::Running(lane, job), Input::Ended(after)) => {
                if after == After::Busy {
                    self.lanes[lane.0 as usize].busy.push(job);
                }
                Sut::Idle {
                    lane: Some(lane),
                    tainted: after == After::Tainted,
                }
            }
            (_, Input::Lost(loss)) => {
                self.last_loss = loss;
                Sut::Gone
            }
            (_, Input::Closed) => Sut::Gone,
            (state, input) => {
                debug_assert!(false, "`{input:?}` cannot happen to a SUT that is {state:?}");
                state
            }
        }
    }

    /// Skips what no SUT that is left can run.
    fn skip_what_cannot_run(&mut self, decisions: &mut Vec<Decision>) {
        let alive: Vec<SutId> = (0..self.suts.len())
            .filter(|&index| self.suts[index] != Sut::Gone)
            .map(sut_id)
            .collect();
        for lane in &mut self.lanes {
            let skip = if self.cancelled {
                Skip::Cancelled
            } else if alive.is_empty() {
                if lane.failed_on.is_empty() {
                    self.last_loss.clone()
                } else {
                    Skip::Prepare(lane.failure.clone())
                }
            } else if alive.iter().all(|sut| lane.failed_on.contains(sut)) {
                Skip::Prepare(lane.failure.clone())
            } else {
                continue;
            };
            lane.entries = 0;
            let gone = lane.pending.drain(..).chain(lane.busy.drain(..));
            decisions.extend(gone.map(|job| Decision::Skip(job, skip.clone())));
        }
    }

    /// Gives every idle SUT its next command.
    ///
    /// Approach: stay in the lane while it has tests; else wait for nodes that another process runs, if nothing else can be
    /// done; else leave, for the lane with the most tests that no other SUT serves; else let the SUT go.
    fn give_work(&mut self, decisions: &mut Vec<Decision>) {
        for index in 0..self.suts.len() {
            let sut = sut_id(index);
            let Sut::Idle { lane, tainted } = self.suts[index] else {
                continue;
            };
            let (state, command) = if let Some(job) = lane.filter(|_| !tainted).and_then(|lane| self.next_job(lane)) {
                (Sut::Running(self.lane_of[job.0 as usize], job), Command::Run(job))
            } else if let Some(lane) = lane.filter(|&lane| tainted && self.may_enter(sut, lane)) {
                (Sut::Entering(lane), Command::Enter(lane))
            } else {
                let next = self.choose_lane(sut);
                match (lane, next) {
                    (Some(lane), None) if !self.cancelled && !self.lanes[lane.0 as usize].busy.is_empty() => continue,
                    (Some(lane), _) => (Sut::Leaving, Command::Leave(lane)),
                    (None, Some(next)) => (Sut::Entering(next), Command::Enter(next)),
                    (None, None) => match self.lane_to_finish(sut) {
                        Some(lane) => (Sut::Leaving, Command::Leave(lane)),
                        None => (Sut::Closing, Command::Close),
                    },
                }
            };
            self.suts[index] = state;
            decisions.push(Decision::Tell(sut, command));
        }
    }

    fn next_job(&mut self, lane: LaneId) -> Option<JobId> {
        self.lanes[lane.0 as usize].pending.pop_front()
    }

    /// A lane of an earlier run that this SUT has not left in this one.
    fn lane_to_finish(&mut self, sut: SutId) -> Option<LaneId> {
        let due = |lane: &LaneState| lane.finish && !lane.finished_on.contains(&sut);
        let at = self.lanes.iter().position(due).filter(|_| !self.cancelled)?;
        self.lanes[at].finished_on.push(sut);
        Some(LaneId(u32::try_from(at).unwrap_or(u32::MAX)))
    }

    fn may_enter(&self, sut: SutId, lane: LaneId) -> bool {
        let lane = &self.lanes[lane.0 as usize];
        lane.wants_sut() && !lane.failed_on.contains(&sut)
    }

    fn choose_lane(&self, sut: SutId) -> Option<LaneId> {
        let served = |lane: LaneId| {
            let is_in = |other: &&Sut| match other {
                Sut::Idle { lane: Some(other), .. } | Sut::Entering(other) | Sut::Running(other, _) => *other == lane,
                _ => false,
            };
            self.suts.iter().filter(is_in).count()
        };
        let wanted = |&lane: &LaneId| self.may_enter(sut, lane);
        let lanes = (0..self.lanes.len()).map(|index| LaneId(u32::try_from(index).unwrap_or(u32::MAX)));
        lanes.filter(wanted).min_by_key(|&lane| (served(lane), lane))
    }
}

fn sut_id(index: usize) -> SutId {
    SutId(u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
