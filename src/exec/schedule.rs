//! Who does what next: a pure state machine, inputs in, commands out.
//!
//! Knows SUTs, lanes and tests as numbers; has no clock, no threads and no I/O, so that any order of events can be played to
//! it. A **lane** is what tests share that a SUT must be brought into before they start: a prepare chain and an uploaded tree.
//!
//! Invariants:
//! - a SUT has at most one command at a time, and answers each with exactly one input;
//! - a test is given out at most once at a time, and is answered or skipped exactly once;
//! - a SUT runs a test only in the test's lane, entered since the SUT was last tainted;
//! - a SUT that entered a lane leaves it (finish) before it enters another or is closed, also after failures;
//! - no test is skipped for want of a SUT while there is one that was not tried.

mod words;

use std::collections::VecDeque;

pub use words::{After, Command, Decision, Input, JobId, Lane, LaneId, Skip, SutId};

#[derive(Debug, Default)]
struct LaneState {
    pending: VecDeque<JobId>,
    /// Tests that another process runs.
    busy: Vec<JobId>,
    /// SUTs to bring into it for its own sake, beside those that come for tests.
    entries: u32,
    /// Those that came.
    entered: Vec<SutId>,
    failed_on: Vec<SutId>,
    failure: Option<Skip>,
}

impl LaneState {
    fn wants(&self, sut: SutId) -> bool {
        let for_itself = self.entries > 0 && !self.entered.contains(&sut);
        (for_itself || !self.pending.is_empty()) && !self.failed_on.contains(&sut)
    }

    fn demand(&self) -> usize {
        self.pending.len() + self.entries as usize
    }
}

/// Where a SUT stands. `Option<LaneId>` is the lane it is in and has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sut {
    /// Not needed so far.
    Spare,
    Opening,
    Idle {
        lane: Option<LaneId>,
        tainted: bool,
    },
    Entering(LaneId),
    Running(LaneId, JobId),
    Leaving,
    Closing,
    Gone,
}

impl Sut {
    /// Whether it can take more work, now or later.
    fn works(self) -> bool {
        !matches!(self, Self::Spare | Self::Closing | Self::Gone)
    }
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
                lane_of[job.0 as usize] = lane_id(index);
            }
        }
        let lanes = lanes
            .into_iter()
            .map(|lane| LaneState {
                pending: lane.jobs.into(),
                entries: lane.entries,
                ..LaneState::default()
            })
            .collect();
        Self {
            lanes,
            suts: vec![Sut::Spare; suts],
            lane_of,
            cancelled: false,
            last_loss: Skip::Unreachable("there is no SUT".to_owned()),
        }
    }

    /// Opens as many SUTs as can be of use; the others are spares.
    pub fn start(&mut self) -> Vec<Decision> {
        self.decide()
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

    /// Returns whether every test is answered or skipped, and every SUT that was opened let go.
    pub fn is_over(&self) -> bool {
        let idle = |lane: &LaneState| lane.demand() == 0 && lane.busy.is_empty();
        self.suts.iter().all(|sut| matches!(sut, Sut::Gone | Sut::Spare)) && self.lanes.iter().all(idle)
    }

    /// Returns the tests that another process was running when they were to start.
    pub fn busy(&self) -> Vec<JobId> {
        self.lanes.iter().flat_map(|lane| &lane.busy).copied().collect()
    }

    /// Takes a worker's answer and decides what follows from it.
    pub fn handle(&mut self, sut: SutId, input: Input) -> Vec<Decision> {
        self.suts[sut.0 as usize] = self.after(sut, input);
        self.decide()
    }

    /// Offers a test again that another process does not run any more.
    pub fn offer_again(&mut self, job: JobId) -> Vec<Decision> {
        if self.forget_busy(job) {
            self.lanes[self.lane_of[job.0 as usize].0 as usize]
                .pending
                .push_back(job);
        }
        self.decide()
    }

    /// Hears that another process has answered a test.
    pub fn answered_elsewhere(&mut self, job: JobId) -> Vec<Decision> {
        self.forget_busy(job);
        self.decide()
    }

    /// Gives out no further test; SUTs that are in a lane leave it, and all are let go.
    pub fn cancel(&mut self) -> Vec<Decision> {
        self.cancelled = true;
        self.decide()
    }

    fn forget_busy(&mut self, job: JobId) -> bool {
        let busy = &mut self.lanes[self.lane_of[job.0 as usize].0 as usize].busy;
        let at = busy.iter().position(|other| *other == job);
        at.map(|at| busy.remove(at)).is_some()
    }

    fn decide(&mut self) -> Vec<Decision> {
        let mut decisions = Vec::new();
        self.skip_what_cannot_run(&mut decisions);
        self.give_work(&mut decisions);
        self.open_spares(&mut decisions);
        decisions
    }

    /// One transition of one SUT.
    fn after(&mut self, sut: SutId, input: Input) -> Sut {
        match (self.suts[sut.0 as usize], input) {
            (Sut::Opening, Input::Opened) | (Sut::Leaving, Input::Left) => Sut::Idle {
                lane: None,
                tainted: false,
            },
            (Sut::Entering(lane), Input::Entered) => Sut::Idle {
                lane: Some(lane),
                tainted: false,
            },
            (Sut::Entering(lane), Input::EnterFailed(reason)) => {
                let state = &mut self.lanes[lane.0 as usize];
                state.failed_on.push(sut);
                state.failure = Some(reason);
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
            (_, Input::Lost(reason)) => {
                self.last_loss = reason;
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
            } else if alive.iter().all(|sut| lane.failed_on.contains(sut)) {
                lane.failure.clone().unwrap_or_else(|| self.last_loss.clone())
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
    /// Approach: stay in the lane while it has tests; else leave it, for the lane that the fewest other SUTs serve; else wait for
    /// tests that another process runs; else let the SUT go.
    fn give_work(&mut self, decisions: &mut Vec<Decision>) {
        for index in 0..self.suts.len() {
            let sut = sut_id(index);
            let Sut::Idle { lane, tainted } = self.suts[index] else {
                continue;
            };
            let (state, command) = if let Some(job) = lane.filter(|_| !tainted).and_then(|lane| self.next_job(lane)) {
                (Sut::Running(self.lane_of[job.0 as usize], job), Command::Run(job))
            } else if let Some(lane) = lane.filter(|&lane| tainted && self.wants(lane, sut)) {
                (self.entering(lane, sut), Command::Enter(lane))
            } else {
                match (lane, self.choose_lane(sut)) {
                    (_, None) if self.waits_for_others(sut) => continue,
                    (Some(lane), _) => (Sut::Leaving, Command::Leave(lane)),
                    (None, Some(next)) => (self.entering(next, sut), Command::Enter(next)),
                    (None, None) => (Sut::Closing, Command::Close),
                }
            };
            self.suts[index] = state;
            decisions.push(Decision::Tell(sut, command));
        }
    }

    /// Opens spares until there are as many SUTs as can be of use, in place of those that were lost too.
    fn open_spares(&mut self, decisions: &mut Vec<Decision>) {
        let demand: usize = self.lanes.iter().map(LaneState::demand).sum();
        let of_use =
            |index: &usize| self.suts[*index].works() && self.lanes.iter().any(|lane| lane.wants(sut_id(*index)));
        let supply = (0..self.suts.len()).filter(of_use).count();
        let spares = self.suts.iter_mut().enumerate().filter(|(_, sut)| **sut == Sut::Spare);
        for (index, spare) in spares.take(demand.saturating_sub(supply)) {
            *spare = Sut::Opening;
            decisions.push(Decision::Tell(sut_id(index), Command::Open));
        }
    }

    fn entering(&mut self, lane: LaneId, sut: SutId) -> Sut {
        let state = &mut self.lanes[lane.0 as usize];
        if state.entries > 0 && !state.entered.contains(&sut) {
            state.entries -= 1;
            state.entered.push(sut);
        }
        Sut::Entering(lane)
    }

    fn next_job(&mut self, lane: LaneId) -> Option<JobId> {
        self.lanes[lane.0 as usize].pending.pop_front()
    }

    fn wants(&self, lane: LaneId, sut: SutId) -> bool {
        self.lanes[lane.0 as usize].wants(sut)
    }

    fn waits_for_others(&self, sut: SutId) -> bool {
        let may_come = |lane: &LaneState| !lane.busy.is_empty() && !lane.failed_on.contains(&sut);
        self.lanes.iter().any(may_come)
    }

    fn choose_lane(&self, sut: SutId) -> Option<LaneId> {
        let served = |lane: LaneId| {
            let is_in = |other: &&Sut| match other {
                Sut::Idle { lane: Some(other), .. } | Sut::Entering(other) | Sut::Running(other, _) => *other == lane,
                _ => false,
            };
            self.suts.iter().filter(is_in).count()
        };
        let lanes = (0..self.lanes.len()).map(lane_id);
        lanes
            .filter(|&lane| self.wants(lane, sut))
            .min_by_key(|&lane| (served(lane), lane))
    }
}

fn sut_id(index: usize) -> SutId {
    SutId(u32::try_from(index).unwrap_or(u32::MAX))
}

fn lane_id(index: usize) -> LaneId {
    LaneId(u32::try_from(index).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
