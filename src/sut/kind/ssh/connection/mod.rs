//! [`SshConnection`]: a session that is logged in, and the commands that run over it.
//!
//! Owns the session, its channels, and the account of whether the other side still lives. Knows nothing of what the commands
//! are.
//!
//! Invariants, each of them because of how libssh2 works:
//! - A packet that the socket took a part of must be completed before any other, by the very call that began it. [`SshConnection::stuck`]
//!   remembers which one that is, and every round begins with it.
//! - What a call reads from the socket it keeps for whichever channel it is for, and what lies behind the packet that it wanted it does not
//!   even look at. So a round ends with a read that takes in all, a wait looks at what is queued before it sleeps, and it sleeps shortly ([`SshConnection::sleep`]) while a call is unanswered: a later call of the round may have taken the answer in.
//! - A call that waits for "success" or "failure" of its channel fails for good where it reads one that is for another channel. So
//!   one request is under way at a time: the start of a command, or a question.
//! - A session whose transport failed gives out nothing that was queued before. So then the socket is replaced by one that is
//!   silent for ever ([`SshConnection::lose`]), and the streams are read to what came last.
//! - A keepalive of libssh2 keeps the packet that answers it for ever. So the sign of life that is asked for is the answer to a
//!   channel request that servers refuse (`env`, after the command has started): it is taken when it comes.

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

/// A live session. See the module for its invariants.
pub(crate) struct SshConnection {
    commands: Vec<SshCommand>,
    /// No further channel may be opened until one is closed.
    full: bool,
    stuck: Option<Op>,
    /// The command over which the other side was asked whether it lives.
    question: Option<CommandId>,
    /// How many questions were answered.
    answers: u64,
    /// How long the next wait for an answer lasts at most.
    pause: Duration,
    /// When something last came.
    heard: Instant,
    /// When somebody last looked.
    looked: Instant,
    dead_after: Duration,
    /// Why the connection is over.
    lost: Option<String>,
    next_id: CommandId,
    // Dropped after the channels, which are in it.
    transport: Transport,
}

impl SshConnection {
    /// Takes a session that is logged in.
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

    /// Starts a command. Nothing is waited for: what is written to it goes out behind the request that starts it, in the same
    /// flight, and a command that cannot be started is one that ended.
    pub(crate) fn spawn(&mut self, command: String) -> CommandId {
        let id = self.next_id;
        self.next_id += 1;
        self.commands.push(SshCommand::new(id, command));
        self.come_back();
        self.advance();
        id
    }

    /// Why the connection is over, if it is.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Waits like [`crate::sut::agent::link::Process::wait`], for one command; all others move too.
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

    /// What of a command can go on; nothing if it must be waited for.
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

    /// Whether nothing more can come from a command's command, which has exited: its streams ended, or what it wrote has come and
    /// somebody else holds them open.
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
                // A part of the packet is out: it is ours now, and completed whatever the owner does.
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

    /// Says how a command's command ended.
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
                // The server tells of the end before it has read all that was written; in the round after the one in which it
                // answers it has. A question that is under way is from before.
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

    /// Closes a command's streams; its command goes on until it notices. `for_good`: nobody will ask for it any more.
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

    /// A command that has a channel, and another handle of that.
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
