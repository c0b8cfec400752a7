//! A lane: its waiting tests in the order in which they start, what entering it costs, and counts of the SUTs that serve it.

use std::collections::VecDeque;

use super::estimate::Pace;
use super::jobs::Jobs;
use super::messages::{ChainStep, JobId, Lane, Skip, StepNo, SutId};

#[derive(Debug, Default)]
pub(super) struct LaneState {
    /// Tests that have not run, first the next.
    pending: VecDeque<JobId>,
    /// Tests that are to run once more: before all others.
    again: VecDeque<JobId>,
    /// Tests that another process runs.
    pub(super) busy: Vec<JobId>,
    /// The sum of what is expected of the tests that wait, in milliseconds.
    work: u64,
    /// SUTs to bring into it for its own sake, beside those that come for tests.
    pub(super) entries: u32,
    /// SUTs that are in it or on their way.
    pub(super) served: u32,
    /// Those of them that are on their way.
    pub(super) coming: u32,
    /// Those that are in it, or enter.
    pub(super) inside: u32,
    /// Tests that run.
    pub(super) running: u32,
    /// The sum of when these are expected to end.
    pub(super) ends: u64,
    chain: Vec<ChainStep>,
    /// How long it took to enter it from the first step, as measured in this run.
    measured: Option<u64>,
    pub(super) finishes: bool,
    /// How often each failure of its chain was seen.
    failures: Vec<(Skip, u32)>,
    /// SUTs that it failed on and that are not gone.
    pub(super) failed_on: u32,
    pub(super) failure: Option<Skip>,
    /// Whether no SUT enters it any more.
    pub(super) closed: bool,
    /// Where it stands in the list of lanes that have something to do.
    pub(super) listed: Option<u32>,
}

impl LaneState {
    pub(super) fn new(lane: Lane) -> Self {
        Self {
            work: lane.tasks.iter().map(|task| u64::from(task.expected)).sum(),
            pending: lane.tasks.iter().map(|task| task.job).collect(),
            entries: lane.entries,
            chain: lane.chain,
            finishes: lane.finishes,
            ..Self::default()
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.pending.len() + self.again.len()
    }

    pub(super) fn demand(&self) -> usize {
        self.waiting() + self.entries as usize
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> + '_ {
        self.again.iter().chain(&self.pending).copied()
    }

    /// The test that is next.
    pub(super) fn first(&self) -> Option<JobId> {
        self.again.front().or(self.pending.front()).copied()
    }

    /// Takes the next test for a SUT: reruns first, but not one that this very machine broke off, where there is another.
    pub(super) fn take(&mut self, sut: SutId, jobs: &Jobs) -> Option<JobId> {
        let elsewhere = self.again.iter().position(|&job| !jobs.was_broken_by(job, sut));
        let job = elsewhere
            .and_then(|at| self.again.remove(at))
            .or_else(|| self.pending.pop_front())
            .or_else(|| self.again.pop_front())?;
        self.work = self.work.saturating_sub(jobs.expected(job));
        Some(job)
    }

    /// Puts a test back that is to run as early as it can.
    pub(super) fn put_first(&mut self, job: JobId, jobs: &Jobs) {
        self.work += jobs.expected(job);
        self.again.push_back(job);
    }

    /// Takes out all that waits, and what another process runs.
    pub(super) fn drain(&mut self) -> Vec<JobId> {
        self.entries = 0;
        self.work = 0;
        let waiting = self.again.drain(..).chain(self.pending.drain(..));
        waiting.chain(self.busy.drain(..)).collect()
    }

    /// How long it takes a SUT to enter that has done everything up to the step `at`.
    pub(super) fn cost(&self, at: Option<StepNo>) -> u64 {
        let done = at.and_then(|at| self.chain.iter().position(|done| done.step == at));
        let from = done.map_or(0, |at| at + 1);
        let sum = |steps: &[ChainStep]| steps.iter().map(|step| step.expected).sum::<u64>();
        match (self.measured, sum(&self.chain)) {
            (Some(measured), all) if all > 0 => {
                u64::try_from(u128::from(measured) * u128::from(sum(&self.chain[from..])) / u128::from(all))
                    .unwrap_or(u64::MAX)
            }
            _ => sum(&self.chain[from..]),
        }
    }

    /// Hears how long it took a SUT to enter that had done nothing of the chain.
    pub(super) fn measure(&mut self, took: u64) {
        self.measured = Some(self.measured.unwrap_or_default().max(took));
    }

    /// Whether a SUT at this step has to do the whole chain.
    pub(super) fn is_whole(&self, at: Option<StepNo>) -> bool {
        !self.chain.is_empty() && !at.is_some_and(|at| self.chain.iter().any(|done| done.step == at))
    }

    pub(super) fn is_prepared(&self, at: Option<StepNo>) -> bool {
        at.is_some() && self.last_step() == at
    }

    pub(super) fn last_step(&self) -> Option<StepNo> {
        self.chain.last().map(|last| last.step)
    }

    /// The work that waits, by the pace of this run.
    pub(super) fn work(&self, pace: &Pace) -> u64 {
        pace.scaled(self.work)
    }

    /// Milliseconds of work that is left on the SUTs that serve it, all together.
    pub(super) fn left(&self, now: u64, pace: &Pace) -> u64 {
        let elapsed = u64::from(self.running).saturating_mul(now);
        self.work(pace) + self.ends.saturating_sub(elapsed)
    }

    /// Takes note of a failed entry; returns how often the same was seen now.
    pub(super) fn note_failure(&mut self, reason: &Skip) -> u32 {
        self.failure = Some(reason.clone());
        if let Some((_, count)) = self.failures.iter_mut().find(|(seen, _)| seen == reason) {
            *count += 1;
            return *count;
        }
        self.failures.push((reason.clone(), 1));
        1
    }
}
