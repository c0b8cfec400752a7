//! [`Transport`]: one SSH session over one socket while it is set up, and the wait that its calls share.
//!
//! Owns the socket and the `ssh2` session on it. Knows neither hosts nor keys nor what is run: key exchange, host keys and login
//! are done by calls that are driven here, each as often as it says "would block".
//!
//! Invariant: the session never blocks. So every call ends by its time and by a cancellation, whatever the other side does.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use ssh2::{BlockDirections, ErrorCode, Session};

use crate::sut::agent::timeouts::{WaitLimits, alarm};
use crate::sut::kind::ssh::connect::proxy::Proxy;

/// What libssh2 returns where a call must be made again (`LIBSSH2_ERROR_EAGAIN`).
const AGAIN: ErrorCode = ErrorCode::Session(-37);

/// Why a driven call did not succeed.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The call failed.
    Failed(ssh2::Error),
    /// It took too long.
    TimedOut,
    /// The user cancelled.
    Cancelled,
}

impl From<ssh2::Error> for Halt {
    fn from(error: ssh2::Error) -> Self {
        Self::Failed(error)
    }
}

/// Whether a call must be made again once the socket has moved.
pub(crate) fn is_again(error: &ssh2::Error) -> bool {
    error.code() == AGAIN
}

/// Whether the other side closed the connection: libssh2 has a code for each thing that it wanted at that moment.
pub(crate) fn was_closed(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-2 | -3 | -7 | -8 | -13 | -43))
}

/// A session and its socket. Fields are dropped in this order: the session uses the socket until its end.
pub(crate) struct Transport {
    /// The session; calls on it do not block.
    pub(crate) session: Session,
    pub(crate) socket: OwnedFd,
    /// The other end of the socket that took the place of the first one.
    grave: Option<UnixStream>,
    /// What the socket leads to, if it is not the network.
    _proxy: Option<Proxy>,
}

/// What `ssh2` is told of a socket that it does not own.
struct Number(RawFd);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl Transport {
    /// Puts a session on a connected socket; nothing is sent yet.
    pub(crate) fn over(socket: OwnedFd, proxy: Option<Proxy>) -> Result<Self, ssh2::Error> {
        let mut session = Session::new()?;
        session.set_blocking(false);
        session.set_tcp_stream(Number(socket.as_raw_fd()));
        Ok(Self {
            session,
            socket,
            grave: None,
            _proxy: proxy,
        })
    }

    /// Exchanges keys. Which host keys are asked for must be said before, on the session.
    pub(crate) fn handshake(&self, limits: &WaitLimits<'_>) -> Result<(), Halt> {
        let mut session = self.session.clone();
        self.drive(limits, |_| session.handshake())
    }

    /// Makes a call until it has an outcome, and waits for the socket in between.
    pub(crate) fn drive<T>(
        &self,
        limits: &WaitLimits<'_>,
        mut call: impl FnMut(&Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, Halt> {
        loop {
            match call(&self.session) {
                Err(error) if is_again(&error) => self.wait(limits)?,
                outcome => return outcome.map_err(Halt::Failed),
            }
        }
    }

    /// Ends the connection and puts a socket in its place that takes a little and never says anything. What had come stays to be
    /// read, and what is half sent can be completed. Says whether it did.
    pub(crate) fn bury(&mut self) -> bool {
        if self.grave.is_some() {
            return false;
        }
        let Ok((inside, outside)) = UnixStream::pair() else {
            return false;
        };
        let buried = inside.set_nonblocking(true).is_ok() && rustix::io::dup2(&inside, &mut self.socket).is_ok();
        self.grave = buried.then_some(outside);
        buried
    }

    /// After [`Self::bury`]: ends that socket too, so that nothing is waited for any more.
    pub(crate) fn forget(&mut self) {
        self.grave = None;
    }

    /// Waits until the socket has moved in the direction that the last call wants.
    pub(crate) fn wait(&self, limits: &WaitLimits<'_>) -> Result<(), Halt> {
        if limits.cancel.urgency() > limits.known {
            return Err(Halt::Cancelled);
        }
        if limits.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Halt::TimedOut);
        }
        let flags = match self.session.block_directions() {
            BlockDirections::Outbound => PollFlags::OUT,
            BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
            BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
        };
        let (alarm, until) = alarm(limits.cancel, limits.until);
        poll_until(&mut [PollFd::new(&self.socket, flags)], alarm, until);
        Ok(())
    }
}

impl Drop for Transport {
    /// Lets libssh2 free everything: it frees no session in which something is not sent or not answered, as long as the socket may go on.
    fn drop(&mut self) {
        self.bury();
        self.grave = None;
    }
}

/// Waits until one of `fds` stirs, `alarm` is readable (then the answer is true), or `until` passes.
pub(crate) fn poll_until<'a>(fds: &mut [PollFd<'a>], alarm: Option<BorrowedFd<'a>>, until: Option<Instant>) -> bool {
    let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
    // A wait for longer than the kernel can count is one without end.
    let timeout = timeout.and_then(|left| left.try_into().ok());
    let mut all: Vec<PollFd<'a>> = fds.to_vec();
    all.extend(alarm.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    let _interrupted_is_a_short_wait = poll(&mut all, timeout.as_ref());
    let rung = alarm.is_some() && all.last().is_some_and(|last| !last.revents().is_empty());
    for (fd, seen) in fds.iter_mut().zip(all) {
        *fd = seen;
    }
    rung
}
