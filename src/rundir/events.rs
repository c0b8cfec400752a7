//! Writes and reads `events.jsonl`, which has one event on each line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::lines::{Line, LineReader};
use super::{EVENTS, ReadError};
use crate::event::Stamped;

/// The most bytes that wait to be written.
const BUFFER: usize = 64 * 1024;

/// Writes events as lines.
///
/// A line is written when its event comes. Only lines of events that come in great numbers ([`is_one_of_many`](crate::event::Event::is_one_of_many)) wait for
/// the next other event, or for [`EventWriter::flush`].
#[derive(Debug)]
pub struct EventWriter<W: Write> {
    out: io::BufWriter<W>,
}

impl EventWriter<File> {
    /// Creates the `events.jsonl` of a run, which must not exist yet.
    pub fn create(run: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(run.join(EVENTS))?;
        Ok(Self::new(file))
    }

    /// Makes sure that everything written survives a crash of the host.
    pub fn sync(&self) -> io::Result<()> {
        self.out.get_ref().sync_data()
    }
}

impl<W: Write> EventWriter<W> {
    /// Makes a writer that writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out: io::BufWriter::with_capacity(BUFFER, out),
        }
    }

    /// Writes an event.
    pub fn write(&mut self, event: &Stamped) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, event)?;
        self.out.write_all(b"\n")?;
        if event.event.is_one_of_many() {
            return Ok(());
        }
        self.out.flush()
    }

    /// Writes the lines that wait.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads the events of a run one by one.
#[derive(Debug)]
pub struct EventReader(LineReader);

impl EventReader {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        LineReader::open(path).map(Self)
    }

    /// Returns the next event. A last line without its newline is not returned: it is still being written, or its writer was
    /// killed.
    pub fn next_event(&mut self) -> Result<Option<Stamped>, ReadError> {
        let Some(Line { text, path, number }) = self.0.next_line()? else {
            return Ok(None);
        };
        let event = serde_json::from_slice(text).map_err(|source| ReadError::NotAnEvent {
            path: path.to_owned(),
            line: number,
            source,
        })?;
        Ok(Some(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::rundir::RunDir;

    fn warning(text: &str) -> Stamped {
        Stamped {
            time: 7,
            event: Event::Warning { text: text.into() },
        }
    }

    #[test]
    fn a_run_that_was_broken_off_inside_a_line_is_read_up_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path()).unwrap();
        for text in ["one", "two"] {
            writer.write(&warning(text)).unwrap();
        }
        let path = dir.path().join(EVENTS);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        let mut events = run.events().unwrap();
        assert_eq!(events.next_event().unwrap(), Some(warning("one")));
        assert_eq!(events.next_event().unwrap(), None);
        assert_eq!(run.summary().unwrap(), None, "it is not complete");
    }

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(EVENTS), "{}\n").unwrap();
        let error = RunDir::open(dir.path())
            .unwrap()
            .events()
            .unwrap()
            .next_event()
            .unwrap_err();
        assert!(error.to_string().contains("events.jsonl:1` is no event: "), "{error}");
    }
}
