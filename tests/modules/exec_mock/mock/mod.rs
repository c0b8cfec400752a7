//! Mock machines: scripted SUTs for tests of the scheduler, with a log of what was asked of them.
//!
//! They use no process, no file and no clock: a job is a list of [`Step`]s, and each [`Channel::wait`] makes the next step. If a
//! test needs an order between threads, it uses a [`Gate`]. A [`Lab`] holds what survives a connection: states, scripts, and the
//! log.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};

use atex::sut::{
    Cancel, Channel, Cut, Daemon, End, EnvFile, Facts, Hello, Inventory, Job, JobKind, OnHeld, Reads, Ready, Room, Sut,
    SutState, SyncMode, Synced, Trouble, TroubleKind, Upload, Urgency, Watch,
};

/// What a scripted job does next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Says bytes on the control stream.
    Control(Vec<u8>),
    /// Prints bytes.
    Output(Vec<u8>),
    /// Does nothing for one wait.
    Pause,
    /// Runs until its deadline: a wait with a deadline finds it passed.
    Overrun,
    /// Runs until the user cancels.
    UntilCancelled,
    /// Runs until a gate is open.
    Until(Gate),
    /// Ends, and the wrapper says the code.
    Exit(i32),
    /// The wrapper or the connection ends without a word.
    Break(String),
}

/// A door between threads: closed first, open for ever once opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Opens it.
    pub(crate) fn open(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Returns whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        *lock(&self.0.0)
    }

    /// Waits until it is open.
    pub(crate) fn pass(&self) {
        let mut open = lock(&self.0.0);
        while !*open {
            open = self.0.1.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What was asked of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// [`Sut::open`].
    Open,
    /// [`Sut::reopen`].
    Reopen,
    /// [`Sut::sync`]: slot, mode, number of files.
    Sync(String, SyncMode, usize),
    /// [`Sut::adopt`]: slot.
    Adopt(String),
    /// [`Sut::reset_env_file`].
    ResetEnvFile(EnvFile),
    /// [`Sut::start`]: the job.
    Start(String),
    /// [`Channel::terminate`]: the job.
    Terminate(String),
    /// [`Sut::unmount`].
    Unmount,
    /// [`Channel::detach`]: the job.
    Detach(String),
    /// [`Sut::set_state`].
    SetState(SutState),
    /// [`Sut::close`].
    Close,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Reopen => f.write_str("reopen"),
            Self::Sync(slot, mode, files) => write!(f, "sync {slot} {mode:?} {files}"),
            Self::Adopt(slot) => write!(f, "adopt {slot}"),
            Self::ResetEnvFile(EnvFile::Prepared) => f.write_str("reset-env-file"),
            Self::ResetEnvFile(EnvFile::Base) => f.write_str("reset-env-file base"),
            Self::Start(job) => write!(f, "start {job}"),
            Self::Terminate(job) => write!(f, "terminate {job}"),
            Self::Unmount => f.write_str("unmount"),
            Self::Detach(job) => write!(f, "detach {job}"),
            Self::SetState(state) => {
                let taint = state.taint.as_ref().map_or("", |taint| &taint.reason);
                write!(f, "set-state [{}] {taint}", state.chain.join(" "))
            }
            Self::Close => f.write_str("close"),
        }
    }
}

/// The world of the mocks. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lab(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    log: Vec<(String, Call)>,
    scripts: HashMap<String, VecDeque<Vec<Step>>>,
    troubles: HashMap<(String, &'static str), VecDeque<Trouble>>,
    states: HashMap<String, SutState>,
    held: HashMap<String, Gate>,
    boots: HashMap<String, u32>,
}

impl Lab {
    /// Makes a machine of this world. Two of one name are two connections to one machine.
    pub(crate) fn machine(&self, name: &str, cancel: &Cancel) -> Mock {
        Mock {
            lab: self.clone(),
            name: name.to_owned(),
            facts: facts(),
            cancel: cancel.clone(),
        }
    }

    /// Says what the job `name` does when it is next started: a test's name, or the text of a script. Called again, it says
    /// what the start after that does. What is not scripted exits 0.
    pub(crate) fn script(&self, name: &str, steps: Vec<Step>) {
        lock(&self.0)
            .scripts
            .entry(name.to_owned())
            .or_default()
            .push_back(steps);
    }

    /// Makes the next call of an operation on a machine fail: `open`, `reopen`, `sync`, `adopt`, `reset-env-file`,
    /// `rewind-env-file`, `start`, `set-state`. Called again, also the one after it.
    pub(crate) fn fail(&self, machine: &str, operation: &'static str, trouble: Trouble) {
        lock(&self.0)
            .troubles
            .entry((machine.to_owned(), operation))
            .or_default()
            .push_back(trouble);
    }

    /// Lets somebody else hold a machine until the gate is open.
    pub(crate) fn hold(&self, machine: &str, until: Gate) {
        lock(&self.0).held.insert(machine.to_owned(), until);
    }

    /// Sets what a machine says of itself.
    pub(crate) fn set_state(&self, machine: &str, state: SutState) {
        lock(&self.0).states.insert(machine.to_owned(), state);
    }

    /// Boots a machine.
    pub(crate) fn boot(&self, machine: &str) {
        *lock(&self.0).boots.entry(machine.to_owned()).or_default() += 1;
    }

    /// What a machine says of itself.
    pub(crate) fn state(&self, machine: &str) -> SutState {
        lock(&self.0).states.get(machine).cloned().unwrap_or_default()
    }

    /// All that was asked, in order, with the machine's name.
    pub(crate) fn calls(&self) -> Vec<(String, Call)> {
        lock(&self.0).log.clone()
    }

    /// The same as lines: `machine: call`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.calls()
            .iter()
            .map(|(machine, call)| format!("{machine}: {call}"))
            .collect()
    }

    fn note(&self, machine: &str, call: Call) {
        lock(&self.0).log.push((machine.to_owned(), call));
    }
}

/// A scripted machine.
#[derive(Debug)]
pub(crate) struct Mock {
    lab: Lab,
    name: String,
    /// What it says of itself; may be changed before it is opened.
    pub facts: Facts,
    cancel: Cancel,
}

impl Mock {
    fn note(&self, call: Call) {
        self.lab.note(&self.name, call);
    }

    /// Fails if the lab says so.
    fn attempt(&self, operation: &'static str) -> Result<(), Trouble> {
        let mut lab = lock(&self.lab.0);
        let planned = lab.troubles.get_mut(&(self.name.clone(), operation));
        match planned.and_then(VecDeque::pop_front) {
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    fn hello(&self) -> Hello {
        let mut facts = self.facts.clone();
        let boots = lock(&self.lab.0).boots.get(&self.name).copied();
        facts.boot_id = format!("boot-{}", boots.unwrap_or_default());
        Hello {
            facts,
            state: self.lab.state(&self.name),
            daemons: Vec::new(),
        }
    }
}

impl Sut for Mock {
    fn name(&self) -> &str {
        &self.name
    }

    /// What a scripted machine says is read from the lab.
    fn watch(&mut self, _watch: Box<dyn Watch>) {}

    fn inventory(&self) -> Result<Inventory, Trouble> {
        Ok(Inventory::local())
    }

    fn look(&mut self) -> Result<Hello, Trouble> {
        Ok(self.hello())
    }

    fn open(&mut self, on_held: OnHeld, notice: &mut dyn FnMut(String)) -> Result<Hello, Trouble> {
        self.note(Call::Open);
        self.attempt("open")?;
        let gate = lock(&self.lab.0).held.get(&self.name).cloned();
        if let Some(gate) = gate {
            let message = format!("`{}`: held by another run", self.name);
            if on_held != OnHeld::Wait {
                return Err(Trouble::new(TroubleKind::Held, message));
            }
            notice(message);
            gate.pass();
            lock(&self.lab.0).held.remove(&self.name);
        }
        Ok(self.hello())
    }

    fn reopen(&mut self, _until: Instant) -> Result<Hello, Trouble> {
        self.note(Call::Reopen);
        self.attempt("reopen")?;
        self.lab.boot(&self.name);
        Ok(self.hello())
    }

    fn sync(&mut self, upload: &Upload, mode: SyncMode) -> Result<Synced, Trouble> {
        self.note(Call::Sync(upload.slot.clone(), mode, upload.files.files.len()));
        self.attempt("sync")?;
        Ok(Synced::default())
    }

    fn adopt(&mut self, slot: &str, _step: usize) -> Result<(), Trouble> {
        self.note(Call::Adopt(slot.to_owned()));
        self.attempt("adopt")
    }

    fn reads(&mut self, _slot: &str) -> Result<Option<Reads>, Trouble> {
        Ok(Some(Reads::default()))
    }

    fn blind(&mut self) -> Result<Option<String>, Trouble> {
        Ok(None)
    }

    fn reserve(&mut self, _room: Room) -> Result<(), Trouble> {
        Ok(())
    }

    fn unmount(&mut self) -> Result<String, Trouble> {
        self.note(Call::Unmount);
        Ok(String::new())
    }

    fn daemons(&mut self) -> Result<Vec<Daemon>, Trouble> {
        Ok(Vec::new())
    }

    fn end_daemons(&mut self, _from: usize) -> Result<(), Trouble> {
        Ok(())
    }

    fn slots(&mut self) -> Result<Vec<(String, u64)>, Trouble> {
        Ok(Vec::new())
    }

    fn reset_env_file(&mut self, _project: &str, which: EnvFile) -> Result<(), Trouble> {
        self.note(Call::ResetEnvFile(which));
        self.attempt("reset-env-file")
    }

    fn rewind_env_file(&mut self, _project: &str, _step: usize) -> Result<bool, Trouble> {
        self.attempt("rewind-env-file")?;
        Ok(true)
    }

    fn start(&mut self, job: &Job) -> Result<Box<dyn Channel>, Trouble> {
        let name = match &job.kind {
            JobKind::Test { name, .. } => name.clone(),
            JobKind::Script { .. } | JobKind::SendPlanData(_) => job.script.trim().to_owned(),
        };
        self.note(Call::Start(name.clone()));
        self.attempt("start")?;
        let steps = lock(&self.lab.0).scripts.get_mut(&name).and_then(VecDeque::pop_front);
        Ok(Box::new(MockChannel {
            lab: self.lab.clone(),
            machine: self.name.clone(),
            job: name,
            cancel: self.cancel.clone(),
            steps: steps.unwrap_or_else(|| vec![Step::Exit(0)]).into(),
            control: VecDeque::new(),
            output: VecDeque::new(),
            end: None,
        }))
    }

    fn set_state(&mut self, state: &SutState) -> Result<(), Trouble> {
        self.note(Call::SetState(state.clone()));
        self.attempt("set-state")?;
        self.lab.set_state(&self.name, state.clone());
        Ok(())
    }

    fn remove(&mut self) -> Result<(), Trouble> {
        self.lab.set_state(&self.name, SutState::default());
        Ok(())
    }

    fn close(&mut self) {
        self.note(Call::Close);
    }
}

struct MockChannel {
    lab: Lab,
    machine: String,
    job: String,
    cancel: Cancel,
    steps: VecDeque<Step>,
    control: VecDeque<u8>,
    output: VecDeque<u8>,
    end: Option<End>,
}

impl MockChannel {
    /// Makes the next step; says whether the deadline is over by it.
    fn step(&mut self, has_deadline: bool) -> bool {
        match self.steps.pop_front() {
            Some(Step::Control(bytes)) => self.control.extend(bytes),
            Some(Step::Output(bytes)) => self.output.extend(bytes),
            Some(Step::Pause) => {}
            Some(Step::Until(gate)) => gate.pass(),
            Some(Step::Overrun) => {
                self.steps.push_front(Step::Overrun);
                if has_deadline {
                    return true;
                }
                wait_for_cancel(&self.cancel);
            }
            Some(Step::UntilCancelled) => {
                self.steps.push_front(Step::UntilCancelled);
                wait_for_cancel(&self.cancel);
            }
            Some(Step::Exit(code)) => {
                self.steps.clear();
                self.control.extend(format!("exitcode {code}\n").into_bytes());
                self.end = Some(End::Clean);
            }
            Some(Step::Break(how)) => {
                self.steps.clear();
                self.end = Some(End::Broken(how));
            }
            None => self.end = Some(End::Clean),
        }
        false
    }
}

impl Channel for MockChannel {
    fn wait(&mut self, until: Option<Instant>, known: Urgency) -> Result<Ready, Trouble> {
        let mut ready = Ready {
            cancelled: self.cancel.urgency() > known,
            ..Ready::default()
        };
        if !ready.cancelled && self.end.is_none() && self.control.is_empty() && self.output.is_empty() {
            ready.timed_out = self.step(until.is_some());
            ready.cancelled = self.cancel.urgency() > known;
        }
        ready.control = self.end.is_some() || !self.control.is_empty();
        ready.output = self.end.is_some() || !self.output.is_empty();
        Ok(ready)
    }

    /// Nothing but the script speaks here.
    fn seal(&self) -> &'static str {
        ""
    }

    fn read_control(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        take(&mut self.control, buffer, self.end.is_some())
    }

    fn read_output(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        take(&mut self.output, buffer, self.end.is_some())
    }

    fn terminate(&mut self, _why: Cut) {
        self.lab.note(&self.machine, Call::Terminate(self.job.clone()));
        if self.end.is_none() {
            self.steps = VecDeque::from([Step::Exit(143)]);
        }
    }

    fn detach(self: Box<Self>) {
        self.lab.note(&self.machine, Call::Detach(self.job.clone()));
    }

    fn end(&mut self, _until: Instant) -> End {
        let running = || End::Broken("the wrapper does not end".to_owned());
        self.end.clone().unwrap_or_else(running)
    }
}

fn take(stream: &mut VecDeque<u8>, buffer: &mut [u8], ended: bool) -> io::Result<usize> {
    if stream.is_empty() && !ended {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    io::Read::read(stream, buffer)
}

fn wait_for_cancel(cancel: &Cancel) {
    let mut alarm = [PollFd::new(cancel, PollFlags::IN)];
    while poll(&mut alarm, None) == Err(rustix::io::Errno::INTR) {}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn facts() -> Facts {
    Facts {
        os: "mock".to_owned(),
        version: "1".to_owned(),
        arch: "x86_64".to_owned(),
        user: "root".to_owned(),
        root: true,
        boot_id: String::new(),
        environment: BTreeMap::new(),
        managers: vec!["dnf".to_owned()],
    }
}

mod tests;
