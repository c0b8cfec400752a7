//! The reporter for `--json`: it writes each event as one line of JSON to standard output, in the form of `events.jsonl`.

use std::io::{self, Write};

use super::{ReportError, Reporter};
use crate::event::Stamped;
use crate::rundir::EventWriter;

/// Writes each event as a line when the event comes.
pub struct Json<W: Write> {
    out: EventWriter<W>,
}

impl<W: Write + Send> Json<W> {
    /// Makes a reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out: EventWriter::new(out),
        }
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn event(&mut self, event: &Stamped) -> Result<(), ReportError> {
        self.out.write(event).map_err(failed)
    }

    fn tick(&mut self, _now: u64) -> Result<(), ReportError> {
        self.out.flush().map_err(failed)
    }
}

fn failed(source: io::Error) -> ReportError {
    ReportError::Output { source }
}
