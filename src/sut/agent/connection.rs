//! Exchanges requests and replies with a program over the streams of its process, without deadlock: during every wait all
//! three streams move.
//!
//! This module knows only the framing: a reply is a line `WORD LENGTH…`, and then a blob of that many bytes for each length.

use std::io;
use std::time::{Duration, Instant};

use crate::sut::Trouble;
use crate::sut::agent::link::{Interest, Link, Process, ProcessExit};
use crate::sut::agent::reply::{MAX_TEXT, Reply};
use crate::sut::agent::timeouts::{WaitLimits, Watchdog, alarm};

/// The longest line of a reply.
const MAX_LINE: usize = 64 * 1024;

/// Up to this many bytes that are printed before the program has started are thrown away.
const MAX_NOISE: usize = 1 << 20;

/// How much the other side may send before anybody waits for it: a line, and what came in the same read.
const MAX_UNASKED: usize = 2 * MAX_LINE;

/// How many bytes of stderr are kept to explain an unexpected end.
const KEPT_STDERR: usize = 16 * 1024;

/// How long a process may take to end after its output has ended.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// Why an exchange ended early.
#[derive(Debug)]
pub(crate) enum ConnectionError {
    /// The other side ended. The text says how, and what it wrote to stderr.
    Ended(String),
    /// The other side sent something that is not a reply.
    Nonsense(String),
    /// The user cancelled.
    Cancelled,
    /// Nothing came before the deadline.
    TimedOut,
    /// Nothing moved for this time, although the other side should have shown that it lives.
    Stuck(Duration),
    /// The other side gave signs of life for all of this time, but did not finish.
    Endless(Duration),
}

/// One of atex's bash programs as it runs on a machine, and the three streams to it.
pub(crate) struct Connection {
    process: Box<dyn Process>,
    /// The part of stdout that was read and not taken yet.
    inbox: Vec<u8>,
    /// The end of what the login printed, as long as the program has not started.
    noise: Option<Vec<u8>>,
    /// The end of what came on stderr.
    stderr_tail: Vec<u8>,
    stdout_ended: bool,
    stderr_ended: bool,
    watchdog: Watchdog,
}

impl Connection {
    /// Starts bash and sends it the program and its first request. Waits for nothing: whatever the program replies comes
    /// later.
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

    /// Limits from now on how long nothing may move in a wait: neither bytes, nor the empty lines on stderr with which the other
    /// side shows that it works.
    pub(crate) fn limit_silence(&mut self, silence: Option<Duration>) {
        self.watchdog.limit_silence(silence);
    }

    /// Begins a request that may take no longer than `total`, with or without signs of life. Bytes that move extend that
    /// time.
    pub(crate) fn begin_request(&mut self, total: Option<Duration>) {
        self.watchdog.begin_request(total);
    }

    /// Skips everything up to the line `marker`, which is what login shells print; its last line may lack a newline.
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

    /// Sends bytes, and meanwhile reads what comes.
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

    /// Waits for a reply and takes it. Its blobs may have at most `most` bytes together.
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

    /// Ends the connection: closes the streams, and waits until `until` for the process to end because of that, so that what
    /// it held is free.
    pub(crate) fn close(&mut self, until: Instant) {
        self.process.close();
        while self.process.exit().is_none() && Instant::now() < until {
            if self.process.wait(Interest::default(), Some(until), None).is_err() {
                return;
            }
        }
    }

    /// Returns whether the process has ended, as far as that is known without a wait.
    pub(crate) fn ended(&mut self) -> bool {
        self.process.exit().is_some()
    }

    /// Gives the process away, with what was read from its stdout and its stderr.
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

    /// Waits once, and reads what has come.
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

    /// Reads what has come on stderr, and keeps its end. Returns whether anything came.
    fn read_complaints(&mut self) -> bool {
        let mut buffer = [0; 4 * 1024];
        let Ok(count) = self.process.read_stderr(&mut buffer) else {
            return false;
        };
        self.stderr_ended |= count == 0;
        if count > 0 {
            self.watchdog.shows_life();
        }
        // Empty lines are signs of life, and explain nothing.
        if buffer[..count].iter().all(|byte| *byte == b'\n') {
            return count > 0;
        }
        self.stderr_tail.extend_from_slice(&buffer[..count]);
        let surplus = self.stderr_tail.len().saturating_sub(KEPT_STDERR);
        self.stderr_tail.drain(..surplus);
        count > 0
    }

    /// Returns what a login printed whose program did not start: stdout and stderr, cleaned, and only the end where it is
    /// long.
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

    /// Makes the error that says how the process ended, with its last line on stderr; or, where the program did not start,
    /// with all that the login printed.
    fn end_error(&mut self, how: &str) -> ConnectionError {
        let _more_than_is_kept = (0..KEPT_STDERR).find(|_| !self.read_complaints());
        // The exit code arrives after the last output.
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

/// How many characters of a login's output are shown at most.
const SAID: usize = 800;

/// Joins texts into one line without control characters; only the end where it is long.
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
    /// Bash started, but the connection to it failed.
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
