//! Chooses the lane for a SUT: which lane needs a SUT most, what it costs to bring the SUT there, and whether that pays.
//!
//! The *end* of a lane is the time at which its work would be over with the SUTs that serve it now. A free SUT goes to the lane whose
//! end is last, so SUTs spread until all lanes end together. It goes there only if it can start a test before the SUTs in the lane
//! have started all of them. A SUT that is already prepared for a lane prefers that lane, as long as the lane has less than its share
//! of the SUTs.

use super::Schedule;
use super::lane::LaneState;
use super::messages::{Decision, LaneId, SutId};
use super::sut::ScheduledSut;

/// How much a lane needs a SUT. The greatest need is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    priority: i64,
    at_home: bool,
    end: u64,
    /// If the need is equal, the lane with the lower id is chosen.
    order: std::cmp::Reverse<LaneId>,
}

impl Schedule {
    /// Chooses the lane for an idle SUT that is in no lane or about to leave its own.
    pub(super) fn choose(&self, sut: SutId) -> Option<LaneId> {
        if self.halted.is_some() {
            return None;
        }
        let share = self.share();
        let needs = self
            .listed
            .iter()
            .filter_map(|&lane| Some((self.need(lane, sut, share)?, lane)));
        needs.max().map(|(_, lane)| lane)
    }

    /// Returns whether a lane still needs a SUT that has left another lane for it.
    pub(super) fn is_needed(&self, lane: LaneId, sut: SutId) -> bool {
        self.halted.is_none() && self.need(lane, sut, 0).is_some()
    }

    /// Returns how much a lane needs a SUT, or `None` if the SUT is of no use there.
    fn need(&self, id: LaneId, sut: SutId, share: u64) -> Option<Need> {
        let lane = &self.lanes[id.0 as usize];
        if !self.may_enter(id, sut) {
            return None;
        }
        let order = std::cmp::Reverse(id);
        if self.wants_for_itself(lane, id, sut) {
            return Some(Need {
                priority: 0,
                at_home: lane.is_prepared(self.suts[sut.0 as usize].at),
                end: u64::MAX - u64::from(lane.served),
                order,
            });
        }
        let first = lane.first().filter(|_| lane.waiting() > lane.coming as usize)?;
        let row = &self.suts[sut.0 as usize];
        let cost = lane.cost(row.at);
        let pays = lane.served == 0 || cost == 0 || cost < self.end(lane);
        pays.then(|| Need {
            priority: self.jobs.priority(first),
            at_home: lane.is_prepared(row.at) && (lane.served == 0 || self.end(lane) > share),
            end: self.end(lane),
            order,
        })
    }

    /// Returns in how many milliseconds the work of a lane is over with the SUTs that serve it, or with one if there are none.
    fn end(&self, lane: &LaneState) -> u64 {
        match lane.served {
            0 => lane.cost(None) + lane.left(self.now, &self.pace),
            served => lane.left(self.now, &self.pace) / u64::from(served),
        }
    }

    /// Returns in how many milliseconds all work would be over if it were spread evenly.
    fn share(&self) -> u64 {
        let work = |lane: &LaneId| {
            let lane = &self.lanes[lane.0 as usize];
            let enter = if lane.served == 0 { lane.cost(None) } else { 0 };
            enter + lane.left(self.now, &self.pace)
        };
        let all: u64 = self.listed.iter().map(work).sum();
        all / (self.counts.supply.max(1) as u64)
    }

    fn wants_for_itself(&self, lane: &LaneState, id: LaneId, sut: SutId) -> bool {
        lane.entries > 0 && !self.suts[sut.0 as usize].entered.contains(&id)
    }

    fn may_enter(&self, lane: LaneId, sut: SutId) -> bool {
        !self.lanes[lane.0 as usize].closed && !self.suts[sut.0 as usize].failed.contains(&lane)
    }

    /// Returns whether a lane has a test for one more SUT.
    pub(super) fn is_short(&self, lane: LaneId) -> bool {
        let lane = &self.lanes[lane.0 as usize];
        lane.waiting() > lane.coming as usize
    }

    /// Returns whether an idle SUT has to wait for tests that another process runs.
    pub(super) fn waits_for_others(&self, sut: SutId) -> bool {
        let may_come = |&id: &LaneId| !self.lanes[id.0 as usize].busy.is_empty() && self.may_run(id, sut);
        self.busy > 0 && self.halted.is_none() && self.listed.iter().any(may_come)
    }

    fn may_run(&self, lane: LaneId, sut: SutId) -> bool {
        let row = &self.suts[sut.0 as usize];
        !row.failed.contains(&lane) && (!self.lanes[lane.0 as usize].closed || row.state.serves() == Some(lane))
    }

    /// Finds a lane that no SUT serves and that is worth leaving a lane for which still has tests.
    ///
    /// Approach: if the SUT stays, the other lane is entered when the tests here are over. If it goes, the SUTs that stay have more to do.
    /// Whichever of the two ends earlier is right. The more lanes there are, the more rarely this is considered, so that it costs nothing.
    pub(super) fn better_lane(&mut self, sut: SutId, from: LaneId) -> Option<LaneId> {
        if self.listed.len() < 2 || self.lanes[from.0 as usize].served < 2 {
            return None;
        }
        self.patience += 1;
        if self.patience < self.listed.len() {
            return None;
        }
        self.patience = 0;
        let here = &self.lanes[from.0 as usize];
        let end = self.end(here);
        let slower = end.saturating_mul(u64::from(here.served)) / u64::from(here.served - 1);
        let pays = |&id: &LaneId| {
            let lane = &self.lanes[id.0 as usize];
            if id == from || lane.served > 0 || lane.waiting() == 0 || !self.may_enter(id, sut) {
                return false;
            }
            let longest = lane.first().map_or(0, |job| self.pace.scaled(self.jobs.expected(job)));
            let there = lane.cost(self.suts[sut.0 as usize].at) + longest;
            slower.max(there) < end.saturating_add(there)
        };
        self.listed.iter().copied().find(pays)
    }

    /// Opens SUTs for lanes that have tests and no SUT that could run them, however many SUTs work in other lanes.
    pub(super) fn open_rescuers(&mut self, decisions: &mut Vec<Decision>) {
        if self.halted.is_some() || self.spares.is_empty() && self.rested.is_empty() {
            return;
        }
        for id in self.listed.clone() {
            let lane = &self.lanes[id.0 as usize];
            if lane.demand() == 0 || lane.served > 0 || lane.closed {
                continue;
            }
            let for_tests = lane.waiting() > 0;
            let can_come = |row: &ScheduledSut| {
                row.state.works() && !row.failed.contains(&id) && (for_tests || !row.entered.contains(&id))
            };
            if self.suts.iter().any(can_come) {
                continue;
            }
            let rested = self
                .rested
                .iter()
                .rposition(|sut| !self.suts[sut.0 as usize].failed.contains(&id));
            let rescuer = self
                .spares
                .pop_front()
                .or_else(|| rested.map(|at| self.rested.swap_remove(at)));
            if let Some(sut) = rescuer {
                decisions.push(self.open(sut));
            }
        }
    }
}
