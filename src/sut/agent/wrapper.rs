//! The runner's side of a wrapper: starts it, hands it a job, and is the job's [`Channel`].
//!
//! Invariant: the wrapper lives only as long as its stdin is open, unless it was told to detach. So dropping a channel ends
//! the job.

use std::io;
use std::time::{Duration, Instant};

use crate::sut::agent::connection::{Connection, ConnectionError, StartError};
use crate::sut::agent::job_text::PackedJob;
use crate::sut::agent::link::{Interest, Link, Process, ProcessExit};
use crate::sut::agent::programs;
use crate::sut::agent::timeouts::{WaitLimits, alarm};
use crate::sut::channel::{Channel, Cut, End, Ready};
use crate::sut::{Cancel, Trouble, TroubleKind, Urgency};

/// Up to this many bytes that shells print before the marker are thrown away.
const MAX_NOISE: usize = 1 << 20;

/// How long the last word to a wrapper may take to be sent.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Why a wrapper does not run the job.
#[derive(Debug)]
pub(crate) enum JobStartError {
    /// The wrapper could not be started, or ended.
    Start(StartError),
    /// The wrapper refused the job, for this reason.
    Refused(String),
    /// The machine's disk is full; the text says for what there is no room.
    DiskFull(String),
    /// The test wants a terminal, and the program that makes one is not installed on the machine.
    NoTerminal,
}

impl From<StartError> for JobStartError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<ConnectionError> for JobStartError {
    fn from(error: ConnectionError) -> Self {
        Self::Start(StartError::Connection(error))
    }
}

/// A wrapper that waits for its job. It holds nothing on the machine, and ends by itself if no job comes within a minute.
pub(crate) struct Wrapper {
    connection: Connection,
    marker: String,
    /// The secret word by which the wrapper proves that it is the one who speaks; empty as long as there is no job.
    seal: String,
    /// Whether the wrapper has started, so that the login prints no more.
    is_there: bool,
}

impl Wrapper {
    /// Starts a wrapper, and waits for nothing.
    pub(crate) fn launch(link: &mut dyn Link, marker: String, limits: &WaitLimits<'_>) -> Result<Self, StartError> {
        let connection = Connection::start(link, &programs::opening(programs::WRAPPER, &marker), limits)?;
        Ok(Self {
            connection,
            marker,
            seal: String::new(),
            is_there: false,
        })
    }

    /// Returns whether the wrapper has ended and can take no job, as far as is known.
    pub(crate) fn is_gone(&mut self) -> bool {
        self.connection.ended()
    }

    /// Hands a job to the wrapper, and waits for nothing. `heartbeat` is the longest silence of the runner that it must bear.
    pub(crate) fn hand(
        &mut self,
        job: &PackedJob,
        heartbeat: Option<Duration>,
        limits: &WaitLimits<'_>,
    ) -> Result<(), ConnectionError> {
        self.seal = seal()?;
        self.connection.send(&job.message(&self.seal, heartbeat), limits)
    }

    /// Waits until the wrapper has said that it starts its job. After [`ConnectionError::TimedOut`] this may be called again.
    pub(crate) fn until_started(&mut self, limits: &WaitLimits<'_>) -> Result<(), JobStartError> {
        if !self.is_there {
            self.connection.skip_login_output(&self.marker, limits)?;
            self.is_there = true;
        }
        let word = String::from_utf8_lossy(&self.connection.read_line(limits)?).into_owned();
        Err(match word.split_once(' ') {
            None if word == "started" => return Ok(()),
            Some(("refused", why)) => JobStartError::Refused(why.to_owned()),
            Some(("full", why)) => JobStartError::DiskFull(why.to_owned()),
            Some(("no-terminal", _)) => JobStartError::NoTerminal,
            _ => ConnectionError::Nonsense(format!("the wrapper said `{word}`")).into(),
        })
    }

    /// Returns the job that the wrapper has started.
    pub(crate) fn into_job(self, heartbeat: Option<Duration>, cancel: Cancel) -> WrappedJob {
        let pause = heartbeat.map(|silence| silence / 3);
        WrappedJob::new(self.connection, (&self.marker, self.seal), cancel, pause)
    }
}

/// Returns a word that nobody can guess. Unlike a marker, it is worthless without random numbers, so their lack is an error.
fn seal() -> Result<String, ConnectionError> {
    let mut random = [0; 16];
    let without = |error| ConnectionError::Nonsense(format!("this machine gives no random numbers: {error}"));
    getrandom::fill(&mut random).map_err(without)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(random)))
}

/// A job under its wrapper.
pub(crate) struct WrappedJob {
    process: Box<dyn Process>,
    cancel: Cancel,
    seal: String,
    /// Control bytes that came together with the wrapper's greeting.
    control: Leftover,
    /// Output that came together with the wrapper's greeting.
    output: Leftover,
    /// The line before which output is not the job's; empty once it was seen.
    marker: Vec<u8>,
    control_ended: bool,
    output_ended: bool,
    /// Words to the wrapper that it has not accepted yet.
    words: Vec<u8>,
    heartbeat: Option<Duration>,
    next_beat: Option<Instant>,
}

/// Bytes that were read before anybody asked for them.
#[derive(Default)]
struct Leftover {
    bytes: Vec<u8>,
    taken: usize,
}

impl Leftover {
    fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.bytes.len() - self.taken);
        buffer[..count].copy_from_slice(&self.bytes[self.taken..self.taken + count]);
        self.taken += count;
        if self.is_empty() {
            *self = Self::default();
        }
        count
    }
}

impl WrappedJob {
    fn new(
        connection: Connection,
        (marker, seal): (&str, String),
        cancel: Cancel,
        heartbeat: Option<Duration>,
    ) -> Self {
        let (process, control, output) = connection.into_parts();
        let mut job = Self {
            process,
            cancel,
            seal,
            control: Leftover {
                bytes: control,
                taken: 0,
            },
            output: Leftover {
                bytes: output,
                taken: 0,
            },
            marker: format!("{marker}\n").into_bytes(),
            control_ended: false,
            output_ended: false,
            words: Vec::new(),
            heartbeat,
            next_beat: heartbeat.map(|pause| Instant::now() + pause),
        };
        job.drop_noise(false);
        job
    }

    /// Throws away what the login shell printed, once the marker was seen. `ended` means that the marker will not come any
    /// more.
    fn drop_noise(&mut self, ended: bool) {
        if self.marker.is_empty() {
            return;
        }
        let bytes = &mut self.output.bytes;
        if let Some(at) = bytes
            .windows(self.marker.len())
            .position(|window| window == self.marker)
        {
            bytes.drain(..at + self.marker.len());
            self.marker.clear();
        } else if ended || bytes.len() > MAX_NOISE {
            self.marker.clear();
        }
    }

    /// Sends the words that wait, as far as they are accepted.
    fn push_words(&mut self) {
        while !self.words.is_empty() {
            match self.process.write(&self.words) {
                Ok(count) => drop(self.words.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_gone) => self.words.clear(),
            }
        }
    }

    /// Gives a sign of life if one is due. A runner that has much to read never waits, so this is called on reads too.
    fn tend(&mut self) {
        if self.next_beat.is_some() {
            self.beat();
            self.push_words();
        }
    }

    fn beat(&mut self) {
        if let (Some(pause), Some(due)) = (self.heartbeat, self.next_beat)
            && Instant::now() >= due
        {
            // One waiting sign is as good as many.
            if self.words.is_empty() {
                self.words.push(b'\n');
            }
            self.next_beat = Some(Instant::now() + pause);
        }
    }

    fn read_noisy(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let count = self.process.read_stderr(&mut buffer)?;
        self.output.bytes.extend_from_slice(&buffer[..count]);
        self.output_ended |= count == 0;
        self.drop_noise(count == 0);
        Ok(())
    }
}

impl Channel for WrappedJob {
    fn wait(&mut self, until: Option<Instant>, known: Urgency) -> Result<Ready, Trouble> {
        loop {
            let mut ready = Ready {
                control: !self.control.is_empty(),
                output: self.marker.is_empty() && !self.output.is_empty(),
                cancelled: self.cancel.urgency() > known,
                timed_out: until.is_some_and(|until| Instant::now() >= until),
            };
            if ready != Ready::default() {
                return Ok(ready);
            }
            self.beat();
            self.push_words();
            let interest = Interest {
                stdin: !self.words.is_empty(),
                stdout: !self.control_ended,
                stderr: !self.output_ended,
            };
            let earliest = until.into_iter().chain(self.next_beat).min();
            let (alarm, earliest) = alarm(&self.cancel, earliest);
            let stirred = self
                .process
                .wait(interest, earliest, alarm)
                .map_err(|error| Trouble::new(TroubleKind::Aborted, format!("cannot wait for the wrapper: {error}")))?;
            ready.control = stirred.stdout;
            ready.output = stirred.stderr;
            if ready.control || ready.output || (self.control_ended && self.output_ended) {
                return Ok(ready);
            }
        }
    }

    fn seal(&self) -> &str {
        &self.seal
    }

    fn read_control(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tend();
        if !self.control.is_empty() {
            return Ok(self.control.take(buffer));
        }
        if self.control_ended {
            return Ok(0);
        }
        let count = self.process.read_stdout(buffer)?;
        self.control_ended = count == 0;
        Ok(count)
    }

    fn read_output(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tend();
        while !self.marker.is_empty() {
            self.read_noisy()?;
        }
        if !self.output.is_empty() {
            return Ok(self.output.take(buffer));
        }
        if self.output_ended {
            return Ok(0);
        }
        let count = self.process.read_stderr(buffer)?;
        self.output_ended = count == 0;
        Ok(count)
    }

    fn terminate(&mut self, why: Cut) {
        self.words.extend_from_slice(match why {
            Cut::Wanted => b"terminate\n",
            Cut::Overdue => b"overdue\n",
        });
        self.push_words();
    }

    fn detach(mut self: Box<Self>) {
        self.words.extend_from_slice(b"detach\n");
        let until = Instant::now() + LAST_WORD;
        self.push_words();
        while !self.words.is_empty() && Instant::now() < until {
            let interest = Interest {
                stdin: true,
                ..Interest::default()
            };
            if self.process.wait(interest, Some(until), None).is_err() {
                break;
            }
            self.push_words();
        }
        self.process.close();
    }

    fn end(&mut self, until: Instant) -> End {
        loop {
            match self.process.exit() {
                Some(ProcessExit::Code(0)) => return End::Clean,
                Some(ProcessExit::Code(code)) => {
                    return End::Broken(format!("the wrapper ended with exit code {code}"));
                }
                Some(ProcessExit::Signal(signal)) => {
                    return End::Broken(format!("the wrapper was ended by signal {signal}"));
                }
                Some(ProcessExit::Lost(why)) => return End::Broken(format!("the connection ended ({why})")),
                None if Instant::now() >= until => return End::Broken("the wrapper does not end".to_owned()),
                None => {}
            }
            if let Err(error) = self.process.wait(Interest::default(), Some(until), None) {
                return End::Broken(format!("cannot wait for the wrapper: {error}"));
            }
        }
    }
}
