//! The parser of one test's control stream, from its bytes to stored results.
//!
//! Approach: a state says what the next bytes are: a control line, the JSON of a result, or the bytes of a file. Each
//! state takes what it can from the chunk at hand. It uses the chunk directly if all is there, and collects the bytes
//! otherwise, so the result does not depend on the chunks. Lines of `results.jsonl` that become final in one chunk
//! are written when the chunk is used up, also if it ends in a violation.
//!
//! Where the protocol leaves room:
//! * What follows `disconnect` is not read, because the runner has let go. [`Protocol::restart`] starts a new stream.
//! * `exitcode` counts if it carries the wrapper's seal, and then nothing that follows is read, because the wrapper
//!   writes last. An `exitcode` without the seal comes from the test and has no effect.
//! * A last line without its newline is a violation.

use std::collections::VecDeque;

use super::limits::Limits;
use super::line::ControlLine;
use super::result::merge::Partials;
use super::result::summary::StatusTally;
use super::result::{Announced, MemberValue, SentResult, push_line, push_members, testout_path};
use super::store::UploadedFile;
use super::violation::{ControlError, Violation};
use super::{DurationChange, ResultStore, Status, json};

/// The capacity that is kept of a buffer that one result made grow, and of a queue that one chunk made grow. It is
/// small because a thousand tests at once each have such a buffer and queue.
const KEPT_BUFFER: usize = 16 << 10;
const KEPT_SAID: usize = 64;

/// A message of the test, or of its wrapper, to the executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlMessage {
    /// The wrapper says that the test ended with this exit code.
    ExitCode(i32),
    /// Something is mounted below the machine's trees that was not when the test began.
    Mounted,
    /// The deadline changes. The change is to be applied at the moment it is read.
    Duration(DurationChange),
    /// The connection will end on purpose. The executor lets go of the channel now, and nothing more is read before
    /// `restart`.
    Disconnect,
    /// The connection will be lost on purpose. The channel stays open until then.
    Reconnect {
        /// Whether each later loss is on purpose, too.
        always: bool,
    },
    /// Nothing is asked for.
    Noop,
    /// A result is final. It has a status and, unless it is for the test itself, a subtest.
    Result(Status, Option<String>),
}

/// The parser of a test's control stream, over all restarts of the test.
#[derive(Debug)]
pub struct Protocol {
    pub(super) store: ResultStore,
    limits: Limits,
    state: State,
    /// The beginning of a line or of a JSON whose rest has not come yet.
    held: Vec<u8>,
    pub(super) partials: Partials,
    pub(super) said: VecDeque<ControlMessage>,
    exit_code: Option<i32>,
    /// The seal at the end of the wrapper's lines. It is empty if nobody else writes to the stream.
    seal: String,
    /// A remark of the runner about the test's end.
    pub(super) remark: Option<String>,
    pub(super) ended: FinalResults,
    broken: Option<ControlError>,
}

/// What is known of the final results.
#[derive(Debug, Default)]
pub(super) struct FinalResults {
    pub(super) tally: StatusTally,
    /// Whether the test gave a final result for itself.
    pub(super) nameless: bool,
    /// The note of the last such result.
    pub(super) note: String,
}

/// What the next bytes are.
#[derive(Debug)]
enum State {
    Line,
    Json {
        length: usize,
    },
    Files(Upload),
    /// They are ignored, because the runner has let go.
    LetGo,
}

/// A result whose files are being received.
#[derive(Debug)]
struct Upload {
    json: Vec<u8>,
    coming: std::vec::IntoIter<Announced>,
    file: UploadedFile,
    missing: u64,
}

impl Protocol {
    /// Makes a parser that stores into `store`.
    pub fn new(store: ResultStore, limits: Limits) -> Self {
        Self {
            store,
            limits,
            state: State::Line,
            held: Vec::new(),
            partials: Partials::new(limits.open),
            said: VecDeque::new(),
            exit_code: None,
            seal: String::new(),
            remark: None,
            ended: FinalResults::default(),
            broken: None,
        }
    }

    /// Sets the seal at the end of the wrapper's lines in the stream that begins now.
    pub fn expect_seal(&mut self, seal: &str) {
        seal.clone_into(&mut self.seal);
    }

    /// Adds a remark of the runner to the note of the summary, and to the note of the test's own result if that is
    /// not stored yet.
    pub fn remark(&mut self, text: &str) {
        self.remark = Some(text.to_owned());
    }

    /// Takes the next bytes of the stream, in chunks of any size. After an error, each call returns that error again;
    /// `finish` stores what was said before it.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), ControlError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let consumed = self.consume(bytes);
        let stored = self.store.flush().map_err(ControlError::from);
        self.remember(consumed.and(stored))
    }

    /// Returns the next message for the executor, in order. The executor calls this after each `feed`, also after one
    /// that failed, until nothing is left.
    pub fn take(&mut self) -> Option<ControlMessage> {
        let said = self.said.pop_front();
        if said.is_none() {
            self.said.shrink_to(KEPT_SAID);
        }
        said
    }

    /// Returns the exit code that was said since the last restart.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// Takes note that the stream has ended. An end in the middle of a line, a JSON or a file is a violation.
    ///
    /// This is for a stream that the test ended. If the connection ended instead, the test did not break off, so
    /// `restart` or `finish` is called without this.
    pub fn end_of_stream(&mut self) -> Result<(), ControlError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let violation = match &self.state {
            State::LetGo => return Ok(()),
            State::Line if self.held.is_empty() => return Ok(()),
            State::Line => Violation::at("the stream ended in the middle of a control line", &self.held),
            State::Json { length } => {
                let missing = length - self.held.len();
                Violation::at(
                    format!("the stream ended {missing} bytes before the end of the JSON of a result"),
                    &self.held,
                )
            }
            State::Files(upload) => {
                let Upload {
                    file, missing, json, ..
                } = upload;
                let path = &file.path;
                Violation::at(
                    format!("the stream ended {missing} bytes before the end of the file `{path}` of the result"),
                    json,
                )
            }
        };
        self.remember(Err(violation.into()))
    }

    /// Begins a new stream after the test was started again. Results stay, also open ones; the exit code is
    /// forgotten.
    pub fn restart(&mut self) {
        self.leave_upload();
        self.state = State::Line;
        self.held.clear();
        self.exit_code = None;
    }

    fn consume(&mut self, mut bytes: &[u8]) -> Result<(), ControlError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Line => self.take_line(&mut bytes)?,
                State::Json { length } => {
                    let length = *length;
                    self.take_json(length, &mut bytes)?;
                }
                State::Files(upload) => {
                    let length = usize::try_from(upload.missing).unwrap_or(usize::MAX).min(bytes.len());
                    let (now, rest) = bytes.split_at(length);
                    self.store.append(&mut upload.file, now)?;
                    upload.missing -= now.len() as u64;
                    bytes = rest;
                    if upload.missing == 0 {
                        self.next_file()?;
                    }
                }
                State::LetGo => return Ok(()),
            }
        }
        Ok(())
    }

    fn take_line(&mut self, bytes: &mut &[u8]) -> Result<(), ControlError> {
        let room = self.limits.line.saturating_sub(self.held.len());
        let window = &bytes[..bytes.len().min(room)];
        let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
            self.held.extend_from_slice(window);
            if window.len() == room {
                let what = format!("control line is longer than {} bytes", self.limits.line);
                return Err(Violation::at(what, &self.held).into());
            }
            *bytes = &[];
            return Ok(());
        };
        let line = &window[..end];
        *bytes = &bytes[end + 1..];
        let command = if self.held.is_empty() {
            ControlLine::parse(line, &self.seal)
        } else {
            self.held.extend_from_slice(line);
            let command = ControlLine::parse(&self.held, &self.seal);
            self.held.clear();
            command
        };
        self.obey(command?)
    }

    fn obey(&mut self, command: ControlLine) -> Result<(), ControlError> {
        let said = match command {
            ControlLine::Result(length) => {
                let limit = self.limits.json;
                let length = length
                    .filter(|length| *length <= limit)
                    .ok_or_else(|| Violation::new(format!("the JSON of a result is longer than {limit} bytes")))?;
                self.state = State::Json { length };
                // An empty JSON is taken here, because no further byte may come at which it could be noticed.
                return if length == 0 {
                    self.take_json(0, &mut &[][..])
                } else {
                    Ok(())
                };
            }
            ControlLine::ExitCode(code) => {
                self.exit_code = Some(code);
                if !self.seal.is_empty() {
                    self.state = State::LetGo;
                }
                ControlMessage::ExitCode(code)
            }
            ControlLine::Claim => return Ok(()),
            ControlLine::Mounted => ControlMessage::Mounted,
            ControlLine::Duration(change) => ControlMessage::Duration(change),
            ControlLine::Disconnect => {
                self.state = State::LetGo;
                ControlMessage::Disconnect
            }
            ControlLine::Reconnect { always } => ControlMessage::Reconnect { always },
            ControlLine::Noop => ControlMessage::Noop,
        };
        self.said.push_back(said);
        Ok(())
    }

    fn take_json(&mut self, length: usize, bytes: &mut &[u8]) -> Result<(), ControlError> {
        let (now, rest) = bytes.split_at(bytes.len().min(length - self.held.len()));
        *bytes = rest;
        if now.len() == length {
            return self.take_result(now);
        }
        self.held.extend_from_slice(now);
        if self.held.len() < length {
            return Ok(());
        }
        let mut json = std::mem::take(&mut self.held);
        self.take_result(&json)?;
        json.clear();
        json.shrink_to(KEPT_BUFFER);
        self.held = json;
        Ok(())
    }

    fn take_result(&mut self, json: &[u8]) -> Result<(), ControlError> {
        self.state = State::Line;
        let replaced = json::without_lone_surrogates(json);
        let json = replaced.as_deref().unwrap_or(json);
        let masked = std::str::from_utf8(json)
            .ok()
            .and_then(|json| self.store.mask().result(json));
        let json = masked.as_deref().map_or(json, str::as_bytes);
        let report = SentResult::parse(json, &self.limits)?;
        if !matches!(&report.files, MemberValue::Given(files) if !files.is_empty()) {
            return self.complete(&report);
        }
        self.start_upload(json.to_vec(), report.take_files().into_iter())
    }

    /// Goes to the first file that has bytes to come. If there is none, the result is complete.
    fn start_upload(&mut self, json: Vec<u8>, mut coming: std::vec::IntoIter<Announced>) -> Result<(), ControlError> {
        for Announced { path, length, .. } in coming.by_ref() {
            let file = self.store.open_file(path)?;
            if length > 0 {
                self.state = State::Files(Upload {
                    json,
                    coming,
                    file,
                    missing: length,
                });
                return Ok(());
            }
            self.store.close_file(file);
        }
        let report = SentResult::parse(&json, &self.limits)?;
        self.complete(&report)
    }

    /// Closes the file whose end will not come.
    pub(super) fn leave_upload(&mut self) {
        if let State::Files(upload) = std::mem::replace(&mut self.state, State::LetGo) {
            self.store.close_file(upload.file);
        }
    }

    fn next_file(&mut self) -> Result<(), ControlError> {
        match std::mem::replace(&mut self.state, State::Line) {
            State::Files(upload) => {
                self.store.close_file(upload.file);
                self.start_upload(upload.json, upload.coming)
            }
            State::Line | State::Json { .. } | State::LetGo => Ok(()),
        }
    }

    /// Keeps or stores a result after all its files have come.
    fn complete(&mut self, report: &SentResult<'_>) -> Result<(), ControlError> {
        if report.partial {
            return Ok(self.partials.keep(report)?);
        }
        let name = report.name.as_deref();
        if let Some(mut merged) = self.partials.complete(report)? {
            self.link_testout(name, merged.testout())?;
            self.store.line(|out| merged.push_line(out))?;
            self.note_final(merged.status(), name, || merged.note());
            return Ok(());
        }
        let testout = match &report.testout {
            MemberValue::Given(testout) => Some(testout.as_str()),
            MemberValue::Absent | MemberValue::Null => None,
        };
        self.link_testout(name, testout)?;
        let files = match &report.files {
            MemberValue::Given(files) => Some(sorted_names(files)),
            MemberValue::Absent | MemberValue::Null => None,
        };
        self.store.line(|out| {
            push_line(
                out,
                |out| push_members(out, &report.members),
                testout,
                files.map(Vec::into_iter),
            );
        })?;
        self.note_final(report.status.clone(), name, || {
            report.note().map(std::borrow::Cow::into_owned)
        });
        Ok(())
    }

    pub(super) fn link_testout(&mut self, subtest: Option<&str>, testout: Option<&str>) -> Result<(), ControlError> {
        let Some(testout) = testout else {
            return Ok(());
        };
        self.store.link_output(&testout_path(subtest, testout)?)
    }

    pub(super) fn note_final(&mut self, status: Status, name: Option<&str>, note: impl FnOnce() -> Option<String>) {
        self.ended.tally.count(&status);
        if name.is_none() {
            self.ended.nameless = true;
            self.ended.note = note().unwrap_or_default();
        }
        self.said
            .push_back(ControlMessage::Result(status, name.map(str::to_owned)));
    }

    fn remember(&mut self, outcome: Result<(), ControlError>) -> Result<(), ControlError> {
        if let Err(error) = &outcome {
            self.broken = Some(error.clone());
        }
        outcome
    }
}

fn sorted_names(files: &[Announced]) -> Vec<&str> {
    let mut names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
