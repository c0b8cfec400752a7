//! One attempt of one test on the worker's SUT: the tree is put in order, missing packages are installed, and the test runs.

use std::collections::BTreeMap;
use std::path::Path;

use crate::compile::spec::{Interface, TestSpec};
use crate::control::{InfraKind, Status, TestSummary, Verdict};
use crate::event::Event;
use crate::exec::attempt::framework::{self, Rules};
use crate::exec::attempt::rest_of_plan::RestOfPlan;
use crate::exec::attempt::{self, Attempt, AttemptEnd, SutAfter, Unwritten};
use crate::exec::record::infra_result;
use crate::exec::run::messages::WorkerMessage;
use crate::exec::run::shared::Shared;
use crate::exec::schedule::{After, LaneId, Skip, TestAttempt};
use crate::exec::worker::packages::Installed;
use crate::exec::worker::plan_data;
use crate::exec::worker::sync::mode_of;
use crate::exec::worker::{CommandError, Worker};
use crate::rundir::RunDirError;
use crate::sut::agent::packages::PackageNeed;
use crate::sut::trouble::without_os_numbers;
use crate::sut::{Job, JobKind, PlanData, TestRestart, TmtTest, Trouble, TroubleKind};

/// How many results of a test are sent as events. Its `results.jsonl` holds all of them, and the event of its end their counts.
const RESULTS_TOLD: u64 = 1000;

/// The longest name or status of a result in an event, in characters.
const LONGEST_TOLD: usize = 500;

/// How an attempt ended on its SUT.
pub(crate) struct SutAttempt {
    /// What the test or the infrastructure reported, or why the host could not write that.
    pub(crate) summary: Result<TestSummary, String>,
    /// What the test means for those after it; nothing where it did not run.
    pub(crate) rest_of_plan: Option<RestOfPlan>,
    pub(crate) after: SutAfter,
    /// Whether the SUT was asked to start the test.
    pub(crate) started_there: bool,
    /// What the test left mounted there.
    pub(crate) mounted: Option<String>,
}

/// The position of a test among those that run one after the other in one tree.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    /// Whether it is the first one, for which the tree is put in order.
    pub(crate) first: bool,
    /// Whether it is the last one, after which the tree is put in order for other tests.
    pub(crate) last: bool,
}

impl Worker<'_> {
    /// Makes the error for a machine whose tree could not be put in order for the test.
    fn cannot_start(&self, reason: &Skip) -> CommandError {
        let (kind, text) = match reason {
            Skip::Cancelled => (TroubleKind::Cancelled, "cancelled"),
            Skip::Prepare(text) | Skip::Setup(text) | Skip::Unreachable(text) | Skip::Stopped(text) => {
                (TroubleKind::Setup, text.as_str())
            }
        };
        CommandError::Sut(Trouble::new(kind, format!("`{}`: {text}", self.sut.name())))
    }

    /// Reports that what a test did cannot be written. The test gets a result of the infrastructure, and the run goes on.
    pub(crate) fn unwritten(&self, attempt: TestAttempt, reason: String) -> TestSummary {
        let _told_anyway = infra_result::result_of_broken_off(self.shared, attempt, &reason);
        self.outbox.send(WorkerMessage::NotWritten(reason.clone()));
        TestSummary {
            verdict: Verdict::Infra,
            results: 0,
            counts: BTreeMap::new(),
            note: reason.clone(),
            infra: Some((InfraKind::Aborted, reason)),
            late: Vec::new(),
        }
    }

    pub(crate) fn attempt_made(
        &mut self,
        made: Result<(), RunDirError>,
        attempt: TestAttempt,
        part: Position,
        dir: &Path,
    ) -> Result<SutAttempt, CommandError> {
        match made {
            Ok(()) => self.attempt_in(attempt, part, dir),
            Err(error) => Ok(SutAttempt {
                summary: Err(without_os_numbers(&error.to_string())),
                rest_of_plan: None,
                after: SutAfter::Usable(After::Clean),
                started_there: false,
                mounted: None,
            }),
        }
    }

    /// Notes the boots of the SUT. A boot that a test asked for does not end what was prepared.
    fn take_boots(&mut self, meant: Option<String>, found: Option<String>) -> Result<(), CommandError> {
        if let (Some(facts), Some(found)) = (&mut self.facts, found) {
            facts.boot_id = found;
        }
        if meant.is_none() || self.state.chain.is_empty() || self.state.boot == meant {
            return Ok(());
        }
        self.state.boot = meant;
        self.save_state()
    }

    fn attempt_in(&mut self, made: TestAttempt, part: Position, dir: &Path) -> Result<SutAttempt, CommandError> {
        let (shared, job) = (self.shared, made.job);
        let (test, lane) = (shared.test(job), shared.job(job).lane);
        if let Some(missing) = &test.missing {
            return Ok(SutAttempt {
                summary: never_started(shared, dir, InfraKind::Setup, missing),
                rest_of_plan: None,
                after: SutAfter::Usable(After::Clean),
                started_there: false,
                mounted: None,
            });
        }
        let undone = if part.first { self.undo(lane) } else { Ok(None) };
        match undone {
            Ok(None) => {}
            Ok(Some(reason)) => return Err(self.cannot_start(&reason)),
            // The machine still answers, and the next test may find room.
            Err(CommandError::Sut(trouble)) if trouble.kind == TroubleKind::Setup => {
                let note = trouble.with_advice();
                return Ok(SutAttempt {
                    summary: never_started(shared, dir, InfraKind::Setup, &note),
                    rest_of_plan: None,
                    after: SutAfter::Usable(After::Clean),
                    started_there: true,
                    mounted: None,
                });
            }
            Err(failed) => return Err(failed),
        }
        if self.individually {
            let missing = match self.install(lane, &test.requires, PackageNeed::Required)? {
                Installed::All => None,
                Installed::Cancelled => Some((InfraKind::Cancelled, "cancelled before it started".to_owned())),
                Installed::Not(reason) => {
                    let note = format!("the packages it requires cannot be installed: {reason}");
                    Some((InfraKind::Setup, note))
                }
            };
            if let Some((kind, note)) = missing {
                return Ok(SutAttempt {
                    summary: never_started(shared, dir, kind, &note),
                    rest_of_plan: None,
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
                    status: shortened_status(status),
                });
            }
        };
        let attempt = Attempt {
            job: job_of(shared, lane, test, made.number),
            rules: Rules::of(test),
            duration: (!shared.work.plan(test.plan).execute.ignore_duration).then_some(test.duration),
            dir,
            cancel: &shared.cancel,
            dead_after: shared.options.dead_after,
            max_output: shared.options.max_output,
            mask: &shared.options.mask,
        };
        self.ran_here = Some(test.name.clone());
        let attempted = attempt::run(attempt, self.sut.as_mut(), &mut on_result);
        let (summary, rest_of_plan, after, mounted) = match attempted {
            Ok(AttemptEnd {
                summary,
                rest_of_plan,
                after,
                mounted,
                meant_boot,
                found_boot,
            }) => {
                if matches!(after, SutAfter::Usable(_)) {
                    self.take_boots(meant_boot, found_boot)?;
                }
                (Ok(summary), Some(rest_of_plan), after, mounted)
            }
            Err(Unwritten { error, after }) => (Err(without_os_numbers(&error.to_string())), None, after, None),
        };
        if part.last && matches!(after, SutAfter::Usable(_)) {
            let upload = shared.upload(shared.lane(lane).upload);
            self.sut.look_ahead(&upload, mode_of(shared.chain(lane).len()));
        }
        Ok(SutAttempt {
            summary,
            rest_of_plan,
            after,
            started_there: true,
            mounted,
        })
    }
}

/// Writes the one result of a test that never started.
fn never_started(shared: &Shared<'_>, dir: &Path, kind: InfraKind, note: &str) -> Result<TestSummary, String> {
    let written = infra_result::never_started(shared, dir, kind, note);
    written.map_err(|error| without_os_numbers(&error.to_string()))
}

fn job_of(shared: &Shared<'_>, lane: LaneId, test: &TestSpec, attempt: u32) -> Job {
    let plan = shared.work.plan(test.plan);
    let of_tmt = || TmtTest {
        serial: test.serial,
        framework: test.framework.word(),
        restraint: plan.execute.restraint_compatible,
        restart: restart_of(test),
        checks: checks_of(test),
        plan_data: PlanData::OfPlan {
            plan: plan.name.clone(),
            run: plan_data::run_of(shared, plan, attempt),
        },
    };
    Job {
        kind: JobKind::Test {
            name: test.name.clone(),
            metadata: test.metadata.to_string(),
            restarts: 0,
            tty: test.tty,
            tmt: (test.interface == Interface::Tmt).then(of_tmt),
        },
        script: framework::script(test),
        slot: shared.slot(plan.upload).to_owned(),
        dir: test.dir.clone(),
        env_before: test.env_before.clone(),
        env_after: test.env_after.clone(),
        env_file: Shared::env_file(shared.chain(lane)),
    }
}

fn restart_of(test: &TestSpec) -> TestRestart {
    TestRestart {
        exit_codes: test.restart.exit_codes.clone(),
        most: test.restart.most,
        with_reboot: test.restart.with_reboot,
    }
}

/// Returns the names of a test's checks, each with its options.
fn checks_of(test: &TestSpec) -> Vec<Vec<String>> {
    let checks = test.checks.list.iter().map(|check| {
        let name = check.kind.word().to_owned();
        std::iter::once(name).chain(check.options.iter().cloned()).collect()
    });
    checks.collect()
}

/// Shortens a text of a test for an event. A thousand events may wait for the event loop, so a test must not choose their size.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns a status for an event. Only a status that the test made up can be long.
fn shortened_status(status: &Status) -> Status {
    match status {
        Status::Other(text) => Status::Other(shortened(text).into()),
        known => known.clone(),
    }
}
