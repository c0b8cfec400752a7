//! One run from its agenda to its exit code: starts a worker for each SUT, feeds the schedule, hands events to the sink.

mod event_loop;
pub(crate) mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use atex_cache::{CacheError, Store};
use atex_graph::Kind;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::compile::spec::{PlanId, Workload};
use crate::exec::attempt::log::RunLog;
use crate::exec::event::{Event, NodeOutcome, Seen, Stamped};
use crate::exec::options::Options;
use crate::exec::pending::{Agenda, CachedTest};
use crate::exec::record::audit::Tally;
use crate::exec::record::observed_inputs;
use crate::exec::record::recorder::{self, Records};
use crate::exec::record::times::Times;
use crate::exec::record::{Place, RecordError};
use crate::exec::run::event_loop::{Crew, Driver};
use crate::exec::run::shared::{Message, Outbox, Shared, What, file_sets, identify, stamp};
use crate::exec::rundir::RunDir;
use crate::exec::schedule::{Schedule, SutId};
use crate::exec::worker::{Order, Worker};
use crate::sut::trouble::without_os_numbers;
use crate::sut::{BaseIdentity, Cancel, Project, Sut};

/// Messages that may wait for the scheduler before workers have to.
const BACKLOG: usize = 1024;

/// The stack of a worker thread.
const STACK: usize = 512 * 1024;

/// So many threads and processes a machine takes at most.
const TAKES: usize = 8;

/// Takes what happens, in order, on one thread.
pub trait Sink {
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

/// What comes to a pool while its run goes on.
pub enum Arrival {
    /// A machine.
    Sut(Box<dyn Sut>),
    /// Something that was meant to be one, in a line for the user.
    Problem(String),
}

/// Where machines come from while a run goes on.
pub trait Arrivals {
    /// Returns what has come since this was asked last. Is called about once a second, and must not block.
    fn look(&mut self) -> Vec<Arrival>;
}

/// What a run needs.
pub struct Run<'a> {
    /// The compiled workload.
    pub work: &'a Workload,
    /// What of it has to run.
    pub agenda: Agenda,
    /// How.
    pub options: &'a Options,
    /// The cache.
    pub store: &'a Store,
    /// Where results go.
    pub dir: &'a RunDir,
    /// The machines.
    pub suts: Vec<Box<dyn Sut>>,
    /// Where more come from.
    pub arrivals: Option<Box<dyn Arrivals + 'a>>,
    /// What each machine is taken to be; one that turns out to be something else takes no part. One that joins must be as the first.
    pub expected: Vec<BaseIdentity>,
    /// Since when that is known, to be told with each result that is taken from the cache.
    pub seen: Option<&'a Seen>,
    /// Whose the trees are.
    pub project: &'a Project,
    /// Raised by the user.
    pub cancel: Cancel,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Tests by outcome, cached ones among them.
    pub tests: BTreeMap<NodeOutcome, u64>,
    /// Tests that were taken from the cache.
    pub cached: u64,
    /// Of an audit: what came of the hits that ran again.
    pub audit: Tally,
    /// Whether a prepare or finish step failed; in a run without tests, also a SUT.
    pub infra: bool,
    /// Whether the user cancelled.
    pub cancelled: bool,
    /// Whether enough tests failed: what did not run is no failure of the infrastructure.
    pub stopped: bool,
    /// What the host could not write, or why it could not go on.
    pub host_failure: Option<String>,
    /// A defect in atex.
    pub defect: Option<String>,
}

/// The run's own exit codes (DESIGN 6).
impl Finished {
    /// Returns the exit code of the process.
    pub fn exit_code(&self) -> u8 {
        let any = |outcome| self.tests.get(&outcome).is_some_and(|&count| count > 0);
        if self.defect.is_some() {
            5
        } else if self.host_failure.is_some() {
            3
        } else if self.cancelled {
            130
        } else if self.infra || any(NodeOutcome::Infra) || any(NodeOutcome::Cancelled) && !self.stopped {
            3
        } else {
            u8::from(any(NodeOutcome::Fail))
        }
    }

    /// The last event of a run that started then.
    pub(crate) fn told(&self, started: Instant) -> Event {
        Event::RunFinished {
            exit_code: self.exit_code(),
            duration: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            tests: self.tests.clone(),
            cached: self.cached,
        }
    }

    /// Counts tests that were taken from the cache, or should have been, and tells of them.
    pub(crate) fn tell_cached(&mut self, restored: Vec<Event>, sink: &mut dyn Sink) {
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
    /// A file of its directory could not be made.
    #[error(transparent)]
    Directory(#[from] io::Error),
}

/// Runs it: from `RunStarted` to `RunFinished`.
pub fn run(run: Run<'_>, sink: &mut dyn Sink) -> Result<Finished, RunError> {
    let (started, options) = (Instant::now(), run.options);
    let prefixed = run.suts.len() > 1 || run.arrivals.is_some();
    let mut agenda = run.agenda;
    let cached = std::mem::take(&mut agenda.cached);
    let mut finished = Finished::default();
    let place = Place {
        store: run.store,
        dir: run.dir,
        seen: run.seen,
    };
    let (restored, lost) = restore(place, run.work, cached, &mut finished);
    agenda.run_after_all(run.work, lost);
    let times = if agenda.jobs.is_empty() {
        Times::default()
    } else {
        Times::load(run.store)
    };
    let many = if run.arrivals.is_some() { 2 } else { run.suts.len() };
    agenda.weigh(run.work, many, &times);
    let log = |name| {
        let log = RunLog::create(run.dir.path(), name, prefixed, run.options.max_output)?;
        io::Result::Ok(log.with_mask(&run.options.mask))
    };
    let shared = Shared {
        work: run.work,
        agenda: &agenda,
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
        prepare_log: log("prepare.log")?,
        finish_log: log("finish.log")?,
        files: file_sets(run.work),
        trees: run.work.uploads.iter().map(|_| OnceLock::new()).collect(),
        observes: (agenda.jobs.iter()).any(|job| observed_inputs::is_unseen(run.work, run.store, job.node)),
        cache_failed: AtomicBool::new(false),
    };
    sink.event(&stamp(run_started(&shared, &run.suts, restored.len())));
    finished.tell_cached(restored, sink);
    let lanes = shared
        .agenda
        .for_schedule(run.work, run.options, run.suts.len(), &times);
    let mut schedule = Schedule::new(lanes, run.suts.len(), run.options.rules);
    for &sut in shared.agenda.owed.keys() {
        schedule.owe(SutId(sut));
    }
    let arrivals = run.arrivals;
    let finished = with_workers(&shared, run.suts, &run.expected, schedule, |crew, messages| {
        Driver::new(&shared, crew, (finished, times), arrivals, sink).drive(messages)
    })?;
    if options.audit.is_some() {
        let Tally { ran, disagreed } = finished.audit.clone();
        sink.event(&stamp(Event::Audited { ran, disagreed }));
    }
    sink.event(&stamp(finished.told(started)));
    Ok(finished)
}

/// Puts recorded tests into the run's directory; returns their events, and those whose record turned out to be damaged.
fn restore(
    place: Place<'_>,
    work: &Workload,
    cached: Vec<CachedTest>,
    finished: &mut Finished,
) -> (Vec<Event>, Vec<CachedTest>) {
    let (mut events, mut lost) = (Vec::with_capacity(cached.len()), Vec::new());
    let exporter = place.store.blobs().exporter();
    // Two tests share no file, so they need not wait for each other.
    let done: Vec<_> = cached
        .into_par_iter()
        .map(|test| (place.restore(work, &exporter, &test), test))
        .collect();
    // Tests that share a tree stand all, or none.
    let plan_of = |test: &CachedTest| Some(work.test(test.test).plan).filter(|&plan| work.plan(plan).shared_tree);
    let partly: BTreeSet<PlanId> = done
        .iter()
        .filter(|(restored, _)| !matches!(restored, Ok(Some(_))))
        .filter_map(|(_, test)| plan_of(test))
        .collect();
    for (restored, test) in done {
        let is_partly = plan_of(&test).is_some_and(|plan| partly.contains(&plan));
        match restored {
            Ok(Some(_)) if is_partly && place.take_back(work, (test.test, test.distinct_in.as_deref())).is_ok() => {
                lost.push(test);
            }
            Ok(Some(event)) => events.push(event),
            Ok(None) => lost.push(test),
            // The cache tells what it cannot read.
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
    let mut to_run = shared.agenda.to_run(shared.work, shared.options);
    if !shared.agenda.jobs.is_empty() {
        // Those whose records turned out to be damaged are among them now.
        to_run.insert(Kind::Test.to_string(), shared.agenda.jobs.len() as u64);
    }
    Event::RunStarted {
        run: shared.dir.id().to_owned(),
        dir: shared.dir.path().to_string_lossy().into_owned(),
        command: shared.options.mode.word().to_owned(),
        plans: shared.work.plans.iter().map(|plan| plan.name.clone()).collect(),
        suts: suts.iter().map(|sut| sut.name().to_owned()).collect(),
        tests: (shared.agenda.jobs.len() + restored) as u64,
        to_run,
    }
}

/// Starts a worker for each SUT, and ends them when `drive` returns. It takes the receiver of their messages with it: a worker that
/// is still busy then has nobody to wait for. A SUT for which no thread can be started takes no part, unless there is no other.
fn with_workers(
    shared: &Shared<'_>,
    suts: Vec<Box<dyn Sut>>,
    expected: &[BaseIdentity],
    schedule: Schedule,
    drive: impl FnOnce(Crew<'_>, Receiver<Message>) -> Finished,
) -> Result<Finished, RunError> {
    let (sender, messages) = mpsc::sync_channel(BACKLOG);
    std::thread::scope(|scope| {
        let mut recorders = Vec::new();
        for number in 0..recorder::MOST.min(suts.len().max(1)) {
            let (way, tasks) = recorder::way();
            let thread = std::thread::Builder::new().name(format!("recorder-{number}"));
            let thread = thread.stack_size(STACK);
            match thread.spawn_scoped(scope, move || recorder::serve(shared, &tasks)) {
                Ok(_) => recorders.push(way),
                Err(error) if recorders.is_empty() => return Err(RunError::Threads(error)),
                Err(_) => break,
            }
        }
        let hire = |id: SutId, sut: Box<dyn Sut>| -> io::Result<Sender<Order>> {
            let known = expected.get(id.0 as usize).or(expected.first());
            let expected = known.cloned().ok_or(io::ErrorKind::InvalidInput)?;
            let (order, inbox) = mpsc::channel();
            let outbox = Outbox {
                sut: id,
                sender: sender.clone(),
            };
            let records = Records(recorders[id.0 as usize % recorders.len()].clone());
            let worker = Worker::new(shared, sut, expected, outbox, records);
            let thread = std::thread::Builder::new()
                .name(format!("sut-{}", id.0))
                .stack_size(STACK);
            thread.spawn_scoped(scope, move || serve(worker, &inbox))?;
            Ok(order)
        };
        let names: Vec<String> = suts.iter().map(|sut| sut.name().to_owned()).collect();
        let hired: Vec<io::Result<Sender<Order>>> = suts
            .into_iter()
            .zip(0..)
            .map(|(sut, index)| hire(SutId(index), sut))
            .collect();
        let mut left = hired.iter().filter(|hired| hired.is_ok()).count();
        if left < hired.len() {
            // All that is allowed is taken now, and what runs on this host takes processes.
            left = left.div_ceil(TAKES);
        }
        let mut orders = Vec::with_capacity(hired.len());
        for (hired, name) in hired.into_iter().zip(names) {
            let why = match hired {
                Ok(way) if left > 0 => {
                    left -= 1;
                    orders.push(Ok(way));
                    continue;
                }
                Ok(_) => "the other ones need the processes that may be started here".to_owned(),
                Err(error) if left == 0 && orders.iter().all(Result::is_err) => return Err(RunError::Threads(error)),
                Err(error) => format!("cannot start a thread: {error}"),
            };
            orders.push(Err(without_os_numbers(&format!("`{name}` takes no part: {why}"))));
        }
        let crew = Crew {
            schedule,
            orders,
            hire: &hire,
        };
        Ok(drive(crew, messages))
    })
}

/// Runs a worker so that its panic becomes a message: the run must end, and the other SUTs be let go.
fn serve(worker: Worker<'_>, inbox: &Receiver<Order>) {
    let (outbox, name) = (worker.outbox.clone(), worker.sut.name().to_owned());
    let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| worker.serve(inbox)));
    if served.is_err() {
        outbox.send(What::Panicked(name));
    }
}
