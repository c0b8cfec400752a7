//! Who does what next: a pure state machine, inputs in, commands out.
//!
//! Knows SUTs, lanes and tests as numbers; the time is handed in (milliseconds since any moment), and there are no threads and
//! no I/O, so that any order of events can be played to it. A **lane** is what tests share that a SUT must be brought into before
//! they start: a prepare chain and an uploaded tree. What follows from an event is found without looking at all SUTs or tests:
//! only a SUT that has to choose a lane looks at the lanes that have something to do.
//!
//! Invariants:
//! - a SUT has at most one command at a time, and answers each with exactly one input;
//! - a test is given out at most once at a time, and is answered for good or skipped exactly once;
//! - a SUT runs a test only in the test's lane, entered since the SUT was last tainted;
//! - a SUT that entered a lane leaves it (finish) before it enters another or is closed, also after failures;
//! - no test is skipped for want of a SUT while there is one on which its lane did not fail, unless the lane is closed: then while
//!   there is one inside.

mod choose;
mod estimate;
mod jobs;
mod lane;
mod messages;
#[cfg(test)]
pub mod simulation;
mod sut;

use std::collections::VecDeque;

use estimate::Pace;
use jobs::Jobs;
use lane::LaneState;
pub(crate) use messages::TestAttempt;
pub use messages::{
    After, AttemptOutcome, ChainStep, Decision, Estimate, Input, JobId, Lane, LaneId, Ruling, ScheduleRules, Skip,
    StepNo, SutId, Task, WorkerCommand,
};
use sut::{Fit, ScheduledSut, SutCounts, SutStage};

/// The state machine. Drive it: [`Schedule::start`], then [`Schedule::handle`] for each answer until [`Schedule::is_over`].
#[derive(Debug)]
pub struct Schedule {
    rules: ScheduleRules,
    lanes: Vec<LaneState>,
    jobs: Jobs,
    suts: Vec<ScheduledSut>,
    counts: SutCounts,
    /// SUTs that were not opened so far.
    spares: VecDeque<SutId>,
    /// SUTs to open for their own sake, whether there is work for them or not.
    owing: VecDeque<SutId>,
    /// SUTs that were let go because there was nothing for them to do.
    rested: Vec<SutId>,
    /// Idle SUTs that wait for tests that another process runs.
    parked: Vec<SutId>,
    /// Lanes that have something to do, in no order.
    listed: Vec<LaneId>,
    /// Tests that wait, and entries for a lane's own sake.
    demand: usize,
    busy: usize,
    failures: u32,
    pace: Pace,
    /// Why nothing starts any more.
    halted: Option<Skip>,
    last_loss: Skip,
    /// Whether something happened after which a lane may be beyond all SUTs.
    review: bool,
    /// Decisions since a change of lanes was last considered.
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

    /// Hears, before the start, that a SUT has something to do when it is let go: it is opened in any case, unless the run is
    /// halted before.
    pub fn owe(&mut self, sut: SutId) {
        if let Some(at) = self.spares.iter().position(|spare| *spare == sut) {
            self.spares.remove(at);
            self.owing.push_back(sut);
        }
    }

    /// Opens as many SUTs as can be of use; the others are spares.
    pub fn start(&mut self, now: u64) -> Vec<Decision> {
        self.decide(now, None)
    }

    /// Takes one more SUT into the pool.
    pub fn join(&mut self, now: u64) -> (SutId, Vec<Decision>) {
        let sut = self.add();
        (sut, self.decide(now, None))
    }

    /// Hears that a SUT that is opened is held by somebody else: it may take long, and others can be connected to meanwhile.
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

    /// Returns the number of the attempt that a test has next, or that runs: from 1.
    pub fn attempt(&self, job: JobId) -> u32 {
        self.jobs.attempt(job)
    }

    /// Returns whether every test is answered or skipped, and every SUT that was opened let go.
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

    /// Takes what came of an attempt, before the SUT answers, and decides whether the test runs once more.
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
        let ruling = match self.halted {
            Some(_) => Ruling::Final { flaky: false },
            None => self.jobs.rule(job, sut, said, &self.rules),
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

    /// Offers a test again that another process does not run any more.
    pub fn offer_again(&mut self, now: u64, job: JobId) -> Vec<Decision> {
        if self.forget_busy(job) {
            self.put_first(job);
        }
        self.decide(now, None)
    }

    /// Hears that another process has answered a test.
    pub fn answered_elsewhere(&mut self, now: u64, job: JobId) -> Vec<Decision> {
        self.forget_busy(job);
        self.decide(now, None)
    }

    /// Gives out no further test; SUTs that are in a lane leave it, and all are let go.
    pub fn cancel(&mut self, now: u64) -> Vec<Decision> {
        self.halt(now, Skip::Cancelled)
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

    /// Approach: skip what no SUT can run; give work to the SUT that answered and to those that wait for it; open spares.
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

    /// Looks after lanes that may have nobody left.
    fn look_over(&mut self, decisions: &mut Vec<Decision>) {
        if std::mem::take(&mut self.review) {
            self.skip_what_cannot_run(decisions);
            self.open_rescuers(decisions);
        }
    }

    /// One transition of one SUT.
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
        // What failed is the chain itself, and not a machine.
        state.closed |= matches!(reason, Skip::Prepare(_)) && seen >= self.rules.same_failures;
        self.review = true;
    }

    /// Skips what no SUT that is left can run.
    fn skip_what_cannot_run(&mut self, decisions: &mut Vec<Decision>) {
        let alive = self.counts.alive;
        for id in self.listed.clone() {
            self.drop_idle_entries(id);
            let lane = &mut self.lanes[id.0 as usize];
            let skip = if let Some(halted) = &self.halted {
                halted.clone()
            } else if lane.failed_on == alive || lane.closed && lane.inside == 0 {
                lane.failure.clone().unwrap_or_else(|| self.last_loss.clone())
            } else {
                continue;
            };
            self.demand -= lane.demand();
            self.busy -= lane.busy.len();
            let gone = lane.drain();
            decisions.extend(gone.into_iter().map(|job| Decision::Skip(job, skip.clone())));
            self.list(id);
        }
    }

    /// Gives up entries of a lane for its own sake for which there is no SUT that was not in it.
    fn drop_idle_entries(&mut self, id: LaneId) {
        let can_come =
            |row: &ScheduledSut| row.state != SutStage::Gone && !row.entered.contains(&id) && !row.failed.contains(&id);
        let lane = &mut self.lanes[id.0 as usize];
        if lane.entries > 0 && !self.suts.iter().any(can_come) {
            self.demand -= std::mem::take(&mut lane.entries) as usize;
            self.list(id);
        }
    }

    /// Gives an idle SUT its next command.
    ///
    /// Approach: stay in the lane while it has tests, unless a change pays; else leave it for the lane where the SUT is needed
    /// most; else wait for tests that another process runs; else let the SUT go.
    fn give(&mut self, sut: SutId) -> Option<WorkerCommand> {
        let SutStage::Idle(place) = self.suts[sut.0 as usize].state else {
            return None;
        };
        let bound = self.suts[sut.0 as usize].bound.take();
        let mut next = bound.filter(|&lane| self.is_needed(lane, sut));
        if let Some((lane, fit)) = place.filter(|_| self.halted.is_none()) {
            next = self.better_lane(sut, lane).filter(|_| fit == Fit::Ready);
            if next.is_none()
                && fit == Fit::Ready
                && let Some(job) = self.take_job(lane, sut)
            {
                return Some(WorkerCommand::Run(job));
            }
            if fit == Fit::Tainted && self.is_short(lane) {
                return Some(self.enter(lane, sut));
            }
        }
        let next = next.or_else(|| self.choose(sut));
        match (place, next) {
            (_, None) if self.waits_for_others(sut) => {
                self.parked.push(sut);
                None
            }
            (Some((lane, _)), next) => {
                self.review |= self.lanes[lane.0 as usize].closed;
                self.set(sut, SutStage::Leaving { lane, next });
                Some(WorkerCommand::Leave(lane))
            }
            (None, Some(next)) => Some(self.enter(next, sut)),
            (None, None) => {
                self.set(sut, SutStage::Closing);
                Some(WorkerCommand::Close)
            }
        }
    }

    fn take_job(&mut self, lane: LaneId, sut: SutId) -> Option<JobId> {
        let job = self.lanes[lane.0 as usize].take(sut, &self.jobs)?;
        self.demand -= 1;
        self.list(lane);
        let end = self.now + self.pace.scaled(self.jobs.expected(job));
        let ruled = false;
        self.set(sut, SutStage::Running { lane, job, end, ruled });
        Some(job)
    }

    fn enter(&mut self, lane: LaneId, sut: SutId) -> WorkerCommand {
        let state = &mut self.lanes[lane.0 as usize];
        let row = &mut self.suts[sut.0 as usize];
        if state.entries > 0 && !row.entered.contains(&lane) {
            state.entries -= 1;
            self.demand -= 1;
            row.entered.push(lane);
            self.list(lane);
        }
        self.set(sut, SutStage::Entering(lane));
        WorkerCommand::Enter(lane)
    }

    /// Opens SUTs that owe something; then spares until there is a SUT for each test that runs or waits, in place of those that were
    /// lost too.
    fn open_spares(&mut self, decisions: &mut Vec<Decision>) {
        while self.counts.opening < self.rules.connecting
            && let Some(sut) = self.owing.pop_front()
        {
            decisions.push(self.open(sut));
        }
        while self.halted.is_none()
            && self.demand > 0
            && self.counts.supply < self.demand + self.counts.testing
            && self.counts.opening < self.rules.connecting
        {
            let Some(sut) = self.spares.pop_front() else { return };
            decisions.push(self.open(sut));
        }
    }

    fn open(&mut self, sut: SutId) -> Decision {
        self.set(sut, SutStage::Opening);
        Decision::Tell(sut, WorkerCommand::Open)
    }

    /// Keeps the list of lanes that have something to do.
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
