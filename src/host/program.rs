//! Runs the programs that atex needs on this host, such as `git` and probes. Each leads a process group of its own, which ends
//! together with the program, and together with atex ([`end_all`]).
//!
//! Invariant: a program is in the register from before its start until its group has been ended, and only then is it waited for
//! (in the kernel's sense). So a process number in the register never belongs to another process.

use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, test_kill_process_group, waitid,
};

/// How often to check whether a program has ended, if the kernel has no pidfd.
const WITHOUT_PIDFD: Duration = Duration::from_millis(50);

/// How long programs have to clean up once they are asked to end; git removes its locks.
const GRACE: Duration = Duration::from_millis(500);
/// How long a followed program has to clean up once its follower gives it up.
const GRACE_OF_FOLLOWED: Duration = Duration::from_secs(5);
/// How often a follower is asked whether it gives up.
pub(crate) const PULSE: Duration = Duration::from_millis(200);
/// How often to check whether they have ended.
const LOOK: Duration = Duration::from_millis(10);

/// How many bytes of the end of stderr are kept at least.
const KEPT_STDERR: usize = 64 * 1024;

/// A program that runs.
struct Running {
    group: Pid,
    what: String,
}

/// All programs that run now.
static REGISTER: Mutex<Vec<Running>> = Mutex::new(Vec::new());

fn register() -> MutexGuard<'static, Vec<Running>> {
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The limits of a program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    /// How long it may run.
    pub(crate) time: Option<Duration>,
    /// The number of bytes of stdout that is too many: no more are read, and the program is ended.
    pub(crate) output: Option<usize>,
}

/// The result of a program.
#[derive(Debug)]
pub(crate) struct EndedProgram {
    /// How the program ended; `None` if it exceeded a limit.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Runs a program to its end, as [`Command::output`] does; `what` names it in messages. What it leaves behind in its process
/// group is ended with it. A process that left the group but holds its output is not waited for.
pub(crate) fn output(command: &mut Command, what: &str) -> io::Result<Output> {
    let ended = run(command, what, Bounds::default())?;
    let status = ended.status.ok_or(io::ErrorKind::TimedOut)?;
    Ok(Output {
        status,
        stdout: ended.stdout,
        stderr: ended.stderr,
    })
}

/// Runs a program within limits, otherwise as [`output`] does.
pub(crate) fn run(command: &mut Command, what: &str, bounds: Bounds) -> io::Result<EndedProgram> {
    let (stdout, stdout_end) = io::pipe()?;
    let (stderr, stderr_end) = io::pipe()?;
    for pipe in [&stdout, &stderr] {
        fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    }
    command.stdout(stdout_end).stderr(stderr_end).process_group(0);
    let mut program = Program::start(command, what)?;
    // The pipes would never end if their write ends stayed open here.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut heard = [Stream::new(stdout, usize::MAX), Stream::new(stderr, KEPT_STDERR)];
    let over = program.listen(&mut heard, bounds)?;
    let status = program.end()?;
    for stream in &mut heard {
        stream.read()?;
    }
    let [stdout, stderr] = heard.map(|stream| stream.bytes);
    Ok(EndedProgram {
        status: (!over).then_some(status),
        stdout,
        stderr,
    })
}

/// Who follows a program while it runs; see [`follow`].
pub(crate) trait Follower {
    /// Takes a piece of what the program prints, stdout and stderr in one.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Is asked again and again, at least every [`PULSE`], whether the program is to be ended before its time.
    fn gives_up(&mut self) -> bool;
}

/// Runs a program to its end, and hands on what it prints while it runs. A program that its follower gives up gets some time to
/// clean up, and then has no status.
pub(crate) fn follow(command: &mut Command, what: &str, follower: &mut dyn Follower) -> io::Result<Option<ExitStatus>> {
    let (output, output_end) = io::pipe()?;
    fcntl_setfl(&output, fcntl_getfl(&output)? | OFlags::NONBLOCK)?;
    command
        .stderr(output_end.try_clone()?)
        .stdout(output_end)
        .process_group(0);
    let mut program = Program::start(command, what)?;
    // The pipe would never end if its write ends stayed open here.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut stream = Stream::new(output, usize::MAX);
    let mut given_up: Option<Instant> = None;
    while !program.has_ended()? {
        program.wait(&[&stream], Some(PULSE))?;
        stream.hand_on(follower)?;
        match given_up {
            None if follower.gives_up() => {
                for signal in [Signal::TERM, Signal::CONT] {
                    let _gone = kill_process_group(program.group, signal);
                }
                given_up = Some(Instant::now());
            }
            Some(since) if since.elapsed() > GRACE_OF_FOLLOWED => break,
            _ => {}
        }
    }
    let status = program.end()?;
    stream.hand_on(follower)?;
    Ok(Some(status).filter(|_| given_up.is_none()))
}

/// Ends all running programs and what they started; they get a moment to clean up. No program can be started after that. Returns
/// the names of the programs.
pub(crate) fn end_all() -> Vec<String> {
    let running = register();
    // From here on, no program is started and none leaves the register: one that ends now stays a zombie until atex ends.
    let running = std::mem::ManuallyDrop::new(running);
    for signal in [Signal::TERM, Signal::CONT] {
        for one in running.iter() {
            let _gone = kill_process_group(one.group, signal);
        }
    }
    let until = Instant::now() + GRACE;
    while running.iter().any(|one| is_alive(one.group)) && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
    let end = |one: &Running| {
        let _gone = kill_process_group(one.group, Signal::KILL);
        one.what.clone()
    };
    running.iter().map(end).collect()
}

/// Returns whether a group has any process besides a leader that has ended.
fn is_alive(group: Pid) -> bool {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(group), ended), Ok(Some(_))) && test_kill_process_group(group).is_ok()
}

struct Program {
    child: Child,
    group: Pid,
    /// This descriptor is readable once the child has ended.
    pidfd: Option<OwnedFd>,
}

impl Program {
    fn start(command: &mut Command, what: &str) -> io::Result<Self> {
        // The register is locked before the start, so that `end_all` misses no program.
        let mut running = register();
        let child = command.spawn()?;
        let group = Pid::from_child(&child);
        running.push(Running {
            group,
            what: what.to_owned(),
        });
        drop(running);
        let pidfd = pidfd_open(group, PidfdFlags::empty()).ok();
        Ok(Self { child, group, pidfd })
    }

    /// Reads the program's output until it has ended, and returns whether it exceeded a limit.
    fn listen(&mut self, streams: &mut [Stream; 2], bounds: Bounds) -> io::Result<bool> {
        let until = bounds.time.map(|time| Instant::now() + time);
        while !self.has_ended()? {
            let too_much = bounds.output.is_some_and(|most| streams[0].bytes.len() >= most);
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if too_much || left == Some(Duration::ZERO) {
                return Ok(true);
            }
            self.wait(&streams.each_ref(), left)?;
            for stream in &mut *streams {
                stream.read_some()?;
            }
        }
        Ok(false)
    }

    /// Waits until a stream has something, the program has ended, or the time is over.
    fn wait(&self, streams: &[&Stream], most: Option<Duration>) -> io::Result<()> {
        let look = self.pidfd.is_none().then_some(WITHOUT_PIDFD);
        let wait = most.into_iter().chain(look).min();
        let wait = wait.map(|wait| Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 60, tv_nsec: 0 }));
        let mut fds: Vec<PollFd<'_>> = streams.iter().filter_map(|stream| stream.to_poll()).collect();
        fds.extend(self.pidfd.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether the program has ended. It is not reaped yet.
    fn has_ended(&self) -> io::Result<bool> {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(self.group), ended) {
            Ok(found) => Ok(found.is_some()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the program and its group.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let mut running = register();
        let _nothing_left = kill_process_group(self.group, Signal::KILL);
        let status = self.child.wait();
        running.retain(|one| one.group != self.group);
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // If it was reaped already, it is not in the register any more, and its number may belong to another process.
        if register().iter().any(|one| one.group == self.group) {
            let _nobody_is_left_to_tell = self.end();
        }
    }
}

/// An output stream of a program.
struct Stream {
    pipe: Option<PipeReader>,
    bytes: Vec<u8>,
    /// How many of the last bytes are kept at least.
    kept: usize,
}

impl Stream {
    fn new(pipe: PipeReader, kept: usize) -> Self {
        Self {
            pipe: Some(pipe),
            bytes: Vec::new(),
            kept,
        }
    }

    fn to_poll(&self) -> Option<PollFd<'_>> {
        let pipe = self.pipe.as_ref()?;
        Some(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN))
    }

    /// Reads a part of the available bytes, and returns whether there may be more.
    fn read_some(&mut self) -> io::Result<bool> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(false);
        };
        let mut buffer = [0; 16 * 1024];
        match pipe.read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        if self.bytes.len() / 2 > self.kept {
            self.bytes.drain(..self.bytes.len() - self.kept);
        }
        Ok(self.pipe.is_some())
    }

    /// Reads the available bytes, and gives them to the follower.
    fn hand_on(&mut self, follower: &mut dyn Follower) -> io::Result<()> {
        for _ in 0..PIPE_READS {
            let more = self.read_some()?;
            follower.take(&std::mem::take(&mut self.bytes))?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Reads the available bytes, at most as many as a pipe can hold.
    fn read(&mut self) -> io::Result<()> {
        for _ in 0..PIPE_READS {
            if !self.read_some()? {
                break;
            }
        }
        Ok(())
    }
}

/// This many reads empty the largest pipe that an unprivileged process can have (1 MiB).
const PIPE_READS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn bash(script: &str) -> Command {
        let mut bash = Command::new("bash");
        bash.args(["-c", script]).stdin(Stdio::null());
        bash
    }

    #[test]
    fn both_outputs_of_any_length_and_the_exit_code_come_back() {
        let ended = output(&mut bash("head -c 300000 /dev/zero; echo why >&2; exit 7"), "it").unwrap();
        assert_eq!((ended.stdout.len(), ended.stderr), (300_000, b"why\n".to_vec()));
        assert_eq!(ended.status.code(), Some(7));
    }

    /// A follower that keeps what it hears, and gives up once it has heard a word.
    struct Until(Vec<u8>, &'static [u8]);

    impl Follower for Until {
        fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn gives_up(&mut self) -> bool {
            !self.1.is_empty() && self.0.windows(self.1.len()).any(|heard| heard == self.1)
        }
    }

    #[test]
    fn a_follower_hears_everything_in_order_while_the_program_runs() {
        let mut follower = Until(Vec::new(), b"");
        let script = "echo out; echo err >&2; head -c 300000 /dev/zero; exit 7";
        let status = follow(&mut bash(script), "it", &mut follower).unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(7));
        assert_eq!((follower.0.len(), &follower.0[..8]), (300_008, &b"out\nerr\n"[..]));
    }

    #[test]
    fn a_program_that_is_given_up_may_clean_up() {
        let mut follower = Until(Vec::new(), b"now");
        let script = "trap 'echo cleaned; exit 3' TERM; echo now; while :; do sleep 0.01; done";
        let started = Instant::now();
        assert!(follow(&mut bash(script), "it", &mut follower).unwrap().is_none());
        assert!(started.elapsed() < GRACE_OF_FOLLOWED, "it ended by itself");
        assert!(
            follower.0.ends_with(b"cleaned\n"),
            "{:?}",
            String::from_utf8_lossy(&follower.0)
        );
    }

    #[test]
    fn who_left_the_group_and_holds_the_output_is_not_waited_for() {
        let ended = output(&mut bash("setsid sleep 1000 & echo $!"), "it").unwrap();
        let pid: i32 = String::from_utf8(ended.stdout).unwrap().trim().parse().unwrap();
        let pid = Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).expect("it lives, because it left the group");
    }

    #[test]
    fn a_program_beyond_its_time_ends_with_all_it_started() {
        let bounds = Bounds {
            time: Some(Duration::from_millis(300)),
            output: None,
        };
        let ended = run(&mut bash("sleep 1000 & echo $!; wait"), "it", bounds).unwrap();
        assert!(ended.status.is_none());
        let pid = String::from_utf8(ended.stdout).unwrap();
        // The kernel ends it when it is scheduled next.
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            if state.is_empty() || state.contains(") Z") {
                break;
            }
            assert!(Instant::now() < until, "{state}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
