//! TCP connections: resolves a host's name and tries its addresses, with a deadline and until a cancellation.
//!
//! Addresses of both families are tried in the order of the resolver, each one a moment after the previous one (RFC 8305),
//! and the first that connects is taken. So a dead address costs a moment and not the whole time.

use std::io::{self, PipeReader};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::sut::agent::timeouts::{WaitLimits, alarm};
use crate::sut::kind::ssh::connect::transport::poll_until;

/// How long an address is tried before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// The name could not be resolved to an address.
    Unknown(io::Error),
    /// No address accepted the connection; this is the error of the last one.
    ConnectError(io::Error),
    /// No address answered in time.
    TimedOut,
    /// The user cancelled.
    Cancelled,
}

/// Connects to a host. `dead_after` is how long the kernel may go on with data that nobody acknowledges.
pub(crate) fn dial(
    host: &str,
    port: u16,
    dead_after: Duration,
    limits: &WaitLimits<'_>,
) -> Result<OwnedFd, NoConnection> {
    let addresses = resolve(host, port, limits)?;
    let mut race = Race::default();
    let mut rest = addresses.into_iter();
    let mut next = Instant::now();
    loop {
        check(limits)?;
        if Instant::now() >= next || race.running.is_empty() {
            match rest.next() {
                Some(address) => race.enter(&address),
                None if race.running.is_empty() => return Err(race.lost()),
                None => {}
            }
            next = Instant::now() + HEAD_START;
        }
        let until = if rest.len() == 0 { None } else { Some(next) };
        if let Some(winner) = race.wait(limits, until) {
            // Short messages are sent at once, and the kernel gives data that nobody acknowledges up not much later than atex
            // gives up a silent machine.
            let _slower_without = sockopt::set_tcp_nodelay(&winner, true);
            let millis = u32::try_from(dead_after.as_millis()).unwrap_or(u32::MAX);
            let _noticed_by_silence_too = sockopt::set_tcp_user_timeout(&winner, millis);
            return Ok(winner);
        }
    }
}

/// The connections that are under way.
#[derive(Default)]
struct Race {
    running: Vec<OwnedFd>,
    failure: Option<io::Error>,
}

impl Race {
    fn enter(&mut self, address: &SocketAddr) {
        match start(address) {
            Ok(socket) => self.running.push(socket),
            Err(error) => self.failure = Some(error),
        }
    }

    fn lost(&mut self) -> NoConnection {
        let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        NoConnection::ConnectError(self.failure.take().unwrap_or_else(none))
    }

    /// Waits for a connection that succeeds, and removes those that fail.
    fn wait(&mut self, limits: &WaitLimits<'_>, until: Option<Instant>) -> Option<OwnedFd> {
        let until = until.into_iter().chain(limits.until).min();
        let (alarm, until) = alarm(limits.cancel, until);
        let mut fds: Vec<PollFd<'_>> = self
            .running
            .iter()
            .map(|socket| PollFd::new(socket, PollFlags::OUT))
            .collect();
        poll_until(&mut fds, alarm, until);
        let stirred: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let mut winner = None;
        let mut stirred = stirred.into_iter();
        for socket in std::mem::take(&mut self.running) {
            if !stirred.next().unwrap_or_default() {
                self.running.push(socket);
                continue;
            }
            match sockopt::socket_error(&socket) {
                Ok(Ok(())) if winner.is_none() => winner = Some(socket),
                Ok(Ok(())) => {}
                Ok(Err(error)) | Err(error) => self.failure = Some(error.into()),
            }
        }
        winner
    }
}

fn start(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Asks the system's resolver. It cannot be interrupted, so it runs in a thread of its own, which is abandoned if it takes
/// too long.
fn resolve(host: &str, port: u16, limits: &WaitLimits<'_>) -> Result<Vec<SocketAddr>, NoConnection> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (done, signal) = io::pipe().map_err(NoConnection::Unknown)?;
    let name = host.to_owned();
    let resolver = thread::Builder::new().name("resolver".into()).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        drop(signal);
        found
    });
    let resolver = resolver.map_err(NoConnection::Unknown)?;
    wait_for(&done, limits)?;
    let found: io::Result<Vec<SocketAddr>> = resolver
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the resolver failed")));
    found.map_err(NoConnection::Unknown)
}

/// Waits until the other end of a pipe is closed.
fn wait_for(done: &PipeReader, limits: &WaitLimits<'_>) -> Result<(), NoConnection> {
    loop {
        check(limits)?;
        let (alarm, until) = alarm(limits.cancel, limits.until);
        let mut fds = [PollFd::from_borrowed_fd(done.as_fd(), PollFlags::IN)];
        poll_until(&mut fds, alarm, until);
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
    }
}

fn check(limits: &WaitLimits<'_>) -> Result<(), NoConnection> {
    if limits.cancel.urgency() > limits.known {
        return Err(NoConnection::Cancelled);
    }
    if limits.until.is_some_and(|until| Instant::now() >= until) {
        return Err(NoConnection::TimedOut);
    }
    Ok(())
}
