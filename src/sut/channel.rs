//! A running job on a SUT: two streams to read, a line to the wrapper, an end.

use std::io;
use std::time::Instant;

use crate::sut::{Trouble, Urgency};

/// What a wait came back with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of one poll")]
pub struct Ready {
    /// Control bytes, or the end of the control stream, can be read.
    pub control: bool,
    /// Output bytes, or the end of the output, can be read.
    pub output: bool,
    /// The user cancelled more urgently than the caller has said that it knows.
    pub cancelled: bool,
    /// The deadline passed.
    pub timed_out: bool,
}

/// How a wrapper ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The wrapper exited 0: it has said all it had to say.
    Clean,
    /// It ended in any other way, or the connection did; the text says how.
    Broken(String),
}

/// Why a job is ended early, which decides what the machine thinks of itself until a state is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nobody wants it any more.
    Wanted,
    /// Its time is over: what it leaves is not to be trusted.
    Overdue,
}

/// A job under its wrapper. Reads never block: wait first.
pub trait Channel: Send {
    /// Waits until something can be read, `until` passes, or cancellation rises above `known`.
    fn wait(&mut self, until: Option<Instant>, known: Urgency) -> Result<Ready, Trouble>;

    /// Returns the word that the wrapper's `exitcode N SEAL` ends with. The job cannot know it, so it cannot speak for the wrapper.
    fn seal(&self) -> &str;

    /// Reads control bytes; `Ok(0)` is the end, `WouldBlock` means wait. The wrapper's `exitcode N SEAL` comes last, at once after what
    /// the test said: a line that the test left unfinished is not mended. The stream ends with the wrapper, also where a process
    /// that left the test's group holds it open; the same goes for the output.
    fn read_control(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reads what the job printed (stdout and stderr, in one stream); `Ok(0)` is the end, `WouldBlock` means wait.
    fn read_output(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Ends the job: its process group gets TERM, then KILL after a short grace. Streams end soon after; keep reading them.
    fn terminate(&mut self, why: Cut);

    /// Lets go without ending the job (`disconnect`): closes the control stream so that the test's writes fail with EPIPE.
    fn detach(self: Box<Self>);

    /// Asks how the wrapper ended; waits at most until `until` for it. Call after both streams ended.
    fn end(&mut self, until: Instant) -> End;
}
