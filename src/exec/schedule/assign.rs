//! Assigns work: decides the next command of an idle SUT, which spare SUTs are opened, and which tests are skipped because no SUT
//! can run them.

use super::Schedule;
use super::messages::{Decision, JobId, LaneId, SutId, WorkerCommand};
use super::sut::{Fit, ScheduledSut, SutStage};

impl Schedule {
    /// Skips the tests that were given up and wait.
    pub(super) fn skip_what_was_given_up(&mut self, decisions: &mut Vec<Decision>) {
        for id in self.listed.clone() {
            let lane = &mut self.lanes[id.0 as usize];
            let (waiting, busy) = (lane.waiting(), lane.busy.len());
            let gone = lane.remove(&self.given_up, &self.jobs);
            self.demand -= waiting - lane.waiting();
            self.busy -= busy - lane.busy.len();
            decisions.extend(
                gone.into_iter()
                    .map(|job| Decision::Skip(job, self.given_up[&job].clone())),
            );
            self.list(id);
        }
    }

    /// Skips the tests that none of the remaining SUTs can run.
    pub(super) fn skip_what_cannot_run(&mut self, decisions: &mut Vec<Decision>) {
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

    /// Gives up required entries of a lane if every SUT has been in it already, or cannot enter it.
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
    /// Approach: stay in the lane while it has tests, unless a change pays. Else leave it for the lane that needs the SUT most. Else wait for
    /// tests that another process runs. Else release the SUT.
    pub(super) fn give(&mut self, sut: SutId) -> Option<WorkerCommand> {
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

    /// Opens the SUTs on which a finish is due. Then opens spare SUTs until there is one for each test that runs or waits, which also replaces
    /// SUTs that were lost.
    pub(super) fn open_spares(&mut self, decisions: &mut Vec<Decision>) {
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

    pub(super) fn open(&mut self, sut: SutId) -> Decision {
        self.set(sut, SutStage::Opening);
        Decision::Tell(sut, WorkerCommand::Open)
    }
}
