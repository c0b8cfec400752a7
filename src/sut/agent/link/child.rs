//! [`ChildLink`]: bash as a child process of atex with three pipes, on this host or wherever its command leads.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::sut::agent::link::{BOOT, Interest, Link, Process, ProcessExit};
use crate::sut::{Inventory, Trouble, TroubleKind};

/// The variables of the runner that jobs may see, besides `LC_*`. All others stay with the runner: a job's environment is
/// that of the plan and the test, and not that of the terminal from which atex happened to be started.
const BASE_ENVIRONMENT: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR"];

/// The `PATH` that is used if the runner has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A prefix for a command that unblocks the signals which this process has blocked (coreutils 8.31); bash itself cannot do
/// that.
const UNBLOCK: &[&str] = &["env", "--default-signal"];

/// How often a child is checked for its end where the kernel has no pidfd.
const WITHOUT_PIDFD: Duration = Duration::from_millis(50);

/// Starts a command on this host that becomes bash, or leads to one.
#[derive(Clone, Debug)]
pub struct ChildLink {
    name: String,
    /// The program that becomes bash with [`BOOT`], and its arguments.
    command: Vec<OsString>,
    heartbeat: Option<Duration>,
    /// Whether the command sees the runner's whole environment.
    whole_environment: bool,
    /// Whether the command is bash on this host, for the user that runs atex.
    is_here: bool,
    dead_after: Option<Duration>,
}

impl ChildLink {
    /// Makes a link that starts bash as the current user, directly.
    pub fn new(name: &str) -> Self {
        let bash = ["bash", "--noprofile", "--norc", "-c"].map(OsString::from);
        Self {
            is_here: true,
            ..Self::through(name, bash.to_vec(), None)
        }
    }

    /// Makes a link that starts bash by the given command, which gets [`BOOT`] as its last argument: as another user, or in a
    /// container.
    pub fn through(name: &str, mut command: Vec<OsString>, heartbeat: Option<Duration>) -> Self {
        command.push(BOOT.into());
        Self::running(name, command, heartbeat)
    }

    /// Makes a link that starts bash by a command that has [`BOOT`] in it already.
    pub fn running(name: &str, command: Vec<OsString>, heartbeat: Option<Duration>) -> Self {
        Self {
            name: name.to_owned(),
            command,
            heartbeat,
            whole_environment: false,
            is_here: false,
            dead_after: None,
        }
    }

    /// Lets the command see the runner's whole environment: for a command that is the user's own and leads elsewhere.
    #[must_use]
    pub fn with_whole_environment(mut self) -> Self {
        self.whole_environment = true;
        self
    }

    /// Says that the command leads to something that can go away while the command lives, and how long that may be silent.
    #[must_use]
    pub fn far(mut self, dead_after: Duration) -> Self {
        self.dead_after = Some(dead_after);
        self
    }
}

impl Link for ChildLink {
    fn name(&self) -> &str {
        &self.name
    }

    fn connect(&mut self, _until: Option<Instant>) -> Result<(), Trouble> {
        Ok(())
    }

    fn spawn(&mut self) -> Result<Box<dyn Process>, Trouble> {
        let process = ChildProcess::start(&self.command, self.whole_environment).map_err(|source| {
            let program = self
                .command
                .first()
                .map(|word| word.to_string_lossy())
                .unwrap_or_default();
            Trouble::new(
                TroubleKind::Setup,
                format!("`{}`: cannot start `{program}`: {source}", self.name),
            )
        })?;
        Ok(Box::new(process))
    }

    fn heartbeat(&self) -> Option<Duration> {
        self.heartbeat
    }

    fn dead_after(&self) -> Option<Duration> {
        self.dead_after
    }

    fn inventory(&self) -> Result<Inventory, Trouble> {
        if self.is_here {
            return Ok(Inventory::local());
        }
        Err(Inventory::none(&self.name))
    }

    fn disconnect(&mut self) {}
}

/// Returns the part of the runner's environment that jobs get. It has a `PATH` in any case.
fn base_environment() -> Vec<(OsString, OsString)> {
    let mut variables: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| {
            name.to_str()
                .is_some_and(|name| BASE_ENVIRONMENT.contains(&name) || name.starts_with("LC_"))
        })
        .collect();
    if !variables.iter().any(|(name, _)| name == "PATH") {
        variables.push(("PATH".into(), DEFAULT_PATH.into()));
    }
    variables
}

/// Returns the same variables as text without newlines, as an agent tells them.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    base_environment().into_iter().map(|(name, value)| {
        let name = name.to_string_lossy().into_owned();
        (name, value.to_string_lossy().replace('\n', " "))
    })
}

struct ChildProcess {
    child: Child,
    /// This descriptor is readable once the child has exited.
    pidfd: Option<OwnedFd>,
    stdin: Option<File>,
    stdout: Option<File>,
    stderr: Option<File>,
}

impl ChildProcess {
    fn start(command: &[OsString], whole_environment: bool) -> io::Result<Self> {
        let unblocked = if blocks_signals() { UNBLOCK } else { &[] };
        let mut words = unblocked
            .iter()
            .map(OsStr::new)
            .chain(command.iter().map(OsString::as_os_str));
        let mut child = Command::new(words.next().ok_or(io::ErrorKind::InvalidInput)?);
        if !whole_environment {
            child.env_clear().envs(base_environment());
        }
        let mut child = child
            .args(words)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok(Self {
            child,
            pidfd,
            stdin: stdin.map(|pipe| nonblocking(pipe.into())).transpose()?,
            stdout: stdout.map(|pipe| nonblocking(pipe.into())).transpose()?,
            stderr: stderr.map(|pipe| nonblocking(pipe.into())).transpose()?,
        })
    }
}

/// Whether this thread blocks signals; the programs that it starts would inherit that.
fn blocks_signals() -> bool {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    mask.is_some_and(|mask| mask.trim().bytes().any(|digit| digit != b'0'))
}

fn nonblocking(pipe: OwnedFd) -> io::Result<File> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    Ok(File::from(pipe))
}

/// Reads `stream`. After the child's end, "nothing now" counts as the end of the stream. The second read is needed because
/// the child may have written between the first read and its end.
fn read(stream: &mut Option<File>, child: &mut Child, buffer: &mut [u8]) -> io::Result<usize> {
    let Some(pipe) = stream else { return Ok(0) };
    let mut exited = false;
    loop {
        match pipe.read(buffer) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if exited {
                    break;
                }
                exited = child.try_wait()?.is_some();
                if !exited {
                    return Err(error);
                }
            }
            other => return other,
        }
    }
    *stream = None;
    Ok(0)
}

impl Process for ChildProcess {
    fn wait(
        &mut self,
        interest: Interest,
        until: Option<Instant>,
        alarm: Option<BorrowedFd<'_>>,
    ) -> io::Result<Interest> {
        let wanted = [
            (self.stdin.as_ref().filter(|_| interest.stdin), PollFlags::OUT),
            (self.stdout.as_ref().filter(|_| interest.stdout), PollFlags::IN),
            (self.stderr.as_ref().filter(|_| interest.stderr), PollFlags::IN),
        ];
        let mut streams = Vec::with_capacity(5);
        for (stream, flags) in &wanted {
            streams.extend(stream.map(|stream| PollFd::new(stream, *flags)));
        }
        streams.extend(self.pidfd.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        streams.extend(alarm.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));

        let mut limits = until.map(|until| until.saturating_duration_since(Instant::now()));
        let closed = |wanted: bool, stream: &Option<File>| wanted && stream.is_none();
        if closed(interest.stdin, &self.stdin)
            || closed(interest.stdout, &self.stdout)
            || closed(interest.stderr, &self.stderr)
        {
            limits = Some(Duration::ZERO);
        }
        if self.pidfd.is_none() {
            limits = Some(limits.map_or(WITHOUT_PIDFD, |left| left.min(WITHOUT_PIDFD)));
        }
        let timeout = limits.and_then(|left| left.try_into().ok());
        match poll(&mut streams, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }

        let exited = self.pidfd.is_none() || self.pidfd.as_ref().is_some_and(|fd| stirred(&streams, fd.as_fd()));
        let ready = |stream: Option<&File>| stream.is_some_and(|stream| stirred(&streams, stream.as_fd()));
        let [stdin, stdout, stderr] = wanted.map(|(stream, _)| ready(stream));
        Ok(Interest {
            stdin: interest.stdin && (stdin || exited || self.stdin.is_none()),
            stdout: interest.stdout && (stdout || exited || self.stdout.is_none()),
            stderr: interest.stderr && (stderr || exited || self.stderr.is_none()),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stdin {
            Some(pipe) => pipe.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn read_stdout(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read(&mut self.stdout, &mut self.child, buffer)
    }

    fn read_stderr(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read(&mut self.stderr, &mut self.child, buffer)
    }

    fn close(&mut self) {
        self.stdin = None;
        self.stdout = None;
        self.stderr = None;
    }

    fn exit(&mut self) -> Option<ProcessExit> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(match (status.code(), status.signal()) {
                (Some(code), _) => ProcessExit::Code(code),
                (None, Some(signal)) => ProcessExit::Signal(signal),
                (None, None) => ProcessExit::Lost(status.to_string()),
            }),
            Err(error) => Some(ProcessExit::Lost(error.to_string())),
        }
    }

    fn kill(&mut self) {
        let _gone_already = self.child.kill();
    }
}

impl Drop for ChildProcess {
    /// Closes the streams, and leaves a thread behind that reaps the child, because a detached wrapper may live for minutes
    /// after this.
    fn drop(&mut self) {
        self.close();
        if matches!(self.child.try_wait(), Ok(None))
            && let Some(pidfd) = self.pidfd.take()
        {
            let reap = move || {
                let _not_ours_any_more = rustix::process::waitid(
                    rustix::process::WaitId::PidFd(pidfd.as_fd()),
                    rustix::process::WaitIdOptions::EXITED,
                );
            };
            let _reaped_by_init_later = thread::Builder::new()
                .name("reaper".into())
                .stack_size(64 * 1024)
                .spawn(reap);
        }
    }
}

/// Whether poll reported anything for `fd`: data, an end, or an error.
fn stirred(streams: &[PollFd<'_>], fd: BorrowedFd<'_>) -> bool {
    use std::os::fd::AsRawFd;
    streams
        .iter()
        .any(|stream| stream.as_fd().as_raw_fd() == fd.as_raw_fd() && !stream.revents().is_empty())
}
