//! Machines that tests run on: the trait, what crosses it, and a folder for each kind ([`kind`]).
//!
//! Knows nothing of plans, graph or results: it moves files, runs bash scripts under a wrapper, and keeps a small state on
//! the machine. Everything here blocks its calling thread, which is the worker that owns the SUT; [`Cancel`] ends a wait.
//!
//! Where: below the directory that was given, if atex made it, found it empty, or nothing is there yet; else in `atex` below it, so that
//! nothing of the user's is touched. A directory that was there keeps its mode, and stays when what is atex's goes. One that others can
//! write to is refused (`safe` in `directory.bash`).
//!
//! What lies on a machine (other users may pass through it and read the trees, because tests act as other users there; the rest is
//! private; the locks are shared by all versions of atex, the rest is not):
//!
//! ```text
//! <dir>/.atex            marks the directory as atex's: `made`, or `found` empty
//! <dir>/lease            locked by the agent of the runner that has the machine; its first line says who that is
//! <dir>/run.lock         locked by the wrapper of the job that runs
//! <dir>/v1/state         what the machine says of itself: JSON of `SutState`
//! <dir>/v1/lifeline      which agent has the lease, and on which process it hangs: boot id, and process id and time of start of both
//! <dir>/v1/env/          PROJECT.prepared, PROJECT.base: plan environment files, mode 0600
//! <dir>/v1/tree/SLOT/    what was brought; a slot's name begins with its project's. Goes when nobody used it for a month, but for the three
//!                        used last, and when eight other projects used theirs since
//! <dir>/v1/tree/TREE     a link, for people: to the slot of the project that used the tree last
//! <dir>/v1/manifest/     SLOT.list: what was brought; SLOT.stat: the tree after that; SLOT.touched: a sync is under way;
//!                        SLOT.used: when it was last asked for
//! <dir>/v1/prepared      the slot that the last prepare step ran in, which stays
//! <dir>/v1/mounts        what prepare steps have mounted below the trees
//! <dir>/v1/canary        read by each job: its time of last access tells whether reads can be seen
//! <dir>/v1/job/          the running job's script, environment, metadata and process groups
//! <dir>/v1/tmt/          what a test with tmt's interface is promised, and leaves there; emptied before the next such test
//! <dir>/v1/unended       its first line: what the running job is called; empty when it came to its end and the runner was told
//! ```
//!
//! A job's environment starts from `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `LANG`, `LC_*` and `TMPDIR` of the login there (for
//! `local`: of atex itself); nothing else of the runner's is seen by it.

pub mod agent;
pub mod cancel;
pub mod channel;
pub mod facts;
mod interface;
pub mod job;
pub mod kind;
pub mod project;
pub mod state;
pub mod sync;
pub mod trouble;

pub use agent::access_times::Reads;
pub use cancel::{Cancel, Urgency};
pub use channel::{Channel, Cut, End, Ready};
pub use facts::{BaseIdentity, Facts, Installation, local_facts};
pub use interface::TmtTest;
pub use job::{EnvFile, Job, JobKind};
pub use kind::local::Local;
pub use project::{Due, Project};
pub use state::{SutState, Taint};
pub use sync::files::{FileEntry, FileKind, SlotFiles, SyncMode, Synced, Upload};
pub use trouble::{Trouble, TroubleKind};

use std::time::{Duration, Instant};

/// What a machine says when a runner takes it.
#[derive(Clone, Debug)]
pub struct Hello {
    /// OS, architecture, user, boot id.
    pub facts: Facts,
    /// Its own account of what was prepared on it.
    pub state: SutState,
}

/// How to treat a lease that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnHeld {
    /// Wait until it is free (the notice callback is told who holds it, once).
    Wait,
    /// Fail with [`TroubleKind::Held`].
    Fail,
    /// The same, but an agent that is stopped there is ended, whoever it belongs to.
    End,
}

/// How often at least a machine that is open and idle is to be tended.
pub const TEND: Duration = Duration::from_secs(10);

/// Who is told what a machine says of itself: what it is whenever it is opened, and what it keeps whenever that changes.
pub trait Watch: Send {
    /// It was opened.
    fn opened(&mut self, hello: &Hello);

    /// It is about to keep a state. Where that fails, with a reason for people, it does not.
    fn keeps(&mut self, state: &SutState) -> Result<(), String>;

    /// It has kept it.
    fn kept(&mut self, state: &SutState);
}

/// What becomes of the room that is kept for finish steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Whoever wants it may have it.
    Free,
    /// It is kept again.
    Kept,
}

/// A machine that tests run on. One worker thread owns it; dropping it drops the lease.
pub trait Sut: Send {
    /// The name for people and records: `local`, `root@host`.
    fn name(&self) -> &str;

    /// Begins to connect, as far as nobody has to be asked for anything, and waits for nothing: [`Sut::open`] goes on from there.
    /// For whoever has something else to do first.
    fn approach(&mut self) {}

    /// Has somebody told of what the machine says of itself from now on.
    fn watch(&mut self, watch: Box<dyn Watch>);

    /// Connects and reads facts and state without taking the lease: for a look at a machine that somebody else may hold. Nothing is
    /// changed there.
    fn look(&mut self) -> Result<Hello, Trouble>;

    /// Connects, takes the lease, and reads facts and state. `notice` is called with a text for people while it waits.
    fn open(&mut self, on_held: OnHeld, notice: &mut dyn FnMut(String)) -> Result<Hello, Trouble>;

    /// After `disconnect`/`reconnect` of a test: connects again (retrying until `until`), takes the lease again, and waits until
    /// the previous job's wrapper is gone (killing it at `until`).
    fn reopen(&mut self, until: Instant) -> Result<Hello, Trouble>;

    /// Says before [`Sut::open`] which tree is probably synced first: a machine that is far away is asked about it while it is
    /// opened. Changes nothing else.
    fn expect(&mut self, _upload: &Upload, _mode: SyncMode) {}

    /// Brings `upload.slot` on the SUT to hold exactly the given files, sending only what differs.
    fn sync(&mut self, upload: &Upload, mode: SyncMode) -> Result<Synced, Trouble>;

    /// Asks, after a job has ended and before the next [`Sut::sync`] of the same tree, what the job left there: the answer comes
    /// while the runner does something else. Waits for nothing.
    fn look_ahead(&mut self, _upload: &Upload, _mode: SyncMode) {}

    /// Takes what the prepare step at this place of a chain changed below the slot as the new baseline, so that the next sync keeps it,
    /// and keeps what the plan environment file of the slot's project holds then.
    fn adopt(&mut self, slot: &str, step: usize) -> Result<(), Trouble>;

    /// Tells what below the slot the job that ended last has read, if the tree was brought with [`Upload::observed`]. Nothing
    /// where the machine cannot tell.
    fn reads(&mut self, slot: &str) -> Result<Option<Reads>, Trouble>;

    /// Tells why reads cannot be seen on an open machine: how the file system is mounted that the trees lie on. Nothing where they can.
    fn blind(&mut self) -> Result<Option<String>, Trouble>;

    /// Tells which slots lie there, and when each was used last: seconds since the epoch, by the machine's clock. The last used
    /// first.
    fn slots(&mut self) -> Result<Vec<(String, u64)>, Trouble>;

    /// Frees the room that is kept on the machine's disk for finish steps, or takes it again, as far as there is some.
    fn reserve(&mut self, room: Room) -> Result<(), Trouble>;

    /// Unmounts what is mounted below the trees since the last prepare step ended, never so that it only vanishes from sight. Returns what
    /// that was, in words that say what stays mounted; nothing where there was none.
    fn unmount(&mut self) -> Result<String, Trouble>;

    /// Empties a plan environment file of a project.
    fn reset_env_file(&mut self, project: &str, which: EnvFile) -> Result<(), Trouble>;

    /// Makes the plan environment file of a project's prepared chain hold what it held after the step at this place of it. Returns
    /// whether that was kept; if not, nothing was done.
    fn rewind_env_file(&mut self, project: &str, step: usize) -> Result<bool, Trouble>;

    /// Starts a script under the wrapper.
    fn start(&mut self, job: &Job) -> Result<Box<dyn Channel>, Trouble>;

    /// Writes the machine's state, atomically.
    fn set_state(&mut self, state: &SutState) -> Result<(), Trouble>;

    /// Gives the machine a sign of life while nothing is wanted of it. To be called every [`TEND`] at least.
    fn tend(&mut self) {}

    /// Removes everything that atex keeps there, while it is open; afterwards it is closed.
    fn remove(&mut self) -> Result<(), Trouble>;

    /// Lets the machine go: drops lease and connection. The SUT can be opened again later.
    fn close(&mut self);
}
