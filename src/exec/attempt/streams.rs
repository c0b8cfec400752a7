//! Reads the two streams of one start of a test, output and control, as bytes come, until the test ends or is ended.

use std::io;
use std::time::{Duration, Instant};

use crate::control::{ControlError, ControlMessage, Deadline, InfraKind, Protocol, Status, StoreError, TestOutput};
use crate::sut::{Cancel, Channel, Cut, End, Urgency};

/// How long a job may take to end after it was told to, before its streams are closed.
pub(crate) const ENDING_GRACE: Duration = Duration::from_secs(10);

/// The same limit after the user asked for an end at once.
pub(crate) const HURRIED_GRACE: Duration = Duration::from_secs(1);

/// How many bytes are read from a stream at once.
const BUFFER: usize = 64 * 1024;

/// How many reads of one stream are made in a row before the other one gets its turn.
const TURN: usize = 16;

/// How the streams of one start of the test ended.
pub(crate) enum StreamsEnd {
    /// The test ended by itself.
    Exited(i32),
    /// The test said `disconnect`.
    Disconnected,
    /// The connection ended after the test had said `reconnect`.
    LossWasMeant,
    /// The infrastructure ended it, or it broke the protocol.
    Infra(InfraKind, String),
}

/// Which losses of the connection the test announced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reconnect {
    No,
    Once,
    Always,
}

/// Both streams of one start of the test.
pub(crate) struct Streams<'a> {
    pub(crate) protocol: &'a mut Protocol,
    pub(crate) deadline: &'a mut Deadline,
    pub(crate) output: &'a mut TestOutput,
    pub(crate) cancel: &'a Cancel,
    pub(crate) name: String,
    /// Whether the wrapper reported that something is mounted below the trees.
    pub(crate) mounted: &'a mut bool,
    /// What the test announced, which outlives this start of the test.
    pub(crate) reconnect: &'a mut Reconnect,
    /// The exit code that the wrapper reported.
    pub(crate) code: Option<i32>,
    pub(crate) on_result: &'a mut dyn FnMut(&Status, Option<&str>),
}

/// The result of one turn of reading.
enum Turn {
    More,
    Ended,
    Disconnect,
    Violation(String),
}

impl Streams<'_> {
    /// Approach: wait for whatever comes first (bytes, the deadline, the user). If something ends the test early, it is noted in
    /// `ending` and the wrapper is told to end. The streams are still read to their end, for a limited time, so that nothing reported
    /// before is lost. Only `disconnect` stops at once and leaves the wrapper alone. If the host cannot write what the test
    /// reports, the test is ended in the same way, and nothing more of it is kept.
    pub(crate) fn serve(mut self, mut channel: Box<dyn Channel>) -> Result<StreamsEnd, StoreError> {
        self.protocol.expect_seal(channel.seal());
        let mut ending: Option<(InfraKind, String, Instant)> = None;
        let (mut control_open, mut output_open) = (true, true);
        let mut known = Urgency::None;
        let mut buffer = vec![0; BUFFER];
        let mut unwritten = None;
        while control_open || output_open {
            let until = ending
                .as_ref()
                .map_or_else(|| self.deadline.expires(), |(_, _, until)| *until);
            let ready = match channel.wait(Some(until), known) {
                Ok(ready) => ready,
                Err(trouble) => return unwritten.map_or_else(|| Ok(self.broken(ending, &trouble.message)), Err),
            };
            let mut early = None;
            if unwritten.is_some() {
                output_open &= !ready.output || discard(|buffer| channel.read_output(buffer), &mut buffer);
                control_open &= !ready.control || discard(|buffer| channel.read_control(buffer), &mut buffer);
            } else if ready.output {
                output_open = copy_output(channel.as_mut(), self.output, &mut buffer).unwrap_or_else(|error| {
                    unwritten = Some(error);
                    true
                });
            }
            if ready.control && unwritten.is_none() {
                let turn = self.read_control(channel.as_mut(), &mut buffer, ending.is_some());
                match turn.unwrap_or_else(|error| {
                    unwritten = Some(error);
                    Turn::More
                }) {
                    Turn::More => {}
                    Turn::Ended => control_open = false,
                    Turn::Disconnect => {
                        // The output printed before has arrived already, and nobody reads it later.
                        let copied = copy_output(channel.as_mut(), self.output, &mut buffer);
                        if *self.reconnect == Reconnect::Once {
                            *self.reconnect = Reconnect::No;
                        }
                        channel.detach();
                        return copied.map(|_| StreamsEnd::Disconnected);
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
            if let Some(error) = unwritten.as_ref().filter(|_| ending.is_none()) {
                early = Some((InfraKind::Aborted, error.to_string()));
            }
            if let Some((kind, note)) = early {
                channel.terminate(if kind == InfraKind::Timeout {
                    Cut::Overdue
                } else {
                    Cut::Wanted
                });
                let grace = if known == Urgency::Now {
                    HURRIED_GRACE
                } else {
                    ENDING_GRACE
                };
                let (kind, note) = ending.take().map_or((kind, note), |(kind, note, _)| (kind, note));
                ending = Some((kind, note, Instant::now() + grace));
            }
        }
        if let Some(error) = unwritten {
            return Err(error);
        }
        let end = if ending.is_some() {
            End::Clean
        } else {
            channel.end(Instant::now() + ENDING_GRACE)
        };
        Ok(match (ending, end) {
            (Some((kind, note, _)), _) => StreamsEnd::Infra(kind, note),
            (None, End::Broken(how)) => self.broken(None, &how),
            (None, End::Clean) => match (self.protocol.end_of_stream(), self.code) {
                (Err(ControlError::Store(error)), _) => return Err(error),
                (Err(ControlError::Violation(violation)), _) => {
                    StreamsEnd::Infra(InfraKind::Control, violation.note().to_owned())
                }
                (Ok(()), Some(code)) => StreamsEnd::Exited(code),
                // The wrapper writes last, so its line was taken for a part of the result that the test had announced.
                (Ok(()), None) => StreamsEnd::Infra(
                    InfraKind::Control,
                    "the stream ended before the end of the last result that the test announced".to_owned(),
                ),
            },
        })
    }

    /// Decides how the start ended when the connection or the wrapper ended by itself.
    fn broken(&mut self, ending: Option<(InfraKind, String, Instant)>, how: &str) -> StreamsEnd {
        match (ending, self.code, *self.reconnect) {
            (Some((kind, note, _)), ..) => StreamsEnd::Infra(kind, note),
            (None, Some(code), _) => StreamsEnd::Exited(code),
            (None, None, Reconnect::Always) => StreamsEnd::LossWasMeant,
            (None, None, Reconnect::Once) => {
                *self.reconnect = Reconnect::No;
                StreamsEnd::LossWasMeant
            }
            (None, None, Reconnect::No) => {
                let note = format!("`{}`: {how}", self.name);
                StreamsEnd::Infra(InfraKind::Aborted, note)
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
                    ControlMessage::ExitCode(code) => self.code = Some(code),
                    ControlMessage::Duration(change) => self.deadline.apply(change, Instant::now()),
                    // A test that is being ended is not started again, and nothing more is read of it.
                    ControlMessage::Disconnect if ending => return Ok(Turn::More),
                    ControlMessage::Disconnect => return Ok(Turn::Disconnect),
                    ControlMessage::Reconnect { always } => {
                        *self.reconnect = match (always, *self.reconnect) {
                            (false, Reconnect::No | Reconnect::Once) => Reconnect::Once,
                            (true, _) | (_, Reconnect::Always) => Reconnect::Always,
                        };
                    }
                    ControlMessage::Mounted => *self.mounted = true,
                    ControlMessage::Noop => {}
                    ControlMessage::Result(status, name) => (self.on_result)(&status, name.as_deref()),
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
fn copy_output(channel: &mut dyn Channel, to: &mut TestOutput, buffer: &mut [u8]) -> Result<bool, StoreError> {
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

/// Reads and drops what has arrived on a stream. Returns whether more may come.
fn discard(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>, buffer: &mut [u8]) -> bool {
    for _ in 0..TURN {
        match read(buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return retry(&error),
        }
    }
    true
}

fn retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
