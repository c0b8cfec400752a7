//! Claims tests before they run, because another process may run them now, or have run them meanwhile.

use atex_cache::{CacheError, Lookup, Record, RecordOutcome, Ticket};
use atex_graph::ActionKey;

use crate::event::{NodeOutcome, SutEvent};
use crate::exec::attempt::rest_of_plan::RestOfPlan;
use crate::exec::run::clock::stamp;
use crate::exec::run::messages::{EndedAttempt, WorkerMessage};
use crate::exec::schedule::{After, AttemptOutcome, Input, JobId};
use crate::exec::worker::Worker;

/// A test that is to be run here.
pub(super) struct ClaimedTest {
    /// The permission to record it. Without one it will have no record.
    pub(super) ticket: Option<Ticket>,
    /// When it passed with the same inputs, if it did.
    pub(super) passed: Option<u64>,
}

/// The result of claiming tests.
pub(super) enum Claimed {
    /// The tests are to be run here.
    ToRun(Vec<ClaimedTest>),
    /// The tests are not to be run here; this is the answer to the schedule.
    Otherwise(Input),
}

impl Worker<'_> {
    pub(super) fn claim(&mut self, jobs: &[JobId]) -> Claimed {
        let shared = self.shared;
        let key = |job: JobId| shared.work.graph.node(shared.job(job).node).key();
        let passed: Vec<Option<u64>> = jobs
            .iter()
            .map(|&job| shared.job(job).audited.or_else(|| self.passed_before(key(job))))
            .collect();
        let audited = jobs.iter().any(|&job| shared.job(job).audited.is_some());
        let tickets: Vec<Option<Ticket>> =
            if !shared.options.takes_records() || audited || shared.store.read_only().is_some() {
                jobs.iter().map(|&job| self.ticket(shared.job(job).node)).collect()
            } else {
                let mut found = Vec::new();
                for &job in jobs {
                    match shared.claim(job) {
                        Ok(Lookup::Busy(holder)) => {
                            let (node, _) = shared.identify(shared.job(job).node);
                            self.tell(SutEvent::Waiting, format!("`{node}` is being run by {holder}"));
                            return Claimed::Otherwise(Input::Ended(After::Busy));
                        }
                        other => found.push(other),
                    }
                }
                if let Some(told) = self.restored(jobs, &found) {
                    self.outbox.send(WorkerMessage::Verdict(AttemptOutcome::Passed, told));
                    return Claimed::Otherwise(Input::Ended(After::Clean));
                }
                let claims = jobs.iter().zip(found);
                claims.map(|(&job, found)| self.ticket_where(job, found)).collect()
            };
        let claims = tickets.into_iter().zip(passed);
        Claimed::ToRun(claims.map(|(ticket, passed)| ClaimedTest { ticket, passed }).collect())
    }

    /// Returns the ticket of a test that runs although a record of it may have been found.
    fn ticket_where(&self, job: JobId, found: Result<Lookup, CacheError>) -> Option<Ticket> {
        let begun = match found {
            Ok(Lookup::Miss(ticket)) => ticket.begin().map(|()| ticket),
            Ok(Lookup::Hit(_) | Lookup::Busy(_)) => return self.ticket(self.shared.job(job).node),
            Err(error) => Err(error),
        };
        begun.inspect_err(|error| self.cache_failed(error)).ok()
    }

    /// Puts the records of all tests into the run's directory, if each test has one that can be used. If the files cannot be written,
    /// they are removed again, and the tests run and report that themselves.
    fn restored(&self, jobs: &[JobId], found: &[Result<Lookup, CacheError>]) -> Option<Vec<EndedAttempt>> {
        let shared = self.shared;
        let record = |found: &Result<Lookup, CacheError>| match found {
            Ok(Lookup::Hit(record)) => Some((**record).clone()),
            _ => None,
        };
        let records: Option<Vec<Record>> = found.iter().map(record).collect();
        let mut told = Vec::new();
        for (&job, record) in jobs.iter().zip(records?) {
            let spec = shared.job(job);
            if let Ok(Some(event)) = shared.restorer().restore_job(shared.work, spec, record) {
                told.push(EndedAttempt {
                    job,
                    outcome: NodeOutcome::Pass,
                    rest_of_plan: RestOfPlan::Runs,
                    cached: true,
                    event: stamp(event),
                });
                continue;
            }
            for EndedAttempt { job, .. } in told {
                let spec = shared.job(job);
                let plan = spec.distinct_in.as_deref();
                let _told_when_it_is_written = shared.restorer().take_back(shared.work, spec.test, plan);
            }
            return None;
        }
        Some(told)
    }

    /// Returns when the test passed under the key, if records are not used in this run.
    fn passed_before(&self, key: ActionKey) -> Option<u64> {
        let store = self.shared.store;
        let output = (!self.shared.options.takes_records()).then(|| store.output(key).ok().flatten());
        let passed = output
            .flatten()
            .filter(|output| output.outcome == RecordOutcome::Passed);
        passed.map(|output| output.started)
    }
}
