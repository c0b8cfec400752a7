//! The plans that ended before all of their tests ran: at their first failure (`exit-first`), or because a test gave them up
//! (`tmt-abort`).
//!
//! A test that several plans have runs as long as one of them goes on. What runs already, on another machine, goes on to its end.

use std::collections::BTreeSet;

use crate::compile::spec::{PlanId, Workload};
use crate::exec::attempt::rest_of_plan::RestOfPlan;
use crate::exec::pending::PendingWork;
use crate::exec::schedule::{JobId, Skip};

/// The plans of a run that ended so.
#[derive(Debug, Default)]
pub(crate) struct EndedPlans(BTreeSet<PlanId>);

impl EndedPlans {
    /// Returns whether any plan ended so.
    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Takes note of the last attempt of a test. Returns the tests that do not start any more because of it, of those that the schedule
    /// knows, and why.
    pub(crate) fn after(
        &mut self,
        (work, pending): (&Workload, &PendingWork),
        job: JobId,
        rest: RestOfPlan,
    ) -> Option<(Vec<JobId>, Skip)> {
        let known = self.0.len();
        let plans = pending.plans_of(work, job);
        self.0
            .extend(plans.filter(|&plan| rest.ends(work.plan(plan).execute.exit_first)));
        if self.0.len() == known {
            return None;
        }
        let is_over = |job: &JobId| pending.plans_of(work, *job).all(|plan| self.0.contains(&plan));
        let jobs = pending.lanes.iter().flat_map(|lane| &lane.jobs).copied();
        let reason = rest.reason(&work.test(pending.jobs[job.0 as usize].test).name);
        Some((jobs.filter(is_over).collect(), Skip::Stopped(reason)))
    }
}
