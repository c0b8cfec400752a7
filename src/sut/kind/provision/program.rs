//! The program of a provisioner: how it is named in a target, and the process that it becomes.
//!
//! The process is in a process group of its own, so that an interrupt of the terminal does not reach it. It is told to end by the
//! end of its standard input, which comes in any case when atex ends, even if atex is killed.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};

use super::message::{self, Answer, LONGEST_LINE, Request};
use super::shipped;
use crate::sut::{Cancel, Urgency};

/// How long a program has to end once its standard input has ended, and once more after it was asked to end by a signal.
const ENDING: Duration = Duration::from_secs(10);

/// How long a program that has closed its standard output has to end, so that it can be told how it ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How often to check whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How much of the end of what it writes to standard error is told.
const TOLD: usize = 600;

/// How much of a line that cannot be read is told.
const EXCERPT: usize = 120;

/// A program as a target names it: its words, of which there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program(pub(super) Vec<String>);

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience<'a> {
    /// How long the program may say nothing at all.
    pub(super) silence: Duration,
    /// How long it may take as a whole, however often it says that it waits.
    pub(super) whole: Duration,
    /// What ends the wait, and what was known of it before.
    pub(super) cancel: Option<&'a Cancel>,
}

/// Why there is no answer. After any of these, the process is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("cannot be started: {0}")]
    Start(io::Error),
    #[error("cannot be spoken with: {0}")]
    Io(#[from] io::Error),
    #[error("said nothing for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("was not done within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("ended without an answer{0}")]
    Ended(String),
    #[error("answered with what is no answer ({problem}): `{line}`")]
    Garbage { problem: String, line: String },
    #[error("answered with a line of more than {LONGEST_LINE} bytes")]
    Long,
    #[error("was interrupted")]
    Cancelled,
}

/// A provisioner that runs.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Its standard input; nothing once that was closed.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// What it said that was not read as a line yet.
    heard: Vec<u8>,
    /// A file without a name that has what it writes to standard error.
    stderr: File,
}

impl Program {
    /// Returns the program as it is told to people.
    pub(super) fn name(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Starts it.
    pub(super) fn start(&self) -> Result<Process, AskError> {
        let start = || {
            let stderr = tempfile::tempfile()?;
            let mut command = match shipped::text(self.name()) {
                Some(text) => {
                    let mut bash = Command::new("bash");
                    bash.args(["--noprofile", "--norc", "-c", text]).arg(self.name());
                    bash
                }
                None => Command::new(self.name()),
            };
            let mut child = command
                .args(&self.0[1..])
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(stderr.try_clone()?)
                .process_group(0)
                .spawn()?;
            let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
                unreachable!("both are pipes");
            };
            fcntl_setfl(&stdout, fcntl_getfl(&stdout)? | OFlags::NONBLOCK)?;
            Ok(Process {
                child,
                stdin: Some(stdin),
                stdout,
                heard: Vec::new(),
                stderr,
            })
        };
        start().map_err(AskError::Start)
    }
}

impl Process {
    /// Asks for something, and waits for the answer. `waits` is called for each time that the program says it waits. What the
    /// program said before without being asked is no answer.
    pub(super) fn ask(
        &mut self,
        request: &Request<'_>,
        patience: Patience<'_>,
        waits: &mut dyn FnMut(String, Option<String>) -> io::Result<()>,
    ) -> Result<Answer, AskError> {
        while self.read_some()? {
            self.heard.clear();
        }
        self.heard.clear();
        let known = patience.cancel.map_or(Urgency::None, Cancel::urgency);
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        let Some(stdin) = &mut self.stdin else {
            return Err(self.ended());
        };
        match stdin.write_all(&line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(self.ended()),
            written => written?,
        }
        let end = Instant::now() + patience.whole;
        loop {
            let line = self.line(end.min(Instant::now() + patience.silence), (patience.cancel, known));
            let line = line?.ok_or(if Instant::now() >= end {
                AskError::Slow(patience.whole)
            } else {
                AskError::Silent(patience.silence)
            })?;
            match message::read(&line).map_err(|problem| garbage(problem, &line))? {
                Answer::Wait { reason, machine } => waits(reason, machine)?,
                answer => return Ok(answer),
            }
        }
    }

    /// Waits for a line until `until`, or until somebody cancels more urgently than is `known`.
    fn line(
        &mut self,
        until: Instant,
        (cancel, known): (Option<&Cancel>, Urgency),
    ) -> Result<Option<Vec<u8>>, AskError> {
        loop {
            if let Some(end) = self.heard.iter().position(|&byte| byte == b'\n') {
                let rest = self.heard.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.heard, rest);
                line.pop();
                return Ok(Some(line));
            }
            if self.heard.len() > LONGEST_LINE {
                return Err(AskError::Long);
            }
            if cancel.is_some_and(|cancel| cancel.urgency() > known) {
                return Err(AskError::Cancelled);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let mut fds = vec![PollFd::new(&self.stdout, PollFlags::IN)];
            // The descriptor stays readable, so it would end no further wait.
            fds.extend(
                cancel
                    .filter(|_| known == Urgency::None)
                    .map(|cancel| PollFd::new(cancel, PollFlags::IN)),
            );
            let left = if known == Urgency::None {
                left
            } else {
                left.min(Duration::from_secs(1))
            };
            match poll(
                &mut fds,
                Some(&Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 60, tv_nsec: 0 })),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            self.read_some()?;
        }
    }

    /// Reads some of what the program says, and returns whether there was anything.
    fn read_some(&mut self) -> Result<bool, AskError> {
        let mut buffer = [0; 8 * 1024];
        match self.stdout.read(&mut buffer) {
            Ok(0) => Err(self.ended()),
            Ok(count) => {
                self.heard.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the error that it ended, with how it ended.
    fn ended(&self) -> AskError {
        let how = self.wait(Instant::now() + LAST_WORDS).and_then(|status| {
            let code = status.exit_status().map(|code| format!(" (exit code {code})"));
            code.or_else(|| Some(format!(" (signal {})", status.terminating_signal()?)))
        });
        AskError::Ended(how.unwrap_or_default())
    }

    /// Returns the end of what it wrote to standard error.
    pub(super) fn complaint(&self) -> Option<String> {
        let length = self.stderr.metadata().ok()?.len();
        let mut end = vec![0; TOLD.min(usize::try_from(length).ok()?)];
        let start = length - end.len() as u64;
        self.stderr.read_exact_at(&mut end, start).ok()?;
        let end = String::from_utf8_lossy(&end).trim().replace('\n', "; ");
        Some(end).filter(|end| !end.is_empty())
    }

    /// Tells it to end, and makes sure that it does, with all that it has started in its process group. It has some time to give
    /// back what it holds.
    pub(super) fn end(mut self) {
        self.stdin = None;
        if self.wait(Instant::now() + ENDING).is_none() {
            self.signal(Signal::TERM);
            let _ended = self.wait(Instant::now() + ENDING);
        }
        self.kill();
    }

    /// Ends it so that it cannot do anything any more.
    pub(super) fn kill(mut self) {
        self.signal(Signal::KILL);
        let _reaped = self.child.wait();
    }

    /// Sends a signal to its process group. The process was not reaped yet, so the number of the group is still its own.
    fn signal(&self, signal: Signal) {
        let _gone = kill_process_group(Pid::from_child(&self.child), signal);
    }

    /// Waits until it has ended, and returns how. It is not reaped.
    fn wait(&self, until: Instant) -> Option<WaitIdStatus> {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        loop {
            match waitid(WaitId::Pid(Pid::from_child(&self.child)), ended) {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

fn garbage(problem: String, line: &[u8]) -> AskError {
    let line = String::from_utf8_lossy(line).chars().take(EXCERPT).collect();
    AskError::Garbage { problem, line }
}
