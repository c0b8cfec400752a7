//! Opens a machine: starts its agent, lets it take the lease, and reads what it tells of the machine.
//!
//! This file owns what is sent together with the agent, and the reading of its first reply.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::sut::agent::connection::{Connection, ConnectionError};
use crate::sut::agent::job_text::LeaseHolder;
use crate::sut::agent::link::Link;
use crate::sut::agent::programs;
use crate::sut::agent::reply::{MAX_REPLY, Reply};
use crate::sut::agent::session::{GOODBYE, Machine, Session, marker, taint};
use crate::sut::agent::timeouts::WaitLimits;
use crate::sut::sync::EarlyCheck;
use crate::sut::{Daemon, Hello, OnHeld, SutState, Trouble, TroubleKind, Urgency, facts};

/// The hint where a login takes too long.
const STARTUP_FILES: &str =
    "look at what the login shell reads when it starts (`.bashrc` and its like): it must come to an end";

/// The hint where the machine's directory cannot be used.
const ANOTHER_DIRECTORY: &str = "another directory can be given with `--sut-dir`; it must be on a file system with locks, so not on most network shares";

/// How long it may take to end the last job once its time is over.
pub(super) const ENDING: Duration = Duration::from_secs(20);

/// The shortest time for an attempt to connect, however little time is left.
const ONE_TRY: Duration = Duration::from_secs(3);

/// How many signs of life in a row must be missing before an agent that works counts as stuck.
const PULSES: u32 = 4;

/// The shortest time between two of these signs, in seconds.
const SHORTEST_PULSE: f64 = 0.1;

/// How many bytes are kept of the name of a job, which comes from the machine.
const LONGEST_NAME: usize = 500;

/// The name of a job on the machine whose end was not seen.
pub(super) type CutOff = Option<String>;

/// What an agent tells when it is opened.
struct Told {
    hello: Hello,
    cut_off: CutOff,
    dir: PathBuf,
    holder: LeaseHolder,
}

impl<L: Link> Machine<L> {
    /// Starts an agent and lets it take the lease. `settle` is how long the last job may go on.
    pub(super) fn take(
        &mut self,
        on_held: OnHeld,
        settle: Duration,
        until: Option<Instant>,
        notice: &mut dyn FnMut(String),
    ) -> Result<(Hello, CutOff), Trouble> {
        self.session = None;
        // The rest of the time is for the end of the last job.
        let connected = until.map(|until| (until.checked_sub(ENDING).unwrap_or(until)).max(Instant::now() + ONE_TRY));
        self.link.connect(connected)?;
        let cancel = self.cancel.clone();
        // A cancellation from before ends this too: a user who cancelled needs no machine.
        let limits = WaitLimits {
            cancel: &cancel,
            known: Urgency::None,
            until,
        };
        let marker = marker();
        let dir = self.dir.as_ref().map_or(&b""[..], |dir| dir.as_os_str().as_bytes());
        let holder = holder();
        let mut request = programs::opening(programs::AGENT, &marker);
        request.extend_from_slice(format!("open {} {} ", dir.len(), holder.len()).as_bytes());
        let on_held_word = match on_held {
            OnHeld::Wait => "wait ",
            OnHeld::Fail => "fail ",
            OnHeld::End => "end ",
        };
        request.extend_from_slice(on_held_word.as_bytes());
        let beat = self.link.heartbeat().map_or(0, |silence| silence.as_secs().max(1));
        let pulse = self.pulse();
        request.extend_from_slice(format!("{} {beat} {pulse}\n", settle.as_millis() / 100).as_bytes());
        request.extend_from_slice(dir);
        request.extend_from_slice(holder.as_bytes());
        let ahead = self.ahead.take();
        request.extend(ahead.iter().flat_map(|question| question.bytes()));
        let mut agent =
            Connection::start(&mut self.link, &request, &limits).map_err(|error| self.login_trouble(error))?;
        // A job usually follows.
        let spare = self.launch_spare();
        self.await_agent(&mut agent, &marker, &limits)?;
        agent.begin_request(Some(self.opening_time() + settle));
        let mut reply = agent
            .read_reply(MAX_REPLY, &limits)
            .map_err(|broken| self.connection_trouble(broken))?;
        if reply.word == "held" {
            let who = self.held_by(&reply);
            if on_held != OnHeld::Wait {
                return Err(who.with_hint("wait until it is done, or use another directory there (`--sut-dir`)"));
            }
            notice(who.message);
            // Another run may hold the machine for any time.
            agent.begin_request(None);
            reply = agent
                .read_reply(MAX_REPLY, &limits)
                .map_err(|broken| self.connection_trouble(broken))?;
        }
        let reply = reply.accept().map_err(|error| {
            let trouble = self.request_trouble(error);
            match trouble.hint {
                Some(_) => trouble,
                None => trouble.with_hint(ANOTHER_DIRECTORY),
            }
        })?;
        let Told {
            hello,
            cut_off,
            dir,
            holder,
        } = self.told(&reply)?;
        self.session = Some(Session {
            agent,
            spare,
            ahead: ahead.map(EarlyCheck::sent),
            tended: Instant::now(),
            goodbye: GOODBYE,
            dir,
            holder,
        });
        Ok((hello, cut_off))
    }

    /// Returns how often an agent that works must give a sign of life, in seconds as bash reads them.
    fn pulse(&self) -> String {
        self.link.dead_after().map_or_else(
            || "0".to_owned(),
            |silence| format!("{:.2}", (silence / PULSES).as_secs_f64().max(SHORTEST_PULSE)),
        )
    }

    /// Returns how long an agent may take for its first reply, with or without signs of life: half the time of a login, which
    /// is over by then, and the time that it takes to end the last job.
    fn opening_time(&self) -> Duration {
        self.link.login_time() / 2 + ENDING
    }

    /// Skips what the login prints before the agent runs.
    fn await_agent(&self, agent: &mut Connection, marker: &str, limits: &WaitLimits<'_>) -> Result<(), Trouble> {
        let limit = Instant::now() + self.link.login_time();
        let limits = limits.at_most(limit);
        match agent.skip_login_output(marker, &limits) {
            Ok(()) => {
                agent.limit_silence(self.link.dead_after());
                Ok(())
            }
            Err(ConnectionError::TimedOut) if Instant::now() >= limit => {
                let seconds = self.link.login_time().as_secs();
                let said = agent.login_output();
                let said = if said.is_empty() { said } else { format!(": {said}") };
                let what = format!("the login there did not start bash within {seconds} s{said}");
                Err(self.trouble(TroubleKind::Unreachable, what).with_hint(STARTUP_FILES))
            }
            Err(broken) => Err(self.login_trouble(broken.into())),
        }
    }

    /// Reads facts and state without taking the lease.
    pub(super) fn peek(&mut self) -> Result<Hello, Trouble> {
        self.session = None;
        self.link.connect(None)?;
        let cancel = self.cancel.clone();
        let limits = WaitLimits {
            cancel: &cancel,
            known: Urgency::None,
            until: None,
        };
        let marker = marker();
        let dir = self.dir.as_ref().map_or(&b""[..], |dir| dir.as_os_str().as_bytes());
        let mut request = programs::opening(programs::AGENT, &marker);
        request.extend_from_slice(format!("peek {} {}\n", dir.len(), self.pulse()).as_bytes());
        request.extend_from_slice(dir);
        let mut agent =
            Connection::start(&mut self.link, &request, &limits).map_err(|error| self.login_trouble(error))?;
        self.await_agent(&mut agent, &marker, &limits)?;
        agent.begin_request(Some(self.opening_time()));
        let reply = agent
            .read_reply(MAX_REPLY, &limits)
            .map_err(|broken| self.connection_trouble(broken))?;
        let reply = reply.accept().map_err(|error| self.request_trouble(error))?;
        let hello = self.told(&reply)?.hello;
        agent.close(Instant::now() + GOODBYE);
        drop(agent);
        self.link.disconnect();
        Ok(hello)
    }

    fn held_by(&self, reply: &Reply) -> Trouble {
        let who = reply.text(0);
        let who = if who.is_empty() { "another run".to_owned() } else { who };
        self.trouble(TroubleKind::Held, format!("held by {who}"))
    }

    /// Reads what an agent tells: the directory, the facts, os-release, the state, the name of a job that was cut off, and the
    /// daemons.
    fn told(&self, reply: &Reply) -> Result<Told, Trouble> {
        let [dir, told, release, state, unended, daemons] = reply.blobs.as_slice() else {
            return Err(self.connection_trouble(reply.unexpected()));
        };
        let told = String::from_utf8_lossy(told);
        let facts = facts::of_machine(&told, &String::from_utf8_lossy(release));
        let kept = told.lines().any(|line| line == "state=kept");
        let state = if kept { read_state(state) } else { SutState::default() };
        let job = String::from_utf8_lossy(&unended[..unended.len().min(LONGEST_NAME)]).into_owned();
        let cut_off = Some(job).filter(|job| !job.is_empty());
        Ok(Told {
            hello: Hello {
                facts,
                state,
                daemons: Daemon::read_all(daemons),
            },
            cut_off,
            dir: PathBuf::from(OsString::from_vec(dir.clone())),
            holder: LeaseHolder::of(&told),
        })
    }
}

/// Reads a state file. One that cannot be read is not believed: the machine counts as tainted, and the reason says so.
fn read_state(bytes: &[u8]) -> SutState {
    serde_json::from_slice(bytes).unwrap_or_else(|error| SutState {
        taint: Some(taint(format!("the state file there is unreadable: {error}"))),
        ..SutState::default()
    })
}

/// Returns one line that says who takes the lease, for whoever finds it held.
fn holder() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_default();
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let command = words.map(|word| without_value(&word)).collect::<Vec<_>>().join(" ");
    let since = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
    let at = if user.is_empty() {
        host
    } else {
        format!("{user}@{host}")
    };
    let line = format!("pid {} of {at} since {since}: {command}", std::process::id());
    line.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(400)
        .collect()
}

/// Returns a word of the command line as others may read it: of `NAME=VALUE`, also behind an option, only the name. Only the
/// rules of the command line know which words are variables, so no word keeps its value.
fn without_value(word: &str) -> String {
    let option = word.strip_prefix("--").and_then(|rest| rest.split_once('='));
    let (before, rest) = match option {
        Some((name, value)) if value.contains('=') => (&word[..name.len() + 3], value),
        _ => ("", word),
    };
    match rest.split_once('=') {
        Some((name, _)) => format!("{before}{name}=…"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_command_line_keeps_the_value_of_a_variable() {
        for (word, shown) in [
            ("build", "build"),
            ("TOKEN=hunter2 and=more", "TOKEN=…"),
            ("-eTOKEN=hunter2", "-eTOKEN=…"),
            ("-veTOKEN=hunter2", "-veTOKEN=…"),
            ("--environment=TOKEN=hunter2=x", "--environment=TOKEN=…"),
            ("--sut-dir=/srv/x", "--sut-dir=…"),
        ] {
            assert_eq!(without_value(word), shown);
        }
    }
}
