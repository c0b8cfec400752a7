//! Keepalive of an SSH session: whether the other side still lives, how it is asked, and when the connection is given up.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::sut::kind::ssh::connect::transport::{is_again, poll_until, was_closed};
use crate::sut::kind::ssh::connection::SshConnection;
use crate::sut::kind::ssh::connection::command::{CommandId, Op, SshCommand};
use crate::sut::kind::ssh::connection::event_loop::HARMLESS;

/// The longest silence before the other side is asked whether it lives.
const QUIET: Duration = Duration::from_secs(15);

/// The first pause after which an answer is looked for although the socket is not ready. Each further pause is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(4);

/// The longest of these pauses. It bounds the delay of an answer that came at the very end of a round.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// An absence of the owner that is longer than this does not count as silence of the other side.
const ABSENCE: Duration = Duration::from_millis(500);

impl SshConnection {
    /// Asks again where a command has exited but somebody holds its streams open.
    pub(super) fn settle(&mut self) {
        let answers = self.answers;
        let waits =
            |command: &&SshCommand| !command.closing && command.settles.is_some_and(|(answer, _)| answer > answers);
        if self.question.is_none() && self.commands.iter().any(|command| waits(&command)) {
            self.ask();
        }
    }

    /// Asks the other side for a sign of life, if there is a command to ask over and no answer is awaited yet.
    pub(super) fn ask(&mut self) {
        if let Some(id) = self.askable().filter(|_| self.lost.is_none() && !self.awaits_answer()) {
            self.question = Some(id);
            self.perform(Op::Ask);
        }
    }

    /// Returns a command over which a question will be answered.
    fn askable(&self) -> Option<CommandId> {
        let asks =
            |command: &&SshCommand| command.started && !command.closing && !command.closed && !command.has_ended();
        self.commands.iter().find(asks).map(|command| command.id)
    }

    /// Whether the other side owes an answer, or does not even accept what is sent. In that case nothing more is asked.
    fn awaits_answer(&self) -> bool {
        let waits = |command: &SshCommand| command.waits_for_start() || (command.waits_for_channel() && !self.full);
        self.question.is_some() || self.stuck.is_some() || self.commands.iter().any(waits)
    }

    /// Looks for the answer to the question. Returns whether the call must be made again.
    pub(super) fn listen(&mut self) -> bool {
        let Some(id) = self.question else { return false };
        let Some((command, mut channel)) = self.channel(id) else {
            self.question = None;
            return false;
        };
        match channel.setenv("ATEX_ALIVE", "") {
            Err(error) if is_again(&error) => {
                // A channel that the other side closed does not answer any more. Before that an answer comes, and nothing
                // else may be asked until it has come.
                if command.closed || channel.wait_close().is_ok() {
                    self.question = None;
                }
                return true;
            }
            Err(error) if !HARMLESS.contains(&error.code()) => self.lose(&error),
            Ok(()) | Err(_) => {
                self.question = None;
                self.answers += 1;
                // The answer may have arrived between two looks at the socket.
                self.heard = Instant::now();
            }
        }
        false
    }

    /// Sleeps until the socket is ready, something is due, `until` passes or `alarm` is readable (then `true` is returned).
    /// Asks for a sign of life or gives the connection up where that is due.
    pub(super) fn sleep(&mut self, until: Option<Instant>, alarm: Option<BorrowedFd<'_>>) -> bool {
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, self.stuck.is_some());
        let due = self.due();
        // A command may wait for its channel to close, or for the rest of its bytes to be sent.
        let waits = |command: &SshCommand| (command.closing && !command.closed) || !command.outbox.is_empty();
        let unanswered = self.awaits_answer() || self.commands.iter().any(waits);
        let look = unanswered.then(|| Instant::now() + self.pause);
        let mut fds = [PollFd::new(&self.transport.socket, flags)];
        let rung = poll_until(&mut fds, alarm, until.into_iter().chain(due).chain(look).min());
        let stirred = fds[0].revents();
        let now = Instant::now();
        self.looked = now;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        if stirred.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.heard = now;
            self.pause = FIRST_PAUSE;
        } else if now >= due.unwrap_or(now) {
            if now >= self.heard + self.dead_after {
                self.lose_for(self.silence());
            } else {
                self.ask();
            }
        }
        rung
    }

    /// Returns when the other side must be asked for a sign of life, or given up.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.lost.is_some() {
            return None;
        }
        if self.awaits_answer() {
            return Some(self.heard + self.dead_after);
        }
        // Where nothing can be asked, no answer is owed: whoever waits then has a deadline of its own.
        self.askable().map(|_| self.heard + (self.dead_after / 2).min(QUIET))
    }

    /// Excludes the time in which nobody listened from the silence.
    pub(super) fn come_back(&mut self) {
        let absent = self.looked.elapsed();
        if absent > ABSENCE {
            self.heard += absent;
            self.looked += absent;
        }
    }

    /// Ends the connection after an error of the transport.
    pub(super) fn lose(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.lose_for(match error.downcast_ref::<ssh2::Error>() {
            // The kernel gave up the connection first, because of the same silence.
            _ if self.heard.elapsed() + ABSENCE >= self.dead_after => self.silence(),
            Some(error) if !was_closed(error) => error.message().to_lowercase(),
            _ => "the other side closed it".to_owned(),
        });
    }

    pub(super) fn silence(&self) -> String {
        format!("no sign of life for {} s", self.dead_after.as_secs())
    }

    /// Ends the connection, and remembers why. What was received before can still be read.
    pub(super) fn lose_for(&mut self, why: String) {
        if self.lost.is_none() {
            self.lost = Some(why);
            self.bury();
        }
    }

    /// Replaces the socket, and completes a half-sent packet there, because libssh2 frees no session that has such a packet.
    pub(super) fn bury(&mut self) {
        if self.transport.bury()
            && let Some(stuck) = self.stuck.take()
        {
            let lost = self.lost.take();
            self.perform(stuck);
            self.lost = lost.or(self.lost.take());
        }
    }
}
