//! [`Conn`]: a session that is logged in, and the commands that run over it.
//!
//! Owns the session, its channels, and the account of whether the other side still lives. Knows nothing of what the commands
//! are.
//!
//! Invariants, each of them because of how libssh2 works:
//! - A packet that the socket took a part of must be completed before any other, by the very call that began it. [`Conn::stuck`]
//!   remembers which one that is, and every round begins with it.
//! - What a call reads from the socket it keeps for whichever channel it is for. So a wait looks at what is queued before it sleeps.
//! - A session whose transport failed gives out nothing that was queued before. So then the socket is replaced by one that is
//!   silent for ever ([`Conn::lose`]), and the streams are read to what came last.
//! - A keepalive of libssh2 keeps the packet that answers it for ever. So the sign of life that is asked for is the answer to a
//!   channel request that servers refuse (`env`, after the command has started): it is taken when it comes.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use ssh2::{BlockDirections, Channel, ErrorCode};

use crate::sut::link::{Exit, Interest};
use crate::sut::ssh::exit;
use crate::sut::ssh::transport::{Transport, is_again, poll_until, was_closed};

/// How much of a channel's data may be under way or queued: what a machine can make the runner keep, and what it can send in
/// one round trip.
const WINDOW: u32 = 1 << 20;

/// The largest packet that is asked for.
const PACKET: u32 = 32 * 1024;

/// No write takes more: libssh2 sends one packet for each.
const PIECE: usize = 32 * 1024;

/// The longest silence before the other side is asked whether it lives.
const QUIET: Duration = Duration::from_secs(15);

/// Absences of the owner that are longer are not the other side's silence.
const ABSENCE: Duration = Duration::from_millis(500);

/// Errors of one channel or request, after which the session is as before: refused, denied, closed, end of file sent.
const HARMLESS: [ErrorCode; 5] = [
    ErrorCode::Session(-21),
    ErrorCode::Session(-22),
    ErrorCode::Session(-23),
    ErrorCode::Session(-26),
    ErrorCode::Session(-27),
];

/// The name of a lane; never used twice.
pub(crate) type LaneId = u64;

/// A command and its channel.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that a server may tell in any order"
)]
struct Lane {
    id: LaneId,
    /// Nothing as long as it is not opened.
    channel: Option<Channel>,
    command: String,
    /// The server has said that it starts the command.
    started: bool,
    /// Why it does not.
    refused: Option<String>,
    /// Bytes that were taken from the owner and are not sent, or half sent.
    outbox: Vec<u8>,
    /// How many bytes the owner has read.
    taken: u64,
    /// For each stream: how many bytes had arrived when it was found empty.
    dry: [Option<u64>; 2],
    /// The owner wants it closed.
    closing: bool,
    /// Both sides closed it, or it was never opened and never will.
    closed: bool,
    /// The owner is gone.
    orphan: bool,
    /// Once the command has exited: the answer with which all that it wrote has come, and how much had arrived when that was set.
    settles: Option<(u64, u64)>,
}

/// A call that may leave a packet half sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Start(LaneId),
    Flush(LaneId),
    Take(LaneId),
    Close(LaneId),
    Open(LaneId),
    Ask,
}

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
        self.lanes.push(Lane {
            id,
            channel: None,
            command,
            started: false,
            refused: None,
            outbox: Vec::new(),
            taken: 0,
            dry: [None; 2],
            closing: false,
            closed: false,
            orphan: false,
            settles: None,
        });
        self.come_back();
        self.advance();
        id
    }

    /// Why the connection is over, if it is.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Waits like [`crate::sut::link::Process::wait`], for one lane; all others move too.
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
        let Some(channel) = &mut lane.channel else {
            if lane.outbox.len() > PIECE {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            lane.outbox.extend_from_slice(piece);
            return Ok(piece.len());
        };
        if !lane.outbox.is_empty() {
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

    /// Reads stream 0 or 1 of a lane, like [`crate::sut::link::Process::read_stdout`].
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
        if let Some(exit) = lane.channel.as_ref().and_then(exit::read) {
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

    /// One round: whatever can go on without waiting does.
    fn advance(&mut self) {
        if let Some(stuck) = self.stuck {
            self.perform(stuck);
        }
        // One channel is opened at a time.
        let opens = self.lanes.iter().find(|lane| lane.waits_for_channel());
        if let Some(id) = opens.map(|lane| lane.id).filter(|_| !self.full) {
            self.perform(Op::Open(id));
        }
        let todo: Vec<Op> = self.lanes.iter().flat_map(Lane::todo).collect();
        for op in todo {
            self.perform(op);
        }
        if self.question.is_some() {
            self.perform(Op::Ask);
        }
        let lost = self.lost.is_some();
        self.lanes.retain(|lane| !(lane.orphan && (lane.closed || lost)));
        self.settle();
    }

    /// Asks again where a command has exited and its streams are held open.
    fn settle(&mut self) {
        let answers = self.answers;
        let waits = |lane: &&Lane| !lane.closing && lane.settles.is_some_and(|(answer, _)| answer > answers);
        if self.question.is_none() && self.lanes.iter().any(|lane| waits(&lane)) {
            self.ask();
        }
    }

    /// Asks the other side for a sign of life. Nothing is asked while a packet is stuck: what is stuck is silence enough.
    fn ask(&mut self) {
        let asks = |lane: &&Lane| lane.started && !lane.closing && !lane.closed;
        if let Some(lane) = self.lanes.iter().find(asks)
            && self.stuck.is_none()
            && self.lost.is_none()
        {
            self.question = Some(lane.id);
            self.perform(Op::Ask);
        }
    }

    /// Makes a call that goes on where it was. What it leaves half sent is remembered.
    fn perform(&mut self, op: Op) {
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

    fn note(&mut self, op: Op, again: bool) {
        if !(again && self.outbound()) {
            if self.stuck == Some(op) {
                self.stuck = None;
            }
        } else if self.stuck.is_none() {
            self.stuck = Some(op);
        }
    }

    /// Whether the last call left a packet half sent.
    fn outbound(&self) -> bool {
        matches!(
            self.transport.session.block_directions(),
            BlockDirections::Outbound | BlockDirections::Both
        )
    }

    fn start(&mut self, id: LaneId) -> bool {
        let Some((lane, mut channel)) = self.channel(id) else {
            return false;
        };
        match channel.exec(&lane.command) {
            Ok(()) => lane.started = true,
            Err(error) if is_again(&error) => return true,
            Err(error) if HARMLESS.contains(&error.code()) => {
                lane.refused = Some("the server runs no commands".to_owned());
            }
            Err(error) => self.lose(&error),
        }
        false
    }

    fn flush(&mut self, id: LaneId) -> bool {
        let Some((lane, mut channel)) = self.channel(id) else {
            return false;
        };
        while !lane.outbox.is_empty() {
            match channel.write(&lane.outbox) {
                Ok(count) => drop(lane.outbox.drain(..count.min(lane.outbox.len()))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                // The channel takes no more: nobody will read this.
                Err(_) => lane.outbox.clear(),
            }
        }
        lane.outbox = Vec::new();
        false
    }

    /// Reads from the socket what is there, without taking anything from the lane.
    fn take(&mut self, id: LaneId) -> bool {
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

    fn close_channel(&mut self, id: LaneId) -> bool {
        let Some((lane, mut channel)) = self.channel(id) else {
            return false;
        };
        let closed = channel.close();
        if closed.as_ref().is_err_and(is_again) {
            return true;
        }
        lane.closed = true;
        self.full = false;
        if let Err(error) = closed
            && !HARMLESS.contains(&error.code())
        {
            self.lose(&error);
        }
        false
    }

    fn open(&mut self, id: LaneId) -> bool {
        let opened = self.transport.session.channel_open("session", WINDOW, PACKET, None);
        // A channel that is being closed makes room for this one.
        let room = self.lanes.iter().any(|lane| lane.closing && !lane.closed);
        let Some(lane) = self.lane(id) else { return false };
        match opened {
            Ok(channel) => lane.channel = Some(channel),
            Err(error) if is_again(&error) => return true,
            Err(error) if !HARMLESS.contains(&error.code()) => self.lose(&error),
            Err(_) if room => self.full = true,
            Err(error) => {
                let why = error.message().to_lowercase();
                lane.refused = Some(format!("the server opens no further channel: {why}"));
                lane.closed = true;
            }
        }
        false
    }

    /// Looks for the answer to the question.
    fn listen(&mut self) -> bool {
        let Some(id) = self.question else { return false };
        let Some((lane, mut channel)) = self.channel(id) else {
            self.question = None;
            return false;
        };
        match channel.setenv("ATEX_ALIVE", "") {
            Err(error) if is_again(&error) => {
                // A channel that ended in between answers no more.
                if lane.closing || lane.closed || channel.wait_close().is_ok() {
                    self.question = None;
                }
                return true;
            }
            Err(error) if !HARMLESS.contains(&error.code()) => self.lose(&error),
            Ok(()) | Err(_) => {
                self.question = None;
                self.answers += 1;
            }
        }
        false
    }

    /// Sleeps until the socket moves, something is due, `until` passes or `alarm` is readable (then the answer is true). Looks
    /// after the other side's life.
    fn sleep(&mut self, until: Option<Instant>, alarm: Option<BorrowedFd<'_>>) -> bool {
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, self.stuck.is_some());
        let due = self.due();
        let mut fds = [PollFd::new(&self.transport.socket, flags)];
        let rung = poll_until(&mut fds, alarm, until.into_iter().chain(due).min());
        let stirred = fds[0].revents();
        let now = Instant::now();
        self.looked = now;
        if stirred.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.heard = now;
        } else if now >= due.unwrap_or(now) {
            if now >= self.heard + self.dead_after {
                self.lose_for(self.silence());
            } else {
                self.ask();
            }
        }
        rung
    }

    /// When the other side must be asked for a sign of life, or given up.
    fn due(&self) -> Option<Instant> {
        if self.lost.is_some() {
            return None;
        }
        let asked = self.question.is_some() || self.stuck.is_some() || !self.lanes.iter().any(|lane| lane.started);
        let patience = if asked {
            self.dead_after
        } else {
            (self.dead_after / 2).min(QUIET)
        };
        Some(self.heard + patience)
    }

    /// Counts only the silence that somebody listened to.
    fn come_back(&mut self) {
        let absent = self.looked.elapsed();
        if absent > ABSENCE {
            self.heard += absent;
            self.looked += absent;
        }
    }

    /// Ends the connection after an error of the transport.
    fn lose(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.lose_for(match error.downcast_ref::<ssh2::Error>() {
            // The kernel gave up first.
            _ if self.heard.elapsed() + ABSENCE >= self.dead_after => self.silence(),
            Some(error) if !was_closed(error) => error.message().to_lowercase(),
            _ => "the other side closed it".to_owned(),
        });
    }

    fn silence(&self) -> String {
        format!("no sign of life for {} s", self.dead_after.as_secs())
    }

    /// Ends the connection, for a reason. What came before can still be read.
    fn lose_for(&mut self, why: String) {
        if self.lost.is_none() {
            self.lost = Some(why);
            self.bury();
        }
    }

    /// Replaces the socket, and completes there what is half sent: libssh2 frees no session that has such a packet.
    fn bury(&mut self) {
        if self.transport.bury()
            && let Some(stuck) = self.stuck.take()
        {
            let lost = self.lost.take();
            self.perform(stuck);
            self.lost = lost.or(self.lost.take());
        }
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

impl Lane {
    fn waits_for_channel(&self) -> bool {
        self.channel.is_none() && !self.closed
    }

    /// How many bytes have come so far, read or not.
    fn arrived(&self) -> u64 {
        let waiting = self
            .channel
            .as_ref()
            .map_or(0, |channel| channel.read_window().available);
        self.taken + u64::from(waiting)
    }

    /// Whether the other side said that nothing more comes, and all was read.
    fn has_ended(&self) -> bool {
        self.channel.as_ref().is_some_and(Channel::eof)
    }

    /// Whether stdin takes bytes.
    fn takes(&self) -> bool {
        match &self.channel {
            None => self.outbox.len() <= PIECE,
            Some(channel) => self.outbox.is_empty() && channel.write_window().remaining > 0,
        }
    }

    /// What should be tried in a round.
    fn todo(&self) -> Vec<Op> {
        if self.channel.is_none() {
            return Vec::new();
        }
        let mut todo = vec![Op::Take(self.id)];
        let answered = self.started || self.refused.is_some();
        if !answered {
            todo.push(Op::Start(self.id));
        }
        if !self.outbox.is_empty() {
            todo.push(Op::Flush(self.id));
        } else if self.closing && !self.closed && answered {
            todo.push(Op::Close(self.id));
        }
        todo
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
