//! Standard output of a run, which waits for a slow reader until the user interrupts.

use std::io::{self, Stdout, Write};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::sut::{Cancel, Urgency};

/// How many bytes are written at once to a pipe or terminal that is ready.
const AT_ONCE: usize = 4096;

/// How long to wait for a reader that takes nothing, once the user has interrupted.
const AFTER_CANCEL: Duration = Duration::from_millis(500);

/// Standard output whose writers never hang once the user has interrupted.
pub(crate) struct Patient {
    stdout: Stdout,
    cancel: Cancel,
    /// Whether the writer no longer waits for the reader.
    is_stuck: bool,
}

impl Patient {
    pub(crate) fn new(cancel: Cancel) -> Self {
        Self {
            stdout: io::stdout(),
            cancel,
            is_stuck: false,
        }
    }

    /// Waits until the reader takes something.
    fn wait(&mut self) -> io::Result<()> {
        let mut until = None;
        while !self.is_stuck {
            let is_cancelled = self.cancel.urgency() > Urgency::None;
            let until = is_cancelled.then(|| *until.get_or_insert_with(|| Instant::now() + AFTER_CANCEL));
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.map(|left| Timespec::try_from(left).unwrap_or_default());
            let stdout = PollFd::new(&self.stdout, PollFlags::OUT);
            let alarm = PollFd::from_borrowed_fd(self.cancel.as_fd(), PollFlags::IN);
            let mut fds = [stdout, alarm];
            let fds = if is_cancelled { &mut fds[..1] } else { &mut fds[..] };
            match poll(fds, left.as_ref()) {
                Ok(_) if !fds[0].revents().is_empty() => return Ok(()),
                Ok(0) => self.is_stuck = true,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads standard output"))
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.wait()?;
        // The buffer of the standard library is not used, because its flush would wait at the end of the process.
        match rustix::io::write(&self.stdout, &bytes[..bytes.len().min(AT_ONCE)]) {
            Err(rustix::io::Errno::AGAIN) => Err(io::ErrorKind::Interrupted.into()),
            written => Ok(written?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
