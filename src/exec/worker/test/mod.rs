//! Running one test of the run on the worker's SUT, or all that share a tree, one after the other: claim, attempt, record.
//!
//! Invariant: of tests that share a tree all are recorded as passed, or none; and what one of them was seen to read is an input of each.
//! So the record of one says that all of them passed in one run with these inputs.

mod attempt;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use atex_cache::{CacheError, Lookup, Outcome, Record, Ticket};
use atex_graph::{ActionKey, Node};

use crate::control::Summary;
use crate::exec::attempt::SutAfter;
use crate::exec::event::{Event, NodeOutcome};
use crate::exec::record::audit;
use crate::exec::record::recorder::Unrecorded;
use crate::exec::record::{self, Ran};
use crate::exec::run::shared::{Told, What, stamp, unix_now};
use crate::exec::schedule::{After, Input, JobId, Said, Skip};
use crate::exec::worker::test::attempt::{Came, Part, note_of, outcome_of, output_of, said_by, said_of};
use crate::exec::worker::{Failed, Worker};
use crate::sut::Reads;

/// A test that is to be run here.
struct Claim {
    /// Without one it will have no record.
    ticket: Option<Ticket>,
    /// When it passed with the same inputs, if it did.
    passed: Option<u64>,
}

/// What came of a claim.
enum Claimed {
    /// The tests are to be run here.
    ToRun(Vec<Claim>),
    /// They are not; the answer to the scheduler.
    Otherwise(Input),
}

/// Under what a test is recorded.
struct ToRecord {
    ticket: Ticket,
    /// See [`Ran::observed`].
    observed: Option<Box<Node>>,
}

/// A test that came to an end.
struct Tried {
    job: JobId,
    summary: Summary,
    said: Said,
    outcome: NodeOutcome,
    begun: u64,
    took: Duration,
    /// Its directory, relative to the run's.
    relative: PathBuf,
    /// Why it is told but not recorded, or not believed.
    doubt: Option<String>,
    /// The key that it is recorded under.
    key: String,
}

impl Tried {
    fn is_recordable(&self) -> bool {
        self.summary.infra.is_none() && self.doubt.is_none()
    }
}

/// What an attempt left of its machine.
enum Left {
    Clean,
    Tainted(String),
    Lost(String),
}

impl Worker<'_> {
    /// Approach: claim the nodes (another process may run them now, or have run them meanwhile); run the attempts; taint the SUT where the
    /// end of one demands that; record what the tests said, never what befell the infrastructure. A cache that cannot be used costs
    /// the records and nothing else.
    pub(crate) fn run_tests(&mut self, first: JobId, attempt: u32) -> Result<Input, Failed> {
        let jobs: Vec<JobId> = self.shared.together(first).collect();
        match self.claim(&jobs) {
            Claimed::ToRun(claims) => self.attempt(&jobs, attempt, claims),
            Claimed::Otherwise(answer) => Ok(answer),
        }
    }

    fn claim(&mut self, jobs: &[JobId]) -> Claimed {
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
                            self.tell("waiting", format!("`{node}` is being run by {holder}"));
                            return Claimed::Otherwise(Input::Ended(After::Busy));
                        }
                        other => found.push(other),
                    }
                }
                if let Some(told) = self.restored(jobs, &found) {
                    self.outbox.send(What::Verdict(Said::Passed, told));
                    return Claimed::Otherwise(Input::Ended(After::Clean));
                }
                let claims = jobs.iter().zip(found);
                claims.map(|(&job, found)| self.ticket_where(job, found)).collect()
            };
        let claims = tickets.into_iter().zip(passed);
        Claimed::ToRun(claims.map(|(ticket, passed)| Claim { ticket, passed }).collect())
    }

    /// The ticket of a test that runs whatever was found of it.
    fn ticket_where(&self, job: JobId, found: Result<Lookup, CacheError>) -> Option<Ticket> {
        let begun = match found {
            Ok(Lookup::Miss(ticket)) => ticket.begin().map(|()| ticket),
            Ok(Lookup::Hit(_) | Lookup::Busy(_)) => return self.ticket(self.shared.job(job).node),
            Err(error) => Err(error),
        };
        begun.inspect_err(|error| self.cache_failed(error)).ok()
    }

    /// Puts the records of tests into the run's directory, where all stand. Where their files cannot be put there, nothing is there
    /// afterwards, and the tests' own end tells of that.
    fn restored(&self, jobs: &[JobId], found: &[Result<Lookup, CacheError>]) -> Option<Vec<Told>> {
        let shared = self.shared;
        let record = |found: &Result<Lookup, CacheError>| match found {
            Ok(Lookup::Hit(record)) => Some((**record).clone()),
            _ => None,
        };
        let records: Option<Vec<Record>> = found.iter().map(record).collect();
        let mut told = Vec::new();
        for (&job, record) in jobs.iter().zip(records?) {
            let spec = shared.job(job);
            if let Ok(Some(event)) = shared.place().restore_job(shared.work, spec, record) {
                told.push(Told {
                    job,
                    outcome: NodeOutcome::Pass,
                    cached: true,
                    event: stamp(event),
                });
                continue;
            }
            for Told { job, .. } in told {
                let spec = shared.job(job);
                let test = (spec.test, spec.distinct_in.as_deref());
                let _told_when_it_is_written = shared.place().take_back(shared.work, test);
            }
            return None;
        }
        Some(told)
    }

    /// When the test passed under the key, where its record does not stand for it.
    fn passed_before(&self, key: ActionKey) -> Option<u64> {
        let store = self.shared.store;
        let output = (!self.shared.options.takes_records()).then(|| store.output(key).ok().flatten());
        let passed = output.flatten().filter(|output| output.outcome == Outcome::Passed);
        passed.map(|output| output.started)
    }

    /// Runs tests in the tree, one after the other, until one cannot be run; those behind it are broken off with it.
    fn attempt(&mut self, jobs: &[JobId], attempt: u32, claims: Vec<Claim>) -> Result<Input, Failed> {
        let upload = self.shared.lane(self.shared.job(jobs[0]).lane).upload;
        let (mut tried, mut left, mut failed) = (Vec::new(), Left::Clean, None);
        let mut reads = Vec::new();
        for (at, &job) in jobs.iter().enumerate() {
            let part = Part {
                first: at == 0,
                last: at + 1 == jobs.len(),
            };
            let (one, after) = match self.try_test((job, attempt), part) {
                Ok(came) => came,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            let goes_on = matches!(one.said, Said::Passed | Said::Failed) && !matches!(after, Left::Lost(_));
            tried.push(one);
            if !matches!(after, Left::Clean) {
                left = after;
            }
            if !goes_on || part.last {
                break;
            }
            if let Left::Tainted(reason) = &left
                && let Err(error) = self.doubt(reason.clone())
            {
                failed = Some(error);
                break;
            }
            // What the next one removes cannot be asked for any more. A machine that is lost is found out when the next one starts.
            let unclear = Reads {
                unclear: true,
                ..Reads::default()
            };
            reads.extend(self.ask_reads(upload).unwrap_or(Some(unclear)));
        }
        let mut said = match &failed {
            Some(failed) => said_of(failed),
            None => worst(&tried),
        };
        if jobs.len() > tried.len() && matches!(said, Said::Passed | Said::Failed) {
            said = Said::Broken;
        }
        self.record(&mut tried, attempt, claims, reads);
        let rest = &jobs[tried.len()..];
        let is_cancelled = tried.last().is_some_and(|last| last.outcome == NodeOutcome::Cancelled);
        let is_cancelled = is_cancelled && failed.is_none();
        let mut told: Vec<Told> = tried.into_iter().map(|tried| self.told(tried)).collect();
        let reason = match (&failed, &left) {
            (Some(failed), _) => failed.to_string(),
            (None, Left::Lost(reason) | Left::Tainted(reason)) => reason.clone(),
            (None, Left::Clean) => "one before it in the same tree was broken off".to_owned(),
        };
        told.extend(rest.iter().map(|&job| {
            if is_cancelled {
                self.cancelled((job, attempt))
            } else {
                self.broken_off((job, attempt), &reason)
            }
        }));
        self.outbox.send(What::Verdict(said, told));
        if let Some(failed) = failed {
            return Err(failed);
        }
        match left {
            Left::Clean => Ok(Input::Ended(After::Clean)),
            Left::Lost(reason) => Ok(self.gone(Skip::Unreachable(reason))),
            Left::Tainted(reason) => {
                self.tell("tainted", reason.clone());
                self.doubt(reason)?;
                Ok(Input::Ended(After::Tainted))
            }
        }
    }

    fn try_test(&mut self, (job, attempt): (JobId, u32), part: Part) -> Result<(Tried, Left), Failed> {
        let shared = self.shared;
        let spec = shared.job(job);
        let test = shared.work.test(spec.test);
        let (node, key) = shared.identify(spec.node);
        let (relative, made) = shared.dir.test(&test.name, spec.distinct_in.as_deref(), attempt);
        let dir = shared.dir.path().join(&relative);
        let (started, begun) = (Instant::now(), unix_now());
        self.outbox.event(Event::NodeStarted {
            node: node.clone(),
            key: key.clone(),
            sut: self.sut.name().to_owned(),
            attempt,
        });
        let Came {
            summary,
            after,
            started_there,
            mounted,
        } = self.attempt_made(made, (job, part), test, &dir)?;
        let is_written = summary.is_ok();
        let summary = summary.unwrap_or_else(|error| self.unwritten((job, attempt), error));
        let outcome = outcome_of(&summary);
        let ended_by = summary.infra.as_ref().map_or("unknown", |(kind, _)| kind.as_str());
        let left = match (after, mounted) {
            (SutAfter::Lost(reason), _) => Left::Lost(reason),
            (SutAfter::Usable(After::Tainted), Some(mounted)) => {
                Left::Tainted(format!("`{node}` left mounted: {mounted}"))
            }
            (SutAfter::Usable(After::Tainted), None) => Left::Tainted(format!("`{node}` ended by {ended_by}")),
            _ if started_there && test.destructive => Left::Tainted(format!("`{node}` is destructive")),
            _ => Left::Clean,
        };
        let tried = Tried {
            job,
            // Nothing is tried again that cannot be written.
            said: if is_written {
                said_by(&summary, started_there)
            } else {
                Said::Cancelled
            },
            outcome,
            begun,
            took: started.elapsed(),
            relative,
            doubt: test.doubt.clone().filter(|_| outcome == NodeOutcome::Pass),
            key,
            summary,
        };
        Ok((tried, left))
    }

    /// Records tests that passed, where all did; those that did not, each for itself: it runs again in any case. `reads` are what was seen
    /// before the last one.
    fn record(&mut self, tried: &mut [Tried], attempt: u32, claims: Vec<Claim>, reads: Vec<Reads>) {
        let passed = |tried: &Tried| tried.outcome == NodeOutcome::Pass && tried.is_recordable();
        if tried.len() == claims.len() && tried.iter().all(passed) {
            if let Some(claimed) = self.claim_passed(tried, claims, reads) {
                for (tried, claimed) in tried.iter_mut().zip(claimed) {
                    self.hand(tried, attempt, claimed);
                }
            }
            return;
        }
        // The tickets of the others go: another SUT may claim the nodes as soon as the verdict is known.
        for (tried, claim) in tried.iter_mut().zip(claims) {
            if passed(tried) || !tried.is_recordable() {
                continue;
            }
            let Some(ticket) = claim.ticket else { continue };
            if let Some(passed) = claim.passed {
                if let Err(error) = audit::disagrees(self.shared.store, ticket.key(), passed) {
                    self.cache_failed(&error);
                }
                tried.doubt = Some("it passed before with the same inputs, so it is flaky".to_owned());
            }
            self.hand(tried, attempt, ToRecord { ticket, observed: None });
            // This run may claim it again.
            self.records.wait();
        }
    }

    /// Tests that passed are recorded under the keys of all that they were seen to read. Nothing where that cannot be asked any more, or
    /// the cache cannot be used: then nothing is recorded.
    fn claim_passed(&mut self, tried: &mut [Tried], claims: Vec<Claim>, reads: Vec<Reads>) -> Option<Vec<ToRecord>> {
        let (shared, lane) = (self.shared, self.shared.job(tried[0].job).lane);
        let (upload, chain) = (shared.lane(lane).upload, shared.chain(lane));
        let tickets: Vec<Ticket> = claims.into_iter().map(|claim| claim.ticket).collect::<Option<_>>()?;
        let read = self.ask_reads(upload).ok()?.map(|mut last| {
            for read in reads {
                last.join(read);
            }
            last
        });
        if self.is_unclear(read.as_ref()) {
            for tried in tried {
                tried.doubt = Some("what it depends on could not be seen: not recorded".to_owned());
            }
            return None;
        }
        let mut claimed = Vec::new();
        for (tried, ticket) in tried.iter_mut().zip(tickets) {
            let node = self.observed_with(tried.job, read.as_ref())?;
            if let Some(path) = shared.unsettled(upload, chain, &node) {
                tried.doubt = Some(format!("`{path}` was changed while it was brought: not recorded"));
                return None;
            }
            if audit::disagreement(shared.store, node.key()).is_some() {
                tried.doubt = Some("its verdicts differ with the same inputs: not recorded".to_owned());
                return None;
            }
            let ticket = if node.key() == ticket.key() {
                ticket
            } else {
                self.ticket_of(node.key())?
            };
            let observed = Some(Box::new(node));
            claimed.push(ToRecord { ticket, observed });
        }
        Some(claimed)
    }

    fn hand(&self, tried: &mut Tried, attempt: u32, ToRecord { ticket, observed }: ToRecord) {
        let shared = self.shared;
        let spec = shared.job(tried.job);
        if let Some(node) = &observed {
            tried.key = node.key().to_string();
        }
        let ran = Ran {
            node: spec.node,
            observed,
            sut: self.sut.name().to_owned(),
            begun: tried.begun,
            took: tried.took,
            prepared: self.prepared_since(shared.chain(spec.lane)),
            outcome: if tried.outcome == NodeOutcome::Pass {
                Outcome::Passed
            } else {
                Outcome::Failed
            },
            meta: serde_json::json!({ "results": tried.summary.counts, "attempt": attempt }),
        };
        let dir = shared.dir.path().join(&tried.relative);
        self.records.hand(Unrecorded { ticket, ran, dir }, &self.outbox);
    }

    fn told(&self, tried: Tried) -> Told {
        let shared = self.shared;
        let event = Event::NodeFinished {
            node: shared.identify(shared.job(tried.job).node).0,
            key: tried.key,
            sut: self.sut.name().to_owned(),
            outcome: tried.outcome,
            duration: u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX),
            note: note_of(&tried.summary, tried.doubt.as_ref()),
            log: output_of(shared.dir.path(), &tried.relative),
            results: tried.summary.counts.clone(),
            again: false,
        };
        Told {
            job: tried.job,
            outcome: tried.outcome,
            cached: false,
            event: stamp(event),
        }
    }

    /// Ends a test that the host or the machine broke off. Its result may find no room on the disk any more.
    fn broken_off(&self, (job, attempt): (JobId, u32), reason: &str) -> Told {
        let _told_anyway = record::result_of_broken_off(self.shared, (job, attempt), reason);
        Told {
            job,
            outcome: NodeOutcome::Infra,
            cached: false,
            event: stamp(record::broken_off(self.shared, job, self.sut.name(), reason)),
        }
    }

    /// Ends a test that does not start because the user cancelled one before it.
    fn cancelled(&self, (job, attempt): (JobId, u32)) -> Told {
        let (outcome, event, _told_anyway) = record::skipped(self.shared, (job, attempt), &Skip::Cancelled);
        Told {
            job,
            outcome,
            cached: false,
            event: stamp(event),
        }
    }
}

/// What tests say together: what is to be done about any of them is done about all.
fn worst(tried: &[Tried]) -> Said {
    let order = [Said::Cancelled, Said::Broken, Said::Failed];
    let said = |said: &Said| tried.iter().any(|tried| tried.said == *said);
    order.into_iter().find(said).unwrap_or(Said::Passed)
}
