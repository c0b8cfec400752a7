//! Links: how a bash process is started on a machine. This is all that the kinds of SUT differ in.
//!
//! A [`Link`] starts processes; a [`Process`] is one of them with its three streams. Neither knows what the programs do, and
//! everything above them ([`crate::sut::agent::session`]) works over any link.

pub mod child;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::sut::{Inventory, Trouble};

/// What every link starts, as `bash --noprofile --norc -c BOOT`. It reads a line with a length and then a program of that
/// many characters from stdin, and becomes that program. The program is ASCII, so the locale does not matter. So nothing is
/// installed on the machine, no text of atex's shows in `ps`, and the command has no single quote in it, so any login shell
/// can be told to start it.
pub const BOOT: &str = r#"IFS= read -r atex_n && IFS= read -r -N "$atex_n" atex_p && eval "$atex_p""#;

/// Bash code to run before [`BOOT`] where a login or a command gave bash more than jobs may see.
///
/// It unsets exported variables and functions without starting a process, because it runs before each test. A name that is
/// not valid in bash is not a variable there, and could do harm as an argument of `unset`.
pub const CLEAN: &str = "while IFS= read -r -d \"\" atex_v; do atex_v=${atex_v%%=*}; case $atex_v in \
                     PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_*|TMPDIR) ;; \
                     BASH_FUNC_*) atex_v=${atex_v#BASH_FUNC_}; unset -f \"${atex_v%??}\" ;; \
                     \"\"|*[^A-Za-z0-9_]*) ;; *) unset -v $atex_v; unset -f $atex_v ;; \
                     esac; done </proc/self/environ 2>/dev/null; unset -v PWD OLDPWD SHLVL";

/// A way to start bash on one machine.
pub trait Link: Send {
    /// The machine's name for people: `local`, `root@host`.
    fn name(&self) -> &str;

    /// Begins to connect where that takes time, as far as nobody has to be asked for anything, and waits for nothing;
    /// [`Link::connect`] goes on from there.
    fn approach(&mut self) {}

    /// Connects, where there is a connection to make.
    fn connect(&mut self, until: Option<Instant>) -> Result<(), Trouble>;

    /// Starts `bash` with [`BOOT`].
    fn spawn(&mut self) -> Result<Box<dyn Process>, Trouble>;

    /// How long a login may take from the connection until bash runs, since start-up files may wait for something that never
    /// comes.
    fn login_time(&self) -> Duration {
        Duration::from_mins(2)
    }

    /// How long a wrapper may hear nothing from the runner before it takes the runner for dead. `None` where the end of the
    /// runner always closes the streams.
    fn heartbeat(&self) -> Option<Duration>;

    /// How long an agent that works on a request may give no sign of life. `None` means for ever, because whatever stops the
    /// agent there stops the runner too.
    fn dead_after(&self) -> Option<Duration> {
        None
    }

    /// Whether the end of a process is known only after a round trip.
    fn is_far(&self) -> bool {
        false
    }

    /// Whether the machine can be reached again after it was rebooted, so that a test may ask for that. Of this host, and of what an unknown
    /// command reaches, nobody knows.
    fn can_reboot(&self) -> bool {
        false
    }

    /// Returns how `ansible-playbook` on this host reaches the machine.
    fn inventory(&self) -> Result<Inventory, Trouble>;

    /// Drops the connection.
    fn disconnect(&mut self);

    /// Returns the states of the machine, for a kind whose machines are made of images.
    fn states(&mut self) -> Option<&mut dyn States> {
        None
    }

    /// Removes what was made for the machine outside of it, such as its container, after everything that lies on it.
    fn remove(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
}

/// The states of a machine that is made of an image: what the machine holds can be kept under a name, and the machine can be
/// made anew from that.
pub trait States {
    /// Returns the names under which states are kept of which this machine can be made.
    fn names(&mut self) -> Result<Vec<String>, Trouble>;

    /// Keeps what the machine holds now, and returns whether it is kept: not where something was left running there, which is no
    /// part of a state. Where a state of that name is kept, it is replaced.
    fn keep(&mut self, name: &str) -> Result<bool, Trouble>;

    /// Returns whether programs of atex run on the machine. It is asked where none can be started there any more.
    fn is_used(&mut self) -> Result<bool, Trouble>;

    /// Throws the machine away and makes it anew: from a state, or from what it was first made of.
    fn restore(&mut self, name: Option<&str>) -> Result<(), Trouble>;
}

/// The streams that a wait is for, or that it found ready.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interest {
    /// Stdin accepts bytes.
    pub stdin: bool,
    /// Stdout has bytes, or has ended.
    pub stdout: bool,
    /// Stderr has bytes, or has ended.
    pub stderr: bool,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessExit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It is not known, because the connection ended first.
    Lost(String),
}

/// A bash process on the machine. Only [`Process::wait`] blocks. Dropping a process closes its streams.
pub trait Process: Send {
    /// Waits until one of the streams is ready, the process has exited, `alarm` is readable, or `until` passes. The result
    /// may have too many streams (one that is called ready would still block), but never too few.
    fn wait(
        &mut self,
        interest: Interest,
        until: Option<Instant>,
        alarm: Option<BorrowedFd<'_>>,
    ) -> io::Result<Interest>;

    /// Writes to stdin; `WouldBlock` means wait.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads stdout; `Ok(0)` is the end. Once the process has exited, a read that finds nothing more of what it wrote returns
    /// `Ok(0)` too, even if another process still holds the stream open.
    fn read_stdout(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reads stderr, under the same rules.
    fn read_stderr(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Closes all three streams: the process reads an end of file, and its writes fail with EPIPE.
    fn close(&mut self);

    /// Returns how the process ended, if it has.
    fn exit(&mut self) -> Option<ProcessExit>;

    /// Ends the process at once.
    fn kill(&mut self);
}
