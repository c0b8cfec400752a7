//! [`Machine`]: a SUT over any link, driven by the bash programs of this module.
//!
//! It owns the agent, which holds the lease, and knows what the requests mean; the link knows how bash is started there. The
//! same code serves every kind of SUT, so what holds for one kind holds for all.

mod errors;
mod open;
mod requests;
mod start_job;

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::host::clock::unix_now;
use crate::sut::agent::access_times;
use crate::sut::agent::connection::Connection;
use crate::sut::agent::job_text::{LeaseHolder, check_slot};
use crate::sut::agent::link::{Link, States};
use crate::sut::agent::reply::MAX_REPLY;
use crate::sut::agent::session::open::ENDING;
use crate::sut::agent::timeouts::WaitLimits;
use crate::sut::agent::wrapper::Wrapper;
use crate::sut::sync::{self, EarlyCheck};
use crate::sut::{
    Cancel, Channel, Daemon, EnvFile, Hello, Inventory, Job, OnHeld, Reads, Room, Sut, SutState, SyncMode, Synced,
    Taint, Trouble, TroubleKind, Upload, Urgency, Watch,
};

/// The version of everything below the machine's directory except for the locks. It is part of the paths there.
pub(crate) const FORMAT: &str = "v1";

/// How long an agent may take for a request as a whole, not counting the time for the bytes that are sent and received.
const REQUEST: Duration = Duration::from_mins(15);

/// How long the agent may take to end.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long to wait before the next attempt to connect to a machine that is away.
const NAP: Duration = Duration::from_millis(500);

/// The shortest useful time between two signs of life.
const OFTEN: Duration = Duration::from_secs(3);

/// How long a short request may take after the user asked to stop now.
const HURRY: Duration = Duration::from_secs(2);

/// A machine that is reached over a link.
pub struct Machine<L> {
    link: L,
    /// The directory in which atex keeps everything there; `None` means the default directory of the user there.
    dir: Option<PathBuf>,
    cancel: Cancel,
    /// The question to be sent together with the next request that opens the machine.
    ahead: Option<String>,
    session: Option<Session>,
    /// Why the last session ended, where it ended during a question that may stay unanswered.
    lost: Option<Trouble>,
    /// The observer that is told what the machine tells.
    watch: Option<Box<dyn Watch>>,
}

/// What is known while the lease is held.
struct Session {
    agent: Connection,
    /// A wrapper that was started ahead, for the next job.
    spare: Option<Wrapper>,
    /// The question that was sent ahead. `None` once a job may have changed what is there.
    ahead: Option<EarlyCheck>,
    /// When the agent was last given a sign of life.
    tended: Instant,
    /// How long the agent is given to end.
    goodbye: Duration,
    /// The machine's directory.
    dir: PathBuf,
    /// The agent that holds the lease.
    holder: LeaseHolder,
}

impl Drop for Session {
    /// When this returns, the lease is free as a rule.
    fn drop(&mut self) {
        self.agent.close(Instant::now() + self.goodbye);
    }
}

impl<L: Link> Machine<L> {
    /// Makes a machine. Nothing is connected yet.
    pub fn over(link: L, dir: Option<PathBuf>, cancel: Cancel) -> Self {
        Self {
            link,
            dir,
            cancel,
            ahead: None,
            session: None,
            lost: None,
            watch: None,
        }
    }

    /// Waits a little before the next attempt to connect.
    fn nap(&self, until: Instant) -> Result<(), Trouble> {
        if self.cancel.urgency() > Urgency::None {
            return Err(self.trouble(TroubleKind::Cancelled, "cancelled"));
        }
        let wake = until.min(Instant::now() + NAP);
        let left = wake.saturating_duration_since(Instant::now());
        let mut alarm = [PollFd::new(&self.cancel, PollFlags::IN)];
        let _short_if_interrupted = poll(&mut alarm, left.try_into().ok().as_ref());
        Ok(())
    }

    fn write_state(&mut self, state: &SutState) -> Result<(), Trouble> {
        let text = serde_json::to_vec_pretty(state).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(format!("state {}\n", text.len()).as_bytes(), &limits)?;
            agent.send(&text, &limits)?;
            agent.read_reply(MAX_REPLY, &limits)?.accept().map(drop)
        })
    }
}

impl<L: Link> Sut for Machine<L> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn approach(&mut self) {
        self.link.approach();
    }

    fn watch(&mut self, watch: Box<dyn Watch>) {
        self.watch = Some(watch);
    }

    fn look(&mut self) -> Result<Hello, Trouble> {
        self.peek()
    }

    fn open(&mut self, on_held: OnHeld, notice: &mut dyn FnMut(String)) -> Result<Hello, Trouble> {
        // The holder of the lease is the only one who can want a job there, so one that still runs belongs to nobody.
        let (mut hello, cut_off) = self.take(on_held, Duration::ZERO, None, notice)?;
        if let Some(job) = cut_off {
            let reason = format!("{job} was cut off there before its end was seen");
            hello.state.taint.get_or_insert_with(|| taint(reason));
            self.write_state(&hello.state)?;
        }
        if let Some(watch) = &mut self.watch {
            watch.opened(&hello);
        }
        Ok(hello)
    }

    fn reopen(&mut self, until: Instant) -> Result<Hello, Trouble> {
        self.session = None;
        loop {
            let settle = until.saturating_duration_since(Instant::now());
            // The runner knows of the job that was cut off, since it is the one that comes back.
            let taken = self.take(OnHeld::Wait, settle, Some(until + ENDING), &mut |_nobody_else_waits| ());
            match taken {
                Ok((hello, _known)) => return Ok(hello),
                // A machine that is about to go down still accepts a login, and then cuts it off.
                Err(trouble) if is_away(&trouble) && Instant::now() < until => self.nap(until)?,
                Err(trouble) => return Err(trouble),
            }
        }
    }

    fn expect(&mut self, upload: &Upload, mode: SyncMode) {
        let sound = check_slot(&upload.slot).is_ok();
        self.ahead = sound.then(|| sync::question(upload, mode));
    }

    fn sync(&mut self, upload: &Upload, mode: SyncMode) -> Result<Synced, Trouble> {
        check_slot(&upload.slot).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        // A job usually follows a sync.
        self.spare_wrapper();
        let ahead = self.session.as_mut().and_then(|session| session.ahead.take());
        self.with_session(|agent, cancel| sync::sync(agent, (upload, mode), ahead, &Self::until_cancelled(cancel)))
    }

    fn look_ahead(&mut self, upload: &Upload, mode: SyncMode) {
        if check_slot(&upload.slot).is_ok() {
            self.ask_ahead(upload, mode);
        }
    }

    fn reads(&mut self, slot: &str) -> Result<Option<Reads>, Trouble> {
        check_slot(slot).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        self.ask_reads(slot)
    }

    fn blind(&mut self) -> Result<Option<String>, Trouble> {
        self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(access_times::SIGHT, &limits)?;
            access_times::read_sight(agent.read_reply(MAX_REPLY, &limits)?)
        })
    }

    fn reserve(&mut self, room: Room) -> Result<(), Trouble> {
        let question: &[u8] = match room {
            Room::Free => b"reserve free\n",
            Room::Kept => b"reserve keep\n",
        };
        self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(question, &limits)?;
            agent.read_reply(MAX_REPLY, &limits)?.accept().map(drop)
        })
    }

    fn adopt(&mut self, slot: &str, step: usize) -> Result<(), Trouble> {
        check_slot(slot).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        self.with_session(|agent, cancel| sync::adopt(agent, (slot, step), &Self::brief(cancel)))
    }

    fn unmount(&mut self) -> Result<String, Trouble> {
        self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(b"unmount\n", &limits)?;
            Ok(agent.read_reply(MAX_REPLY, &limits)?.accept()?.text(0))
        })
    }

    fn slots(&mut self) -> Result<Vec<(String, u64)>, Trouble> {
        self.ask_slots()
    }

    fn reset_env_file(&mut self, project: &str, which: EnvFile) -> Result<(), Trouble> {
        check_slot(project).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        let request = format!("reset-env {}\n", which.name(project));
        self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(request.as_bytes(), &limits)?;
            agent.read_reply(MAX_REPLY, &limits)?.accept().map(drop)
        })
    }

    fn rewind_env_file(&mut self, project: &str, step: usize) -> Result<bool, Trouble> {
        check_slot(project).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        let request = format!("rewind-env {project} {step}\n");
        self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(request.as_bytes(), &limits)?;
            Ok(agent.read_reply(MAX_REPLY, &limits)?.accept()?.word == "ok")
        })
    }

    fn daemons(&mut self) -> Result<Vec<Daemon>, Trouble> {
        self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(b"daemons\n", &limits)?;
            let reply = agent.read_reply(MAX_REPLY, &limits)?.accept()?;
            Ok(reply.blobs.first().map_or_else(Vec::new, |told| Daemon::read_all(told)))
        })
    }

    fn end_daemons(&mut self, from: usize) -> Result<(), Trouble> {
        self.with_session(|agent, cancel| {
            let limits = Self::brief(cancel);
            agent.send(format!("end-daemons {from}\n").as_bytes(), &limits)?;
            agent.read_reply(MAX_REPLY, &limits)?.accept().map(drop)
        })
    }

    fn start(&mut self, job: &Job) -> Result<Box<dyn Channel>, Trouble> {
        Ok(Box::new(self.start_job(job)?))
    }

    fn inventory(&self) -> Result<Inventory, Trouble> {
        self.link.inventory()
    }

    fn set_state(&mut self, state: &SutState) -> Result<(), Trouble> {
        let keeps = self.watch.as_mut().map_or(Ok(()), |watch| watch.keeps(state));
        keeps.map_err(|why| self.trouble(TroubleKind::Setup, why))?;
        self.write_state(state)?;
        if let Some(watch) = &mut self.watch {
            watch.kept(state);
        }
        Ok(())
    }

    fn states(&mut self) -> Result<Option<Vec<String>>, Trouble> {
        self.link.states().map(States::names).transpose()
    }

    fn keep_state(&mut self, name: &str) -> Result<bool, Trouble> {
        let kept = self.link.states().map(|states| states.keep(name));
        kept.transpose().map(Option::unwrap_or_default)
    }

    fn restore_state(&mut self, name: Option<&str>) -> Result<Hello, Trouble> {
        let has_lease = self.session.is_some();
        let Some(states) = self.link.states() else {
            return Err(self.trouble(TroubleKind::Setup, "cannot be made anew"));
        };
        // The lease is held until the machine is gone, so nobody else begins to use it.
        if !has_lease && states.is_used()? {
            return Err(self.trouble(TroubleKind::Held, "is used by another runner"));
        }
        states.restore(name)?;
        self.close();
        self.open(OnHeld::Wait, &mut |_| {})
    }

    fn tend(&mut self) {
        if let Some(session) = &mut self.session
            && self.link.heartbeat().is_some()
            && session.tended.elapsed() >= OFTEN
        {
            session.tended = Instant::now();
            let cancel = self.cancel.clone();
            let limits = WaitLimits {
                until: Some(Instant::now() + HURRY),
                ..Self::until_cancelled(&cancel)
            };
            // If the machine is lost, the next request will find that out.
            let _sign_of_life = session.agent.send(b"\n", &limits);
        }
    }

    fn remove(&mut self) -> Result<(), Trouble> {
        self.with_session(|agent, cancel| {
            let limits = Self::until_cancelled(cancel);
            agent.send(b"remove\n", &limits)?;
            agent.read_reply(MAX_REPLY, &limits)?.accept().map(drop)
        })?;
        self.close();
        self.link.remove()
    }

    fn close(&mut self) {
        // Waiting for the end of an agent that is far away costs a round trip, and whoever takes the lease next gives it a
        // moment anyway. But where a job was cut off by a cancellation, the last word to it must arrive.
        if let Some(session) = &mut self.session
            && self.link.is_far()
            && self.cancel.urgency() == Urgency::None
        {
            session.goodbye = Duration::ZERO;
        }
        self.session = None;
        self.link.disconnect();
    }
}

/// Whether a machine may be away only for a while.
fn is_away(trouble: &Trouble) -> bool {
    matches!(trouble.kind, TroubleKind::Unreachable | TroubleKind::Aborted)
}

/// Makes a taint that begins now.
fn taint(reason: String) -> Taint {
    Taint { reason, at: unix_now() }
}

/// Returns a line that nothing prints by chance.
fn marker() -> String {
    let mut random = [0; 16];
    if getrandom::fill(&mut random).is_err() {
        // Without random numbers, a marker that differs from run to run still distinguishes noise from the protocol.
        random[..4].copy_from_slice(&std::process::id().to_ne_bytes());
    }
    let mut marker = "atex-".to_owned();
    for byte in random {
        let _infallible = write!(marker, "{byte:02x}");
    }
    marker
}
