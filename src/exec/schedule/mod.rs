//! The schedule, which decides which SUT does what next: a pure state machine that takes inputs and returns commands.
//!
//! It knows SUTs, lanes and tests as numbers. The time is passed in (milliseconds since any moment), and there are no threads and
//! no I/O, so that any order of events can be played to it. A **lane** is what a SUT must be brought into before a test starts,
//! and what several tests share: a prepare chain and an uploaded tree. The consequences of an event are found without looking at
//! all SUTs or tests: only a SUT that has to choose a lane looks at the lanes that have something to do.
//!
//! Invariants:
//! - A SUT has at most one command at a time, and answers each command with exactly one input.
//! - A test is given to at most one SUT at a time, and gets a final outcome or is skipped exactly once.
//! - A SUT runs a test only in the test's lane, which it has entered since it was last tainted.
//! - A SUT that entered a lane leaves it (finish) before it enters another lane or is closed, also after failures.
//! - No test is skipped for lack of a SUT while there is a SUT on which its lane did not fail. If the lane is closed, this holds
//!   only while a SUT is inside.

mod assign;
mod choose;
mod estimate;
mod jobs;
mod lane;
mod messages;
#[cfg(test)]
pub mod simulation;
mod sut;

use std::collections::{HashMap, VecDeque};

use estimate::Pace;
use jobs::Jobs;
use lane::LaneState;
pub(crate) use messages::TestAttempt;
pub use messages::{
    After, AttemptOutcome, ChainStep, Decision, Estimate, Input, JobId, Lane, LaneId, Ruling, ScheduleRules, Skip,
    StepNo, SutId, Task, WorkerCommand,
};
use sut::{Fit, ScheduledSut, SutCounts, SutStage};

/// The state machine. Call [`Schedule::start`], then [`Schedule::handle`] for each answer until [`Schedule::is_over`].
#[derive(Debug)]
pub struct Schedule {
    rules: ScheduleRules,
    lanes: Vec<LaneState>,
    jobs: Jobs,
    suts: Vec<ScheduledSut>,
    counts: SutCounts,
    /// The SUTs that were not opened so far.
    spares: VecDeque<SutId>,
    /// The SUTs on which a finish is due, which are opened even if there is no other work for them.
    owing: VecDeque<SutId>,
    /// The SUTs that were released because there was nothing for them to do.
    rested: Vec<SutId>,
    /// The idle SUTs that wait for tests that another process runs.
    parked: Vec<SutId>,
    /// The lanes that have something to do, in no order.
    listed: Vec<LaneId>,
    /// How many tests wait, and how many entries of lanes are required even without tests.
    demand: usize,
    busy: usize,
    failures: u32,
    pace: Pace,
    /// Why nothing starts any more, if that is so.
    halted: Option<Skip>,
    /// The tests that do not start any more, and why.
    given_up: HashMap<JobId, Skip>,
    /// Whether some of these may still wait.
    gives_up: bool,
    last_loss: Skip,
    /// Whether something happened after which no SUT may be left for some lane.
    review: bool,
    /// How often a SUT stayed in its lane since a change of lanes was last considered.
    patience: usize,
    now: u64,
}

impl Schedule {
    /// Makes a schedule of `lanes` over `suts` machines.
    pub fn new(lanes: Vec<Lane>, suts: usize, rules: ScheduleRules) -> Self {
        let jobs = Jobs::new(&lanes);
        let mut schedule = Self {
            rules,
            lanes: lanes.into_iter().map(LaneState::new).collect(),
            jobs,
            suts: Vec::new(),
            counts: SutCounts::default(),
            spares: VecDeque::new(),
            owing: VecDeque::new(),
            rested: Vec::new(),
            parked: Vec::new(),
            listed: Vec::new(),
            demand: 0,
            busy: 0,
            failures: 0,
            pace: Pace::default(),
            halted: None,
            given_up: HashMap::new(),
            gives_up: false,
            last_loss: Skip::Unreachable("there is no SUT".to_owned()),
            review: true,
            patience: 0,
            now: 0,
        };
        for _ in 0..suts {
            schedule.add();
        }
        schedule.demand = schedule.lanes.iter().map(LaneState::demand).sum();
        for index in 0..schedule.lanes.len() {
            schedule.list(lane_id(index));
        }
        schedule
    }

    /// Takes note, before the start, that a finish is due on a SUT. It is opened in any case, unless the run is
    /// halted before.
    pub fn owe(&mut self, sut: SutId) {
        if let Some(at) = self.spares.iter().position(|spare| *spare == sut) {
            self.spares.remove(at);
            self.owing.push_back(sut);
        }
    }

    /// Opens as many SUTs as can be of use. The others are spares.
    pub fn start(&mut self, now: u64) -> Vec<Decision> {
        self.decide(now, None)
    }

    /// Takes one more SUT into the pool.
    pub fn join(&mut self, now: u64) -> (SutId, Vec<Decision>) {
        let sut = self.add();
        (sut, self.decide(now, None))
    }

    /// Takes note that the SUT being opened is held by somebody else. That may take long, so others can be connected to meanwhile.
    pub fn held(&mut self, now: u64, sut: SutId) -> Vec<Decision> {
        if self.suts[sut.0 as usize].state == SutStage::Opening {
            self.set(sut, SutStage::Held);
        }
        self.decide(now, None)
    }

    /// Returns the tests of a lane that still wait for a SUT.
    pub fn pending(&self, lane: LaneId) -> impl Iterator<Item = JobId> + '_ {
        let lane = &self.lanes[lane.0 as usize];
        lane.jobs().chain(lane.busy.iter().copied())
    }

    /// Returns the test that a SUT runs and that has no verdict so far.
    pub fn job_on(&self, sut: SutId) -> Option<JobId> {
        match self.suts[sut.0 as usize].state {
            SutStage::Running { job, ruled: false, .. } => Some(job),
            _ => None,
        }
    }

    /// Returns the number, from 1, of the attempt of a test that runs or comes next.
    pub fn attempt(&self, job: JobId) -> u32 {
        self.jobs.attempt(job)
    }

    /// Returns whether every test has an outcome or is skipped, and every SUT that was opened is released.
    pub fn is_over(&self) -> bool {
        self.counts.active == 0 && self.demand == 0 && self.busy == 0 && self.owing.is_empty()
    }

    /// Returns the tests that another process was running when they were to start.
    pub fn busy(&self) -> Vec<JobId> {
        if self.busy == 0 {
            return Vec::new();
        }
        self.lanes.iter().flat_map(|lane| &lane.busy).copied().collect()
    }

    /// Returns whether enough tests failed.
    pub fn is_stopped(&self) -> bool {
        matches!(self.halted, Some(Skip::Stopped(_)))
    }

    /// Takes the outcome of an attempt, which comes before the answer of its SUT, and decides whether the test runs once more.
    pub fn verdict(&mut self, now: u64, sut: SutId, said: AttemptOutcome) -> (Ruling, Vec<Decision>) {
        self.now = now;
        let &ScheduledSut { state, since, .. } = &self.suts[sut.0 as usize];
        let SutStage::Running {
            lane,
            job,
            end,
            ruled: false,
        } = state
        else {
            debug_assert!(false, "{sut:?} runs no test, and has a verdict");
            return (Ruling::Final { flaky: false }, Vec::new());
        };
        let ruled = true;
        self.set(sut, SutStage::Running { lane, job, end, ruled });
        if matches!(said, AttemptOutcome::Passed | AttemptOutcome::Failed) {
            self.pace.note(self.jobs.expected(job), now.saturating_sub(since));
        }
        let ruling = if self.halted.is_some() || self.given_up.contains_key(&job) {
            self.jobs.last(job, said)
        } else {
            self.jobs.rule(job, sut, said, &self.rules)
        };
        match (ruling, said) {
            (Ruling::Again, _) => {
                self.put_first(job);
                (ruling, self.decide(now, None))
            }
            (Ruling::Final { .. }, AttemptOutcome::Failed | AttemptOutcome::Broken) => {
                self.failures += 1;
                (ruling, self.stop_if_enough())
            }
            (Ruling::Final { .. }, AttemptOutcome::Passed | AttemptOutcome::Cancelled) => (ruling, Vec::new()),
        }
    }

    /// Takes a worker's answer and decides what follows from it.
    pub fn handle(&mut self, now: u64, sut: SutId, input: Input) -> Vec<Decision> {
        self.now = now;
        let next = self.after(sut, input);
        self.set(sut, next);
        self.decide(now, Some(sut))
    }

    /// Offers a test again, because the other process that ran it does not run it any more.
    pub fn offer_again(&mut self, now: u64, job: JobId) -> Vec<Decision> {
        if self.forget_busy(job) {
            self.put_first(job);
        }
        self.decide(now, None)
    }

    /// Takes note that another process has passed a test.
    pub fn answered_elsewhere(&mut self, now: u64, job: JobId) -> Vec<Decision> {
        self.forget_busy(job);
        self.decide(now, None)
    }

    /// Starts no further test. SUTs that are in a lane leave it, and all are released.
    pub fn cancel(&mut self, now: u64) -> Vec<Decision> {
        self.halt(now, Skip::Cancelled)
    }

    /// Gives tests up: those of them that wait are skipped, and those that run have their last attempt.
    pub fn give_up(&mut self, now: u64, jobs: &[JobId], reason: &Skip) -> Vec<Decision> {
        self.given_up.extend(jobs.iter().map(|&job| (job, reason.clone())));
        self.gives_up = true;
        self.decide(now, None)
    }

    fn stop_if_enough(&mut self) -> Vec<Decision> {
        if self.rules.max_failures.is_none_or(|most| self.failures < most) {
            return Vec::new();
        }
        let reason = match self.failures {
            1 => "stopped after a test failed".to_owned(),
            many => format!("stopped after {many} tests failed"),
        };
        self.halt(self.now, Skip::Stopped(reason))
    }

    fn halt(&mut self, now: u64, reason: Skip) -> Vec<Decision> {
        self.halted = Some(reason);
        self.owing.clear();
        self.review = true;
        self.decide(now, None)
    }

    fn forget_busy(&mut self, job: JobId) -> bool {
        let lane = self.jobs.lane(job);
        let busy = &mut self.lanes[lane.0 as usize].busy;
        let Some(at) = busy.iter().position(|other| *other == job) else {
            return false;
        };
        busy.remove(at);
        self.busy -= 1;
        self.list(lane);
        true
    }

    fn put_first(&mut self, job: JobId) {
        let lane = self.jobs.lane(job);
        self.lanes[lane.0 as usize].put_first(job, &self.jobs);
        self.demand += 1;
        self.review = true;
        self.list(lane);
    }

    /// Approach: skip the tests that no SUT can run, give work to the SUT that answered and to those that wait for work, and open
    /// spare SUTs.
    fn decide(&mut self, now: u64, answered: Option<SutId>) -> Vec<Decision> {
        self.now = now;
        let mut decisions = Vec::new();
        self.look_over(&mut decisions);
        for sut in answered.into_iter().chain(std::mem::take(&mut self.parked)) {
            if let Some(command) = self.give(sut) {
                decisions.push(Decision::Tell(sut, command));
            }
        }
        self.look_over(&mut decisions);
        self.open_spares(&mut decisions);
        decisions
    }

    /// Skips the tests that were given up, and checks the lanes for which no SUT may be left.
    fn look_over(&mut self, decisions: &mut Vec<Decision>) {
        if std::mem::take(&mut self.gives_up) {
            self.skip_what_was_given_up(decisions);
        }
        if std::mem::take(&mut self.review) {
            self.skip_what_cannot_run(decisions);
            self.open_rescuers(decisions);
        }
    }

    /// Returns the stage that follows for a SUT from an input.
    fn after(&mut self, sut: SutId, input: Input) -> SutStage {
        let (state, since) = (self.suts[sut.0 as usize].state, self.suts[sut.0 as usize].since);
        match (state, input) {
            (SutStage::Opening | SutStage::Held, Input::Opened(at)) => {
                self.suts[sut.0 as usize].at = at;
                SutStage::Idle(None)
            }
            (SutStage::Leaving { lane, next }, Input::Left) => {
                self.suts[sut.0 as usize].bound = next;
                if self.lanes[lane.0 as usize].finishes {
                    self.suts[sut.0 as usize].at = None;
                }
                SutStage::Idle(None)
            }
            (SutStage::Entering(lane), Input::Entered) => {
                let (row, state) = (&mut self.suts[sut.0 as usize], &mut self.lanes[lane.0 as usize]);
                if state.is_whole(row.at) {
                    state.measure(self.now.saturating_sub(since));
                }
                row.at = state.last_step().or(row.at);
                SutStage::Idle(Some((lane, Fit::Ready)))
            }
            (SutStage::Entering(lane), Input::EnterFailed(reason)) => {
                self.enter_failed(sut, lane, &reason);
                SutStage::Idle(Some((lane, Fit::Failed)))
            }
            (SutStage::Running { lane, job, .. }, Input::Ended(after)) => {
                if after == After::Busy {
                    self.gives_up |= self.given_up.contains_key(&job);
                    self.lanes[lane.0 as usize].busy.push(job);
                    self.busy += 1;
                    self.list(lane);
                }
                let tainted = after == After::Tainted;
                if tainted {
                    self.suts[sut.0 as usize].at = None;
                }
                SutStage::Idle(Some((lane, if tainted { Fit::Tainted } else { Fit::Ready })))
            }
            (_, Input::Lost(reason)) => {
                self.last_loss = reason;
                SutStage::Gone
            }
            (_, Input::Closed) => SutStage::Rested,
            (state, input) => {
                debug_assert!(false, "`{input:?}` cannot happen to a SUT that is {state:?}");
                state
            }
        }
    }

    fn enter_failed(&mut self, sut: SutId, lane: LaneId, reason: &Skip) {
        let row = &mut self.suts[sut.0 as usize];
        row.at = None;
        row.failed.push(lane);
        let state = &mut self.lanes[lane.0 as usize];
        state.failed_on += 1;
        let seen = state.note_failure(reason);
        // If several machines fail in the same way, the fault is in the chain itself.
        state.closed |= matches!(reason, Skip::Prepare(_)) && seen >= self.rules.same_failures;
        self.review = true;
    }

    /// Adds a lane to the list of lanes that have something to do, or removes it.
    fn list(&mut self, lane: LaneId) {
        let state = &mut self.lanes[lane.0 as usize];
        let wanted = state.demand() > 0 || !state.busy.is_empty();
        match (wanted, state.listed) {
            (true, None) => {
                state.listed = u32::try_from(self.listed.len()).ok();
                self.listed.push(lane);
            }
            (false, Some(at)) => {
                state.listed = None;
                self.listed.swap_remove(at as usize);
                if let Some(moved) = self.listed.get(at as usize) {
                    self.lanes[moved.0 as usize].listed = Some(at);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self) -> SutId {
        let sut = SutId(u32::try_from(self.suts.len()).unwrap_or(u32::MAX));
        self.suts.push(ScheduledSut::default());
        self.counts.alive += 1;
        self.spares.push_back(sut);
        sut
    }
}

fn lane_id(index: usize) -> LaneId {
    LaneId(u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
