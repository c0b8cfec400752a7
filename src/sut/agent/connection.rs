//! Requests and replies over the streams of a process, without deadlock: whatever is waited for, all three streams move.
//!
//! Knows framing only: a reply is a line `WORD LENGTH…` and then that many bytes for each length.

use std::io;
use std::time::{Duration, Instant};

use crate::sut::agent::link::{Exit, Interest, Link, Process};
use crate::sut::{Cancel, Trouble, Urgency};

/// No reply line is longer.
const MAX_LINE: usize = 64 * 1024;

/// Most bytes of all blobs of a reply that is not a list of files.
pub(crate) const SHORT: usize = 16 << 20;

/// The same for one that is: some hundred bytes for each of a million files.
pub(crate) const LIST: usize = 256 << 20;

/// What is printed before the program has started is thrown away, if it is not more than this.
const MAX_NOISE: usize = 1 << 20;

/// What may be said before anybody waits for it: a line, and what came in the same read.
const MAX_UNASKED: usize = 2 * MAX_LINE;

/// The longest text for people that is taken from a reply, in characters.
const MAX_TEXT: usize = 4000;

/// What of stderr is kept to explain an unexpected end.
const KEPT_STDERR: usize = 16 * 1024;

/// How long the end of a process whose output has ended may take.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// How often it is looked whether something has taken too long, where silence is not measured.
const LOOK: Duration = Duration::from_secs(5);

/// Silence is measured in so many pieces.
const SLICES: u32 = 8;

/// Whoever moves so many bytes has another second.
const SLOWEST: u64 = 4 * 1024;

/// How often a second cancellation is looked for after the first: the alarm stays readable then.
pub(crate) const AFTER_CANCEL: Duration = Duration::from_millis(100);

/// Why an exchange ended early.
#[derive(Debug)]
pub(crate) enum Broken {
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

/// How long to wait, and what ends the wait before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    /// Ends the wait once it rises above `known`.
    pub cancel: &'a Cancel,
    /// What the caller knows of already.
    pub known: Urgency,
    /// When to give up.
    pub until: Option<Instant>,
}

impl Patience<'_> {
    /// The same, but not beyond a time.
    pub(crate) fn at_most(self, limit: Instant) -> Self {
        Self {
            until: Some(self.until.map_or(limit, |until| until.min(limit))),
            ..self
        }
    }
}

/// A reply: its word, and its blobs.
#[derive(Debug)]
pub(crate) struct Reply {
    pub word: String,
    pub blobs: Vec<Vec<u8>>,
}

impl Reply {
    /// Takes blob `index` as text for people.
    pub(crate) fn text(&self, index: usize) -> String {
        self.blobs
            .get(index)
            .map(|blob| {
                String::from_utf8_lossy(&blob[..blob.len().min(4 * MAX_TEXT)])
                    .trim_end()
                    .to_owned()
            })
            .map(|text| text.chars().take(MAX_TEXT).collect())
            .unwrap_or_default()
    }
}

/// A process that is talked with.
pub(crate) struct Talk {
    process: Box<dyn Process>,
    /// Stdout that was read and not yet taken.
    inbox: Vec<u8>,
    /// The end of what the login printed, until the program is there.
    noise: Option<Vec<u8>>,
    /// The end of stderr.
    complaints: Vec<u8>,
    stdout_ended: bool,
    stderr_ended: bool,
    /// How long it may show no life while it is waited for.
    bears: Option<Duration>,
    /// How long nothing has moved while it was waited for.
    silent: Duration,
    /// How long what is under way may take as a whole.
    total: Option<Duration>,
    /// How long it was waited for, and how many bytes have moved since then.
    waited: Duration,
    moved: u64,
}

impl Talk {
    /// Starts bash and sends what it is to become and to do. Nothing is waited for: whatever it says comes later.
    pub(crate) fn start(link: &mut dyn Link, opening: &[u8], patience: &Patience<'_>) -> Result<Self, TalkError> {
        let mut talk = Self {
            process: link.spawn().map_err(TalkError::Link)?,
            inbox: Vec::new(),
            noise: Some(Vec::new()),
            complaints: Vec::new(),
            stdout_ended: false,
            stderr_ended: false,
            bears: None,
            silent: Duration::ZERO,
            total: None,
            waited: Duration::ZERO,
            moved: 0,
        };
        talk.send(opening, patience)?;
        Ok(talk)
    }

    /// From now on, waits no longer than that while nothing moves: neither bytes, nor the empty lines on stderr with which the other
    /// side shows that it works.
    pub(crate) fn bear(&mut self, silence: Option<Duration>) {
        self.bears = silence;
        self.silent = Duration::ZERO;
    }

    /// Begins something that may take no longer than that as a whole, signs of life or not. Bytes that move are given time of their own.
    pub(crate) fn begin(&mut self, total: Option<Duration>) {
        self.total = total;
        self.waited = Duration::ZERO;
        self.moved = 0;
    }

    /// Whether what was begun has taken too long.
    fn is_over(&self) -> Option<Duration> {
        let total = self.total?;
        let allowed = total + Duration::from_secs(self.moved / SLOWEST);
        (self.waited >= allowed).then_some(total)
    }

    /// Reads past the line `marker`: what login shells print comes before it, and may end without a newline.
    pub(crate) fn past(&mut self, marker: &str, patience: &Patience<'_>) -> Result<(), Broken> {
        let mut noise = 0;
        loop {
            let line = self.line(patience)?;
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
                return Err(Broken::Nonsense("the login there prints without end".to_owned()));
            }
        }
    }

    /// Sends bytes, reading meanwhile what comes.
    pub(crate) fn send(&mut self, mut bytes: &[u8], patience: &Patience<'_>) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match self.process.write(bytes) {
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.moved += count as u64;
                    self.silent = Duration::ZERO;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.inbox.len() > MAX_UNASKED {
                        return Err(Broken::Nonsense("it talks without being asked".to_owned()));
                    }
                    self.step(true, patience)?;
                }
                Err(error) => return Err(self.obituary(&error.to_string())),
            }
        }
        Ok(())
    }

    /// Waits for a reply and takes it; its blobs may have `most` bytes together.
    pub(crate) fn reply(&mut self, most: usize, patience: &Patience<'_>) -> Result<Reply, Broken> {
        let line = self.line(patience)?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split(' ');
        let word = words.next().unwrap_or_default().to_owned();
        let (mut blobs, mut room) = (Vec::new(), most);
        for length in words {
            let Ok(length) = length.parse::<usize>() else {
                let start: String = line.chars().take(MAX_TEXT).collect();
                return Err(Broken::Nonsense(format!("it said `{start}`")));
            };
            let Some(left) = room.checked_sub(length) else {
                return Err(Broken::Nonsense(format!("a reply is longer than {most} bytes")));
            };
            room = left;
            blobs.push(self.take(length, patience)?);
        }
        Ok(Reply { word, blobs })
    }

    /// Ends the talk: closes the streams, and waits a moment for the process to end by that, so that what it held is free.
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
        (self.process, self.inbox, self.complaints)
    }

    /// Waits for a line and takes it, without its newline.
    pub(crate) fn line(&mut self, patience: &Patience<'_>) -> Result<Vec<u8>, Broken> {
        let mut seen = 0;
        loop {
            if let Some(end) = self.inbox[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.inbox.drain(..=seen + end).collect();
                line.pop();
                return Ok(line);
            }
            seen = self.inbox.len();
            if seen > MAX_LINE {
                return Err(Broken::Nonsense("it said a line without end".to_owned()));
            }
            self.step(false, patience)?;
        }
    }

    fn take(&mut self, length: usize, patience: &Patience<'_>) -> Result<Vec<u8>, Broken> {
        while self.inbox.len() < length {
            self.step(false, patience)?;
        }
        let rest = self.inbox.split_off(length);
        Ok(std::mem::replace(&mut self.inbox, rest))
    }

    /// Waits once, and reads what there is.
    fn step(&mut self, writing: bool, patience: &Patience<'_>) -> Result<(), Broken> {
        let urgency = patience.cancel.urgency();
        if urgency > patience.known {
            return Err(Broken::Cancelled);
        }
        let now = Instant::now();
        if patience.until.is_some_and(|until| now >= until) {
            return Err(Broken::TimedOut);
        }
        if self.stdout_ended {
            return Err(self.obituary("its output ended"));
        }
        let interest = Interest {
            stdin: writing,
            stdout: true,
            stderr: !self.stderr_ended,
        };
        let slice = self.bears.map(|silence| silence / SLICES);
        let look = slice.or(self.total.map(|_| LOOK));
        let until = patience.until.into_iter().chain(look.map(|look| now + look)).min();
        let (alarm, until) = alarm(patience.cancel, until);
        let ready = self.process.wait(interest, until, alarm);
        let ready = ready.map_err(|error| Broken::Ended(error.to_string()))?;
        // A runner that was away itself has heard nothing in that time, and counts little of it.
        self.silent += slice.map_or(Duration::ZERO, |slice| now.elapsed().min(2 * slice));
        self.waited += look.map_or(Duration::ZERO, |look| now.elapsed().min(2 * look));
        if ready.stderr {
            self.read_complaints();
        }
        if ready.stdout {
            self.read_inbox()?;
        }
        match self.bears {
            Some(silence) if self.silent >= silence => Err(Broken::Stuck(silence)),
            _ => self.is_over().map_or(Ok(()), |total| Err(Broken::Endless(total))),
        }
    }

    fn read_inbox(&mut self) -> Result<(), Broken> {
        let mut buffer = [0; 16 * 1024];
        match self.process.read_stdout(&mut buffer) {
            Ok(0) => self.stdout_ended = true,
            Ok(count) => {
                self.inbox.extend_from_slice(&buffer[..count]);
                self.moved += count as u64;
                self.silent = Duration::ZERO;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(self.obituary(&error.to_string())),
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
            self.silent = Duration::ZERO;
        }
        // A sign of life explains nothing.
        if buffer[..count].iter().all(|byte| *byte == b'\n') {
            return count > 0;
        }
        self.complaints.extend_from_slice(&buffer[..count]);
        let surplus = self.complaints.len().saturating_sub(KEPT_STDERR);
        self.complaints.drain(..surplus);
        count > 0
    }

    /// What a login has said that does not come to the program: stdout and stderr, cleaned, and the end of it where it is long.
    pub(crate) fn login_said(&mut self) -> String {
        let mut buffer = [0; 4 * 1024];
        while self.inbox.len() < MAX_LINE {
            match self.process.read_stdout(&mut buffer) {
                Ok(count) if count > 0 => self.inbox.extend_from_slice(&buffer[..count]),
                _ => break,
            }
        }
        let noise = self.noise.as_deref().unwrap_or_default();
        said([noise, &self.inbox, &self.complaints])
    }

    /// Says how the process ended, with the last that it complained about; a login that went no further, with all that it said.
    fn obituary(&mut self, how: &str) -> Broken {
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
            Some(Exit::Code(code)) => format!("exit code {code}"),
            Some(Exit::Signal(signal)) => format!("signal {signal}"),
            Some(Exit::Lost(why)) => why,
            None => how.to_owned(),
        };
        if self.noise.is_some() {
            let said = self.login_said();
            return Broken::Ended(if said.is_empty() { end } else { format!("{end}: {said}") });
        }
        let complaints = String::from_utf8_lossy(&self.complaints);
        let last = complaints.trim_end().lines().next_back().unwrap_or_default();
        Broken::Ended(if last.is_empty() { end } else { format!("{end}: {last}") })
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
pub(crate) enum TalkError {
    /// The link could not start bash.
    Link(Trouble),
    /// Bash started, and then this.
    Broken(Broken),
}

impl From<Broken> for TalkError {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What a wait that `cancel` may end has to poll, and how long: once raised, the alarm is always readable, so that the way to
/// the second cancellation is to look from time to time.
pub(crate) fn alarm(cancel: &Cancel, until: Option<Instant>) -> (Option<std::os::fd::BorrowedFd<'_>>, Option<Instant>) {
    use std::os::fd::AsFd;
    match cancel.urgency() {
        Urgency::None => (Some(cancel.as_fd()), until),
        Urgency::Graceful => {
            let look = Instant::now() + AFTER_CANCEL;
            (None, Some(until.map_or(look, |until| until.min(look))))
        }
        Urgency::Now => (None, until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sut::agent::link::child::ChildLink;

    #[test]
    fn one_who_only_shows_life_comes_to_an_end() {
        let script = "while echo >&2; do sleep 0.02; done";
        let command = ["bash", "-c", script].map(Into::into).to_vec();
        let mut link = ChildLink::running("it", command, None);
        let cancel = Cancel::new().unwrap();
        let patience = Patience {
            cancel: &cancel,
            known: Urgency::None,
            until: None,
        };
        let mut talk = Talk::start(&mut link, b"", &patience).unwrap_or_else(|error| panic!("{error:?}"));
        let total = Duration::from_millis(300);
        talk.bear(Some(Duration::from_mins(10)));
        talk.begin(Some(total));
        let ended = talk.reply(SHORT, &patience).unwrap_err();
        assert!(matches!(ended, Broken::Endless(after) if after == total), "{ended:?}");
    }

    #[test]
    fn what_a_login_says_is_one_line_without_control_characters_and_its_end() {
        assert_eq!(said([b"one\r\n\n \x1b[1mtwo\n", b"three"]), "one; [1mtwo; three");
        let long = "x".repeat(10 * SAID) + "end";
        let shown = said([long.as_bytes()]);
        assert!(shown.ends_with("xend") && shown.chars().count() == SAID);
    }
}
