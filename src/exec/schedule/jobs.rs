//! The state of each test in the schedule, and whether a test is tried again. It is small, because there may be a hundred
//! thousand tests.

use super::messages::{AttemptOutcome, JobId, Lane, LaneId, Ruling, ScheduleRules, SutId};

/// The value that stands for no SUT.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Job {
    priority: i64,
    lane: LaneId,
    /// How long it is expected to take, in milliseconds.
    expected: u32,
    /// The SUT that broke off the last attempt.
    broken_by: u32,
    /// How many attempts failed and were followed by another one.
    failed: u16,
    /// How many attempts a machine broke off that were followed by another one.
    broken: u16,
}

/// All tests of a run.
#[derive(Debug)]
pub(super) struct Jobs(Vec<Job>);

impl Jobs {
    pub(super) fn new(lanes: &[Lane]) -> Self {
        let count = lanes
            .iter()
            .flat_map(|lane| &lane.tasks)
            .map(|task| task.job.0 + 1)
            .max();
        let none = Job {
            priority: 0,
            lane: LaneId(0),
            expected: 0,
            broken_by: NONE,
            failed: 0,
            broken: 0,
        };
        let mut jobs = vec![none; count.unwrap_or_default() as usize];
        for (lane, index) in lanes.iter().zip(0..) {
            for task in &lane.tasks {
                jobs[task.job.0 as usize] = Job {
                    priority: task.priority,
                    lane: LaneId(index),
                    expected: task.expected,
                    ..none
                };
            }
        }
        Self(jobs)
    }

    pub(super) fn lane(&self, job: JobId) -> LaneId {
        self.0[job.0 as usize].lane
    }

    pub(super) fn expected(&self, job: JobId) -> u64 {
        self.0[job.0 as usize].expected.into()
    }

    pub(super) fn priority(&self, job: JobId) -> i64 {
        self.0[job.0 as usize].priority
    }

    pub(super) fn was_broken_by(&self, job: JobId, sut: SutId) -> bool {
        self.0[job.0 as usize].broken_by == sut.0
    }

    /// Returns the number, from 1, of the attempt that runs or comes next.
    pub(super) fn attempt(&self, job: JobId) -> u32 {
        let Job { failed, broken, .. } = self.0[job.0 as usize];
        1 + u32::from(failed) + u32::from(broken)
    }

    /// Decides whether a test runs once more.
    pub(super) fn rule(&mut self, job: JobId, sut: SutId, said: AttemptOutcome, rules: &ScheduleRules) -> Ruling {
        let state = &mut self.0[job.0 as usize];
        match said {
            AttemptOutcome::Failed if u32::from(state.failed) < rules.retries && state.failed < u16::MAX => {
                state.failed += 1;
                state.broken_by = NONE;
                Ruling::Again
            }
            AttemptOutcome::Broken if u32::from(state.broken) < rules.retry_infra && state.broken < u16::MAX => {
                state.broken += 1;
                state.broken_by = sut.0;
                Ruling::Again
            }
            said => self.last(job, said),
        }
    }

    /// Rules that a test has had its last attempt.
    pub(super) fn last(&self, job: JobId, said: AttemptOutcome) -> Ruling {
        Ruling::Final {
            flaky: said == AttemptOutcome::Passed && self.0[job.0 as usize].failed > 0,
        }
    }
}
