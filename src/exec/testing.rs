//! Running one test of the run on the worker's SUT: claim, directory, attempt, record.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use atex_cache::{Lookup, Outcome, Record, Ticket};
use atex_graph::{ActionKey, Node};

use crate::compile::spec::TestSpec;
use crate::control::{InfraKind, Status, Summary, Verdict};
use crate::exec::attempt::{self, Attempt, Attempted, SutAfter, Unwritten};
use crate::exec::audit;
use crate::exec::enter::{Installed, mode_of};
use crate::exec::event::{Event, NodeOutcome};
use crate::exec::observing;
use crate::exec::recorder::Unrecorded;
use crate::exec::recording::{self, Ran};
use crate::exec::rundir::RunDirError;
use crate::exec::schedule::{After, Input, JobId, LaneId, Said, Skip};
use crate::exec::shared::{Shared, Told, What, stamp, unix_now};
use crate::exec::worker::{Failed, Worker};
use crate::sut::packages::Need;
use crate::sut::trouble::without_os_numbers;
use crate::sut::{Job, JobKind, Trouble, TroubleKind};

/// So many results of a test are told as events; all are in its `results.jsonl`, and their counts in the event of its end.
const RESULTS_TOLD: u64 = 1000;

/// The longest name or status of a result in an event, in characters.
const LONGEST_TOLD: usize = 500;

/// What came of an attempt on its SUT.
struct Came {
    /// What the test, or the infrastructure, said; or why the host could not write that.
    summary: Result<Summary, String>,
    after: SutAfter,
    /// Whether the SUT was told to start the test.
    started_there: bool,
    /// What the test left mounted there.
    mounted: Option<String>,
}

/// Under what a test is recorded.
struct ToRecord {
    ticket: Ticket,
    /// See [`Ran::observed`].
    observed: Option<Box<Node>>,
}

/// What came of a claim.
enum Claimed {
    /// The test is to be run here. Without a ticket it will have no record.
    ToRun(Option<Ticket>),
    /// It is not; the answer to the scheduler.
    Otherwise(Input),
}

impl Worker<'_> {
    /// Approach: claim the node (another process may run it now, or have run it meanwhile); run the attempt; taint the SUT
    /// where its end demands that; record what the test said, never what befell the infrastructure. A cache that cannot be used
    /// costs the record and nothing else.
    pub(crate) fn run_test(&mut self, job: JobId, attempt: u32) -> Result<Input, Failed> {
        match self.claim_test(job) {
            Claimed::ToRun(ticket) => self.attempt_test((job, attempt), ticket),
            Claimed::Otherwise(answer) => Ok(answer),
        }
    }

    fn claim_test(&mut self, job: JobId) -> Claimed {
        let shared = self.shared;
        let spec = shared.job(job);
        let key = shared.work.graph.node(spec.node).key();
        self.passed_before = spec.audited.or_else(|| self.passed_before(key));
        if !shared.options.takes_records() || spec.audited.is_some() || shared.store.read_only().is_some() {
            return Claimed::ToRun(self.ticket(spec.node));
        }
        let tree = || shared.tree(shared.lane(spec.lane).upload);
        let stands = |record: &Record| shared.stands(spec, record);
        match observing::claim(shared.store, shared.work.graph.node(spec.node), tree, stands) {
            Ok(Lookup::Busy(holder)) => {
                let (node, _) = shared.identify(spec.node);
                self.tell("waiting", format!("`{node}` is being run by {holder}"));
                Claimed::Otherwise(Input::Ended(After::Busy))
            }
            Ok(Lookup::Miss(ticket)) => match ticket.begin() {
                Ok(()) => Claimed::ToRun(Some(ticket)),
                Err(error) => {
                    self.cache_failed(&error);
                    Claimed::ToRun(None)
                }
            },
            Ok(Lookup::Hit(record)) => match shared.place().restore_job(shared.work, spec, *record) {
                Ok(Some(event)) => {
                    self.outbox.send(What::Verdict(Box::new(Told {
                        job,
                        outcome: NodeOutcome::Pass,
                        said: Said::Passed,
                        cached: true,
                        event: stamp(event),
                    })));
                    Claimed::Otherwise(Input::Ended(After::Clean))
                }
                // Where its files cannot be put into the run's directory, the test's own end tells of that.
                Ok(None) | Err(_) => Claimed::ToRun(self.ticket(spec.node)),
            },
            Err(error) => {
                self.cache_failed(&error);
                Claimed::ToRun(None)
            }
        }
    }

    /// When the test passed under the key, where its record does not stand for it.
    fn passed_before(&self, key: ActionKey) -> Option<u64> {
        let store = self.shared.store;
        let output = (!self.shared.options.takes_records()).then(|| store.output(key).ok().flatten());
        let passed = output.flatten().filter(|output| output.outcome == Outcome::Passed);
        passed.map(|output| output.started)
    }

    /// The machine could not be brought back to what the test is to find.
    fn cannot_start(&self, reason: &Skip) -> Failed {
        let (kind, text) = match reason {
            Skip::Cancelled => (TroubleKind::Cancelled, "cancelled"),
            Skip::Prepare(text) | Skip::Setup(text) | Skip::Unreachable(text) | Skip::Stopped(text) => {
                (TroubleKind::Setup, text.as_str())
            }
        };
        Failed::Sut(Trouble::new(kind, format!("`{}`: {text}", self.sut.name())))
    }

    /// Tells that what a test did cannot be written. It gets a result of the infrastructure, and the run goes on.
    fn unwritten(&self, (job, attempt): (JobId, u32), reason: String) -> Summary {
        let _told_anyway = recording::result_of_broken_off(self.shared, (job, attempt), &reason);
        self.outbox.send(What::NotWritten(reason.clone()));
        Summary {
            verdict: Verdict::Infra,
            results: 0,
            counts: BTreeMap::new(),
            note: reason.clone(),
            infra: Some((InfraKind::Aborted, reason)),
            late: Vec::new(),
        }
    }

    /// Ends a test that the host or the machine broke off. Its result may find no room on the disk any more.
    fn break_off(&self, (job, attempt): (JobId, u32), failed: &Failed) {
        let reason = failed.to_string();
        let _told_anyway = recording::result_of_broken_off(self.shared, (job, attempt), &reason);
        self.outbox.send(What::Verdict(Box::new(Told {
            job,
            outcome: NodeOutcome::Infra,
            said: match failed {
                Failed::Sut(_) => Said::Broken,
                // Nothing is tried again on a host that cannot go on.
                Failed::Host(_) => Said::Cancelled,
            },
            cached: false,
            event: stamp(recording::broken_off(self.shared, job, self.sut.name(), &reason)),
        })));
    }

    fn attempt_test(&mut self, (job, attempt): (JobId, u32), ticket: Option<Ticket>) -> Result<Input, Failed> {
        let shared = self.shared;
        let spec = shared.job(job);
        let test = shared.work.test(spec.test);
        let (node, key) = shared.identify(spec.node);
        let sut = self.sut.name().to_owned();
        let (relative, made) = shared.dir.test(&test.name, spec.distinct_in.as_deref(), attempt);
        let dir = shared.dir.path().join(&relative);
        let (started, begun) = (Instant::now(), unix_now());
        self.outbox.event(Event::NodeStarted {
            node: node.clone(),
            key: key.clone(),
            sut: sut.clone(),
            attempt,
        });
        let Came {
            summary,
            after,
            started_there,
            mounted,
        } = match self.attempt_made(made, job, test, &dir) {
            Ok(came) => came,
            Err(failed) => {
                self.break_off((job, attempt), &failed);
                return Err(failed);
            }
        };
        let is_written = summary.is_ok();
        let summary = summary.unwrap_or_else(|error| self.unwritten((job, attempt), error));
        let outcome = outcome_of(&summary);
        let took = started.elapsed();
        let mut doubt = test.doubt.clone().filter(|_| outcome == NodeOutcome::Pass);
        let recordable = summary.infra.is_none() && doubt.is_none();
        let claimed = if recordable {
            self.claim_observed(job, ticket, outcome, &mut doubt)
        } else {
            // Another SUT may claim the node as soon as the verdict is known. Nothing is recorded.
            drop(ticket);
            None
        };
        let observed = claimed.as_ref().and_then(|claimed| claimed.observed.as_ref());
        let key = observed.map_or(key, |node| node.key().to_string());
        if let Some(ToRecord { ticket, observed }) = claimed {
            let ran = Ran {
                node: spec.node,
                observed,
                sut: sut.clone(),
                begun,
                took,
                prepared: self.prepared_since(shared.chain(spec.lane)),
                outcome: if outcome == NodeOutcome::Pass {
                    Outcome::Passed
                } else {
                    Outcome::Failed
                },
                meta: serde_json::json!({ "results": summary.counts, "attempt": attempt }),
            };
            self.records.hand(Unrecorded { ticket, ran, dir }, &self.outbox);
            if outcome != NodeOutcome::Pass {
                // This run may claim it again.
                self.records.wait();
            }
        }
        let ended_by = summary.infra.as_ref().map_or("unknown", |(kind, _)| kind.as_str());
        let mut reason = format!("`{node}` ended by {ended_by}");
        if let Some(mounted) = mounted {
            reason = format!("`{node}` left mounted: {mounted}");
        }
        let destructive = format!("`{node}` is destructive");
        let event = Event::NodeFinished {
            node,
            key,
            sut,
            outcome,
            duration: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            note: note_of(&summary, doubt.as_ref()),
            log: output_of(shared.dir.path(), &relative),
            results: summary.counts.clone(),
            again: false,
        };
        self.outbox.send(What::Verdict(Box::new(Told {
            job,
            outcome,
            // Nothing is tried again that cannot be written.
            said: if is_written {
                said_by(&summary, started_there)
            } else {
                Said::Cancelled
            },
            cached: false,
            event: stamp(event),
        })));
        let mut after = match after {
            SutAfter::Lost(reason) => return Ok(self.gone(Skip::Unreachable(reason))),
            SutAfter::Usable(after) => after,
        };
        if after == After::Clean && started_there && test.destructive {
            (after, reason) = (After::Tainted, destructive);
        }
        if after == After::Tainted {
            self.tell("tainted", reason.clone());
            self.doubt(reason)?;
        }
        Ok(Input::Ended(after))
    }

    /// A test that passed is recorded under the key of all that it was seen to read; those that did not run again in any case. Nothing
    /// where that cannot be asked any more, or the cache cannot be used: then nothing is recorded.
    fn claim_observed(
        &mut self,
        job: JobId,
        ticket: Option<Ticket>,
        outcome: NodeOutcome,
        doubt: &mut Option<String>,
    ) -> Option<ToRecord> {
        let ticket = ticket?;
        if outcome != NodeOutcome::Pass {
            if let Some(passed) = self.passed_before {
                if let Err(error) = audit::disagrees(self.shared.store, ticket.key(), passed) {
                    self.cache_failed(&error);
                }
                *doubt = Some("it passed before with the same inputs, so it is flaky".to_owned());
            }
            return Some(ToRecord { ticket, observed: None });
        }
        let node = self.observed_test(job)?;
        let (shared, lane) = (self.shared, self.shared.job(job).lane);
        if let Some(path) = shared.unsettled(shared.lane(lane).upload, shared.chain(lane), &node) {
            *doubt = Some(format!("`{path}` was changed while it was brought: not recorded"));
            return None;
        }
        if audit::disagreement(shared.store, node.key()).is_some() {
            *doubt = Some("its verdicts differ with the same inputs: not recorded".to_owned());
            return None;
        }
        let ticket = if node.key() == ticket.key() {
            ticket
        } else {
            self.ticket_of(node.key())?
        };
        let observed = Some(Box::new(node));
        Some(ToRecord { ticket, observed })
    }

    fn attempt_made(
        &mut self,
        made: Result<(), RunDirError>,
        job: JobId,
        test: &TestSpec,
        dir: &Path,
    ) -> Result<Came, Failed> {
        match made {
            Ok(()) => self.attempt_in(job, test, dir),
            Err(error) => Ok(Came {
                summary: Err(without_os_numbers(&error.to_string())),
                after: SutAfter::Usable(After::Clean),
                started_there: false,
                mounted: None,
            }),
        }
    }

    /// Takes note of boots: what a test asked for does not end what was prepared.
    fn take_boots(&mut self, meant: Option<String>, found: Option<String>) -> Result<(), Failed> {
        if let (Some(facts), Some(found)) = (&mut self.facts, found) {
            facts.boot_id = found;
        }
        if meant.is_none() || self.state.chain.is_empty() || self.state.boot == meant {
            return Ok(());
        }
        self.state.boot = meant;
        self.save_state()
    }

    fn attempt_in(&mut self, job: JobId, test: &TestSpec, dir: &Path) -> Result<Came, Failed> {
        let shared = self.shared;
        let lane = shared.job(job).lane;
        match self.undo(lane) {
            Ok(None) => {}
            Ok(Some(reason)) => return Err(self.cannot_start(&reason)),
            // The machine answers: there may be room for the next one.
            Err(Failed::Sut(trouble)) if trouble.kind == TroubleKind::Setup => {
                let note = trouble.with_advice();
                return Ok(Came {
                    summary: never_started(shared, dir, InfraKind::Setup, &note),
                    after: SutAfter::Usable(After::Clean),
                    started_there: true,
                    mounted: None,
                });
            }
            Err(failed) => return Err(failed),
        }
        if self.individually {
            let missing = match self.install(lane, &test.requires, Need::Required)? {
                Installed::All => None,
                Installed::Cancelled => Some((InfraKind::Cancelled, "cancelled before it started".to_owned())),
                Installed::Not(reason) => {
                    let note = format!("the packages it requires cannot be installed: {reason}");
                    Some((InfraKind::Setup, note))
                }
            };
            if let Some((kind, note)) = missing {
                return Ok(Came {
                    summary: never_started(shared, dir, kind, &note),
                    after: SutAfter::Usable(After::Clean),
                    started_there: false,
                    mounted: None,
                });
            }
        }
        let (outbox, node) = (self.outbox.clone(), shared.identify(shared.job(job).node).0);
        let mut told = 0;
        let mut on_result = |status: &Status, name: Option<&str>| {
            told += 1;
            if told <= RESULTS_TOLD {
                outbox.event(Event::Result {
                    node: node.clone(),
                    name: name.map(shortened),
                    status: shortened(status.as_str()),
                });
            }
        };
        let attempt = Attempt {
            job: job_of(shared, lane, test),
            duration: test.duration,
            dir,
            cancel: &shared.cancel,
            dead_after: shared.options.dead_after,
            max_output: shared.options.max_output,
            mask: &shared.options.mask,
        };
        self.ran_here = Some(test.name.clone());
        let attempted = attempt::run(attempt, self.sut.as_mut(), &mut on_result);
        let (summary, after, mounted) = match attempted {
            Ok(Attempted {
                summary,
                after,
                mounted,
                meant_boot,
                found_boot,
            }) => {
                if matches!(after, SutAfter::Usable(_)) {
                    self.take_boots(meant_boot, found_boot)?;
                }
                (Ok(summary), after, mounted)
            }
            Err(Unwritten { error, after }) => (Err(without_os_numbers(&error.to_string())), after, None),
        };
        if matches!(after, SutAfter::Usable(_)) {
            let upload = shared.upload(shared.lane(lane).upload);
            self.sut.look_ahead(&upload, mode_of(shared.chain(lane).len()));
        }
        Ok(Came {
            summary,
            after,
            started_there: true,
            mounted,
        })
    }
}

/// Writes the one result of a test that never started.
fn never_started(shared: &Shared<'_>, dir: &Path, kind: InfraKind, note: &str) -> Result<Summary, String> {
    let written = recording::never_started(shared, dir, kind, note);
    written.map_err(|error| without_os_numbers(&error.to_string()))
}

fn job_of(shared: &Shared<'_>, lane: LaneId, test: &TestSpec) -> Job {
    let plan = shared.work.plan(test.plan);
    Job {
        kind: JobKind::Test {
            name: test.name.clone(),
            metadata: test.metadata.to_string(),
            restarts: 0,
            tty: test.tty,
        },
        script: test.script.clone(),
        slot: shared.slot(plan.upload).to_owned(),
        dir: test.dir.clone(),
        env_before: test.env_before.clone(),
        env_after: test.env_after.clone(),
        env_file: Shared::env_file(shared.chain(lane)),
    }
}

/// A text of a test for an event: a thousand of them may wait for the scheduler, so a test must not choose their size.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Where a test's output lies, relative to the run's directory. A test that uploads an `output.txt` of its own moves ours.
fn output_of(run: &Path, test: &Path) -> String {
    let (usual, moved) = (test.join("files/output.txt"), test.join("output.txt"));
    let path = if run.join(&moved).exists() { moved } else { usual };
    if run.join(&path).exists() {
        path.to_string_lossy().into_owned()
    } else {
        String::new()
    }
}

fn outcome_of(summary: &Summary) -> NodeOutcome {
    match (&summary.infra, summary.verdict) {
        (Some((InfraKind::Cancelled, _)), _) => NodeOutcome::Cancelled,
        (Some(_), _) | (None, Verdict::Infra) => NodeOutcome::Infra,
        (None, Verdict::Fail) => NodeOutcome::Fail,
        (None, Verdict::Pass) => NodeOutcome::Pass,
    }
}

/// Whose fault the end of an attempt was: a machine's is tried again elsewhere, a test's only where the user wants that.
fn said_by(summary: &Summary, started_there: bool) -> Said {
    match (&summary.infra, summary.verdict) {
        (None, Verdict::Pass) => Said::Passed,
        (Some((InfraKind::Cancelled, _)), _) => Said::Cancelled,
        (Some((InfraKind::Aborted | InfraKind::Unreachable, _)), _) => Said::Broken,
        // Packages that a test requires and that cannot be had are its own affair.
        (Some((InfraKind::Setup, _)), _) if started_there => Said::Broken,
        _ => Said::Failed,
    }
}

fn note_of(summary: &Summary, doubt: Option<&String>) -> String {
    match (&summary.infra, doubt) {
        (Some((kind, note)), _) => format!("{}: {note}", kind.as_str()),
        (None, Some(doubt)) if summary.note.is_empty() => doubt.clone(),
        (None, Some(doubt)) => format!("{}; {doubt}", summary.note),
        (None, None) => summary.note.clone(),
    }
}
