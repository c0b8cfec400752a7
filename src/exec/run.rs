//! One run from its agenda to its exit code: starts a worker for each SUT, feeds the schedule, hands events to the sink.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use atex_cache::Store;
use atex_graph::{Kind, NodeId, Outcome, Progress, Selection, StateError};

use crate::compile::spec::Workload;
use crate::exec::agenda::{Agenda, CachedTest};
use crate::exec::event::{Event, NodeOutcome, Stamped};
use crate::exec::log::RunLog;
use crate::exec::options::Options;
use crate::exec::recording::{self, Place};
use crate::exec::rundir::RunDir;
use crate::exec::schedule::{After, Command, Decision, Input, JobId, Schedule, Skip, SutId};
use crate::exec::shared::{Message, Outbox, Shared, What, file_sets, stamp, unix_millis};
use crate::exec::worker::{Order, Worker};
use crate::sut::{BaseIdentity, Cancel, Sut, Urgency};

/// How often the sink is ticked and cancellation looked at.
const TICK: Duration = Duration::from_millis(100);

/// How often tests that another process was running are offered again, in ticks.
const RETRY_TICKS: u32 = 3;

/// Messages that may wait for the scheduler before workers have to.
const BACKLOG: usize = 1024;

/// The stack of a worker thread.
const STACK: usize = 512 * 1024;

/// Takes what happens, in order, on one thread.
pub trait Sink {
    /// Takes an event.
    fn event(&mut self, event: &Stamped);

    /// Is called several times a second, with milliseconds since the epoch.
    fn tick(&mut self, now: u64);
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
    /// The base identity that the workload was compiled for.
    pub base: BaseIdentity,
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
    /// Whether a prepare or finish step, or a SUT, failed.
    pub infra: bool,
    /// Whether the user cancelled.
    pub cancelled: bool,
    /// The host could not go on; why.
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
        } else if self.infra || any(NodeOutcome::Infra) || any(NodeOutcome::Cancelled) {
            3
        } else {
            u8::from(any(NodeOutcome::Fail))
        }
    }

    fn count(&mut self, outcome: NodeOutcome, cached: bool) {
        *self.tests.entry(outcome).or_default() += 1;
        self.cached += u64::from(cached);
    }
}

struct Driver<'a, 'b> {
    shared: &'a Shared<'a>,
    schedule: Schedule,
    /// The state of each test's node; what the schedule does must be possible there, and at the end nothing may be left.
    ledger: Progress,
    orders: Vec<Sender<Order>>,
    finished: Finished,
    sink: &'b mut dyn Sink,
    known: Urgency,
}

/// Runs it: from `RunStarted` to `RunFinished`.
pub fn run(run: Run<'_>, sink: &mut dyn Sink) -> io::Result<Finished> {
    let started = Instant::now();
    let prefixed = run.suts.len() > 1;
    let mut agenda = run.agenda;
    let cached = std::mem::take(&mut agenda.cached);
    let mut finished = Finished::default();
    let place = Place {
        work: run.work,
        store: run.store,
        dir: run.dir,
    };
    let (restored, lost) = restore(place, cached, &mut finished);
    agenda.run_after_all(lost);
    let shared = Shared {
        work: run.work,
        agenda: &agenda,
        options: run.options,
        store: run.store,
        dir: run.dir,
        cancel: run.cancel,
        prepare_log: RunLog::create(run.dir.path(), "prepare.log", prefixed)?,
        finish_log: RunLog::create(run.dir.path(), "finish.log", prefixed)?,
        files: file_sets(run.work),
    };
    sink.event(&stamp(run_started(&shared, &run.suts, restored.len())));
    for event in restored {
        finished.count(NodeOutcome::Pass, true);
        sink.event(&stamp(event));
    }
    let finished = with_workers(&shared, run.suts, &run.base, |schedule, orders, messages| {
        let ledger = ledger(&shared);
        let mut driver = Driver {
            shared: &shared,
            schedule,
            ledger,
            orders,
            finished,
            sink,
            known: Urgency::None,
        };
        driver.drive(messages);
        driver.finished
    })?;
    sink.event(&stamp(Event::RunFinished {
        exit_code: finished.exit_code(),
        duration: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        tests: finished.tests.clone(),
        cached: finished.cached,
    }));
    Ok(finished)
}

/// Puts recorded tests into the run's directory; returns their events, and those whose record turned out to be damaged.
fn restore(place: Place<'_>, cached: Vec<CachedTest>, finished: &mut Finished) -> (Vec<Event>, Vec<CachedTest>) {
    let (mut events, mut lost) = (Vec::with_capacity(cached.len()), Vec::new());
    for test in cached {
        match place.restore(&test) {
            Ok(Some(event)) => events.push(event),
            Ok(None) => lost.push(test),
            Err(error) => {
                finished.host_failure.get_or_insert(error.to_string());
            }
        }
    }
    (events, lost)
}

fn run_started(shared: &Shared<'_>, suts: &[Box<dyn Sut>], restored: usize) -> Event {
    Event::RunStarted {
        run: shared.dir.id().to_owned(),
        dir: shared.dir.path().to_string_lossy().into_owned(),
        command: shared.options.mode.word().to_owned(),
        plans: shared.work.plans.iter().map(|plan| plan.name.clone()).collect(),
        suts: suts.iter().map(|sut| sut.name().to_owned()).collect(),
        tests: (shared.agenda.jobs.len() + restored) as u64,
        to_run: shared.agenda.to_run(shared.work),
    }
}

/// The state of each job's node. Prepare steps are over as far as the ledger goes: each SUT has its own, and says so itself.
fn ledger(shared: &Shared<'_>) -> Progress {
    let graph = &shared.work.graph;
    let targets: Vec<_> = shared.agenda.jobs.iter().map(|job| job.node).collect();
    let selection = Selection::of(graph, &targets, |id| graph.node(id).kind() != Kind::Test);
    Progress::new(Arc::clone(graph), &selection, |_| 0)
}

/// Starts a worker for each SUT, and ends them when `drive` returns.
fn with_workers(
    shared: &Shared<'_>,
    suts: Vec<Box<dyn Sut>>,
    base: &BaseIdentity,
    drive: impl FnOnce(Schedule, Vec<Sender<Order>>, &Receiver<Message>) -> Finished,
) -> io::Result<Finished> {
    let lanes = shared.agenda.for_schedule(shared.options, suts.len());
    let schedule = Schedule::new(lanes, suts.len(), shared.agenda.jobs.len());
    let (sender, messages) = mpsc::sync_channel(BACKLOG);
    std::thread::scope(|scope| {
        let mut orders = Vec::new();
        for (index, sut) in suts.into_iter().enumerate() {
            let (order, inbox) = mpsc::channel();
            let outbox = Outbox {
                sut: SutId(u32::try_from(index).unwrap_or(u32::MAX)),
                sender: sender.clone(),
            };
            let worker = Worker::new(shared, sut, base.clone(), outbox);
            let thread = std::thread::Builder::new()
                .name(format!("sut-{index}"))
                .stack_size(STACK);
            thread.spawn_scoped(scope, move || serve(worker, &inbox))?;
            orders.push(order);
        }
        drop(sender);
        Ok(drive(schedule, orders, &messages))
    })
}

/// Runs a worker so that its panic becomes a message: the run must end, and the other SUTs be let go.
fn serve(worker: Worker<'_>, inbox: &Receiver<Order>) {
    let outbox = worker.outbox.clone();
    let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| worker.serve(inbox)));
    if served.is_err() {
        outbox.send(What::Panicked(format!("the worker of SUT {} panicked", outbox.sut.0)));
    }
}

impl Driver<'_, '_> {
    /// Approach: each message is an event to pass on, or a worker's answer that the schedule turns into further orders;
    /// between messages the sink is ticked and cancellation looked at.
    fn drive(&mut self, messages: &Receiver<Message>) {
        let decisions = self.schedule.start();
        self.carry_out(decisions);
        let mut ticks = 0;
        let mut last_tick = Instant::now();
        while !self.schedule.is_over() {
            let received = messages.recv_timeout(TICK);
            // Before the message, so that an answer that comes after Ctrl-C starts nothing new.
            self.look_at_cancellation();
            match received {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if last_tick.elapsed() < TICK {
                continue;
            }
            last_tick = Instant::now();
            self.sink.tick(unix_millis());
            ticks += 1;
            if ticks % RETRY_TICKS == 0 && self.schedule.waits_for_others() {
                let decisions = self.schedule.retry_busy();
                self.carry_out(decisions);
            }
        }
        self.orders.clear();
        if !self.ledger.is_over() && self.known < Urgency::Now && self.finished.host_failure.is_none() {
            let left = self.ledger.counts();
            self.finished
                .defect
                .get_or_insert(format!("the run ended with nodes left: {left:?}"));
        }
    }

    fn look_at_cancellation(&mut self) {
        let urgency = self.shared.cancel.urgency();
        if urgency > self.known {
            self.known = urgency;
            self.finished.cancelled = true;
            let decisions = self.schedule.cancel();
            self.carry_out(decisions);
        }
    }

    fn take(&mut self, message: Message) {
        match message.what {
            What::Event(stamped) => {
                if let Event::NodeFinished { node, outcome, .. } = &stamped.event {
                    self.finished.infra |= !node.starts_with("test ") && *outcome == NodeOutcome::Infra;
                }
                self.sink.event(&stamped);
            }
            What::Verdict { job, outcome, cached } => {
                let passed = outcome == NodeOutcome::Pass;
                self.note(job, |ledger, node| {
                    ledger.end(node, if passed { Outcome::Passed } else { Outcome::Failed })
                });
                self.finished.count(outcome, cached);
            }
            What::Answer(input) => {
                if let (Input::Ended(After::Busy), Some(job)) = (&input, self.schedule.job_on(message.sut)) {
                    self.note(job, Progress::give_back);
                }
                let decisions = self.schedule.handle(message.sut, input);
                self.carry_out(decisions);
            }
            What::HostFailed(reason) => {
                self.finished.host_failure.get_or_insert(reason);
                self.shared.cancel.raise(Urgency::Graceful);
            }
            What::Panicked(reason) => {
                self.finished.defect.get_or_insert(reason.clone());
                let decisions = self
                    .schedule
                    .handle(message.sut, Input::Lost(Skip::Unreachable(reason)));
                self.carry_out(decisions);
            }
        }
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Tell(sut, command) => {
                    let mut pending = Vec::new();
                    match command {
                        Command::Enter(lane) => pending.extend(self.schedule.pending(lane)),
                        Command::Run(job) => self.note(job, Progress::start),
                        Command::Open | Command::Leave(_) | Command::Close => {}
                    }
                    // A worker that panicked hears nothing; its panic is a message of its own.
                    let _ = self.orders[sut.0 as usize].send(Order { command, pending });
                }
                Decision::Skip(job, skip) => self.skip(job, &skip),
            }
        }
    }

    fn skip(&mut self, job: JobId, skip: &Skip) {
        self.note(job, |ledger, node| ledger.skip(node, skip.reason()));
        match recording::skipped(self.shared, job, skip) {
            Ok((outcome, event)) => {
                self.finished.count(outcome, false);
                self.sink.event(&stamp(event));
            }
            Err(error) => {
                self.finished.host_failure.get_or_insert(error.to_string());
            }
        }
    }

    /// Makes a transition of a test's node. One that is not possible is a defect, and ends the run.
    fn note<T>(&mut self, job: JobId, step: impl FnOnce(&mut Progress, NodeId) -> Result<T, StateError>) {
        if let Err(error) = step(&mut self.ledger, self.shared.job(job).node) {
            self.finished.defect.get_or_insert(error.to_string());
            self.shared.cancel.raise(Urgency::Graceful);
        }
    }
}
