//! Sockets that lead to a command (`ProxyCommand`), or to a channel of a session with another machine (`ProxyJump`), instead
//! of to the network.
//!
//! Both are one end of a socket pair. What is at the other end goes away when the first end is closed.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::event::{PollFd, PollFlags};
use ssh2::{BlockDirections, Channel};

use crate::sut::kind::ssh::connect::transport::{Transport, poll_until};

/// The stack size of the thread that moves bytes.
const STACK: usize = 128 * 1024;

/// How many bytes are moved at a time.
const PIECE: usize = 32 * 1024;

/// What is at the other end of the socket.
pub(crate) enum Proxy {
    /// A command, which is ended when this is dropped.
    Command(Child),
    /// A thread, which ends when the socket is closed.
    Thread,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Self::Command(child) = self {
            let _gone_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Starts a command of the user's by the user's shell. It has no terminal, and its stderr is that of atex.
pub(crate) fn command(command: &str) -> io::Result<(OwnedFd, Proxy)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    let child = Command::new(shell.unwrap_or_else(|| "/bin/sh".into()))
        .arg("-c")
        .arg(format!("exec {command}"))
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .process_group(0)
        .spawn()?;
    Ok((ours.into(), Proxy::Command(child)))
}

/// Moves bytes between a socket and a channel, in a thread of its own that owns the channel's session.
pub(crate) fn channel(transport: Transport, channel: Channel) -> io::Result<(OwnedFd, Proxy)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let mut pump = Pump {
        up: Vec::new(),
        down: Vec::new(),
        channel,
        local: theirs,
        transport,
    };
    thread::Builder::new()
        .name("jump".into())
        .stack_size(STACK)
        .spawn(move || while pump.turn() {})?;
    Ok((ours.into(), Proxy::Thread))
}

struct Pump {
    /// Bytes on their way to the channel.
    up: Vec<u8>,
    /// Bytes that came from the channel.
    down: Vec<u8>,
    // This field stands before the session, so that the channel is dropped first.
    channel: Channel,
    local: UnixStream,
    transport: Transport,
}

impl Pump {
    /// Moves what can be moved, and waits. Returns whether there is more to do.
    fn turn(&mut self) -> bool {
        match self.exchange() {
            Ok(true) => {}
            Ok(false) | Err(_) => return false,
        }
        let remote = match self.transport.session.block_directions() {
            BlockDirections::Outbound | BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
            BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
        };
        let mut here = PollFlags::empty();
        here.set(PollFlags::IN, self.up.is_empty());
        here.set(PollFlags::OUT, !self.down.is_empty());
        let mut fds = [
            PollFd::new(&self.transport.socket, remote),
            PollFd::from_borrowed_fd(self.local.as_fd(), here),
        ];
        poll_until(&mut fds, None, None);
        true
    }

    /// Moves bytes until both directions would block. Returns `false` when one side has ended.
    fn exchange(&mut self) -> io::Result<bool> {
        loop {
            let mut moved = false;
            if self.up.is_empty() {
                match fill(&mut self.up, &mut self.local)? {
                    Some(0) => return Ok(false),
                    Some(_) => moved = true,
                    None => {}
                }
            }
            if self.down.is_empty() {
                match fill(&mut self.down, &mut self.channel)? {
                    Some(0) => return Ok(false),
                    Some(_) => moved = true,
                    None => {}
                }
            }
            moved |= empty(&mut self.up, &mut self.channel)?;
            moved |= empty(&mut self.down, &mut self.local)?;
            if !moved {
                return Ok(true);
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.transport.bury();
        self.transport.forget();
    }
}

/// Reads once; `None` if that would block.
fn fill(into: &mut Vec<u8>, from: &mut impl Read) -> io::Result<Option<usize>> {
    into.resize(PIECE, 0);
    let outcome = from.read(into);
    into.truncate(*outcome.as_ref().unwrap_or(&0));
    match outcome {
        Ok(count) => Ok(Some(count)),
        Err(error) if would_block(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes as much as is accepted. Returns whether anything was written.
fn empty(from: &mut Vec<u8>, into: &mut impl Write) -> io::Result<bool> {
    let before = from.len();
    while !from.is_empty() {
        match into.write(from) {
            Ok(count) => drop(from.drain(..count)),
            Err(error) if would_block(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(from.len() < before)
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
