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

use crate::sut::exchange::{Patience, alarm};
use crate::sut::link::{Exit, Interest};
use crate::sut::ssh::exit;
use crate::sut::ssh::transport::{Transport, is_again, poll_until};

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

/// Why a command could not be started.
#[derive(Debug)]
pub(crate) enum NoLane {
    /// The connection is over; the text says why.
    Lost(String),
    /// The server opens no further channel; the text is its reason.
    Refused(String),
    /// No answer in time.
    TimedOut,
    /// The user cancelled.
    Cancelled,
}

/// A command and its channel.
struct Lane {
    id: LaneId,
    channel: Channel,
    command: String,
    /// The server has said that it starts the command.
    started: bool,
    /// It has said that it does not.
    refused: bool,
    /// Bytes that were taken from the owner and may be half sent.
    outbox: Vec<u8>,
    /// How many bytes the owner has read.
    taken: u64,
    /// For each stream: how many bytes had arrived when it was found empty.
    dry: [Option<u64>; 2],
    /// The owner wants it closed.
    closing: bool,
    /// Both sides closed it.
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
    Open,
    Ask,
}

/// The channel after the next.
enum Spare {
    None,
    Opening,
    Refused(String),
    Open(Channel),
}

/// A live session. See the module for its invariants.
pub(crate) struct Conn {
    lanes: Vec<Lane>,
    spare: Spare,
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
            spare: Spare::None,
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

    /// Starts a command. Its start is not waited for: what is written goes out behind the request, in the same flight.
    pub(crate) fn spawn(&mut self, command: String, patience: &Patience<'_>) -> Result<LaneId, NoLane> {
        let channel = self.take_channel(patience)?;
        let id = self.next_id;
        self.next_id += 1;
        self.lanes.push(Lane {
            id,
            channel,
            command,
            started: false,
            refused: false,
            outbox: Vec::new(),
            taken: 0,
            dry: [None; 2],
            closing: false,
            closed: false,
            orphan: false,
            settles: None,
        });
        self.perform(Op::Start(id));
        Ok(id)
    }

    /// Begins to open the channel of the next command, if that is not done yet.
    pub(crate) fn prepare(&mut self) {
        if matches!(self.spare, Spare::None) {
            self.spare = Spare::Opening;
            self.perform(Op::Open);
        }
    }

    fn take_channel(&mut self, patience: &Patience<'_>) -> Result<Channel, NoLane> {
        loop {
            self.prepare();
            self.advance();
            if let Some(why) = &self.lost {
                return Err(NoLane::Lost(why.clone()));
            }
            match std::mem::replace(&mut self.spare, Spare::None) {
                Spare::Open(channel) => return Ok(channel),
                Spare::Refused(why) => return Err(NoLane::Refused(why)),
                waiting => self.spare = waiting,
            }
            if patience.cancel.urgency() > patience.known {
                return Err(NoLane::Cancelled);
            }
            if patience.until.is_some_and(|until| Instant::now() >= until) {
                return Err(NoLane::TimedOut);
            }
            let (alarm, until) = alarm(patience.cancel, patience.until);
            self.sleep(until, alarm);
        }
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
        let ended = over || lane.channel.eof();
        let arrived = lane.arrived();
        let stirred = |stream: usize| ended || lane.dry[stream].is_none_or(|dry| arrived > dry);
        let takes = || lane.closing || (!stuck && lane.outbox.is_empty() && lane.channel.write_window().remaining > 0);
        let ready = Interest {
            stdin: interest.stdin && (exited || takes()),
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
                lane.closed || lane.refused || lane.settles.is_some_and(|(answer, _)| self.answers >= answer)
            })
    }

    /// Writes to a lane's stdin.
    pub(crate) fn write(&mut self, id: LaneId, bytes: &[u8]) -> io::Result<usize> {
        if self.lost.is_some() || self.find(id).is_none_or(|lane| lane.closing || lane.refused) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.stuck.is_some() {
            self.advance();
        }
        let Some(lane) = self.lane(id) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        if !lane.outbox.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let piece = &bytes[..bytes.len().min(PIECE)];
        match lane.channel.write(piece) {
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
            let outcome = match stream {
                0 => lane.channel.read(buffer),
                _ => lane.channel.stderr().read(buffer),
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
                Err(error) => self.lose(&error.to_string()),
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
        if let Some(exit) = exit::read(&lane.channel) {
            let arrived = lane.arrived();
            if lane.settles.is_none_or(|(_, before)| before != arrived) {
                // The server tells of the end before it has read all that was written; in the round after the one in which it
                // answers it has. A question that is under way is from before.
                lane.settles = Some((answers + 2 + u64::from(asked), arrived));
            }
            return Some(exit);
        }
        if lane.refused {
            return Some(Exit::Lost("the server starts no commands".to_owned()));
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
        let todo: Vec<Op> = self.lanes.iter().flat_map(Lane::todo).collect();
        for op in todo {
            self.perform(op);
        }
        if matches!(self.spare, Spare::Opening) {
            self.perform(Op::Open);
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
            Op::Open => self.open(),
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
        let Some(lane) = self.lane(id) else { return false };
        match lane.channel.exec(&lane.command) {
            Ok(()) => lane.started = true,
            Err(error) if is_again(&error) => return true,
            Err(error) if HARMLESS.contains(&error.code()) => lane.refused = true,
            Err(error) => self.lose(error.message()),
        }
        false
    }

    fn flush(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lane(id) else { return false };
        while !lane.outbox.is_empty() {
            match lane.channel.write(&lane.outbox) {
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
        let Some(lane) = self.lane(id) else { return false };
        match lane.channel.read(&mut []) {
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => {
                self.lose(&error.to_string());
                false
            }
        }
    }

    fn close_channel(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lane(id) else { return false };
        match lane.channel.close() {
            Err(error) if is_again(&error) => return true,
            Ok(()) => lane.closed = true,
            Err(error) => {
                lane.closed = true;
                if !HARMLESS.contains(&error.code()) {
                    self.lose(error.message());
                }
            }
        }
        false
    }

    fn open(&mut self) -> bool {
        match self.transport.session.channel_open("session", WINDOW, PACKET, None) {
            Ok(channel) => self.spare = Spare::Open(channel),
            Err(error) if is_again(&error) => return true,
            Err(error) if HARMLESS.contains(&error.code()) => {
                self.spare = Spare::Refused(error.message().to_lowercase());
            }
            Err(error) => {
                self.spare = Spare::None;
                self.lose(error.message());
            }
        }
        false
    }

    /// Looks for the answer to the question.
    fn listen(&mut self) -> bool {
        let Some(id) = self.question else { return false };
        let Some(lane) = self.lane(id) else {
            self.question = None;
            return false;
        };
        match lane.channel.setenv("ATEX_ALIVE", "") {
            Err(error) if is_again(&error) => {
                // A channel that ended in between answers no more.
                if lane.closing || lane.closed || lane.channel.wait_close().is_ok() {
                    self.question = None;
                }
                return true;
            }
            Err(error) if !HARMLESS.contains(&error.code()) => self.lose(error.message()),
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
                let silence = self.dead_after.as_secs();
                self.lose(&format!("no sign of life for {silence} s"));
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

    /// Ends the connection, for a reason. What came before can still be read.
    fn lose(&mut self, why: &str) {
        if self.lost.is_some() {
            return;
        }
        self.lost = Some(why.to_owned());
        self.bury();
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
}

impl Lane {
    /// How many bytes have come so far, read or not.
    fn arrived(&self) -> u64 {
        self.taken + u64::from(self.channel.read_window().available)
    }

    /// What should be tried in a round.
    fn todo(&self) -> Vec<Op> {
        let mut todo = vec![Op::Take(self.id)];
        if !self.started && !self.refused {
            todo.push(Op::Start(self.id));
        }
        if !self.outbox.is_empty() {
            todo.push(Op::Flush(self.id));
        }
        if self.closing && !self.closed && self.outbox.is_empty() && (self.started || self.refused) {
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
