//! Machines that tests run on: the trait [`Sut`], the types that it exchanges with the runner, and a folder for each kind of
//! machine ([`kind`]).
//!
//! This module knows nothing of plans, the graph or results: it moves files, runs bash scripts under a wrapper, and keeps a
//! small state on the machine. Everything here blocks the calling thread, which is the worker that owns the SUT; [`Cancel`]
//! ends a wait.
//!
//! The machine's directory is the one that was given, if atex made it, found it empty, or nothing is there yet; otherwise it is
//! `atex` below that one, so that nothing of the user's is touched. A directory that existed before keeps its mode, and stays
//! when atex removes its own things. A directory that others can write to is refused (`safe` in `directory.bash`).
//!
//! The list below shows what lies in the machine's directory. Other users can pass through it and read the trees, because tests
//! act as other users there; the rest is private. All versions of atex share the locks, and nothing else.
//!
//! ```text
//! <dir>/.atex            marks the directory as atex's: `made`, or `found` empty
//! <dir>/lease            locked by the agent of the runner that holds the machine; its first line says who that is
//! <dir>/run.lock         locked by the wrapper of the running job
//! <dir>/v1/state         the machine's account of itself: JSON of `SutState`
//! <dir>/v1/lifeline      the agent that holds the lease, and the process that it depends on: boot id, and the process id and
//!                        the start time of both
//! <dir>/v1/env/          PROJECT.prepared, PROJECT.base: plan environment files, mode 0600
//! <dir>/v1/plan/         PROJECT.prepared, PROJECT.base: plan data, with what was saved of it, and copies for the tests of plans
//! <dir>/v1/tree/SLOT/    a synced tree; a slot's name begins with the id of its project. It is removed when nobody has used it
//!                        for a month (the three used last stay), and when eight other projects have used theirs since
//! <dir>/v1/tree/TREE     a link for people, to the slot of the project that used the tree last
//! <dir>/v1/manifest/     SLOT.list: what was synced; SLOT.stat: the tree after that; SLOT.touched: a sync is under way;
//!                        SLOT.used: when the slot was last asked for
//! <dir>/v1/prepared      the slot in which the last prepare step ran, which stays
//! <dir>/v1/mounts        what prepare steps have mounted below the trees
//! <dir>/v1/canary        read by each job: its time of last access tells whether reads can be observed
//! <dir>/v1/id            a word by which processes of the machine's jobs are known
//! <dir>/v1/daemons       what prepare steps have left running; see `bash/daemons.bash`
//! <dir>/v1/detached      is there if a test has let go of its runner since the last job
//! <dir>/v1/job/          the running job's script, environment, metadata and process groups
//! <dir>/v1/unended       first line: the name of the running job; empty when the job has ended and the runner was told
//! ```
//!
//! A job's environment starts from `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `LANG`, `LC_*` and `TMPDIR` of the login there
//! (for `local`: of atex itself). A job sees nothing else of the runner's environment.

pub mod agent;
pub mod ansible;
pub mod cancel;
pub mod channel;
pub mod daemon;
pub mod facts;
mod interface;
pub mod job;
pub mod kind;
pub mod project;
pub mod state;
pub mod sync;
pub mod trouble;

pub use agent::access_times::Reads;
pub use ansible::Inventory;
pub use cancel::{Cancel, Urgency};
pub use channel::{Channel, Cut, End, Ready};
pub use daemon::{Daemon, DaemonCondition};
pub use facts::{BaseIdentity, Facts, Installation, local_facts};
pub use interface::{PLAN_DATA_CHANGES, PlanData, TestRestart, TmtTest};
pub use job::{EnvFile, Job, JobKind, PrepareStep};
pub use kind::local::Local;
pub use project::{Due, Project};
pub use state::{SutState, Taint};
pub use sync::files::{FileEntry, FileKind, SlotFiles, SyncMode, Synced, Upload};
pub use trouble::{Trouble, TroubleKind};

use std::time::{Duration, Instant};

/// What a machine tells when a runner opens it.
#[derive(Clone, Debug)]
pub struct Hello {
    /// OS, architecture, user, boot id.
    pub facts: Facts,
    /// The machine's own account of what was prepared on it.
    pub state: SutState,
    /// What prepare steps have left running there.
    pub daemons: Vec<Daemon>,
}

/// What to do about a lease that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnHeld {
    /// Wait until it is free. The notice callback is told once who holds it.
    Wait,
    /// Fail with [`TroubleKind::Held`].
    Fail,
    /// Fail as well, but first end an agent that is stopped there, whoever it belongs to.
    End,
}

/// The longest time after which an open and idle machine must be tended again with [`Sut::tend`].
pub const TEND: Duration = Duration::from_secs(10);

/// An observer of what a machine tells: its facts and state whenever it is opened, and its state whenever that changes.
pub trait Watch: Send {
    /// The machine was opened.
    fn opened(&mut self, hello: &Hello);

    /// The machine is about to write a state. Where this fails, with a reason for people, the state is not written.
    fn keeps(&mut self, state: &SutState) -> Result<(), String>;

    /// The machine has written the state.
    fn kept(&mut self, state: &SutState);
}

/// What becomes of the disk space that is reserved for finish steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The space is free for whoever wants it.
    Free,
    /// The space is reserved again.
    Kept,
}

/// A machine that tests run on. One worker thread owns it; dropping it releases the lease.
pub trait Sut: Send {
    /// The name for people and records: `local`, `root@host`.
    fn name(&self) -> &str;

    /// Begins to connect, as far as that needs no answer from a person, and waits for nothing; [`Sut::open`] goes on from
    /// there. It is meant for a runner that has something else to do first.
    fn approach(&mut self) {}

    /// Sets the observer that is told from now on what the machine tells.
    fn watch(&mut self, watch: Box<dyn Watch>);

    /// Connects, and reads facts and state without taking the lease: for a look at a machine that somebody else may hold.
    /// Nothing is changed there.
    fn look(&mut self) -> Result<Hello, Trouble>;

    /// Connects, takes the lease, and reads facts and state. `notice` is called with a text for people while it waits.
    fn open(&mut self, on_held: OnHeld, notice: &mut dyn FnMut(String)) -> Result<Hello, Trouble>;

    /// Connects again after a test's `disconnect` or `reconnect` (retrying until `until`), takes the lease again, and waits
    /// until the wrapper of the previous job is gone (killing it at `until`).
    fn reopen(&mut self, until: Instant) -> Result<Hello, Trouble>;

    /// Says before [`Sut::open`] which tree is probably synced first, so that a machine that is far away is asked about it
    /// while it is opened. Changes nothing else.
    fn expect(&mut self, _upload: &Upload, _mode: SyncMode) {}

    /// Makes `upload.slot` on the SUT hold exactly the given files, and sends only what differs.
    fn sync(&mut self, upload: &Upload, mode: SyncMode) -> Result<Synced, Trouble>;

    /// Asks, after a job has ended and before the next [`Sut::sync`] of the same tree, what the job left there. Waits for
    /// nothing: the answer comes while the runner does something else.
    fn look_ahead(&mut self, _upload: &Upload, _mode: SyncMode) {}

    /// Makes what the prepare step at position `step` of a chain changed below the slot the new baseline, so that the next
    /// sync keeps it. Saves also what the plan environment file of the slot's project holds at that time.
    fn adopt(&mut self, slot: &str, step: usize) -> Result<(), Trouble>;

    /// Returns what the last job read below the slot, if the tree was synced with [`Upload::observed`]; `None` where the
    /// machine cannot tell.
    fn reads(&mut self, slot: &str) -> Result<Option<Reads>, Trouble>;

    /// Returns why reads cannot be observed on an open machine, namely how the file system of the trees is mounted; `None`
    /// where they can be observed.
    fn blind(&mut self) -> Result<Option<String>, Trouble>;

    /// Returns the slots on the machine with the time at which each was last used (seconds since the epoch, by the machine's
    /// clock), the last used first.
    fn slots(&mut self) -> Result<Vec<(String, u64)>, Trouble>;

    /// Frees the disk space that is reserved for finish steps, or reserves it again, as far as there is enough.
    fn reserve(&mut self, room: Room) -> Result<(), Trouble>;

    /// Unmounts what was mounted below the trees since the last prepare step ended, but never lazily, because a mount would
    /// then only vanish from sight. Returns a text that says what was mounted and what stays mounted; it is empty where there
    /// was nothing.
    fn unmount(&mut self) -> Result<String, Trouble>;

    /// Empties a plan environment file of a project.
    fn reset_env_file(&mut self, project: &str, which: EnvFile) -> Result<(), Trouble>;

    /// Restores the plan environment file of a project's prepared chain as it was after the step at position `step`. Returns
    /// whether that content was saved; if not, nothing was done.
    fn rewind_env_file(&mut self, project: &str, step: usize) -> Result<bool, Trouble>;

    /// Returns what prepare steps have left running on the machine, and whether it still runs.
    fn daemons(&mut self) -> Result<Vec<Daemon>, Trouble>;

    /// Ends what the prepare step at position `from` of a chain, and all later ones, have left running, and forgets it. What tests
    /// have left running ends, too. It fails if something cannot be ended.
    fn end_daemons(&mut self, from: usize) -> Result<(), Trouble>;

    /// Starts a script under the wrapper.
    fn start(&mut self, job: &Job) -> Result<Box<dyn Channel>, Trouble>;

    /// Returns how `ansible-playbook` on this host reaches the machine.
    fn inventory(&self) -> Result<Inventory, Trouble>;

    /// Writes the machine's state, atomically.
    fn set_state(&mut self, state: &SutState) -> Result<(), Trouble>;

    /// Returns the names of the states that are kept of which the machine can be made anew. `None` for a machine that is not made
    /// of an image, or whose image would not hold all of its state.
    fn states(&mut self) -> Result<Option<Vec<String>>, Trouble> {
        Ok(None)
    }

    /// Keeps what the machine holds now as a state of that name, if the machine is made of an image, and returns whether it is:
    /// not where something was left running there. All files may have been read by that, so which ones a job reads is known only
    /// after the next sync.
    fn keep_state(&mut self, _name: &str) -> Result<bool, Trouble> {
        Ok(false)
    }

    /// Throws the machine away and makes it anew: from a state, or from what it was first made of. Then opens it. A machine that
    /// is not open, because it cannot be opened, must not be in use by another runner.
    fn restore_state(&mut self, _name: Option<&str>) -> Result<Hello, Trouble> {
        Err(Trouble::new(
            TroubleKind::Setup,
            format!("`{}` cannot be made anew", self.name()),
        ))
    }

    /// Tells the machine that the runner lives while nothing else is asked of it. It must be called at least every [`TEND`].
    fn tend(&mut self) {}

    /// Removes everything that atex keeps on the machine, which must be open; afterwards it is closed.
    fn remove(&mut self) -> Result<(), Trouble>;

    /// Releases the lease and drops the connection. The SUT can be opened again later.
    fn close(&mut self);
}
