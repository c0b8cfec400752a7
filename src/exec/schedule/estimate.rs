//! Estimates when a run will be over, from what is left to do and from how long its tests have taken so far.

use super::Schedule;
use super::lane::LaneState;
use super::messages::{Estimate, LaneId};
use super::sut::SutStage;

impl Schedule {
    /// Returns what is left to do, and how long it will take.
    pub fn estimate(&self, now: u64) -> Estimate {
        let mut running = 0;
        let mut last = 0;
        for row in &self.suts {
            if let SutStage::Running { end, .. } = row.state {
                running += 1;
                last = last.max(end.saturating_sub(now));
            }
        }
        let waiting: usize = self.lanes.iter().map(LaneState::waiting).sum();
        let longest = self
            .listed
            .iter()
            .filter_map(|lane| self.lanes[lane.0 as usize].first());
        let longest = longest.map(|job| self.pace.scaled(self.jobs.expected(job))).max();
        let spread = if waiting == 0 { 0 } else { self.estimate_of_work(now) };
        Estimate {
            waiting: waiting as u64,
            running,
            left: last.max(spread).max(longest.unwrap_or_default()),
        }
    }

    fn estimate_of_work(&self, now: u64) -> u64 {
        let running: u64 = self.lanes.iter().map(|lane| lane.left(now, &self.pace)).sum();
        let enter = |lane: &LaneId| match &self.lanes[lane.0 as usize] {
            lane if lane.served == 0 => lane.cost(None),
            _ => 0,
        };
        let entering: u64 = self.listed.iter().map(enter).sum();
        (running + entering) / (self.counts.supply.max(1) as u64)
    }
}

/// How many tests must have ended before their pace is used.
const ENOUGH: u32 = 5;

/// How much longer or shorter the tests of this run take than was expected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    seen: u32,
    expected: u64,
    took: u64,
}

impl Pace {
    pub(super) fn note(&mut self, expected: u64, took: u64) {
        self.seen = self.seen.saturating_add(1);
        self.expected = self.expected.saturating_add(expected);
        self.took = self.took.saturating_add(took);
    }

    pub(super) fn scaled(&self, expected: u64) -> u64 {
        if self.seen < ENOUGH || self.expected == 0 {
            return expected;
        }
        let scaled = u128::from(expected) * u128::from(self.took) / u128::from(self.expected);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}
