//! A running job on a SUT: the [`Channel`] from which its control stream, its output and its end are read.

use std::io;
use std::time::Instant;

use crate::sut::{Trouble, Urgency};

/// What a call of [`Channel::wait`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of one poll")]
pub struct Ready {
    /// Control bytes, or the end of the control stream, can be read.
    pub control: bool,
    /// Output bytes, or the end of the output, can be read.
    pub output: bool,
    /// The user cancelled, more urgently than the caller said it knows.
    pub cancelled: bool,
    /// The deadline passed.
    pub timed_out: bool,
}

/// How a wrapper ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The wrapper exited with 0: it has said all it had to say.
    Clean,
    /// The wrapper ended in any other way, or the connection ended; the text says how.
    Broken(String),
}

/// Why a job is ended early. This decides what the machine's state says until a new state is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nobody wants the job any more.
    Wanted,
    /// The job's time is over: what it leaves behind is not to be trusted.
    Overdue,
}

/// A job under its wrapper. Reads never block: the caller waits first.
pub trait Channel: Send {
    /// Waits until something can be read, `until` passes, or cancellation rises above `known`.
    fn wait(&mut self, until: Option<Instant>, known: Urgency) -> Result<Ready, Trouble>;

    /// Returns the word that ends the wrapper's `exitcode N SEAL`. The job cannot know it, so it cannot speak for the wrapper.
    fn seal(&self) -> &str;

    /// Reads control bytes; `Ok(0)` is the end, `WouldBlock` means wait. The wrapper's `exitcode N SEAL` comes last and
    /// follows directly on what the test wrote: a line that the test left unfinished gets no line end. The stream ends with
    /// the wrapper, even where a process that left the test's group still holds it open. The same goes for the output.
    fn read_control(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reads what the job printed (stdout and stderr, in one stream); `Ok(0)` is the end, `WouldBlock` means wait.
    fn read_output(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Ends the job: its process group gets TERM, and KILL after a short grace. The streams end soon after; keep reading
    /// them.
    fn terminate(&mut self, why: Cut);

    /// Lets go without ending the job (`disconnect`): closes the control stream, so that the test's writes fail with EPIPE.
    fn detach(self: Box<Self>);

    /// Returns how the wrapper ended, and waits for that until `until` at most. It must be called after both streams ended.
    fn end(&mut self, until: Instant) -> End;
}
