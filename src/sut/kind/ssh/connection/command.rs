//! [`SshCommand`]: one command of an SSH session, with its channel and what is known of it.

use ssh2::Channel;

/// The most bytes that a write takes: libssh2 sends one packet for each write.
pub(super) const PIECE: usize = 32 * 1024;

/// The id of a command, which is never used twice.
pub(crate) type CommandId = u64;

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts: what we want, and what the server said"
)]
pub(super) struct SshCommand {
    pub(super) id: CommandId,
    /// The channel; `None` as long as it is not opened.
    pub(super) channel: Option<Channel>,
    pub(super) line: String,
    /// Whether the request that starts the command was made.
    pub(super) requested: bool,
    /// Whether the server has said that it starts the command.
    pub(super) started: bool,
    /// Why the server does not start it.
    pub(super) refused: Option<String>,
    /// Bytes that were taken from the owner and are not sent yet, or half sent.
    pub(super) outbox: Vec<u8>,
    /// How many bytes the owner has read.
    pub(super) taken: u64,
    /// For each stream, how many bytes had arrived when it was found empty.
    pub(super) dry: [Option<u64>; 2],
    /// Whether the owner wants it closed.
    pub(super) closing: bool,
    /// Whether both sides closed it, or it was never opened and never will be.
    pub(super) closed: bool,
    /// Whether the owner is gone.
    pub(super) orphan: bool,
    /// Set once the command has exited: the number of the answer by which all that it wrote has arrived, and how many bytes
    /// had arrived when this was set.
    pub(super) settles: Option<(u64, u64)>,
}

/// A call that may leave a packet half sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Start(CommandId),
    Flush(CommandId),
    Take(CommandId),
    Close(CommandId),
    Open(CommandId),
    Ask,
}

impl SshCommand {
    /// Makes a command without a channel.
    pub(super) fn new(id: CommandId, line: String) -> Self {
        Self {
            id,
            channel: None,
            line,
            requested: false,
            started: false,
            refused: None,
            outbox: Vec::new(),
            taken: 0,
            dry: [None; 2],
            closing: false,
            closed: false,
            orphan: false,
            settles: None,
        }
    }

    pub(super) fn waits_for_channel(&self) -> bool {
        self.channel.is_none() && !self.closed
    }

    /// Whether the server has said what becomes of the command.
    pub(super) fn answered(&self) -> bool {
        self.started || self.refused.is_some()
    }

    /// Whether the start of the command must still be requested, or was requested and not answered.
    pub(super) fn waits_for_start(&self) -> bool {
        self.channel.is_some() && !self.answered() && !self.closed
    }

    /// Returns the channel once bytes may follow the request that starts the command.
    pub(super) fn stdin(&mut self) -> Option<&mut Channel> {
        self.channel.as_mut().filter(|_| self.requested)
    }

    /// Returns how many bytes have arrived so far, read or not.
    pub(super) fn arrived(&self) -> u64 {
        let waiting = self
            .channel
            .as_ref()
            .map_or(0, |channel| channel.read_window().available);
        self.taken + u64::from(waiting)
    }

    /// Whether the other side said that nothing more comes, and everything was read.
    pub(super) fn has_ended(&self) -> bool {
        self.channel.as_ref().is_some_and(Channel::eof)
    }

    /// Whether stdin accepts bytes.
    pub(super) fn takes(&self) -> bool {
        match self.channel.as_ref().filter(|_| self.requested) {
            None => self.outbox.len() <= PIECE,
            Some(channel) => self.outbox.is_empty() && channel.write_window().remaining > 0,
        }
    }

    /// Returns the calls to try in a round, once the command was requested.
    pub(super) fn todo(&self) -> Vec<Op> {
        if self.channel.is_none() {
            return Vec::new();
        }
        let mut todo = vec![Op::Take(self.id)];
        if !self.requested {
            return todo;
        }
        if !self.outbox.is_empty() {
            todo.push(Op::Flush(self.id));
        } else if self.closing && !self.closed && self.answered() {
            todo.push(Op::Close(self.id));
        }
        todo
    }
}
