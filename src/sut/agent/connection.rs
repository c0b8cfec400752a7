//! Requests and replies over the streams of a process, without deadlock: whatever is waited for, all three streams move.
//!
//! Knows framing only: a reply is a line `WORD LENGTH…` and then that many bytes for each length.

use std::io;
use std::time::{Duration, Instant};

use crate::sut::Trouble;
use crate::sut::agent::link::{Interest, Link, Process, ProcessExit};
use crate::sut::agent::reply::{MAX_TEXT, Reply};
use crate::sut::agent::timeouts::{WaitLimits, Watchdog, alarm};

/// No reply line is longer.
const MAX_LINE: usize = 64 * 1024;

/// What is printed before the program has started is thrown away, if it is not more than this.
const MAX_NOISE: usize = 1 << 20;

/// What may be said before anybody waits for it: a line, and what came in the same read.
const MAX_UNASKED: usize = 2 * MAX_LINE;

/// What of stderr is kept to explain an unexpected end.
const KEPT_STDERR: usize = 16 * 1024;

/// How long the end of a process whose output has ended may take.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// Why an exchange ended early.
#[derive(Debug)]
pub(crate) enum ConnectionError {
    /// The other side ended; the text says how, and what it complained about.
    Ended(String),
    /// It said something that is no reply.
    Nonsense(String),
    /// The user cancelled.
    Cancelled,
    /// Nothing came in time.
    TimedOut,
    /// Nothing moved for so long, and the other side should have shown that it lives.
    Stuck(Duration),
    /// It showed all that time that it lives, and came to no end.
    Endless(Duration),
}

/// One of our programs, as it runs on a machine, and the three streams to it.
pub(crate) struct Connection {
    process: Box<dyn Process>,
    /// Stdout that was read and not yet taken.
    inbox: Vec<u8>,
    /// The end of what the login printed, until the program is there.
    noise: Option<Vec<u8>>,
    /// The end of stderr.
    stderr_tail: Vec<u8>,
    stdout_ended: bool,
    stderr_ended: bool,
    watchdog: Watchdog,
}

impl Connection {
    /// Starts bash and sends what it is to become and to do. Nothing is waited for: whatever it says comes later.
    pub(crate) fn start(link: &mut dyn Link, opening: &[u8], limits: &WaitLimits<'_>) -> Result<Self, StartError> {
        let mut connection = Self {
            process: link.spawn().map_err(StartError::Link)?,
            inbox: Vec::new(),
            noise: Some(Vec::new()),
            stderr_tail: Vec::new(),
            stdout_ended: false,
            stderr_ended: false,
            watchdog: Watchdog::default(),
        };
        connection.send(opening, limits)?;
        Ok(connection)
    }

    /// From now on, waits no longer than that while nothing moves: neither bytes, nor the empty lines on stderr with which the other
    /// side shows that it works.
    pub(crate) fn limit_silence(&mut self, silence: Option<Duration>) {
        self.watchdog.limit_silence(silence);
    }

    /// Begins something that may take no longer than that as a whole, signs of life or not. Bytes that move are given time of their own.
    pub(crate) fn begin_request(&mut self, total: Option<Duration>) {
        self.watchdog.begin_request(total);
    }

    /// Reads past the line `marker`: what login shells print comes before it, and may end without a newline.
    pub(crate) fn skip_login_output(&mut self, marker: &str, limits: &WaitLimits<'_>) -> Result<(), ConnectionError> {
        let mut noise = 0;
        loop {
            let line = self.read_line(limits)?;
            if line.ends_with(marker.as_bytes()) {
                self.noise = None;
                return Ok(());
            }
            if let Some(kept) = &mut self.noise {
                kept.extend_from_slice(&line);
                kept.push(b'\n');
                kept.drain(..kept.len().saturating_sub(KEPT_STDERR));
            }
            noise += line.len() + 1;
            if noise > MAX_NOISE {
                return Err(ConnectionError::Nonsense(
                    "the login there prints without end".to_owned(),
                ));
            }
        }
    }

    /// Sends bytes, reading meanwhile what comes.
    pub(crate) fn send(&mut self, mut bytes: &[u8], limits: &WaitLimits<'_>) -> Result<(), ConnectionError> {
        while !bytes.is_empty() {
            match self.process.write(bytes) {
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.watchdog.bytes_moved(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.inbox.len() > MAX_UNASKED {
                        return Err(ConnectionError::Nonsense("it talks without being asked".to_owned()));
                    }
                    self.step(true, limits)?;
                }
                Err(error) => return Err(self.end_error(&error.to_string())),
            }
        }
        Ok(())
    }

    /// Waits for a reply and takes it; its blobs may have `most` bytes together.
    pub(crate) fn read_reply(&mut self, most: usize, limits: &WaitLimits<'_>) -> Result<Reply, ConnectionError> {
        let line = self.read_line(limits)?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split(' ');
        let word = words.next().unwrap_or_default().to_owned();
        let (mut blobs, mut room) = (Vec::new(), most);
        for length in words {
            let Ok(length) = length.parse::<usize>() else {
                let start: String = line.chars().take(MAX_TEXT).collect();
                return Err(ConnectionError::Nonsense(format!("it said `{start}`")));
            };
            let Some(left) = room.checked_sub(length) else {
                return Err(ConnectionError::Nonsense(format!(
                    "a reply is longer than {most} bytes"
                )));
            };
            room = left;
            blobs.push(self.take(length, limits)?);
        }
        Ok(Reply { word, blobs })
    }

    /// Ends the connection: closes the streams, and waits a moment for the process to end by that, so that what it held is free.
    pub(crate) fn close(&mut self, until: Instant) {
        self.process.close();
        while self.process.exit().is_none() && Instant::now() < until {
            if self.process.wait(Interest::default(), Some(until), None).is_err() {
                return;
            }
        }
    }

    /// Says whether the process has ended, as far as is known without a wait.
    pub(crate) fn ended(&mut self) -> bool {
        self.process.exit().is_some()
    }

    /// Gives the process away, with what was read from it: stdout, then stderr.
    pub(crate) fn into_parts(self) -> (Box<dyn Process>, Vec<u8>, Vec<u8>) {
        (self.process, self.inbox, self.stderr_tail)
    }

    /// Waits for a line and takes it, without its newline.
    pub(crate) fn read_line(&mut self, limits: &WaitLimits<'_>) -> Result<Vec<u8>, ConnectionError> {
        let mut seen = 0;
        loop {
            if let Some(end) = self.inbox[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.inbox.drain(..=seen + end).collect();
                line.pop();
                return Ok(line);
            }
            seen = self.inbox.len();
            if seen > MAX_LINE {
                return Err(ConnectionError::Nonsense("it said a line without end".to_owned()));
            }
            self.step(false, limits)?;
        }
    }

    fn take(&mut self, length: usize, limits: &WaitLimits<'_>) -> Result<Vec<u8>, ConnectionError> {
        while self.inbox.len() < length {
            self.step(false, limits)?;
        }
        let rest = self.inbox.split_off(length);
        Ok(std::mem::replace(&mut self.inbox, rest))
    }

    /// Waits once, and reads what there is.
    fn step(&mut self, writing: bool, limits: &WaitLimits<'_>) -> Result<(), ConnectionError> {
        let urgency = limits.cancel.urgency();
        if urgency > limits.known {
            return Err(ConnectionError::Cancelled);
        }
        let now = Instant::now();
        if limits.until.is_some_and(|until| now >= until) {
            return Err(ConnectionError::TimedOut);
        }
        if self.stdout_ended {
            return Err(self.end_error("its output ended"));
        }
        let interest = Interest {
            stdin: writing,
            stdout: true,
            stderr: !self.stderr_ended,
        };
        let check = self.watchdog.next_check().map(|check| now + check);
        let until = limits.until.into_iter().chain(check).min();
        let (alarm, until) = alarm(limits.cancel, until);
        let ready = self.process.wait(interest, until, alarm);
        let ready = ready.map_err(|error| ConnectionError::Ended(error.to_string()))?;
        self.watchdog.has_waited(now.elapsed());
        if ready.stderr {
            self.read_complaints();
        }
        if ready.stdout {
            self.read_inbox()?;
        }
        self.watchdog.check()
    }

    fn read_inbox(&mut self) -> Result<(), ConnectionError> {
        let mut buffer = [0; 16 * 1024];
        match self.process.read_stdout(&mut buffer) {
            Ok(0) => self.stdout_ended = true,
            Ok(count) => {
                self.inbox.extend_from_slice(&buffer[..count]);
                self.watchdog.bytes_moved(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(self.end_error(&error.to_string())),
        }
        Ok(())
    }

    /// Reads what is there of stderr, and keeps its end. Says whether there was something.
    fn read_complaints(&mut self) -> bool {
        let mut buffer = [0; 4 * 1024];
        let Ok(count) = self.process.read_stderr(&mut buffer) else {
            return false;
        };
        self.stderr_ended |= count == 0;
        if count > 0 {
            self.watchdog.shows_life();
        }
        // A sign of life explains nothing.
        if buffer[..count].iter().all(|byte| *byte == b'\n') {
            return count > 0;
        }
        self.stderr_tail.extend_from_slice(&buffer[..count]);
        let surplus = self.stderr_tail.len().saturating_sub(KEPT_STDERR);
        self.stderr_tail.drain(..surplus);
        count > 0
    }

    /// What a login has said that does not come to the program: stdout and stderr, cleaned, and the end of it where it is long.
    pub(crate) fn login_output(&mut self) -> String {
        let mut buffer = [0; 4 * 1024];
        while self.inbox.len() < MAX_LINE {
            match self.process.read_stdout(&mut buffer) {
                Ok(count) if count > 0 => self.inbox.extend_from_slice(&buffer[..count]),
                _ => break,
            }
        }
        let noise = self.noise.as_deref().unwrap_or_default();
        said([noise, &self.inbox, &self.stderr_tail])
    }

    /// Says how the process ended, with the last that it complained about; a login that went no further, with all that it said.
    fn end_error(&mut self, how: &str) -> ConnectionError {
        let _more_than_is_kept = (0..KEPT_STDERR).find(|_| !self.read_complaints());
        // The end is told after the last output.
        let until = Instant::now() + LAST_BREATH;
        while self.process.exit().is_none() && Instant::now() < until {
            if self.process.wait(Interest::default(), Some(until), None).is_err() {
                break;
            }
        }
        let _what_came_meanwhile = (0..KEPT_STDERR).find(|_| !self.read_complaints());
        let end = match self.process.exit() {
            Some(ProcessExit::Code(code)) => format!("exit code {code}"),
            Some(ProcessExit::Signal(signal)) => format!("signal {signal}"),
            Some(ProcessExit::Lost(why)) => why,
            None => how.to_owned(),
        };
        if self.noise.is_some() {
            let said = self.login_output();
            return ConnectionError::Ended(if said.is_empty() { end } else { format!("{end}: {said}") });
        }
        let stderr_tail = String::from_utf8_lossy(&self.stderr_tail);
        let last = stderr_tail.trim_end().lines().next_back().unwrap_or_default();
        ConnectionError::Ended(if last.is_empty() { end } else { format!("{end}: {last}") })
    }
}

/// Most characters that are shown of what a login said.
const SAID: usize = 800;

/// Makes one line of texts: without control characters, and the end of it where it is long.
pub(crate) fn said<const N: usize>(texts: [&[u8]; N]) -> String {
    let texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
    let clean = |line: &str| -> String { line.chars().filter(|c| !c.is_control()).collect() };
    let lines = texts.iter().flat_map(|text| text.lines().map(clean));
    let lines: Vec<String> = lines
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let line = lines.join("; ");
    let surplus = line.chars().count().saturating_sub(SAID);
    line.chars().skip(surplus).collect()
}

/// Why a program could not be started.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The link could not start bash.
    Link(Trouble),
    /// Bash started, and then this.
    Connection(ConnectionError),
}

impl From<ConnectionError> for StartError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sut::agent::link::child::ChildLink;
    use crate::sut::agent::reply::MAX_REPLY;
    use crate::sut::{Cancel, Urgency};

    #[test]
    fn one_who_only_shows_life_comes_to_an_end() {
        let script = "while echo >&2; do sleep 0.02; done";
        let command = ["bash", "-c", script].map(Into::into).to_vec();
        let mut link = ChildLink::running("it", command, None);
        let cancel = Cancel::new().unwrap();
        let limits = WaitLimits {
            cancel: &cancel,
            known: Urgency::None,
            until: None,
        };
        let mut connection = Connection::start(&mut link, b"", &limits).unwrap_or_else(|error| panic!("{error:?}"));
        let total = Duration::from_millis(300);
        connection.limit_silence(Some(Duration::from_mins(10)));
        connection.begin_request(Some(total));
        let ended = connection.read_reply(MAX_REPLY, &limits).unwrap_err();
        assert!(
            matches!(ended, ConnectionError::Endless(after) if after == total),
            "{ended:?}"
        );
    }

    #[test]
    fn what_a_login_says_is_one_line_without_control_characters_and_its_end() {
        assert_eq!(said([b"one\r\n\n \x1b[1mtwo\n", b"three"]), "one; [1mtwo; three");
        let long = "x".repeat(10 * SAID) + "end";
        let shown = said([long.as_bytes()]);
        assert!(shown.ends_with("xend") && shown.chars().count() == SAID);
    }
}
