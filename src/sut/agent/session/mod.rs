//! [`Machine`]: a SUT over any link, driven by the bash programs of this module.
//!
//! Owns the agent (which holds the lease), and knows what the requests mean (how it is started: [`opening`]); how bash gets there is the link's. The same code
//! serves every kind of SUT, so what holds for one holds for all.

mod open;
mod requests;
mod start_job;

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, poll};

use crate::sut::agent::access_times;
use crate::sut::agent::connection::{Broken, Patience, SHORT, Talk, TalkError};
use crate::sut::agent::job_text::{Holder, check_slot};
use crate::sut::agent::link::Link;
use crate::sut::agent::session::open::ENDING;
use crate::sut::agent::wrapper::Wrapper;
use crate::sut::sync::{self, Ahead, NotSynced, accept};
use crate::sut::{
    Cancel, Channel, EnvFile, Hello, Job, OnHeld, Reads, Room, Sut, SutState, SyncMode, Synced, Taint, Trouble,
    TroubleKind, Upload, Urgency, Watch,
};

/// The version of all that lies below the machine's directory but the locks; part of the path there.
pub(crate) const FORMAT: &str = "v1";

/// Said where `sudo` does not make one root there.
const HOW_TO_BECOME_ROOT: &str =
    "`sudo` must not ask for a password there: a line `USER ALL=(ALL) NOPASSWD: ALL` in `/etc/sudoers.d/`";

/// Said where others can write to the directory there.
const OWN_DIRECTORY: &str =
    "give a directory with `--sut-dir` that only you can write to, on a way that only you and root can change";

/// Said where a test left something mounted that cannot be unmounted.
const UNMOUNT: &str = "unmount it there: nothing is changed below a mount point";

/// Said where the programs of the agent do not move, while the connection lives.
const STUCK: &str = "look for a disk there that does not answer, or for stopped processes";

/// How long an agent may take for a request as a whole, beside the time for what it is sent and sends.
const REQUEST: Duration = Duration::from_mins(15);

/// How long the agent may take to end.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long to wait before another try to connect to a machine that is away.
const NAP: Duration = Duration::from_millis(500);

/// Signs of life that follow upon each other faster are no use to anybody.
const OFTEN: Duration = Duration::from_secs(3);

/// How long a short request may take after the user said "now".
const HURRY: Duration = Duration::from_secs(2);

/// A machine behind a link.
pub struct Machine<L> {
    link: L,
    /// Where atex keeps its things there; `None`: the default of the user there.
    dir: Option<PathBuf>,
    cancel: Cancel,
    /// The question to be sent with the next opening.
    ahead: Option<String>,
    session: Option<Session>,
    /// How the session ended that there was, where only a question was asked that may go without an answer.
    lost: Option<Trouble>,
    /// Who is told what the machine says of itself.
    watch: Option<Box<dyn Watch>>,
}

/// What is known while the lease is held.
struct Session {
    agent: Talk,
    /// A wrapper that was started ahead, for the next job.
    spare: Option<Wrapper>,
    /// What was asked with the opening; nothing once a job may have changed what is there.
    ahead: Option<Ahead>,
    /// When the agent last got a sign of life.
    tended: Instant,
    /// How long its agent is given to end.
    goodbye: Duration,
    /// The machine's directory.
    dir: PathBuf,
    /// Who has the lease there.
    holder: Holder,
}

impl Drop for Session {
    /// The lease is free when this returns, as a rule.
    fn drop(&mut self) {
        self.agent.close(Instant::now() + self.goodbye);
    }
}

impl<L: Link> Machine<L> {
    /// Makes a machine; nothing is connected yet.
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

    fn trouble(&self, kind: TroubleKind, what: impl std::fmt::Display) -> Trouble {
        Trouble::new(kind, format!("`{}`: {what}", self.link.name()))
    }

    fn broken(&self, broken: Broken) -> Trouble {
        match broken {
            Broken::Ended(how) => self.trouble(TroubleKind::Aborted, format!("the connection ended ({how})")),
            Broken::Nonsense(what) => {
                self.trouble(TroubleKind::Setup, format!("the agent there is not understood: {what}"))
            }
            Broken::Cancelled => self.trouble(TroubleKind::Cancelled, "cancelled"),
            Broken::TimedOut => self.trouble(TroubleKind::Aborted, "no answer in time"),
            Broken::Stuck(silence) => {
                let seconds = silence.as_secs();
                let what = format!("the agent there is stuck: nothing moved for {seconds} s");
                self.trouble(TroubleKind::Aborted, what).with_hint(STUCK)
            }
            Broken::Endless(total) => {
                let seconds = total.as_secs();
                let what = format!("the agent there shows that it lives, but came to no end within {seconds} s");
                self.trouble(TroubleKind::Aborted, what).with_hint(STUCK)
            }
        }
    }

    /// What ends an agent before it says a word ends the attempt to connect.
    fn unreachable(&self, error: TalkError) -> Trouble {
        match error {
            // Said by `sudo`, and no other try will go better.
            TalkError::Broken(Broken::Ended(how)) if how.contains("sudo: ") => self
                .trouble(TroubleKind::Setup, format!("cannot become root ({how})"))
                .with_hint(HOW_TO_BECOME_ROOT),
            TalkError::Broken(Broken::Ended(how)) => {
                let trouble = self.trouble(TroubleKind::Unreachable, format!("cannot start bash ({how})"));
                match another_user(&how) {
                    Some(user) => trouble.with_hint(format!(
                        "log in as `{user}`, and have everything done as root: `ssh://{user}@HOST?become=sudo`"
                    )),
                    None => trouble,
                }
            }
            TalkError::Broken(Broken::TimedOut) => self.trouble(TroubleKind::Unreachable, "no answer in time"),
            other => self.not_started(other),
        }
    }

    fn not_started(&self, error: TalkError) -> Trouble {
        match error {
            TalkError::Link(trouble) => trouble,
            TalkError::Broken(broken) => self.broken(broken),
        }
    }

    fn not_synced(&self, error: NotSynced) -> Trouble {
        match error {
            NotSynced::Broken(broken) => self.broken(broken),
            NotSynced::Refused(why) => {
                let full = is_full(&why);
                let trouble = self.trouble(TroubleKind::Setup, why);
                if full { trouble.for_want_of_room() } else { trouble }
            }
            NotSynced::Foreign(why) => self.trouble(TroubleKind::Setup, why).with_hint(OWN_DIRECTORY),
            NotSynced::Mounted(why) => self.trouble(TroubleKind::Unreachable, why).with_hint(UNMOUNT),
            NotSynced::Host(why) => self.trouble(TroubleKind::Setup, format!("upload: {why}")),
        }
    }

    /// Waits a little before another try to connect.
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
            let patience = Self::brief(cancel);
            agent.send(format!("state {}\n", text.len()).as_bytes(), &patience)?;
            agent.send(&text, &patience)?;
            accept(agent.reply(SHORT, &patience)?).map(drop)
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
        // Whoever has the lease is the only one to want a job there: one that still runs belongs to nobody.
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
            // Whoever comes back knows of the job that was cut off.
            let taken = self.take(OnHeld::Wait, settle, Some(until + ENDING), &mut |_nobody_else_waits| ());
            match taken {
                Ok((hello, _known)) => return Ok(hello),
                // A machine that is about to go down still lets one in, and cuts one off.
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
        // A job follows, as a rule.
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
            let patience = Self::brief(cancel);
            agent.send(access_times::SIGHT, &patience)?;
            access_times::read_sight(agent.reply(SHORT, &patience)?)
        })
    }

    fn reserve(&mut self, room: Room) -> Result<(), Trouble> {
        let question: &[u8] = match room {
            Room::Free => b"reserve free\n",
            Room::Kept => b"reserve keep\n",
        };
        self.with_session(|agent, cancel| {
            let patience = Self::brief(cancel);
            agent.send(question, &patience)?;
            accept(agent.reply(SHORT, &patience)?).map(drop)
        })
    }

    fn adopt(&mut self, slot: &str, step: usize) -> Result<(), Trouble> {
        check_slot(slot).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        self.with_session(|agent, cancel| sync::adopt(agent, (slot, step), &Self::brief(cancel)))
    }

    fn unmount(&mut self) -> Result<String, Trouble> {
        self.with_session(|agent, cancel| {
            let patience = Self::brief(cancel);
            agent.send(b"unmount\n", &patience)?;
            Ok(accept(agent.reply(SHORT, &patience)?)?.text(0))
        })
    }

    fn slots(&mut self) -> Result<Vec<(String, u64)>, Trouble> {
        self.ask_slots()
    }

    fn reset_env_file(&mut self, project: &str, which: EnvFile) -> Result<(), Trouble> {
        check_slot(project).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        let request = format!("reset-env {}\n", which.name(project));
        self.with_session(|agent, cancel| {
            let patience = Self::brief(cancel);
            agent.send(request.as_bytes(), &patience)?;
            accept(agent.reply(SHORT, &patience)?).map(drop)
        })
    }

    fn rewind_env_file(&mut self, project: &str, step: usize) -> Result<bool, Trouble> {
        check_slot(project).map_err(|error| self.trouble(TroubleKind::Setup, error))?;
        let request = format!("rewind-env {project} {step}\n");
        self.with_session(|agent, cancel| {
            let patience = Self::brief(cancel);
            agent.send(request.as_bytes(), &patience)?;
            Ok(accept(agent.reply(SHORT, &patience)?)?.word == "ok")
        })
    }

    fn start(&mut self, job: &Job) -> Result<Box<dyn Channel>, Trouble> {
        Ok(Box::new(self.start_job(job)?))
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

    fn tend(&mut self) {
        if let Some(session) = &mut self.session
            && self.link.heartbeat().is_some()
            && session.tended.elapsed() >= OFTEN
        {
            session.tended = Instant::now();
            let cancel = self.cancel.clone();
            let patience = Patience {
                until: Some(Instant::now() + HURRY),
                ..Self::until_cancelled(&cancel)
            };
            // A machine that is lost is found out when it is wanted.
            let _sign_of_life = session.agent.send(b"\n", &patience);
        }
    }

    fn remove(&mut self) -> Result<(), Trouble> {
        self.with_session(|agent, cancel| {
            let patience = Self::until_cancelled(cancel);
            agent.send(b"remove\n", &patience)?;
            accept(agent.reply(SHORT, &patience)?).map(drop)
        })?;
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        // The end of a machine far away costs a round trip, and whoever takes the lease next gives it a moment. Where a job was cut off,
        // the last word to it must arrive.
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

/// Whether a machine may just be away for a while.
fn is_away(trouble: &Trouble) -> bool {
    matches!(trouble.kind, TroubleKind::Unreachable | TroubleKind::Aborted)
}

/// A reason for distrust, from now on.
fn taint(reason: String) -> Taint {
    Taint {
        reason,
        at: SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
    }
}

/// The user that a machine wants one to log in as: images of clouds say `Please login as the user "fedora" rather than…`.
fn another_user(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("as the user ")?;
    let user = rest.split_whitespace().next()?;
    let user = user.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    Some(user).filter(|user| !user.is_empty() && user.chars().all(is_name))
}

/// Whether it is a lack of room that a tool complains about.
fn is_full(why: &str) -> bool {
    // The second one is said by tar.
    why.contains("No space left") || why.contains("Wrote only")
}

/// A line that nothing prints by chance.
fn marker() -> String {
    let mut random = [0; 16];
    if getrandom::fill(&mut random).is_err() {
        // Without randomness a marker that differs from run to run still tells noise from protocol.
        random[..4].copy_from_slice(&std::process::id().to_ne_bytes());
    }
    let mut marker = "atex-".to_owned();
    for byte in random {
        let _infallible = write!(marker, "{byte:02x}");
    }
    marker
}
