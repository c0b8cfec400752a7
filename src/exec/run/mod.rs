//! One run, from its pending work to its exit code: what is recorded is restored, a worker is started for each SUT, and the event loop
//! drives them until everything has a result.

pub(crate) mod clock;
mod ended_plans;
mod event_loop;
pub(crate) mod messages;
pub(crate) mod shared;
mod threads;
pub(crate) mod upload_files;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use atex_cache::{CacheError, Store};
use atex_graph::Kind;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::compile::spec::{PlanId, Workload};
use crate::event::{Event, NodeOutcome, SeenSut, Stamped};
use crate::exec::attempt::log::RunLog;
use crate::exec::options::Options;
use crate::exec::pending::{CachedTest, PendingWork};
use crate::exec::record::RecordError;
use crate::exec::record::audit::AuditSummary;
use crate::exec::record::durations::Durations;
use crate::exec::record::observed_inputs;
use crate::exec::record::restore::Restorer;
use crate::exec::run::clock::stamp;
use crate::exec::run::event_loop::EventLoop;
use crate::exec::run::shared::{Shared, identify};
use crate::exec::run::threads::with_workers;
use crate::exec::run::upload_files::file_sets;
use crate::exec::schedule::{Schedule, SutId};
use crate::exit::Exit;
use crate::host::clock::unix_millis;
use crate::json_version::JsonVersion;
use crate::rundir::{FINISH_LOG, PREPARE_LOG, RunDir};
use crate::sut::trouble::without_os_numbers;
use crate::sut::{BaseIdentity, Cancel, Project, Sut};

/// Takes the events of a run, in order, on one thread.
pub trait EventSink {
    /// Takes an event.
    fn event(&mut self, event: &Stamped);

    /// Takes many events that happened at once.
    fn events(&mut self, events: &[Stamped]) {
        for event in events {
            self.event(event);
        }
    }

    /// Is called several times a second, with milliseconds since the epoch.
    fn tick(&mut self, now: u64);
}

/// Something that is added to the pool while its run goes on.
pub enum Arrival {
    /// A machine.
    Sut(Box<dyn Sut>),
    /// A warning for the user about something that was meant to be a machine.
    Problem(String),
}

/// The source of machines that join while a run goes on.
pub trait Arrivals {
    /// Returns what has arrived since the last call. It is called about once a second, and must not block.
    fn look(&mut self) -> Vec<Arrival>;
}

/// What a run needs.
pub struct Run<'a> {
    /// The compiled workload.
    pub work: &'a Workload,
    /// Which parts of it have to run.
    pub pending: PendingWork,
    /// How they are to run.
    pub options: &'a Options,
    /// The cache.
    pub store: &'a Store,
    /// The directory for the results.
    pub dir: &'a RunDir,
    /// The machines.
    pub suts: Vec<Box<dyn Sut>>,
    /// Where more machines come from.
    pub arrivals: Option<Box<dyn Arrivals + 'a>>,
    /// What each machine is expected to be. A machine that turns out to be different takes no part. A machine that joins must be
    /// like the first.
    pub expected: Vec<BaseIdentity>,
    /// When these expectations were learnt. The event of each result that is taken from the cache says so.
    pub seen: Option<&'a SeenSut>,
    /// The project that the trees belong to.
    pub project: &'a Project,
    /// Raised when the user cancels.
    pub cancel: Cancel,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Tests by outcome, cached ones among them.
    pub tests: BTreeMap<NodeOutcome, u64>,
    /// Tests that were taken from the cache.
    pub cached: u64,
    /// The result of an audit, whose recorded tests ran again.
    pub audit: AuditSummary,
    /// Whether a prepare or finish step failed; in a run without tests, also whether a SUT did.
    pub infra: bool,
    /// Whether the user cancelled.
    pub cancelled: bool,
    /// Whether the run, or a plan of it, stopped after enough tests failed or one gave up. The tests that did not run are then no failure
    /// of the infrastructure.
    pub stopped: bool,
    /// How many plans and tests were left out, because they cannot be used.
    pub left_out: usize,
    /// What the host could not write, or why it could not go on.
    pub host_failure: Option<String>,
    /// A defect in atex.
    pub defect: Option<String>,
}

impl Finished {
    /// Returns how the process is to end.
    pub fn exit(&self) -> Exit {
        let any = |outcome| self.tests.get(&outcome).is_some_and(|&count| count > 0);
        if self.defect.is_some() {
            Exit::Defect
        } else if self.host_failure.is_some() {
            Exit::Infra
        } else if self.cancelled {
            Exit::Interrupted
        } else if self.infra || any(NodeOutcome::Infra) || any(NodeOutcome::Cancelled) && !self.stopped {
            Exit::Infra
        } else if any(NodeOutcome::Fail) || any(NodeOutcome::Cancelled) {
            Exit::Failed
        } else if self.left_out > 0 {
            Exit::Usage
        } else {
            Exit::Passed
        }
    }

    /// The last event of a run that started then.
    pub(crate) fn told(&self, started: Instant) -> Event {
        Event::RunFinished {
            exit_code: self.exit(),
            duration: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            tests: self.tests.clone(),
            cached: self.cached,
        }
    }

    /// Counts the tests that were taken from the cache, or should have been, and sends their events.
    pub(crate) fn tell_cached(&mut self, restored: Vec<Event>, sink: &mut dyn EventSink) {
        for event in &restored {
            match event {
                Event::NodeSkipped { outcome, .. } => self.count(*outcome, false),
                _ => self.count(NodeOutcome::Pass, true),
            }
        }
        let events: Vec<Stamped> = restored.into_iter().map(stamp).collect();
        sink.events(&events);
    }

    pub(crate) fn count(&mut self, outcome: NodeOutcome, cached: bool) {
        *self.tests.entry(outcome).or_default() += 1;
        self.cached += u64::from(cached);
    }
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No thread could be started.
    #[error("cannot start a thread: {0}")]
    Threads(io::Error),
    /// A file in its directory could not be created.
    #[error(transparent)]
    Directory(#[from] io::Error),
}

/// Carries out a run and sends its events, from `RunStarted` to `RunFinished`.
pub fn run(run: Run<'_>, sink: &mut dyn EventSink) -> Result<Finished, RunError> {
    let (started, options) = (Instant::now(), run.options);
    let prefixed = run.suts.len() > 1 || run.arrivals.is_some();
    let mut pending = run.pending;
    let cached = std::mem::take(&mut pending.cached);
    let mut finished = Finished {
        left_out: run.work.unusable.len(),
        ..Finished::default()
    };
    let restorer = Restorer {
        store: run.store,
        dir: run.dir,
        seen: run.seen,
    };
    let (restored, lost) = restore(restorer, run.work, cached, &mut finished);
    pending.run_after_all(run.work, lost);
    pending.note_plans(run.work);
    let times = if pending.jobs.is_empty() {
        Durations::default()
    } else {
        Durations::load(run.store)
    };
    let many = if run.arrivals.is_some() { 2 } else { run.suts.len() };
    pending.weigh(run.work, many, &times);
    let log = |name| {
        let log = RunLog::create(run.dir.path(), name, prefixed, run.options.max_output)?;
        io::Result::Ok(log.with_mask(&run.options.mask))
    };
    let shared = Shared {
        work: run.work,
        pending: &pending,
        options: run.options,
        store: run.store,
        dir: run.dir,
        seen: run.seen,
        cancel: run.cancel,
        project: run.project,
        slots: run
            .work
            .uploads
            .iter()
            .map(|upload| run.project.slot(&upload.slot))
            .collect(),
        prepare_log: log(PREPARE_LOG)?,
        finish_log: log(FINISH_LOG)?,
        files: file_sets(run.work),
        trees: run.work.uploads.iter().map(|_| OnceLock::new()).collect(),
        observes: (pending.jobs.iter()).any(|job| observed_inputs::is_unseen(run.work, run.store, job.node)),
        cache_failed: AtomicBool::new(false),
        mark: format!("{}-{}", unix_millis(), std::process::id()),
        told_changed_data: AtomicBool::new(false),
    };
    sink.event(&stamp(run_started(&shared, &run.suts, restored.len())));
    for unusable in &run.work.unusable {
        sink.event(&stamp(Event::LeftOut {
            plan: unusable.plan.clone(),
            test: unusable.test.clone(),
            error: unusable.error.to_string(),
        }));
    }
    finished.tell_cached(restored, sink);
    let lanes = shared
        .pending
        .for_schedule(run.work, run.options, run.suts.len(), &times);
    let mut schedule = Schedule::new(lanes, run.suts.len(), run.options.rules);
    for &sut in shared.pending.owed.keys() {
        schedule.owe(SutId(sut));
    }
    let arrivals = run.arrivals;
    let finished = with_workers(&shared, run.suts, &run.expected, schedule, |workers, messages| {
        EventLoop::new(&shared, workers, finished, times, arrivals, sink).drive(messages)
    })?;
    if options.audit.is_some() {
        let AuditSummary { ran, disagreed } = finished.audit.clone();
        sink.event(&stamp(Event::Audited { ran, disagreed }));
    }
    sink.event(&stamp(finished.told(started)));
    Ok(finished)
}

/// Puts recorded tests into the run's directory. Returns their events, and the tests whose record turned out to be damaged.
fn restore(
    restorer: Restorer<'_>,
    work: &Workload,
    cached: Vec<CachedTest>,
    finished: &mut Finished,
) -> (Vec<Event>, Vec<CachedTest>) {
    let (mut events, mut lost) = (Vec::with_capacity(cached.len()), Vec::new());
    let exporter = restorer.store.blobs().exporter();
    // The tests share no files, so their records can be restored at the same time.
    let done: Vec<_> = cached
        .into_par_iter()
        .map(|test| (restorer.restore(work, &exporter, &test), test))
        .collect();
    // Of tests that share a tree, either all are taken from the cache or none is.
    let plan_of = |test: &CachedTest| Some(work.test(test.test).plan).filter(|&plan| work.plan(plan).shared_tree);
    let partly: BTreeSet<PlanId> = done
        .iter()
        .filter(|(restored, _)| !matches!(restored, Ok(Some(_))))
        .filter_map(|(_, test)| plan_of(test))
        .collect();
    for (restored, test) in done {
        let is_partly = plan_of(&test).is_some_and(|plan| partly.contains(&plan));
        match restored {
            Ok(Some(_)) if is_partly && restorer.take_back(work, test.test, test.distinct_in.as_deref()).is_ok() => {
                lost.push(test);
            }
            Ok(Some(event)) => events.push(event),
            Ok(None) => lost.push(test),
            // The cache itself reports what it cannot read.
            Err(RecordError::Cache(error)) if !matches!(error, CacheError::Outside { .. }) => lost.push(test),
            Err(error) => {
                let (node, _) = identify(work, test.node);
                let reason = without_os_numbers(&error.to_string());
                finished.host_failure.get_or_insert_with(|| reason.clone());
                events.push(Event::NodeSkipped {
                    node,
                    reason,
                    outcome: NodeOutcome::Infra,
                });
            }
        }
    }
    (events, lost)
}

fn run_started(shared: &Shared<'_>, suts: &[Box<dyn Sut>], restored: usize) -> Event {
    let mut to_run = shared.pending.to_run(shared.work, shared.options);
    if !shared.pending.jobs.is_empty() {
        // They now include the tests whose records turned out to be damaged.
        to_run.insert(Kind::Test, shared.pending.jobs.len() as u64);
    }
    Event::RunStarted {
        version: JsonVersion,
        run: shared.dir.id().to_owned(),
        dir: shared.dir.path().to_string_lossy().into_owned(),
        command: shared.options.mode,
        plans: shared.work.plans.iter().map(|plan| plan.name.clone()).collect(),
        suts: suts.iter().map(|sut| sut.name().to_owned()).collect(),
        tests: (shared.pending.jobs.len() + restored) as u64,
        to_run,
    }
}
