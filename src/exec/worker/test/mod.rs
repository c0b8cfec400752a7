//! Step 3, test: one test runs on the worker's SUT, or all tests that share a tree, one after the other. They are claimed, attempted and
//! recorded.
//!
//! Invariant: of tests that share a tree, either all are recorded as passed or none is, and what one of them was seen to read is an input of
//! each. So the record of one says that all of them passed in one run with these inputs.

mod attempt;
mod claim;
mod record;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::control::TestSummary;
use crate::event::{Event, NodeOutcome, SutEvent};
use crate::exec::attempt::SutAfter;
use crate::exec::attempt::rest_of_plan::RestOfPlan;
use crate::exec::record::infra_result;
use crate::exec::run::clock::stamp;
use crate::exec::run::messages::{EndedAttempt, WorkerMessage};
use crate::exec::schedule::{After, AttemptOutcome, Input, JobId, Skip, TestAttempt};
use crate::exec::worker::prepare::taint_of;
use crate::exec::worker::test::attempt::{Position, SutAttempt};
use crate::exec::worker::test::claim::{Claimed, ClaimedTest};
use crate::exec::worker::test::verdict::{end_by_error, end_of_attempt, note_of, outcome_of, worst};
use crate::exec::worker::{CommandError, Worker};
use crate::host::clock::unix_now;
use crate::rundir::output_of;
use crate::sut::Reads;

/// A test that came to an end.
struct EndedTest {
    job: JobId,
    summary: TestSummary,
    rest_of_plan: RestOfPlan,
    said: AttemptOutcome,
    outcome: NodeOutcome,
    begun: u64,
    took: Duration,
    /// Its directory, relative to the run's.
    relative: PathBuf,
    /// Why it is reported but not recorded, or not believed.
    doubt: Option<String>,
    /// The key that it is recorded under.
    key: String,
}

impl EndedTest {
    fn is_recordable(&self) -> bool {
        self.summary.infra.is_none() && self.doubt.is_none()
    }
}

/// The condition in which an attempt left its machine.
enum SutCondition {
    Clean,
    Tainted(String),
    Lost(String),
}

impl Worker<'_> {
    /// Approach: claim the nodes, because another process may run them now or have run them meanwhile. Run the attempts, and taint the SUT
    /// if the end of one requires that. Record what the tests reported, never a failure of the infrastructure. If the cache cannot be
    /// used, the tests still run, but nothing is recorded.
    pub(crate) fn run_tests(&mut self, first: JobId, attempt: u32) -> Result<Input, CommandError> {
        let jobs: Vec<JobId> = self.shared.together(first).collect();
        match self.claim(&jobs) {
            Claimed::ToRun(claims) => self.attempt(&jobs, attempt, claims),
            Claimed::Otherwise(answer) => Ok(answer),
        }
    }

    /// Runs tests in the tree, one after the other, until one cannot be run to its end. The tests after that one are broken off with it.
    fn attempt(&mut self, jobs: &[JobId], attempt: u32, claims: Vec<ClaimedTest>) -> Result<Input, CommandError> {
        let upload = self.shared.lane(self.shared.job(jobs[0]).lane).upload;
        let (mut tried, mut left, mut failed, mut ended) = (Vec::new(), SutCondition::Clean, None, None);
        let mut reads = Vec::new();
        for (at, &job) in jobs.iter().enumerate() {
            let part = Position {
                first: at == 0,
                last: at + 1 == jobs.len(),
            };
            let attempt = TestAttempt { job, number: attempt };
            let (one, after) = match self.foresee(job).and_then(|()| self.try_test(attempt, part)) {
                Ok(came) => came,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            let goes_on = matches!(one.said, AttemptOutcome::Passed | AttemptOutcome::Failed)
                && !matches!(after, SutCondition::Lost(_));
            let shared = self.shared;
            let mut plans = shared.pending.plans_of(shared.work, job);
            if !part.last
                && goes_on
                && plans.all(|plan| one.rest_of_plan.ends(shared.work.plan(plan).execute.exit_first))
            {
                ended = Some(one.rest_of_plan.reason(&shared.test(job).name));
            }
            tried.push(one);
            if !matches!(after, SutCondition::Clean) {
                left = after;
            }
            if !goes_on || part.last || ended.is_some() {
                break;
            }
            if let SutCondition::Tainted(reason) = &left
                && let Err(error) = self.doubt(reason.clone())
            {
                failed = Some(error);
                break;
            }
            // The next test may remove files whose reads could not be asked for then. If the machine is lost, the next test finds out.
            let unclear = Reads {
                unclear: true,
                ..Reads::default()
            };
            reads.extend(self.ask_reads(upload).unwrap_or(Some(unclear)));
        }
        let mut said = match &failed {
            Some(failed) => end_by_error(failed),
            None => worst(&tried),
        };
        if jobs.len() > tried.len()
            && ended.is_none()
            && matches!(said, AttemptOutcome::Passed | AttemptOutcome::Failed)
        {
            said = AttemptOutcome::Broken;
        }
        self.record(&mut tried, attempt, claims, reads);
        let rest = &jobs[tried.len()..];
        let is_cancelled = tried.last().is_some_and(|last| last.outcome == NodeOutcome::Cancelled);
        let skip = match ended {
            Some(reason) => Some(Skip::Stopped(reason)),
            None => (is_cancelled && failed.is_none()).then_some(Skip::Cancelled),
        };
        let mut told: Vec<EndedAttempt> = tried.into_iter().map(|tried| self.told(tried)).collect();
        let reason = match (&failed, &left) {
            (Some(failed), _) => failed.to_string(),
            (None, SutCondition::Lost(reason) | SutCondition::Tainted(reason)) => reason.clone(),
            (None, SutCondition::Clean) => "one before it in the same tree was broken off".to_owned(),
        };
        told.extend(rest.iter().map(|&job| {
            let attempt = TestAttempt { job, number: attempt };
            match &skip {
                Some(skip) => self.not_started(attempt, skip),
                None => self.broken_off(attempt, &reason),
            }
        }));
        self.outbox.send(WorkerMessage::Verdict(said, told));
        if let Some(failed) = failed {
            return Err(failed);
        }
        match left {
            SutCondition::Clean => Ok(Input::Ended(After::Clean)),
            SutCondition::Lost(reason) => Ok(self.gone(Skip::Unreachable(reason))),
            SutCondition::Tainted(reason) => {
                self.tell(SutEvent::Tainted, reason.clone());
                self.doubt_after(jobs, reason)?;
                Ok(Input::Ended(After::Tainted))
            }
        }
    }

    /// Makes the machine say that it is tainted before a destructive test starts there, since nothing may be left on it that could
    /// say so afterwards.
    fn foresee(&mut self, job: JobId) -> Result<(), CommandError> {
        let test = self.shared.work.test(self.shared.job(job).test);
        if !test.destructive {
            return Ok(());
        }
        let mut state = self.state.clone();
        let (node, _) = self.shared.identify(self.shared.job(job).node);
        state.taint = Some(taint_of(format!("`{node}` is destructive")));
        Ok(self.sut.set_state(&state)?)
    }

    /// Taints the machine after tests. One that is made of an image may have lost what writes its state, where one of them is
    /// destructive: it says already that it is tainted, and is made anew before anything else runs there.
    fn doubt_after(&mut self, jobs: &[JobId], reason: String) -> Result<(), CommandError> {
        let is_foreseen = jobs
            .iter()
            .any(|&job| self.shared.work.test(self.shared.job(job).test).destructive);
        match self.doubt(reason) {
            Err(CommandError::Sut(_)) if is_foreseen && self.sut.states()?.is_some() => Ok(()),
            written => written,
        }
    }

    fn try_test(&mut self, attempt: TestAttempt, part: Position) -> Result<(EndedTest, SutCondition), CommandError> {
        let shared = self.shared;
        let TestAttempt { job, number } = attempt;
        let spec = shared.job(job);
        let test = shared.work.test(spec.test);
        let (node, key) = shared.identify(spec.node);
        let (relative, made) = shared.dir.test(&test.name, spec.distinct_in.as_deref(), number);
        let dir = shared.dir.path().join(&relative);
        let (started, begun) = (Instant::now(), unix_now());
        self.outbox.event(Event::NodeStarted {
            node: node.clone(),
            key: key.clone(),
            sut: self.sut.name().to_owned(),
            attempt: number,
        });
        let SutAttempt {
            summary,
            rest_of_plan,
            after,
            started_there,
            mounted,
        } = self.attempt_made(made, attempt, part, &dir)?;
        let gone = match after {
            SutAfter::Usable(_) if started_there => self.daemon_gone()?,
            _ => None,
        };
        let (daemon_doubt, daemon_taint) = gone.map_or((None, None), |gone| (gone.doubt, gone.taint));
        let is_written = summary.is_ok();
        let summary = summary.unwrap_or_else(|error| self.unwritten(attempt, error));
        let outcome = outcome_of(&summary);
        let was_lost = started_there && summary.infra.is_some();
        let rest_of_plan = rest_of_plan.unwrap_or_else(|| RestOfPlan::after(&summary, None));
        let gave_up = (rest_of_plan == RestOfPlan::GivenUp).then(|| "it gave its plan up: not recorded".to_owned());
        let dependence = self.dependence(test, &dir, was_lost);
        let ended_by = summary.infra.as_ref().map_or("unknown", |(kind, _)| kind.as_str());
        let left = match (after, mounted) {
            (SutAfter::Lost(reason), _) => SutCondition::Lost(reason),
            (SutAfter::Usable(After::Tainted), Some(mounted)) => {
                SutCondition::Tainted(format!("`{node}` left mounted: {mounted}"))
            }
            (SutAfter::Usable(After::Tainted), None) => SutCondition::Tainted(format!("`{node}` ended by {ended_by}")),
            _ if started_there && test.destructive => SutCondition::Tainted(format!("`{node}` is destructive")),
            _ => daemon_taint.map_or(SutCondition::Clean, SutCondition::Tainted),
        };
        let tried = EndedTest {
            job,
            // A test whose results cannot be written is not tried again.
            said: if is_written {
                end_of_attempt(&summary, started_there)
            } else {
                AttemptOutcome::Cancelled
            },
            outcome,
            begun,
            took: started.elapsed(),
            relative,
            doubt: test
                .doubt
                .clone()
                .or(gave_up)
                .or(dependence)
                .filter(|_| outcome == NodeOutcome::Pass)
                .or(daemon_doubt),
            key,
            summary,
            rest_of_plan,
        };
        Ok((tried, left))
    }

    fn told(&self, tried: EndedTest) -> EndedAttempt {
        let shared = self.shared;
        let event = Event::NodeFinished {
            node: shared.identify(shared.job(tried.job).node).0,
            key: tried.key,
            sut: self.sut.name().to_owned(),
            outcome: tried.outcome,
            duration: u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX),
            note: note_of(&tried.summary, tried.doubt.as_ref()),
            log: output_of(shared.dir.path(), &tried.relative)
                .map_or_else(String::new, |path| path.to_string_lossy().into_owned()),
            results: tried.summary.counts.clone(),
            again: false,
        };
        EndedAttempt {
            job: tried.job,
            outcome: tried.outcome,
            rest_of_plan: tried.rest_of_plan,
            cached: false,
            event: stamp(event),
        }
    }

    /// Ends a test that the host or the machine broke off. There may be no room left on the disk for its result.
    fn broken_off(&self, attempt: TestAttempt, reason: &str) -> EndedAttempt {
        let _told_anyway = infra_result::result_of_broken_off(self.shared, attempt, reason);
        EndedAttempt {
            job: attempt.job,
            outcome: NodeOutcome::Infra,
            rest_of_plan: RestOfPlan::EndsByExitFirst,
            cached: false,
            event: stamp(infra_result::broken_off(
                self.shared,
                attempt.job,
                self.sut.name(),
                reason,
            )),
        }
    }

    /// Ends a test that does not start because the user cancelled one before it, or one before it ended the plan.
    fn not_started(&self, attempt: TestAttempt, skip: &Skip) -> EndedAttempt {
        let (outcome, event, _told_anyway) = infra_result::skipped(self.shared, attempt, skip);
        EndedAttempt {
            job: attempt.job,
            outcome,
            rest_of_plan: RestOfPlan::Runs,
            cached: false,
            event: stamp(event),
        }
    }
}
