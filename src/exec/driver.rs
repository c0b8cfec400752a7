//! The thread that owns all state of a run: feeds the schedule, keeps the ledger, hands events to the sink.
//!
//! Invariants: every transition of a test's node goes through the ledger, which refuses what is not possible; a cancellation is
//! taken note of before any message that it caused.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use atex_cache::{Lookup, Record};
use atex_graph::{Kind, NodeId, NodeState, Outcome, Progress, Selection, StateError};

use crate::exec::event::NodeOutcome;
use crate::exec::recording;
use crate::exec::run::{Finished, Sink};
use crate::exec::schedule::{After, Command, Decision, Input, JobId, Schedule, Skip, SutId};
use crate::exec::shared::{Message, Shared, What, stamp, unix_millis};
use crate::exec::worker::Order;
use crate::sut::Urgency;

/// How often the sink is ticked and cancellation looked at, where nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// How often tests that another process was running are looked at again, in ticks.
const RETRY_TICKS: u32 = 3;

/// How long SUTs may take to be let go after the user said "now".
const HURRY: Duration = Duration::from_secs(5);

/// What the scheduler thread owns.
pub(crate) struct Driver<'a, 'b> {
    shared: &'a Shared<'a>,
    schedule: Schedule,
    /// The state of each test's node; what the schedule does must be possible there, and at the end nothing may be left.
    ledger: Progress,
    orders: Vec<Sender<Order>>,
    finished: Finished,
    sink: &'b mut dyn Sink,
    known: Urgency,
    /// When the user's patience ends.
    until: Option<Instant>,
}

impl<'a, 'b> Driver<'a, 'b> {
    /// Makes the driver of workers that listen to `orders`; `finished` holds what was taken from the cache.
    pub(crate) fn new(
        shared: &'a Shared<'a>,
        schedule: Schedule,
        orders: Vec<Sender<Order>>,
        finished: Finished,
        sink: &'b mut dyn Sink,
    ) -> Self {
        Self {
            shared,
            schedule,
            ledger: ledger(shared),
            orders,
            finished,
            sink,
            known: Urgency::None,
            until: None,
        }
    }

    /// Approach: each message is an event to pass on, or a worker's answer that the schedule turns into further orders;
    /// between messages the sink is ticked, and tests that others run are looked at.
    pub(crate) fn drive(mut self, messages: Receiver<Message>) -> Finished {
        let decisions = self.schedule.start();
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
            }
        }
        self.look_at_cancellation();
        drop(messages);
        if !self.ledger.is_over() && self.known < Urgency::Now && self.finished.host_failure.is_none() {
            let left = self.ledger.counts();
            let defect = format!("the run ended with nodes left: {left:?}");
            self.finished.defect.get_or_insert(defect);
        }
        self.finished
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
        let decisions = self.schedule.cancel();
        self.carry_out(decisions);
    }

    /// Looks after tests that another process was running: takes the record that it left, or offers the test again.
    fn look_at_busy(&mut self) {
        for job in self.schedule.busy() {
            let spec = self.shared.job(job);
            let key = self.shared.work.graph.node(spec.node).key();
            let passed = |record: &Record| record.outcome == atex_cache::Outcome::Passed;
            let restored = match self.shared.store.claim_if(key, passed) {
                Ok(Lookup::Busy(_)) => continue,
                Ok(Lookup::Miss(_)) => Ok(None),
                Ok(Lookup::Hit(record)) => self.shared.place().restore_job(spec, *record),
                Err(error) => Err(error.into()),
            };
            let decisions = match restored {
                Ok(None) => self.schedule.offer_again(job),
                Ok(Some(event)) => {
                    self.note(job, Progress::start);
                    self.note(job, |ledger, node| ledger.end(node, Outcome::Passed));
                    self.finished.count(NodeOutcome::Pass, true);
                    self.sink.event(&stamp(event));
                    self.schedule.answered_elsewhere(job)
                }
                Err(error) => return self.host_failed(error.to_string()),
            };
            self.carry_out(decisions);
        }
    }

    fn take(&mut self, message: Message) {
        match message.what {
            What::Event(stamped) => self.sink.event(&stamped),
            What::StepFailed => self.finished.infra = true,
            What::Verdict { job, outcome, cached } => self.verdict(job, outcome, cached),
            What::Answer(input) => self.answer(message.sut, input),
            What::HostFailed(reason) => self.host_failed(reason),
            What::Panicked(name) => {
                let reason = format!("the worker of `{name}` panicked");
                self.finished.defect.get_or_insert(reason.clone());
                self.answer_for(message.sut, &name, &reason);
                self.answer(message.sut, Input::Lost(Skip::Unreachable(reason)));
            }
        }
    }

    fn verdict(&mut self, job: JobId, outcome: NodeOutcome, cached: bool) {
        let ended = if outcome == NodeOutcome::Pass {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        self.note(job, |ledger, node| ledger.end(node, ended));
        self.finished.count(outcome, cached);
    }

    /// Ends the test of a worker that cannot do so any more.
    fn answer_for(&mut self, sut: SutId, name: &str, reason: &str) {
        let Some(job) = self.schedule.job_on(sut) else { return };
        if self.ledger.state(self.shared.job(job).node) != NodeState::Running {
            return;
        }
        self.verdict(job, NodeOutcome::Infra, false);
        if let Err(error) = recording::result_of_broken_off(self.shared, job, reason) {
            self.host_failed(error.to_string());
        }
        let event = recording::broken_off(self.shared, job, name, reason);
        self.sink.event(&stamp(event));
    }

    fn answer(&mut self, sut: SutId, input: Input) {
        match (&input, self.schedule.job_on(sut)) {
            (Input::Ended(After::Busy), Some(job)) => self.note(job, Progress::give_back),
            (Input::Lost(_) | Input::EnterFailed(_), None) if self.shared.agenda.jobs.is_empty() => {
                // Nobody else's result will tell of it.
                self.finished.infra = true;
            }
            _ => {}
        }
        let decisions = self.schedule.handle(sut, input);
        self.carry_out(decisions);
    }

    fn host_failed(&mut self, reason: String) {
        self.finished.host_failure.get_or_insert(reason);
        self.shared.cancel.raise(Urgency::Graceful);
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
            Err(error) => self.host_failed(error.to_string()),
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

/// The state of each job's node. Prepare steps are over as far as the ledger goes: each SUT has its own, and says so itself.
fn ledger(shared: &Shared<'_>) -> Progress {
    let graph = &shared.work.graph;
    let targets: Vec<_> = shared.agenda.jobs.iter().map(|job| job.node).collect();
    let selection = Selection::of(graph, &targets, |id| graph.node(id).kind() != Kind::Test);
    Progress::new(Arc::clone(graph), &selection, |_| 0)
}
