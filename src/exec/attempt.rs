//! One attempt of one test: its wrapper's streams, its deadline, its restarts, until it is over.
//!
//! Knows a SUT, the control protocol and a directory to write into; not the scheduler, the cache or the graph. Whatever
//! happens, the attempt ends with at least one result line in its directory, and says what state the SUT is in.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::control::{
    ControlError, Deadline, Finish, InfraKind, Limits, Output, Protocol, ResultStore, Said, Status, StoreError, Summary,
};
use crate::exec::schedule::After;
use crate::sut::{Cancel, Channel, End, Job, JobKind, Sut, Trouble, TroubleKind, Urgency};

/// How long a job that was told to end may take to do so, before its streams are let go.
pub(crate) const ENDING_GRACE: Duration = Duration::from_secs(10);

/// Bytes read from a stream at once.
const BUFFER: usize = 64 * 1024;

/// Reads of one stream in a row, before the other one gets its turn.
const TURN: usize = 16;

/// What an attempt needs beside the SUT.
pub(crate) struct Attempt<'a> {
    /// The test as a job; its restart count is set here.
    pub(crate) job: Job,
    /// How long it may run.
    pub(crate) duration: Duration,
    /// Where its results go: exists and is empty.
    pub(crate) dir: &'a Path,
    /// Ends it.
    pub(crate) cancel: &'a Cancel,
    /// How long a SUT may be silent before it counts as dead.
    pub(crate) dead_after: Duration,
}

/// What an attempt ended with.
#[derive(Debug)]
pub(crate) struct Attempted {
    /// What the test, or the infrastructure, said.
    pub(crate) summary: Summary,
    /// What became of the SUT.
    pub(crate) after: SutAfter,
}

/// What an attempt left of its SUT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SutAfter {
    /// It can go on.
    Usable(After),
    /// It does not answer any more; the text says why.
    Lost(String),
}

/// Why the streams of one start of the test are not read any further.
enum Stop {
    Exited(i32),
    Disconnected,
    LossWasMeant,
    Infra(InfraKind, String),
}

/// Runs the attempt. Fails only where the host cannot write its results.
pub(crate) fn run(
    attempt: Attempt<'_>,
    sut: &mut dyn Sut,
    on_result: &mut dyn FnMut(&Status, Option<&str>),
) -> Result<Attempted, StoreError> {
    let store = ResultStore::create(attempt.dir)?;
    let mut output = store.output()?;
    let mut protocol = Protocol::new(store, Limits::default());
    let mut deadline = Deadline::new(attempt.duration, Instant::now());
    let mut job = attempt.job;
    let mut restarts = 0;
    let (finish, after) = loop {
        set_restarts(&mut job, restarts);
        let stop = match sut.start(&job) {
            Err(trouble) => Stop::Infra(kind_of(&trouble), trouble.message),
            Ok(channel) => Streams {
                protocol: &mut protocol,
                deadline: &mut deadline,
                output: &mut output,
                cancel: attempt.cancel,
                name: sut.name().to_owned(),
                reconnect: Reconnect::No,
                code: None,
                on_result,
            }
            .serve(channel)?,
        };
        match stop {
            Stop::Exited(code) => break (Finish::Exited(code), SutAfter::Usable(After::Clean)),
            Stop::Infra(kind, note) => {
                let after = after_infra(sut, kind, attempt.dead_after);
                break (Finish::Infra { kind, note }, after);
            }
            Stop::Disconnected | Stop::LossWasMeant => match sut.reopen(deadline.expires()) {
                Ok(_) => {
                    restarts += 1;
                    protocol.restart();
                }
                Err(trouble) if trouble.kind == TroubleKind::Cancelled => {
                    let note = format!("cancelled while `{}` was away", sut.name());
                    break (
                        Finish::Infra {
                            kind: InfraKind::Cancelled,
                            note,
                        },
                        SutAfter::Lost(trouble.message),
                    );
                }
                Err(trouble) => {
                    let note = format!("did not come back before the duration was over: {}", trouble.message);
                    break (
                        Finish::Infra {
                            kind: InfraKind::Timeout,
                            note,
                        },
                        SutAfter::Lost(trouble.message),
                    );
                }
            },
        }
    };
    let summary = protocol.finish(finish)?;
    for late in &summary.late {
        if let Said::Result(status, name) = late {
            on_result(status, name.as_deref());
        }
    }
    Ok(Attempted { summary, after })
}

fn set_restarts(job: &mut Job, count: u32) {
    if let JobKind::Test { restarts, .. } = &mut job.kind {
        *restarts = count;
    }
}

/// Finds out what an infrastructure failure left of the SUT.
fn after_infra(sut: &mut dyn Sut, kind: InfraKind, dead_after: Duration) -> SutAfter {
    match kind {
        InfraKind::Timeout => SutAfter::Usable(After::Tainted),
        InfraKind::Aborted => match sut.reopen(Instant::now() + dead_after) {
            Ok(_) => SutAfter::Usable(After::Tainted),
            Err(trouble) => SutAfter::Lost(trouble.message),
        },
        InfraKind::Unreachable => SutAfter::Lost(format!("`{}` cannot be reached", sut.name())),
        InfraKind::Control | InfraKind::Setup | InfraKind::Prepare | InfraKind::Cancelled => {
            SutAfter::Usable(After::Clean)
        }
    }
}

/// The kind that trouble with a SUT gives to a result.
pub(crate) fn kind_of(trouble: &Trouble) -> InfraKind {
    match trouble.kind {
        TroubleKind::Unreachable | TroubleKind::Held => InfraKind::Unreachable,
        TroubleKind::Aborted => InfraKind::Aborted,
        TroubleKind::Setup => InfraKind::Setup,
        TroubleKind::Cancelled => InfraKind::Cancelled,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reconnect {
    No,
    Once,
    Always,
}

/// Both streams of one start of the test.
struct Streams<'a> {
    protocol: &'a mut Protocol,
    deadline: &'a mut Deadline,
    output: &'a mut Output,
    cancel: &'a Cancel,
    name: String,
    reconnect: Reconnect,
    /// What the wrapper said last.
    code: Option<i32>,
    on_result: &'a mut dyn FnMut(&Status, Option<&str>),
}

/// What one turn of reading came to.
enum Turn {
    More,
    Ended,
    Disconnect,
    Violation(String),
}

impl Streams<'_> {
    /// Approach: wait for whatever comes first (bytes, the deadline, the user). Whatever ends the test early is noted in
    /// `ending`, the wrapper is told to end, and the streams are read to their end all the same, within a grace: nothing that
    /// was reported before is lost. `disconnect` alone stops at once and lets the wrapper be.
    fn serve(mut self, mut channel: Box<dyn Channel>) -> Result<Stop, StoreError> {
        let mut ending: Option<(InfraKind, String, Instant)> = None;
        let (mut control_open, mut output_open) = (true, true);
        let mut known = Urgency::None;
        let mut buffer = vec![0; BUFFER];
        while control_open || output_open {
            let until = ending
                .as_ref()
                .map_or_else(|| self.deadline.expires(), |(_, _, until)| *until);
            let ready = match channel.wait(Some(until), known) {
                Ok(ready) => ready,
                Err(trouble) => return Ok(self.broken(ending, &trouble.message)),
            };
            let mut early = None;
            if ready.output {
                output_open = copy_output(channel.as_mut(), self.output, &mut buffer)?;
            }
            if ready.control {
                match self.read_control(channel.as_mut(), &mut buffer, ending.is_some())? {
                    Turn::More => {}
                    Turn::Ended => control_open = false,
                    Turn::Disconnect => {
                        channel.detach();
                        return Ok(Stop::Disconnected);
                    }
                    Turn::Violation(note) => early = Some((InfraKind::Control, note)),
                }
            }
            if ready.cancelled {
                known = self.cancel.urgency();
                early = Some((InfraKind::Cancelled, "cancelled by the user".to_owned()));
            }
            if ready.timed_out {
                if ending.is_some() {
                    break;
                }
                early = Some((
                    InfraKind::Timeout,
                    "the test did not end within its duration".to_owned(),
                ));
            }
            if let Some((kind, note)) = early {
                channel.terminate();
                let grace = if known == Urgency::Now {
                    Duration::from_secs(1)
                } else {
                    ENDING_GRACE
                };
                let (kind, note) = ending.take().map_or((kind, note), |(kind, note, _)| (kind, note));
                ending = Some((kind, note, Instant::now() + grace));
            }
        }
        let end = if ending.is_some() {
            End::Clean
        } else {
            channel.end(Instant::now() + ENDING_GRACE)
        };
        Ok(match (ending, end) {
            (Some((kind, note, _)), _) => Stop::Infra(kind, note),
            (None, End::Broken(how)) => self.broken(None, &how),
            (None, End::Clean) => match (self.protocol.end_of_stream(), self.code) {
                (Err(ControlError::Store(error)), _) => return Err(error),
                (Err(ControlError::Violation(violation)), _) => {
                    Stop::Infra(InfraKind::Control, violation.note().to_owned())
                }
                (Ok(()), Some(code)) => Stop::Exited(code),
                (Ok(()), None) => self.broken(None, "the wrapper gave no exit code"),
            },
        })
    }

    /// The connection or the wrapper ended by itself.
    fn broken(&self, ending: Option<(InfraKind, String, Instant)>, how: &str) -> Stop {
        match (ending, self.code, self.reconnect) {
            (Some((kind, note, _)), ..) => Stop::Infra(kind, note),
            (None, Some(code), _) => Stop::Exited(code),
            (None, None, Reconnect::Once | Reconnect::Always) => Stop::LossWasMeant,
            (None, None, Reconnect::No) => {
                let note = format!("the connection to the test on `{}` ended: {how}", self.name);
                Stop::Infra(InfraKind::Aborted, note)
            }
        }
    }

    fn read_control(&mut self, channel: &mut dyn Channel, buffer: &mut [u8], ending: bool) -> Result<Turn, StoreError> {
        for _ in 0..TURN {
            let count = match channel.read_control(buffer) {
                Ok(0) => return Ok(Turn::Ended),
                Ok(count) => count,
                Err(error) if retry(&error) => break,
                Err(_) => return Ok(Turn::Ended),
            };
            let fed = self.protocol.feed(&buffer[..count]);
            while let Some(said) = self.protocol.take() {
                match said {
                    Said::ExitCode(code) => self.code = Some(code),
                    Said::Duration(change) => self.deadline.apply(change, Instant::now()),
                    Said::Disconnect => return Ok(Turn::Disconnect),
                    Said::Reconnect { always } => {
                        self.reconnect = if always { Reconnect::Always } else { Reconnect::Once };
                    }
                    Said::Noop => {}
                    Said::Result(status, name) => (self.on_result)(&status, name.as_deref()),
                }
            }
            match fed {
                Err(ControlError::Store(error)) => return Err(error),
                Err(ControlError::Violation(violation)) if !ending => {
                    return Ok(Turn::Violation(violation.note().to_owned()));
                }
                Err(ControlError::Violation(_)) | Ok(()) => {}
            }
        }
        Ok(Turn::More)
    }
}

/// Copies what the job printed so far. Returns whether more may come.
fn copy_output(channel: &mut dyn Channel, to: &mut Output, buffer: &mut [u8]) -> Result<bool, StoreError> {
    for _ in 0..TURN {
        match channel.read_output(buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => to.append(&buffer[..count])?,
            Err(error) if retry(&error) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

fn retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
