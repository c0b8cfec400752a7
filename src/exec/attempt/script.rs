//! Runs one script on a SUT until it ends or is ended. It is a part of a prepare or finish step, or a package transaction.

use std::io;
use std::time::{Duration, Instant};

use crate::control::InfraKind;
use crate::exec::attempt::kind_of;
use crate::exec::attempt::log::NodeLog;
use crate::exec::attempt::streams::{ENDING_GRACE, HURRIED_GRACE};
use crate::sut::{Cancel, Channel, Cut, End, Job, Sut, Trouble, Urgency};

/// How long a prepare or finish script may run.
pub(crate) const SCRIPT_DURATION: Duration = Duration::from_hours(24);

/// The longest line that is read, in bytes; the wrapper's `exitcode N SEAL` is shorter.
const SAID: usize = 256;

/// How a script ended.
#[derive(Debug)]
pub(crate) enum ScriptEnd {
    /// It exited by itself with this code.
    Exited(i32),
    /// The infrastructure ended it, or lost it.
    Infra(InfraKind, String),
}

impl ScriptEnd {
    /// Returns what went wrong, if something did.
    pub(crate) fn failure(&self) -> Option<String> {
        match self {
            Self::Exited(0) => None,
            Self::Exited(code) => Some(format!("exited with {code}")),
            Self::Infra(_, note) => Some(note.clone()),
        }
    }
}

/// Runs a script and writes what it prints to the log. A cancellation ends the script if it is more urgent than `borne`. This fails only
/// if the host cannot write the log.
pub(crate) fn run(
    sut: &mut dyn Sut,
    job: &Job,
    cancel: &Cancel,
    borne: Urgency,
    log: &mut NodeLog<'_>,
) -> io::Result<ScriptEnd> {
    match sut.start(job) {
        Err(trouble) => Ok(ScriptEnd::Infra(kind_of(&trouble), trouble.with_advice())),
        Ok(channel) => {
            let ran = serve(channel, cancel, borne, log);
            log.end_script()?;
            ran
        }
    }
}

/// Approach: this works as for a test, but only the wrapper writes to the control stream. A script could find the descriptor and
/// write to it, but its lines do not have the seal and are ignored.
fn serve(
    mut channel: Box<dyn Channel>,
    cancel: &Cancel,
    borne: Urgency,
    log: &mut NodeLog<'_>,
) -> io::Result<ScriptEnd> {
    let mut until = Instant::now() + SCRIPT_DURATION;
    let mut ending = None;
    let mut known = borne;
    let (mut control_open, mut output_open) = (true, true);
    let mut word = Word::new(channel.seal());
    let mut buffer = vec![0; 64 * 1024];
    while control_open || output_open {
        let ready = match channel.wait(Some(until), known) {
            Ok(ready) => ready,
            Err(trouble) => return Ok(ending.unwrap_or_else(|| aborted(&trouble))),
        };
        if ready.output {
            output_open = read(
                |buffer| channel.read_output(buffer),
                &mut buffer,
                |bytes| log.write(bytes),
            )?;
        }
        if ready.control {
            control_open = read(
                |buffer| channel.read_control(buffer),
                &mut buffer,
                |bytes| {
                    word.hear(bytes);
                    Ok(())
                },
            )?;
        }
        if ready.timed_out && ending.is_some() {
            break;
        }
        if ready.timed_out || ready.cancelled {
            known = cancel.urgency();
            channel.terminate(if ready.cancelled { Cut::Wanted } else { Cut::Overdue });
            let grace = if known == Urgency::Now {
                HURRIED_GRACE
            } else {
                ENDING_GRACE
            };
            until = Instant::now() + grace;
            ending.get_or_insert_with(|| {
                if ready.cancelled {
                    ScriptEnd::Infra(InfraKind::Cancelled, "cancelled by the user".to_owned())
                } else {
                    ScriptEnd::Infra(InfraKind::Timeout, "the script did not end within a day".to_owned())
                }
            });
        }
    }
    if let Some(ending) = ending {
        return Ok(ending);
    }
    Ok(match (word.code, channel.end(Instant::now() + ENDING_GRACE)) {
        (Some(code), _) => ScriptEnd::Exited(code),
        (None, End::Broken(how)) => ScriptEnd::Infra(InfraKind::Aborted, how),
        (None, End::Clean) => ScriptEnd::Infra(InfraKind::Aborted, "the wrapper gave no exit code".to_owned()),
    })
}

/// Reads until nothing is left at the moment. Returns whether more may come.
fn read(
    mut from: impl FnMut(&mut [u8]) -> io::Result<usize>,
    buffer: &mut [u8],
    mut to: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<bool> {
    loop {
        match from(buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => to(&buffer[..count])?,
            Err(error) => {
                return Ok(matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ));
            }
        }
    }
}

/// Finds the wrapper's line with the exit code in everything that is written to the control stream.
struct Word {
    seal: String,
    /// The beginning of a line that is not complete yet.
    line: Vec<u8>,
    code: Option<i32>,
}

impl Word {
    fn new(seal: &str) -> Self {
        let (seal, line, code) = (seal.to_owned(), Vec::new(), None);
        Self { seal, line, code }
    }

    fn hear(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = SAID.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.code = self.code.or_else(|| self.said_by_line());
                self.line.clear();
            }
        }
    }

    fn said_by_line(&self) -> Option<i32> {
        let said = std::str::from_utf8(&self.line).ok()?.strip_prefix("exitcode ")?;
        said.strip_suffix(&self.seal)?.trim_end().parse().ok()
    }
}

fn aborted(trouble: &Trouble) -> ScriptEnd {
    ScriptEnd::Infra(InfraKind::Aborted, trouble.message.clone())
}
