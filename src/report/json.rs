//! `--json`: each event as one line of JSON on standard output, in the form that `events.jsonl` has.

use std::io::{self, Write};

use super::{ReportError, Reporter};
use crate::exec::event::{Event, Stamped};

/// Writes events as lines.
///
/// Lines are written when the event comes. Only what comes by the thousand waits for the next tick or for the next other event: results,
/// and what is taken from the cache.
pub struct Json<W: Write> {
    out: io::BufWriter<W>,
}

impl<W: Write + Send> Json<W> {
    /// Makes a reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        let out = io::BufWriter::with_capacity(64 * 1024, out);
        Self { out }
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn event(&mut self, event: &Stamped) -> Result<(), ReportError> {
        append(&mut self.out, event).map_err(|source| ReportError::Output { source })
    }

    fn tick(&mut self, _now: u64) -> Result<(), ReportError> {
        self.out.flush().map_err(|source| ReportError::Output { source })
    }
}

/// Appends an event as a line, and flushes unless it is one of many.
pub(super) fn append<W: Write>(out: &mut io::BufWriter<W>, event: &Stamped) -> io::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    out.write_all(b"\n")?;
    if is_one_of_many(&event.event) {
        return Ok(());
    }
    out.flush()
}

/// Whether events of the kind come in such numbers that they are not written one by one.
pub(super) fn is_one_of_many(event: &Event) -> bool {
    match event {
        Event::Result { .. } | Event::NodeCached { .. } => true,
        Event::RunStarted { .. }
        | Event::Warning { .. }
        | Event::Sut { .. }
        | Event::NodeStarted { .. }
        | Event::NodeFinished { .. }
        | Event::Outlook { .. }
        | Event::NodeSkipped { .. }
        | Event::Audited { .. }
        | Event::RunFinished { .. } => false,
    }
}
