//! The state of a lane in the schedule: its waiting tests in the order in which they start, the cost of entering it, and counts of
//! the SUTs that serve it.

use std::collections::{HashMap, VecDeque};

use super::estimate::Pace;
use super::jobs::Jobs;
use super::messages::{ChainStep, JobId, Lane, Skip, StepNo, SutId};

#[derive(Debug, Default)]
pub(super) struct LaneState {
    /// The tests that have not run, the next one first.
    pending: VecDeque<JobId>,
    /// The tests that run once more, before all others.
    again: VecDeque<JobId>,
    /// The tests that another process runs.
    pub(super) busy: Vec<JobId>,
    /// The sum of the expected durations of the waiting tests, in milliseconds.
    work: u64,
    /// How many more SUTs have to enter the lane even without tests.
    pub(super) entries: u32,
    /// How many SUTs are in it or on their way.
    pub(super) served: u32,
    /// How many of these are on their way.
    pub(super) coming: u32,
    /// How many of these are in it, or entering.
    pub(super) inside: u32,
    /// How many of its tests run.
    pub(super) running: u32,
    /// The sum of the times at which these are expected to end.
    pub(super) ends: u64,
    chain: Vec<ChainStep>,
    /// How long it took to enter it from the first step, as measured in this run.
    measured: Option<u64>,
    pub(super) finishes: bool,
    /// How often each failure of entering it was seen.
    failures: Vec<(Skip, u32)>,
    /// How many SUTs, without those that are gone, could not enter it.
    pub(super) failed_on: u32,
    pub(super) failure: Option<Skip>,
    /// Whether no SUT enters it any more.
    pub(super) closed: bool,
    /// Its position in the list of lanes that have something to do.
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

    /// Returns the next test.
    pub(super) fn first(&self) -> Option<JobId> {
        self.again.front().or(self.pending.front()).copied()
    }

    /// Takes the next test for a SUT. Reruns come first, but a test that this SUT broke off is only taken if there is no other.
    pub(super) fn take(&mut self, sut: SutId, jobs: &Jobs) -> Option<JobId> {
        let elsewhere = self.again.iter().position(|&job| !jobs.was_broken_by(job, sut));
        let job = elsewhere
            .and_then(|at| self.again.remove(at))
            .or_else(|| self.pending.pop_front())
            .or_else(|| self.again.pop_front())?;
        self.work = self.work.saturating_sub(jobs.expected(job));
        Some(job)
    }

    /// Puts a test back that is to run once more, as early as possible.
    pub(super) fn put_first(&mut self, job: JobId, jobs: &Jobs) {
        self.work += jobs.expected(job);
        self.again.push_back(job);
    }

    /// Takes out all tests that wait or that another process runs.
    pub(super) fn drain(&mut self) -> Vec<JobId> {
        self.entries = 0;
        self.work = 0;
        let waiting = self.again.drain(..).chain(self.pending.drain(..));
        waiting.chain(self.busy.drain(..)).collect()
    }

    /// Takes out these of the tests that wait or that another process runs.
    pub(super) fn remove(&mut self, unwanted: &HashMap<JobId, Skip>, jobs: &Jobs) -> Vec<JobId> {
        let (mut gone, mut work) = (Vec::new(), 0);
        for waiting in [&mut self.again, &mut self.pending] {
            waiting.retain(|job| {
                let is_wanted = !unwanted.contains_key(job);
                if !is_wanted {
                    work += jobs.expected(*job);
                    gone.push(*job);
                }
                is_wanted
            });
        }
        gone.extend(self.busy.extract_if(.., |job| unwanted.contains_key(job)));
        self.work = self.work.saturating_sub(work);
        gone
    }

    /// Returns how long it takes a SUT to enter that has done the steps up to `at`.
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

    /// Notes how long it took a SUT to enter that had done no step of the chain.
    pub(super) fn measure(&mut self, took: u64) {
        self.measured = Some(self.measured.unwrap_or_default().max(took));
    }

    /// Returns whether a SUT at this step has to do the whole chain.
    pub(super) fn is_whole(&self, at: Option<StepNo>) -> bool {
        !self.chain.is_empty() && !at.is_some_and(|at| self.chain.iter().any(|done| done.step == at))
    }

    pub(super) fn is_prepared(&self, at: Option<StepNo>) -> bool {
        at.is_some() && self.last_step() == at
    }

    pub(super) fn last_step(&self) -> Option<StepNo> {
        self.chain.last().map(|last| last.step)
    }

    /// Returns the expected duration of the waiting tests, by the pace of this run.
    pub(super) fn work(&self, pace: &Pace) -> u64 {
        pace.scaled(self.work)
    }

    /// Returns how many milliseconds of work are left for all SUTs that serve it, together.
    pub(super) fn left(&self, now: u64, pace: &Pace) -> u64 {
        let elapsed = u64::from(self.running).saturating_mul(now);
        self.work(pace) + self.ends.saturating_sub(elapsed)
    }

    /// Notes a failed entry. Returns how often the same failure has been seen now.
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
