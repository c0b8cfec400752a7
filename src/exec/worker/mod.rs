//! The worker: the thread that owns one SUT. It takes commands from the event loop, answers each one exactly once, and sends
//! events meanwhile.
//!
//! The four steps have a file each: `enter`, `prepare`, `test` and `finish`.

mod daemons;
pub(crate) mod enter;
mod finish;
pub(crate) mod how;
mod observe;
mod packages;
mod plan_data;
mod playbook;
mod prepare;
mod prepared;
mod renew;
mod sync;
mod test;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use atex_cache::{CacheError, Ticket};
use atex_graph::{ActionKey, NodeId};

use crate::compile::spec::StepId;
use crate::event::{Event, SutEvent};
use crate::exec::options::{Mode, OnTaint};
use crate::exec::record::observed_inputs::Paths;
use crate::exec::record::recorder::RecorderHandle;
use crate::exec::run::messages::{Outbox, WorkerMessage};
use crate::exec::run::shared::Shared;
use crate::exec::schedule::{Input, JobId, LaneId, Skip, StepNo, WorkerCommand};
use crate::exec::worker::daemons::Daemons;
use crate::exec::worker::plan_data::ChangedData;
use crate::exec::worker::sync::mode_of;
use crate::sut::trouble::without_os_numbers;
use crate::sut::{BaseIdentity, Facts, Sut, SutState, TEND, Taint, Trouble, TroubleKind};

/// A command, with the details that depend on the moment it is given.
pub(crate) struct Order {
    pub(crate) command: WorkerCommand,
    /// For `Enter`: the tests of the lane that still wait.
    pub(crate) waiting: Vec<JobId>,
    /// For `Run`: the number of the attempt, from 1.
    pub(crate) attempt: u32,
}

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The SUT failed.
    #[error("{0}")]
    Sut(#[from] Trouble),
    /// The host could not write to its disk.
    #[error("{0}")]
    Host(String),
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        host(format!("cannot write the run's directory: {error}"))
    }
}

/// Makes an error of a failure of the cache on the host.
pub(crate) fn host(error: impl std::fmt::Display) -> CommandError {
    CommandError::Host(without_os_numbers(&error.to_string()))
}

/// What the times of last access in the trees of a machine tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessTimes {
    /// What jobs have read since the last sync.
    AsSynced,
    /// Nothing: all files were read when the state of the machine was kept.
    Stirred,
}

/// A worker and its SUT.
pub(crate) struct Worker<'a> {
    pub(crate) shared: &'a Shared<'a>,
    pub(crate) sut: Box<dyn Sut>,
    pub(crate) base: BaseIdentity,
    pub(crate) state: SutState,
    pub(crate) outbox: Outbox,
    /// Whether each test installs its own packages, because the packages of all tests could not be installed at once.
    pub(crate) individually: bool,
    /// Whether a chain was started from its first step in this run (`--fresh` distrusts only older ones).
    pub(crate) prepared_here: bool,
    /// A taint that this run was told to ignore. It stays on the SUT until the SUT is prepared from the first step.
    pub(crate) ignored: Option<Taint>,
    /// What the SUT has told about itself, once it was opened.
    pub(crate) facts: Option<Facts>,
    /// What prepare steps have left running there.
    daemons: Daemons,
    /// Plans whose finish could not be run in this run.
    pub(crate) unpaid: BTreeSet<String>,
    /// The recorder that writes the records of tests.
    pub(crate) records: RecorderHandle,
    /// The paths that the prepare chain of the machine was seen to read, or `None` if the reads of a step could not be seen.
    pub(crate) prepared_reads: Option<Paths>,
    /// What the times of last access tell on the machine.
    pub(crate) access_times: AccessTimes,
    /// Whether the user was warned that reads cannot be seen.
    pub(crate) told_unseen: bool,
    /// The lane that the machine is in, if it was entered.
    pub(crate) entered: Option<LaneId>,
    /// The plans whose data may have been changed there since it was made.
    pub(crate) changed_data: HashMap<String, ChangedData>,
    /// The test that ran last in the tree on the machine, if what it did to the tree was not undone yet.
    pub(crate) ran_here: Option<String>,
}

impl<'a> Worker<'a> {
    /// Makes a worker; nothing is connected yet.
    pub(crate) fn new(
        shared: &'a Shared<'a>,
        sut: Box<dyn Sut>,
        base: BaseIdentity,
        outbox: Outbox,
        records: RecorderHandle,
    ) -> Self {
        Self {
            shared,
            sut,
            base,
            state: SutState::default(),
            outbox,
            individually: false,
            prepared_here: false,
            ignored: None,
            facts: None,
            daemons: Daemons::default(),
            records,
            unpaid: BTreeSet::new(),
            prepared_reads: Some(Paths::new()),
            access_times: AccessTimes::AsSynced,
            told_unseen: false,
            entered: None,
            changed_data: HashMap::new(),
            ran_here: None,
        }
    }

    /// Carries out orders until there are no more.
    pub(crate) fn serve(mut self, orders: &Receiver<Order>) {
        loop {
            let order = match orders.recv_timeout(TEND) {
                Ok(order) => order,
                Err(RecvTimeoutError::Timeout) => {
                    self.sut.tend();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let answer = self.carry_out(&order).unwrap_or_else(|failed| match failed {
                CommandError::Sut(trouble) => self.lost(&trouble),
                CommandError::Host(message) => {
                    self.outbox.send(WorkerMessage::HostFailed(message.clone()));
                    self.gone(Skip::Unreachable(message))
                }
            });
            if !matches!(answer, Input::Ended(_)) {
                // The run may end with this answer, so all records must be written before.
                self.records.wait();
            }
            self.outbox.send(WorkerMessage::Answer(answer));
        }
    }

    fn carry_out(&mut self, order: &Order) -> Result<Input, CommandError> {
        match order.command {
            WorkerCommand::Open => {
                let is_first = self.facts.is_none();
                let opened = self.open();
                match &opened {
                    Err(CommandError::Sut(trouble)) if is_first && trouble.kind != TroubleKind::Cancelled => {
                        self.lose_owed(&trouble.message);
                    }
                    Ok(Input::Lost(Skip::Unreachable(reason))) if is_first => self.lose_owed(reason),
                    _ => {}
                }
                opened
            }
            WorkerCommand::Enter(lane) => self.enter(lane, &order.waiting),
            WorkerCommand::Run(first) => self.run_tests(first, order.attempt),
            WorkerCommand::Leave(lane) => {
                let left = self.leave(lane)?;
                self.tell(SutEvent::Idle, String::new());
                Ok(left)
            }
            WorkerCommand::Close => {
                self.keep_data_of_lane()?;
                self.settle()?;
                self.sut.close();
                self.tell(SutEvent::Released, String::new());
                Ok(Input::Closed)
            }
        }
    }

    fn open(&mut self) -> Result<Input, CommandError> {
        self.tell(SutEvent::Connecting, String::new());
        let (outbox, name) = (self.outbox.clone(), self.sut.name().to_owned());
        let mut notice = |note: String| {
            outbox.event(Event::Sut {
                sut: name.clone(),
                state: SutEvent::Waiting,
                note,
            });
            outbox.send(WorkerMessage::Held);
        };
        self.expect_tree();
        let opened = self.sut.open(self.shared.options.on_held, &mut notice);
        let hello = opened.or_else(|trouble| self.open_anew(trouble))?;
        let found = hello.facts.base_identity(self.base.installation());
        if found != self.base {
            let message = format!("`{}` {}", self.sut.name(), difference(&self.base, &found));
            return Ok(self.gone(Skip::Unreachable(message)));
        }
        self.facts = Some(hello.facts);
        self.state = hello.state;
        self.daemons = Daemons::told(hello.daemons);
        if let Some(taint) = &self.state.taint {
            self.tell(SutEvent::Tainted, taint.reason.clone());
        }
        if let Some(reason) = self.unwanted() {
            return Ok(self.gone(reason));
        }
        self.tell_owed();
        self.tell(SutEvent::Ready, String::new());
        Ok(Input::Opened(self.last_step()))
    }

    /// Tells the SUT in advance which tree it will have to hold, if all lanes need the same one.
    fn expect_tree(&mut self) {
        let shared = self.shared;
        let mut uploads = shared.pending.lanes.iter().map(|lane| lane.upload);
        if let Some(first) = uploads.next()
            && shared.options.mode != Mode::Finish
            && uploads.all(|other| other == first)
        {
            let prepares = shared.pending.lanes.iter().filter_map(|lane| lane.plans.first());
            let steps = prepares.map(|&plan| shared.work.plan(plan).chain.len()).max();
            self.sut
                .expect(&shared.upload(first), mode_of(steps.unwrap_or_default()));
        }
    }

    /// Returns the last step that the SUT says it has done, if this run knows the step and believes the SUT.
    fn last_step(&self) -> Option<StepNo> {
        let steps = (0..self.shared.work.steps.len()).filter_map(|step| u32::try_from(step).ok());
        let last = self.state.chain.last()?;
        let step = steps.map(StepId).find(|&step| self.stands_for(step, last).is_some())?;
        (self.steps_done(&[step]) == 1).then_some(StepNo(step.0))
    }

    /// Returns why the SUT is taken out of the run, if it is tainted and the user wants such SUTs dropped.
    pub(crate) fn unwanted(&self) -> Option<Skip> {
        let drops = self.shared.options.on_taint == OnTaint::Drop;
        let taint = self.state.taint.as_ref().filter(|_| drops)?;
        let reason = format!("`{}` is tainted: {}", self.sut.name(), taint.reason);
        Some(Skip::Unreachable(reason))
    }

    fn lost(&mut self, trouble: &Trouble) -> Input {
        self.sut.close();
        self.tell(SutEvent::Dropped, trouble.with_advice());
        Input::Lost(skip_of(trouble))
    }

    /// Releases the SUT because it is of no more use to the run.
    pub(crate) fn gone(&mut self, reason: Skip) -> Input {
        self.sut.close();
        let note = match &reason {
            Skip::Prepare(note) | Skip::Setup(note) | Skip::Unreachable(note) | Skip::Stopped(note) => note.clone(),
            Skip::Cancelled => "cancelled".to_owned(),
        };
        self.tell(SutEvent::Dropped, note);
        Input::Lost(reason)
    }

    /// Sends the event that tells what the SUT does now, or what happened to it.
    pub(crate) fn tell(&self, state: SutEvent, note: String) {
        self.outbox.event(Event::Sut {
            sut: self.sut.name().to_owned(),
            state,
            note,
        });
    }

    /// Returns the ticket to record a node that runs in any case, or `None` where the cache cannot be used.
    pub(crate) fn ticket(&self, node: NodeId) -> Option<Ticket> {
        self.ticket_of(self.shared.work.graph.node(node).key())
    }

    /// Does the same by the key of the node.
    pub(crate) fn ticket_of(&self, key: ActionKey) -> Option<Ticket> {
        if self.shared.store.read_only().is_some() {
            return None;
        }
        let ticket = self.shared.store.claim_to_run(key);
        ticket.inspect_err(|error| self.cache_failed(error)).ok()
    }

    /// Warns that the cache cannot be used, once in each run.
    pub(crate) fn cache_failed(&self, error: &CacheError) {
        if !self.shared.cache_failed.swap(true, Ordering::Relaxed) {
            let text = format!("{error}: what the cache is needed for is not recorded, and the run goes on");
            self.outbox.event(Event::Warning { text });
        }
    }

    /// Writes the state to the SUT, which keeps it.
    pub(crate) fn save_state(&mut self) -> Result<(), CommandError> {
        Ok(self.sut.set_state(&self.state)?)
    }
}

/// Describes how a machine differs from what the workload was compiled for.
fn difference(base: &BaseIdentity, found: &BaseIdentity) -> String {
    if (&found.os, &found.version, &found.arch) != (&base.os, &base.version, &base.arch) {
        return format!(
            "is {} {} {}, but was compiled for as {} {} {}: it was installed anew; run again",
            found.os, found.version, found.arch, base.os, base.version, base.arch
        );
    }
    if found.user != base.user {
        return format!(
            "lets `{}` in, but was compiled for as `{}`: run again",
            found.user, base.user
        );
    }
    let names = base.environment.keys().chain(found.environment.keys());
    let differs = |name: &&String| base.environment.get(*name) != found.environment.get(*name);
    let names: BTreeSet<&str> = names.filter(differs).map(String::as_str).collect();
    let names = names.into_iter().collect::<Vec<_>>().join("`, `");
    format!("gives jobs another value of `{names}` than it was compiled for: run again")
}

/// Returns why tests are skipped that only this SUT could have run, after such trouble with it.
pub(crate) fn skip_of(trouble: &Trouble) -> Skip {
    let message = trouble.message.clone();
    match trouble.kind {
        TroubleKind::Setup => Skip::Setup(message),
        TroubleKind::Cancelled => Skip::Cancelled,
        TroubleKind::Unreachable | TroubleKind::Aborted | TroubleKind::Held => Skip::Unreachable(message),
    }
}
