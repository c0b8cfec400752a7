//! The event loop: the one thread that owns all state of a run. It takes the messages of the workers, feeds the schedule, gives the workers
//! their orders and passes events on to the sink.
//!
//! Invariants: every state change of a test's node goes through [`NodeStates`], which refuses what is not possible; a cancellation is
//! noted before any message that it caused.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use atex_cache::Lookup;
use atex_graph::{Kind, NodeId, NodeState, NodeStates, Outcome, Selection, StateError};

use crate::event::{Event, NodeOutcome, NodeRef, Stamped, SutEvent};
use crate::exec::attempt::rest_of_plan::RestOfPlan;
use crate::exec::record::durations::Durations;
use crate::exec::record::infra_result;
use crate::exec::run::clock::stamp;
use crate::exec::run::ended_plans::EndedPlans;
use crate::exec::run::messages::{EndedAttempt, Message, WorkerMessage};
use crate::exec::run::shared::Shared;
use crate::exec::run::{Arrival, Arrivals, EventSink, Finished};
use crate::exec::schedule::{
    After, AttemptOutcome, Decision, Input, JobId, Ruling, Schedule, Skip, SutId, TestAttempt, WorkerCommand,
};
use crate::exec::worker::Order;
use crate::host::clock::unix_millis;
use crate::sut::trouble::without_os_numbers;
use crate::sut::{Sut, Urgency};

/// How often the sink is ticked and the cancellation is checked while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// How often tests that another process was running are checked again, in ticks.
const RETRY_TICKS: u32 = 3;

/// How often the estimate is made and new SUTs are looked for, in ticks.
const SECOND_TICKS: u32 = 10;

/// How long it may take to release the SUTs after the user asked for an end at once.
const HURRY: Duration = Duration::from_secs(5);

/// Starts the worker of a SUT that joins.
pub(crate) type StartWorker<'a> = dyn Fn(SutId, Box<dyn Sut>) -> io::Result<Sender<Order>> + 'a;

/// The schedule of a run, with its workers.
pub(crate) struct Workers<'b> {
    pub(crate) schedule: Schedule,
    /// The channel to each SUT's worker, or the reason why the SUT has no worker.
    pub(crate) orders: Vec<Result<Sender<Order>, String>>,
    pub(crate) start_worker: &'b StartWorker<'b>,
}

/// Everything that the thread of the event loop owns.
pub(crate) struct EventLoop<'a, 'b> {
    shared: &'a Shared<'a>,
    schedule: Schedule,
    /// The state of each test's node. What the schedule decides must be possible there, and at the end no node may be left.
    states: NodeStates,
    orders: Vec<Result<Sender<Order>, String>>,
    start_worker: &'b StartWorker<'b>,
    arrivals: Option<Box<dyn Arrivals + 'b>>,
    times: Durations,
    finished: Finished,
    /// The tests that have failed in at least one attempt.
    failed: BTreeSet<JobId>,
    ended_plans: EndedPlans,
    sink: &'b mut dyn EventSink,
    known: Urgency,
    /// The time at which the run ends even if SUTs are not released yet, after the user asked for an end at once.
    until: Option<Instant>,
    begun: Instant,
    /// The expected end of the run that was last sent to the sink.
    estimate: u64,
}

impl<'a, 'b> EventLoop<'a, 'b> {
    /// Makes the event loop; `finished` already counts the tests that were taken from the cache.
    pub(crate) fn new(
        shared: &'a Shared<'a>,
        workers: Workers<'b>,
        finished: Finished,
        times: Durations,
        arrivals: Option<Box<dyn Arrivals + 'b>>,
        sink: &'b mut dyn EventSink,
    ) -> Self {
        Self {
            shared,
            schedule: workers.schedule,
            states: states(shared),
            orders: workers.orders,
            start_worker: workers.start_worker,
            arrivals,
            times,
            finished,
            failed: BTreeSet::new(),
            ended_plans: EndedPlans::default(),
            sink,
            known: Urgency::None,
            until: None,
            begun: Instant::now(),
            estimate: 0,
        }
    }

    /// Returns the time for the schedule: milliseconds since the loop began.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Approach: each message is an event to pass on, or a worker's answer that the schedule turns into further orders.
    /// Between messages the sink is ticked, and the tests that other processes run are checked.
    pub(crate) fn drive(mut self, messages: Receiver<Message>) -> Finished {
        let decisions = self.schedule.start(self.now());
        self.carry_out(decisions);
        let mut ticks = 0;
        let mut last_tick = Instant::now();
        while !self.schedule.is_over() && self.until.is_none_or(|until| Instant::now() < until) {
            let received = messages.recv_timeout(TICK);
            self.look_at_cancellation();
            match received {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if last_tick.elapsed() >= TICK {
                last_tick = Instant::now();
                ticks += 1;
                self.sink.tick(unix_millis());
                if ticks % RETRY_TICKS == 0 {
                    self.look_at_busy();
                }
                if ticks % SECOND_TICKS == 0 {
                    self.look_for_arrivals();
                    self.tell_estimate();
                }
            }
        }
        self.look_at_cancellation();
        drop(messages);
        if !self.states.is_over() && self.known < Urgency::Now && self.finished.host_failure.is_none() {
            let left = self.states.counts();
            let defect = format!("the run ended with nodes left: {left:?}");
            self.finished.defect.get_or_insert(defect);
        }
        self.finished.stopped = self.schedule.is_stopped() || self.ended_plans.any();
        let now = Duration::from_millis(unix_millis());
        std::mem::take(&mut self.times).save(self.shared.store, now);
        self.finished
    }

    /// Tells the sink when the run is expected to end, if that has changed by more than a twentieth of the time left.
    fn tell_estimate(&mut self) {
        if self.shared.pending.jobs.is_empty() {
            return;
        }
        let estimate = self.schedule.estimate(self.now());
        let end = unix_millis() + estimate.left;
        if estimate.waiting + estimate.running == 0 || end.abs_diff(self.estimate) <= (estimate.left / 20).max(2000) {
            return;
        }
        self.estimate = end;
        self.sink.event(&stamp(Event::Outlook {
            waiting: estimate.waiting,
            running: estimate.running,
            end,
        }));
    }

    /// Takes new SUTs into the pool.
    fn look_for_arrivals(&mut self) {
        let arrived = self
            .arrivals
            .as_mut()
            .map(|arrivals| arrivals.look())
            .unwrap_or_default();
        for arrival in arrived {
            match arrival {
                Arrival::Sut(sut) => self.take_in(sut),
                Arrival::Problem(text) => self.sink.event(&stamp(Event::Warning { text })),
            }
        }
    }

    fn take_in(&mut self, sut: Box<dyn Sut>) {
        let name = sut.name().to_owned();
        let id = SutId(u32::try_from(self.orders.len()).unwrap_or(u32::MAX));
        match (self.start_worker)(id, sut) {
            Ok(orders) => self.orders.push(Ok(orders)),
            Err(error) => {
                let text = without_os_numbers(&format!("`{name}` takes no part: cannot start a thread: {error}"));
                return self.sink.event(&stamp(Event::Warning { text }));
            }
        }
        self.sink.event(&stamp(Event::Sut {
            sut: name,
            state: SutEvent::Joined,
            note: String::new(),
        }));
        let (joined, decisions) = self.schedule.join(self.now());
        debug_assert_eq!(joined, id, "SUTs are numbered alike");
        self.carry_out(decisions);
    }

    fn look_at_cancellation(&mut self) {
        let urgency = self.shared.cancel.urgency();
        if urgency <= self.known {
            return;
        }
        self.known = urgency;
        self.finished.cancelled = true;
        if urgency == Urgency::Now {
            self.until = Some(Instant::now() + HURRY);
        }
        let decisions = self.schedule.cancel(self.now());
        self.carry_out(decisions);
    }

    /// Checks the tests that another process was running: takes the record that it left, or offers the test again.
    fn look_at_busy(&mut self) {
        for job in self.schedule.busy() {
            let (shared, spec) = (self.shared, self.shared.job(job));
            if !spec.rest.is_empty() {
                // The worker that will run them checks what became of all of them.
                let is_busy = |job| matches!(shared.claim(job), Ok(Lookup::Busy(_)));
                if !shared.together(job).any(is_busy) {
                    let decisions = self.schedule.offer_again(self.now(), job);
                    self.carry_out(decisions);
                }
                continue;
            }
            let restored = match shared.claim(job) {
                Ok(Lookup::Busy(_)) => continue,
                Ok(Lookup::Hit(record)) => shared.restorer().restore_job(shared.work, spec, *record),
                // The worker that will run the test reports what is wrong with the cache.
                Ok(Lookup::Miss(_)) | Err(_) => Ok(None),
            };
            let decisions = match restored {
                Ok(None) | Err(_) => self.schedule.offer_again(self.now(), job),
                Ok(Some(event)) => {
                    self.note(job, NodeStates::start);
                    self.note(job, |states, node| states.end(node, Outcome::Passed));
                    self.finished.count(NodeOutcome::Pass, true);
                    self.sink.event(&stamp(event));
                    self.schedule.answered_elsewhere(self.now(), job)
                }
            };
            self.carry_out(decisions);
        }
    }

    fn take(&mut self, message: Message) {
        match message.what {
            WorkerMessage::Event(stamped) => {
                if let Event::NodeFinished {
                    node,
                    key,
                    outcome: NodeOutcome::Pass,
                    duration,
                    ..
                } = &stamped.event
                {
                    self.measured(node, key, *duration);
                }
                self.sink.event(&stamped);
            }
            WorkerMessage::StepFailed => self.finished.infra = true,
            WorkerMessage::Verdict(said, told) => self.verdict(message.sut, said, told),
            WorkerMessage::Held => {
                let decisions = self.schedule.held(self.now(), message.sut);
                self.carry_out(decisions);
            }
            WorkerMessage::Answer(input) => self.answer(message.sut, input),
            WorkerMessage::HostFailed(reason) => self.host_failed(&reason),
            WorkerMessage::NotWritten(reason) => self.not_written(&reason),
            WorkerMessage::Panicked(name) => {
                let reason = format!("the worker of `{name}` panicked");
                self.finished.defect.get_or_insert(reason.clone());
                self.answer_for(message.sut, &name, &reason);
                self.answer(message.sut, Input::Lost(Skip::Unreachable(reason)));
            }
        }
    }

    fn measured(&mut self, node: &NodeRef, key: &str, duration: u64) {
        let now = Duration::from_millis(unix_millis());
        self.times.note(node.label(), key, Duration::from_millis(duration), now);
    }

    /// Takes the outcome of an attempt, which is final or is followed by another attempt.
    fn verdict(&mut self, sut: SutId, said: AttemptOutcome, told: Vec<EndedAttempt>) {
        let (ruling, decisions) = self.schedule.verdict(self.now(), sut, said);
        let alone = told.len() == 1;
        let ends: Vec<_> = told.iter().map(|told| (told.job, told.rest_of_plan)).collect();
        for told in told {
            self.take_word(told, alone, ruling);
        }
        self.carry_out(decisions);
        if ruling != Ruling::Again {
            for (job, rest) in ends {
                self.end_plans(job, rest);
            }
        }
    }

    /// Skips what waits of the plans that a test has ended.
    fn end_plans(&mut self, job: JobId, rest: RestOfPlan) {
        let all = (self.shared.work, self.shared.pending);
        if let Some((jobs, skip)) = self.ended_plans.after(all, job, rest) {
            let decisions = self.schedule.give_up(self.now(), &jobs, &skip);
            self.carry_out(decisions);
        }
    }

    /// Takes the end of one test of an attempt. Of several tests that share a tree, each one is flaky by its own results.
    fn take_word(&mut self, told: EndedAttempt, alone: bool, ruling: Ruling) {
        let EndedAttempt {
            job,
            outcome: said_outcome,
            rest_of_plan: _,
            cached,
            event: Stamped { time, mut event },
        } = told;
        let passed = said_outcome == NodeOutcome::Pass;
        let flaky = match ruling {
            Ruling::Again => false,
            Ruling::Final { flaky } if alone => flaky,
            Ruling::Final { .. } => passed && self.failed.contains(&job),
        };
        if said_outcome == NodeOutcome::Fail {
            self.failed.insert(job);
        }
        if let Event::NodeFinished {
            node,
            key,
            duration,
            outcome,
            again,
            ..
        } = &mut event
        {
            if matches!(outcome, NodeOutcome::Pass | NodeOutcome::Fail) {
                self.measured(node, key, *duration);
            }
            *again = ruling == Ruling::Again;
            if flaky {
                *outcome = NodeOutcome::Flaky;
            }
        }
        match ruling {
            Ruling::Again => self.note(job, NodeStates::give_back),
            Ruling::Final { .. } => {
                let ended = if passed { Outcome::Passed } else { Outcome::Failed };
                self.note(job, |states, node| states.end(node, ended));
                let outcome = if flaky { NodeOutcome::Flaky } else { said_outcome };
                self.audited(job, outcome);
                self.finished.count(outcome, cached);
            }
        }
        // A test that did not start runs with the others that share its tree, if they run again.
        if ruling != Ruling::Again || !matches!(event, Event::NodeSkipped { .. }) {
            self.sink.event(&Stamped { time, event });
        }
    }

    /// Counts a recorded test that ran again.
    fn audited(&mut self, job: JobId, outcome: NodeOutcome) {
        let spec = self.shared.job(job);
        if spec.audited.is_none() || !matches!(outcome, NodeOutcome::Pass | NodeOutcome::Flaky | NodeOutcome::Fail) {
            return;
        }
        self.finished.audit.ran += 1;
        if outcome != NodeOutcome::Pass {
            let name = self.shared.test(job).name.clone();
            self.finished.audit.disagreed.push(name);
        }
    }

    /// Ends the test of a worker that panicked.
    fn answer_for(&mut self, sut: SutId, name: &str, reason: &str) {
        let Some(first) = self.schedule.job_on(sut) else { return };
        if self.states.of(self.shared.job(first).node) != NodeState::Running {
            return;
        }
        let number = self.schedule.attempt(first);
        let mut told = Vec::new();
        for job in self.shared.together(first) {
            if let Err(error) = infra_result::result_of_broken_off(self.shared, TestAttempt { job, number }, reason) {
                self.not_written(&error.to_string());
            }
            told.push(EndedAttempt {
                job,
                outcome: NodeOutcome::Infra,
                rest_of_plan: RestOfPlan::EndsByExitFirst,
                cached: false,
                event: stamp(infra_result::broken_off(self.shared, job, name, reason)),
            });
        }
        self.verdict(sut, AttemptOutcome::Broken, told);
    }

    fn answer(&mut self, sut: SutId, input: Input) {
        match (&input, self.schedule.job_on(sut)) {
            (Input::Ended(After::Busy), Some(first)) => {
                for job in self.shared.together(first) {
                    self.note(job, NodeStates::give_back);
                }
            }
            (Input::Lost(_) | Input::EnterFailed(_), None) if self.shared.pending.jobs.is_empty() => {
                // No result of a test would show this failure, so it is noted here.
                self.finished.infra = true;
            }
            _ => {}
        }
        let decisions = self.schedule.handle(self.now(), sut, input);
        self.carry_out(decisions);
    }

    /// Notes that the host could not write something. The first reason is reported at the end of the run.
    fn not_written(&mut self, reason: &str) {
        let reason = self.shared.options.mask.text(&without_os_numbers(reason)).into_owned();
        self.finished.host_failure.get_or_insert(reason);
    }

    /// Ends the run, because the host cannot go on.
    fn host_failed(&mut self, reason: &str) {
        self.not_written(reason);
        self.shared.cancel.raise(Urgency::Graceful);
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Tell(sut, command) => {
                    if let Err(reason) = &self.orders[sut.0 as usize] {
                        let reason = reason.clone();
                        self.sink.event(&stamp(Event::Warning { text: reason.clone() }));
                        self.answer(sut, Input::Lost(Skip::Unreachable(reason)));
                        continue;
                    }
                    let (mut waiting, mut attempt) = (Vec::new(), 1);
                    match command {
                        WorkerCommand::Enter(lane) => {
                            let firsts = self.schedule.pending(lane);
                            waiting.extend(firsts.flat_map(|first| self.shared.together(first)));
                        }
                        WorkerCommand::Run(first) => {
                            attempt = self.schedule.attempt(first);
                            for job in self.shared.together(first) {
                                self.note(job, NodeStates::start);
                            }
                        }
                        WorkerCommand::Open | WorkerCommand::Leave(_) | WorkerCommand::Close => {}
                    }
                    // A worker that panicked receives nothing; its panic is a message of its own.
                    if let Ok(orders) = &self.orders[sut.0 as usize] {
                        let _ = orders.send(Order {
                            command,
                            waiting,
                            attempt,
                        });
                    }
                }
                Decision::Skip(first, skip) => {
                    let number = self.schedule.attempt(first);
                    for job in self.shared.together(first) {
                        self.skip(TestAttempt { job, number }, &skip);
                    }
                }
            }
        }
    }

    fn skip(&mut self, attempt: TestAttempt, skip: &Skip) {
        self.note(attempt.job, NodeStates::skip);
        let (outcome, event, written) = infra_result::skipped(self.shared, attempt, skip);
        if let Err(error) = written {
            self.not_written(&error.to_string());
        }
        self.finished.count(outcome, false);
        self.sink.event(&stamp(event));
    }

    /// Changes the state of a test's node. A change that is not possible is a defect of atex, and ends the run.
    fn note(&mut self, job: JobId, step: impl FnOnce(&mut NodeStates, NodeId) -> Result<(), StateError>) {
        if let Err(error) = step(&mut self.states, self.shared.job(job).node) {
            self.finished.defect.get_or_insert(error.to_string());
            self.shared.cancel.raise(Urgency::Graceful);
        }
    }
}

/// Returns the initial state of each job's node. Prepare steps count as reused here: each SUT has its own, and says itself which are done.
fn states(shared: &Shared<'_>) -> NodeStates {
    let graph = &shared.work.graph;
    let targets: Vec<_> = shared.pending.jobs.iter().map(|job| job.node).collect();
    let selection = Selection::of(graph, &targets, |id| graph.node(id).kind() != Kind::Test);
    NodeStates::new(Arc::clone(graph), &selection)
}
