//! [`Transport`]: one SSH session over one socket while it is set up, and the wait that its calls share.
//!
//! It owns the socket and the `ssh2` session on it, and knows neither hosts nor keys nor what is run: the key exchange, the
//! check of the host key and the login are calls that are driven here, each repeated for as long as it says "would block".
//!
//! Invariant: the session never blocks. So every call ends by its deadline and on cancellation, whatever the other side does.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use ssh2::{BlockDirections, ErrorCode, Session};

use crate::sut::agent::timeouts::{WaitLimits, alarm};
use crate::sut::kind::ssh::connect::proxy::Proxy;

/// The error code of libssh2 where a call must be made again (`LIBSSH2_ERROR_EAGAIN`).
const AGAIN: ErrorCode = ErrorCode::Session(-37);

/// Why a driven call did not succeed.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The call failed.
    Failed(ssh2::Error),
    /// The call took too long.
    TimedOut,
    /// The user cancelled.
    Cancelled,
}

impl From<ssh2::Error> for Halt {
    fn from(error: ssh2::Error) -> Self {
        Self::Failed(error)
    }
}

/// Whether a call must be made again once the socket is ready.
pub(crate) fn is_again(error: &ssh2::Error) -> bool {
    error.code() == AGAIN
}

/// Whether the other side closed the connection. libssh2 has a different code for each thing that it did at that moment.
pub(crate) fn was_closed(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-2 | -3 | -7 | -8 | -13 | -43))
}

/// A session and its socket. The fields are dropped in this order, because the session uses the socket until its end.
pub(crate) struct Transport {
    /// The session. Calls on it do not block.
    pub(crate) session: Session,
    pub(crate) socket: OwnedFd,
    /// The other end of the socket that replaced the original one.
    grave: Option<UnixStream>,
    /// What the socket leads to, if it does not lead to the network.
    _proxy: Option<Proxy>,
}

/// The number of a descriptor, for `ssh2`, which must not own the socket.
struct Number(RawFd);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl Transport {
    /// Makes a session on a connected socket. Nothing is sent yet.
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

    /// Exchanges keys. Which host keys are asked for must be set on the session before.
    pub(crate) fn handshake(&self, limits: &WaitLimits<'_>) -> Result<(), Halt> {
        let mut session = self.session.clone();
        self.drive(limits, |_| session.handshake())
    }

    /// Repeats a call until it has an outcome, and waits for the socket in between.
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

    /// Ends the connection and replaces its socket by one that accepts a few bytes and never delivers any. What was received
    /// before can still be read, and a half-sent packet can be completed. Returns whether the socket was replaced.
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

    /// Closes the replacement of [`Self::bury`] too, so that nothing is waited for any more.
    pub(crate) fn forget(&mut self) {
        self.grave = None;
    }

    /// Waits until the socket is ready in the direction that the last call needs.
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
    /// Lets libssh2 free everything: as long as the socket may go on, it frees no session in which something is not sent or
    /// not answered.
    fn drop(&mut self) {
        self.bury();
        self.grave = None;
    }
}

/// Waits until one of `fds` is ready, `alarm` is readable, or `until` passes. Returns whether `alarm` is readable.
pub(crate) fn poll_until<'a>(fds: &mut [PollFd<'a>], alarm: Option<BorrowedFd<'a>>, until: Option<Instant>) -> bool {
    let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
    // A wait that is longer than the kernel can count has no end.
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
