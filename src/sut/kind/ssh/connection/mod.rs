//! [`SshConnection`]: an SSH session that is logged in, and the commands that run over it.
//!
//! It owns the session, its channels, and the account of whether the other side still lives. It knows nothing of what the
//! commands are.
//!
//! Each of these invariants has its reason in how libssh2 works:
//! - A packet of which the socket accepted a part must be completed before any other, by the very call that began it.
//!   [`SshConnection::stuck`] remembers that call, and every round begins with it.
//! - What a call reads from the socket is kept for whichever channel it belongs to, but what lies behind the packet that the
//!   call wanted is not even looked at. So a round ends with a read that takes everything in, and a wait looks at what is
//!   queued before it sleeps. While a call is unanswered it sleeps only for a short time ([`SshConnection::sleep`]), because
//!   a later call of the round may have taken the answer in.
//! - A call that waits for "success" or "failure" of its channel fails for good when it reads such an answer for another
//!   channel. So only one request is under way at a time: the start of a command, or a question.
//! - A session whose transport failed gives out nothing that was queued before. So the socket is then replaced by one that is
//!   silent for ever ([`SshConnection::lose`]), and the streams are read to the last byte that came.
//! - libssh2 keeps the answer to one of its own keepalives for ever. So the sign of life that is asked for is the answer to a
//!   channel request that servers refuse (`env`, after the command has started), which is taken when it comes.

mod command;
mod event_loop;
mod keepalive;

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use ssh2::Channel;

use crate::sut::agent::link::{Interest, ProcessExit};
use crate::sut::kind::ssh::bash_command;
use crate::sut::kind::ssh::connect::transport::Transport;
use crate::sut::kind::ssh::connection::command::{Op, PIECE, SshCommand};
use crate::sut::kind::ssh::connection::keepalive::FIRST_PAUSE;

pub(crate) use crate::sut::kind::ssh::connection::command::CommandId;

/// A live session. The module's documentation has its invariants.
pub(crate) struct SshConnection {
    commands: Vec<SshCommand>,
    /// Whether no further channel can be opened until one is closed.
    full: bool,
    stuck: Option<Op>,
    /// The command over which the other side was asked for a sign of life.
    question: Option<CommandId>,
    /// How many questions were answered.
    answers: u64,
    /// The longest time of the next wait for an answer.
    pause: Duration,
    /// When something was last received.
    heard: Instant,
    /// When the owner last looked at the connection.
    looked: Instant,
    dead_after: Duration,
    /// Why the connection is over.
    lost: Option<String>,
    next_id: CommandId,
    // This field is dropped after the channels, which belong to it.
    transport: Transport,
}

impl SshConnection {
    /// Makes a connection of a session that is logged in.
    pub(crate) fn new(transport: Transport, dead_after: Duration) -> Self {
        let now = Instant::now();
        Self {
            commands: Vec::new(),
            full: false,
            stuck: None,
            question: None,
            answers: 0,
            pause: FIRST_PAUSE,
            heard: now,
            looked: now,
            dead_after,
            lost: None,
            next_id: 0,
            transport,
        }
    }

    /// Starts a command, and waits for nothing. What is written to it is sent right behind the request that starts it,
    /// without a round trip in between. A command that cannot be started is treated as one that has ended.
    pub(crate) fn spawn(&mut self, command: String) -> CommandId {
        let id = self.next_id;
        self.next_id += 1;
        self.commands.push(SshCommand::new(id, command));
        self.come_back();
        self.advance();
        id
    }

    /// Returns why the connection is over, if it is.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Waits like [`crate::sut::agent::link::Process::wait`], for one command; meanwhile the others go on too.
    pub(crate) fn wait(
        &mut self,
        id: CommandId,
        interest: Interest,
        until: Option<Instant>,
        alarm: Option<BorrowedFd<'_>>,
    ) -> Interest {
        self.come_back();
        loop {
            self.advance();
            if let Some(ready) = self.ready(id, interest) {
                return ready;
            }
            if until.is_some_and(|until| Instant::now() >= until) || self.sleep(until, alarm) {
                return Interest::default();
            }
        }
    }

    /// Returns which of the wanted streams of a command can go on; `None` if it must be waited for.
    fn ready(&mut self, id: CommandId, interest: Interest) -> Option<Interest> {
        let exited = self.exit(id).is_some();
        let over = exited && self.is_over(id);
        let stuck = self.stuck.is_some();
        let command = self.command(id)?;
        if !(interest.stdin || interest.stdout || interest.stderr) {
            return exited.then_some(interest);
        }
        let ended = over || command.has_ended();
        let arrived = command.arrived();
        let stirred =
            |stream: usize| ended || (command.channel.is_some() && command.dry[stream].is_none_or(|dry| arrived > dry));
        let ready = Interest {
            stdin: interest.stdin && (exited || command.closing || (!stuck && command.takes())),
            stdout: interest.stdout && stirred(0),
            stderr: interest.stderr && stirred(1),
        };
        (ready.stdin || ready.stdout || ready.stderr).then_some(ready)
    }

    /// Whether nothing more can come from a command that has exited: its streams ended, or all that it wrote has arrived and
    /// somebody else holds the streams open.
    fn is_over(&self, id: CommandId) -> bool {
        self.lost.is_some()
            || self.find(id).is_none_or(|command| {
                command.closed
                    || command.refused.is_some()
                    || command.settles.is_some_and(|(answer, _)| self.answers >= answer)
            })
    }

    /// Writes to a command's stdin.
    pub(crate) fn write(&mut self, id: CommandId, bytes: &[u8]) -> io::Result<usize> {
        if self.lost.is_some()
            || self
                .find(id)
                .is_none_or(|command| command.closing || command.refused.is_some())
        {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.stuck.is_some() {
            self.advance();
        }
        let Some(command) = self.command(id) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let piece = &bytes[..bytes.len().min(PIECE)];
        let pending = command.outbox.len();
        let Some(channel) = command.stdin() else {
            if pending > PIECE {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            command.outbox.extend_from_slice(piece);
            return Ok(piece.len());
        };
        if pending > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match channel.write(piece) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.stuck.is_some() || !self.outbound() {
                    return Err(error);
                }
                // A part of the packet was sent. The bytes are now kept here, and are sent to the end whatever the owner
                // does.
                if let Some(command) = self.command(id) {
                    command.outbox.extend_from_slice(piece);
                }
                self.stuck = Some(Op::Flush(id));
                Ok(piece.len())
            }
            Err(error) => {
                self.advance();
                Err(io::Error::new(io::ErrorKind::BrokenPipe, error))
            }
        }
    }

    /// Reads stream 0 or 1 of a command, like [`crate::sut::agent::link::Process::read_stdout`].
    pub(crate) fn read(&mut self, id: CommandId, stream: usize, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let was_lost = self.lost.is_some();
            let Some(command) = self.command(id) else { return Ok(0) };
            let outcome = match (&mut command.channel, stream) {
                (None, _) => Err(io::ErrorKind::WouldBlock.into()),
                (Some(channel), 0) => channel.read(buffer),
                (Some(channel), _) => channel.stderr().read(buffer),
            };
            match outcome {
                Ok(count) => {
                    command.taken += count as u64;
                    self.heard = Instant::now();
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    command.dry[stream] = Some(command.arrived());
                    self.note(Op::Take(id), true);
                    let over = self.exit(id).is_some() && self.is_over(id);
                    return if over { Ok(0) } else { Err(error) };
                }
                Err(_) if was_lost => return Ok(0),
                Err(error) => self.lose(&error),
            }
        }
    }

    /// Returns how a command ended, if it has.
    pub(crate) fn exit(&mut self, id: CommandId) -> Option<ProcessExit> {
        let lost = self.lost.clone();
        let answers = self.answers;
        let asked = self.question.is_some();
        let Some(command) = self.command(id) else {
            return Some(ProcessExit::Lost("the channel is gone".to_owned()));
        };
        if let Some(exit) = command.channel.as_ref().and_then(bash_command::read_exit) {
            let arrived = command.arrived();
            if command.settles.is_none_or(|(_, before)| before != arrived) {
                // The server reports the exit before it has read all that the command wrote; it has done so in the round
                // after the one in which it answers. A question that is already under way was asked before that.
                command.settles = Some((answers + 2 + u64::from(asked), arrived));
            }
            return Some(exit);
        }
        if let Some(why) = &command.refused {
            return Some(ProcessExit::Lost(why.clone()));
        }
        if command.closed {
            return Some(ProcessExit::Lost("the channel was closed".to_owned()));
        }
        lost.map(ProcessExit::Lost)
    }

    /// Closes a command's streams; the process goes on until it notices. `for_good` means that nobody will ask for the
    /// command again.
    pub(crate) fn close(&mut self, id: CommandId, for_good: bool) {
        if let Some(command) = self.command(id) {
            command.closing = true;
            command.orphan |= for_good;
        }
        self.advance();
    }

    fn find(&self, id: CommandId) -> Option<&SshCommand> {
        self.commands.iter().find(|command| command.id == id)
    }

    fn command(&mut self, id: CommandId) -> Option<&mut SshCommand> {
        self.commands.iter_mut().find(|command| command.id == id)
    }

    /// Returns a command that has a channel, and another handle of the channel.
    fn channel(&mut self, id: CommandId) -> Option<(&mut SshCommand, Channel)> {
        let command = self.command(id)?;
        let channel = command.channel.clone()?;
        Some((command, channel))
    }
}

impl Drop for SshConnection {
    /// Closes what is open, as far as that needs no waiting, and frees everything.
    fn drop(&mut self) {
        for command in &mut self.commands {
            command.closing = true;
        }
        self.advance();
        if self.lost.is_none() && self.stuck.is_none() {
            let _best_effort = self.transport.session.disconnect(None, "done", None);
        }
        self.bury();
        self.transport.forget();
    }
}
