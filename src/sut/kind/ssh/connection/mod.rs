//! [`Conn`]: a session that is logged in, and the commands that run over it.
//!
//! Owns the session, its channels, and the account of whether the other side still lives. Knows nothing of what the commands
//! are.
//!
//! Invariants, each of them because of how libssh2 works:
//! - A packet that the socket took a part of must be completed before any other, by the very call that began it. [`Conn::stuck`]
//!   remembers which one that is, and every round begins with it.
//! - What a call reads from the socket it keeps for whichever channel it is for, and what lies behind the packet that it wanted it does not
//!   even look at. So a round ends with a read that takes in all, a wait looks at what is queued before it sleeps, and it sleeps shortly ([`Conn::sleep`]) while a call is unanswered: a later call of the round may have taken the answer in.
//! - A call that waits for "success" or "failure" of its channel fails for good where it reads one that is for another channel. So
//!   one request is under way at a time: the start of a command, or a question.
//! - A session whose transport failed gives out nothing that was queued before. So then the socket is replaced by one that is
//!   silent for ever ([`Conn::lose`]), and the streams are read to what came last.
//! - A keepalive of libssh2 keeps the packet that answers it for ever. So the sign of life that is asked for is the answer to a
//!   channel request that servers refuse (`env`, after the command has started): it is taken when it comes.

mod channel;
mod event_loop;
mod keepalive;

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use ssh2::Channel;

use crate::sut::agent::link::{Exit, Interest};
use crate::sut::kind::ssh::bash_command;
use crate::sut::kind::ssh::connect::transport::Transport;
use crate::sut::kind::ssh::connection::channel::{Lane, Op, PIECE};
use crate::sut::kind::ssh::connection::keepalive::FIRST_PAUSE;

pub(crate) use crate::sut::kind::ssh::connection::channel::LaneId;

/// A live session. See the module for its invariants.
pub(crate) struct Conn {
    lanes: Vec<Lane>,
    /// No further channel may be opened until one is closed.
    full: bool,
    stuck: Option<Op>,
    /// The lane over which the other side was asked whether it lives.
    question: Option<LaneId>,
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
    next_id: LaneId,
    // Dropped after the channels, which are in it.
    transport: Transport,
}

impl Conn {
    /// Takes a session that is logged in.
    pub(crate) fn new(transport: Transport, dead_after: Duration) -> Self {
        let now = Instant::now();
        Self {
            lanes: Vec::new(),
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
    pub(crate) fn spawn(&mut self, command: String) -> LaneId {
        let id = self.next_id;
        self.next_id += 1;
        self.lanes.push(Lane::new(id, command));
        self.come_back();
        self.advance();
        id
    }

    /// Why the connection is over, if it is.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Waits like [`crate::sut::agent::link::Process::wait`], for one lane; all others move too.
    pub(crate) fn wait(
        &mut self,
        id: LaneId,
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

    /// What of a lane can go on; nothing if it must be waited for.
    fn ready(&mut self, id: LaneId, interest: Interest) -> Option<Interest> {
        let exited = self.exit(id).is_some();
        let over = exited && self.is_over(id);
        let stuck = self.stuck.is_some();
        let lane = self.lane(id)?;
        if !(interest.stdin || interest.stdout || interest.stderr) {
            return exited.then_some(interest);
        }
        let ended = over || lane.has_ended();
        let arrived = lane.arrived();
        let stirred =
            |stream: usize| ended || (lane.channel.is_some() && lane.dry[stream].is_none_or(|dry| arrived > dry));
        let ready = Interest {
            stdin: interest.stdin && (exited || lane.closing || (!stuck && lane.takes())),
            stdout: interest.stdout && stirred(0),
            stderr: interest.stderr && stirred(1),
        };
        (ready.stdin || ready.stdout || ready.stderr).then_some(ready)
    }

    /// Whether nothing more can come from a lane's command, which has exited: its streams ended, or what it wrote has come and
    /// somebody else holds them open.
    fn is_over(&self, id: LaneId) -> bool {
        self.lost.is_some()
            || self.find(id).is_none_or(|lane| {
                lane.closed || lane.refused.is_some() || lane.settles.is_some_and(|(answer, _)| self.answers >= answer)
            })
    }

    /// Writes to a lane's stdin.
    pub(crate) fn write(&mut self, id: LaneId, bytes: &[u8]) -> io::Result<usize> {
        if self.lost.is_some() || self.find(id).is_none_or(|lane| lane.closing || lane.refused.is_some()) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.stuck.is_some() {
            self.advance();
        }
        let Some(lane) = self.lane(id) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let piece = &bytes[..bytes.len().min(PIECE)];
        let pending = lane.outbox.len();
        let Some(channel) = lane.stdin() else {
            if pending > PIECE {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            lane.outbox.extend_from_slice(piece);
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
                if let Some(lane) = self.lane(id) {
                    lane.outbox.extend_from_slice(piece);
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

    /// Reads stream 0 or 1 of a lane, like [`crate::sut::agent::link::Process::read_stdout`].
    pub(crate) fn read(&mut self, id: LaneId, stream: usize, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let was_lost = self.lost.is_some();
            let Some(lane) = self.lane(id) else { return Ok(0) };
            let outcome = match (&mut lane.channel, stream) {
                (None, _) => Err(io::ErrorKind::WouldBlock.into()),
                (Some(channel), 0) => channel.read(buffer),
                (Some(channel), _) => channel.stderr().read(buffer),
            };
            match outcome {
                Ok(count) => {
                    lane.taken += count as u64;
                    self.heard = Instant::now();
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    lane.dry[stream] = Some(lane.arrived());
                    self.note(Op::Take(id), true);
                    let over = self.exit(id).is_some() && self.is_over(id);
                    return if over { Ok(0) } else { Err(error) };
                }
                Err(_) if was_lost => return Ok(0),
                Err(error) => self.lose(&error),
            }
        }
    }

    /// Says how a lane's command ended.
    pub(crate) fn exit(&mut self, id: LaneId) -> Option<Exit> {
        let lost = self.lost.clone();
        let answers = self.answers;
        let asked = self.question.is_some();
        let Some(lane) = self.lane(id) else {
            return Some(Exit::Lost("the channel is gone".to_owned()));
        };
        if let Some(exit) = lane.channel.as_ref().and_then(bash_command::read_exit) {
            let arrived = lane.arrived();
            if lane.settles.is_none_or(|(_, before)| before != arrived) {
                // The server tells of the end before it has read all that was written; in the round after the one in which it
                // answers it has. A question that is under way is from before.
                lane.settles = Some((answers + 2 + u64::from(asked), arrived));
            }
            return Some(exit);
        }
        if let Some(why) = &lane.refused {
            return Some(Exit::Lost(why.clone()));
        }
        if lane.closed {
            return Some(Exit::Lost("the channel was closed".to_owned()));
        }
        lost.map(Exit::Lost)
    }

    /// Closes a lane's streams; its command goes on until it notices. `for_good`: nobody will ask for it any more.
    pub(crate) fn close(&mut self, id: LaneId, for_good: bool) {
        if let Some(lane) = self.lane(id) {
            lane.closing = true;
            lane.orphan |= for_good;
        }
        self.advance();
    }

    fn find(&self, id: LaneId) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.id == id)
    }

    fn lane(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.id == id)
    }

    /// A lane that has a channel, and another handle of that.
    fn channel(&mut self, id: LaneId) -> Option<(&mut Lane, Channel)> {
        let lane = self.lane(id)?;
        let channel = lane.channel.clone()?;
        Some((lane, channel))
    }
}

impl Drop for Conn {
    /// Closes what is open, as far as that needs no waiting, and frees everything.
    fn drop(&mut self) {
        for lane in &mut self.lanes {
            lane.closing = true;
        }
        self.advance();
        if self.lost.is_none() && self.stuck.is_none() {
            let _best_effort = self.transport.session.disconnect(None, "done", None);
        }
        self.bury();
        self.transport.forget();
    }
}
