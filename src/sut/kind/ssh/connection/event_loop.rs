//! One round of an SSH session: every call that can go on is made, and nothing is waited for.
//!
//! Each call returns whether it must be made again. Packets are begun and completed only here.

use std::io::{self, Read, Write};

use ssh2::{BlockDirections, ErrorCode};

use crate::sut::kind::ssh::connect::transport::is_again;
use crate::sut::kind::ssh::connection::SshConnection;
use crate::sut::kind::ssh::connection::command::{CommandId, Op, SshCommand};

/// How many bytes of a channel may be under way or queued. This limits what a machine can make the runner store, and what it
/// can send in one round trip. It is as much as other clients allow, so that a link with latency carries as much.
const WINDOW: u32 = 2 << 20;

/// The largest packet that is asked for.
const PACKET: u32 = 32 * 1024;

/// Errors of one channel or request that leave the session as it was: refused, denied, closed, end of file sent.
pub(super) const HARMLESS: [ErrorCode; 5] = [
    ErrorCode::Session(-21),
    ErrorCode::Session(-22),
    ErrorCode::Session(-23),
    ErrorCode::Session(-26),
    ErrorCode::Session(-27),
];

impl SshConnection {
    /// Runs one round: makes every call that can go on without waiting.
    pub(super) fn advance(&mut self) {
        if let Some(stuck) = self.stuck {
            self.perform(stuck);
        }
        // Only one channel is opened at a time.
        let opens = self.commands.iter().find(|command| command.waits_for_channel());
        if let Some(id) = opens.map(|command| command.id).filter(|_| !self.full) {
            self.perform(Op::Open(id));
        }
        // Only one request is made at a time, and the commands are in the order of their starts.
        let starts = self.commands.iter().find(|command| command.waits_for_start());
        match (self.question, starts.map(|command| command.id)) {
            (Some(_), _) => self.perform(Op::Ask),
            (None, Some(id)) => self.perform(Op::Start(id)),
            (None, None) => {}
        }
        let todo: Vec<Op> = self.commands.iter().flat_map(SshCommand::todo).collect();
        for op in todo {
            self.perform(op);
        }
        let lost = self.lost.is_some();
        self.commands
            .retain(|command| !(command.orphan && (command.closed || lost)));
        self.settle();
        self.take_rest();
    }

    /// Reads what the last call left behind its own answer. It lies inside libssh2, so the socket does not become readable
    /// for it.
    fn take_rest(&mut self) {
        // From a command that has ended nothing is read any more.
        let reads = |command: &&SshCommand| command.channel.is_some() && !command.closed && !command.has_ended();
        if let Some(id) = self.commands.iter().find(reads).map(|command| command.id) {
            self.perform(Op::Take(id));
        }
    }

    /// Makes or continues a call. A call that leaves a packet half sent is remembered as `stuck`.
    pub(super) fn perform(&mut self, op: Op) {
        if self.lost.is_some() {
            return;
        }
        let again = match op {
            Op::Start(id) => self.start(id),
            Op::Flush(id) => self.flush(id),
            Op::Take(id) => self.take(id),
            Op::Close(id) => self.close_channel(id),
            Op::Open(id) => self.open(id),
            Op::Ask => self.listen(),
        };
        self.note(op, again);
    }

    pub(super) fn note(&mut self, op: Op, again: bool) {
        if !(again && self.outbound()) {
            if self.stuck == Some(op) {
                self.stuck = None;
            }
        } else if self.stuck.is_none() {
            self.stuck = Some(op);
        }
    }

    /// Whether the last call left a packet half sent.
    pub(super) fn outbound(&self) -> bool {
        matches!(
            self.transport.session.block_directions(),
            BlockDirections::Outbound | BlockDirections::Both
        )
    }

    pub(super) fn start(&mut self, id: CommandId) -> bool {
        let Some((command, mut channel)) = self.channel(id) else {
            return false;
        };
        command.requested = true;
        match channel.exec(&command.line) {
            Ok(()) => command.started = true,
            Err(error) if is_again(&error) => return true,
            Err(error) if HARMLESS.contains(&error.code()) => {
                command.refused = Some("the server runs no commands".to_owned());
            }
            Err(error) => self.lose(&error),
        }
        false
    }

    pub(super) fn flush(&mut self, id: CommandId) -> bool {
        let Some((command, mut channel)) = self.channel(id) else {
            return false;
        };
        while !command.outbox.is_empty() {
            match channel.write(&command.outbox) {
                Ok(count) => drop(command.outbox.drain(..count.min(command.outbox.len()))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                // The channel accepts no more bytes, so nobody will read these.
                Err(_) => command.outbox.clear(),
            }
        }
        command.outbox = Vec::new();
        false
    }

    /// Reads from the socket what is there, without taking any of it from the command.
    pub(super) fn take(&mut self, id: CommandId) -> bool {
        let Some((_, mut channel)) = self.channel(id) else {
            return false;
        };
        match channel.read(&mut []) {
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => {
                self.lose(&error);
                false
            }
        }
    }

    pub(super) fn close_channel(&mut self, id: CommandId) -> bool {
        let Some((command, mut channel)) = self.channel(id) else {
            return false;
        };
        let closed = channel.close();
        if closed.as_ref().is_err_and(is_again) {
            return true;
        }
        command.closed = true;
        self.full = false;
        if let Err(error) = closed
            && !HARMLESS.contains(&error.code())
        {
            self.lose(&error);
        }
        false
    }

    pub(super) fn open(&mut self, id: CommandId) -> bool {
        let opened = self.transport.session.channel_open("session", WINDOW, PACKET, None);
        // A channel that is being closed will make room for this one.
        let room = self.commands.iter().any(|command| command.closing && !command.closed);
        let Some(command) = self.command(id) else { return false };
        match opened {
            Ok(channel) => command.channel = Some(channel),
            Err(error) if is_again(&error) => return true,
            Err(error) if !HARMLESS.contains(&error.code()) => self.lose(&error),
            Err(_) if room => self.full = true,
            Err(error) => {
                let why = error.message().to_lowercase();
                command.refused = Some(format!("the server opens no further channel: {why}"));
                command.closed = true;
            }
        }
        false
    }
}
