//! Whether the other side still lives: silence, questions and their answers, and the end.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::sut::kind::ssh::connect::transport::{is_again, poll_until, was_closed};
use crate::sut::kind::ssh::connection::SshConnection;
use crate::sut::kind::ssh::connection::command::{CommandId, Op, SshCommand};
use crate::sut::kind::ssh::connection::event_loop::HARMLESS;

/// The longest silence before the other side is asked whether it lives.
const QUIET: Duration = Duration::from_secs(15);

/// The first pause after which an answer is looked for where the socket does not move; each next one is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(4);

/// The longest of these pauses: an answer that came at the very end of a round is seen then.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Absences of the owner that are longer are not the other side's silence.
const ABSENCE: Duration = Duration::from_millis(500);

impl SshConnection {
    /// Asks again where a command has exited and its streams are held open.
    pub(super) fn settle(&mut self) {
        let answers = self.answers;
        let waits =
            |command: &&SshCommand| !command.closing && command.settles.is_some_and(|(answer, _)| answer > answers);
        if self.question.is_none() && self.commands.iter().any(|command| waits(&command)) {
            self.ask();
        }
    }

    /// Asks the other side for a sign of life, if there is a command to ask over and no answer is awaited already.
    pub(super) fn ask(&mut self) {
        if let Some(id) = self.askable().filter(|_| self.lost.is_none() && !self.awaits_answer()) {
            self.question = Some(id);
            self.perform(Op::Ask);
        }
    }

    /// A command over which a question is answered.
    fn askable(&self) -> Option<CommandId> {
        let asks =
            |command: &&SshCommand| command.started && !command.closing && !command.closed && !command.has_ended();
        self.commands.iter().find(asks).map(|command| command.id)
    }

    /// Whether the other side owes an answer, or does not even take what is sent: silence enough, nothing more is asked.
    fn awaits_answer(&self) -> bool {
        let waits = |command: &SshCommand| command.waits_for_start() || (command.waits_for_channel() && !self.full);
        self.question.is_some() || self.stuck.is_some() || self.commands.iter().any(waits)
    }

    /// Looks for the answer to the question.
    pub(super) fn listen(&mut self) -> bool {
        let Some(id) = self.question else { return false };
        let Some((command, mut channel)) = self.channel(id) else {
            self.question = None;
            return false;
        };
        match channel.setenv("ATEX_ALIVE", "") {
            Err(error) if is_again(&error) => {
                // A channel that the other side closed answers no more. Before that an answer comes, and nothing else may be
                // asked until it has.
                if command.closed || channel.wait_close().is_ok() {
                    self.question = None;
                }
                return true;
            }
            Err(error) if !HARMLESS.contains(&error.code()) => self.lose(&error),
            Ok(()) | Err(_) => {
                self.question = None;
                self.answers += 1;
                // It may have come between two looks at the socket.
                self.heard = Instant::now();
            }
        }
        false
    }

    /// Sleeps until the socket moves, something is due, `until` passes or `alarm` is readable (then the answer is true). Looks
    /// after the other side's life.
    pub(super) fn sleep(&mut self, until: Option<Instant>, alarm: Option<BorrowedFd<'_>>) -> bool {
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, self.stuck.is_some());
        let due = self.due();
        // What a command waits for to close, or to send what is left.
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

    /// When the other side must be asked for a sign of life, or given up.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.lost.is_some() {
            return None;
        }
        if self.awaits_answer() {
            return Some(self.heard + self.dead_after);
        }
        // Where nothing can be asked, nothing is owed: whoever waits there has a time of its own.
        self.askable().map(|_| self.heard + (self.dead_after / 2).min(QUIET))
    }

    /// Counts only the silence that somebody listened to.
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
            // The kernel gave up first.
            _ if self.heard.elapsed() + ABSENCE >= self.dead_after => self.silence(),
            Some(error) if !was_closed(error) => error.message().to_lowercase(),
            _ => "the other side closed it".to_owned(),
        });
    }

    pub(super) fn silence(&self) -> String {
        format!("no sign of life for {} s", self.dead_after.as_secs())
    }

    /// Ends the connection, for a reason. What came before can still be read.
    pub(super) fn lose_for(&mut self, why: String) {
        if self.lost.is_none() {
            self.lost = Some(why);
            self.bury();
        }
    }

    /// Replaces the socket, and completes there what is half sent: libssh2 frees no session that has such a packet.
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
