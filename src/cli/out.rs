//! Standard output for commands that print and end: buffered, coloured or not, quiet when nobody reads any more.

use std::fmt;
use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

use super::error::{CliError, output_failed};
use crate::report::Palette;

/// Where a command prints.
pub(crate) struct Out {
    writer: BufWriter<Stdout>,
    /// The colours to print with.
    pub(crate) palette: Palette,
}

impl Out {
    pub(crate) fn new(palette: Palette) -> Self {
        let writer = BufWriter::with_capacity(64 * 1024, io::stdout());
        Self { writer, palette }
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> Result<(), CliError> {
        writeln!(self.writer, "{line}").map_err(output_failed)
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.writer.write_all(bytes).map_err(output_failed)
    }

    /// Returns the way to standard output, for what writes by itself.
    pub(crate) fn writer(&mut self) -> &mut impl Write {
        &mut self.writer
    }

    /// Prints the line that `write` writes, without its end.
    pub(crate) fn line_with(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
        write(&mut self.writer)
            .and_then(|()| self.writer.write_all(b"\n"))
            .map_err(output_failed)
    }

    /// Prints a value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        serde_json::to_writer(&mut self.writer, value)
            .map_err(io::Error::from)
            .and_then(|()| self.writer.write_all(b"\n"))
            .map_err(output_failed)
    }

    /// Prints `about`, which must be a JSON object that is not empty, with one more key whose value `json` writes.
    pub(crate) fn json_with(
        &mut self,
        about: &impl Serialize,
        key: &str,
        json: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CliError> {
        let about = serde_json::to_string(about).map_err(|error| CliError::defect(error.to_string()))?;
        let open = about.strip_suffix('}').unwrap_or(&about);
        self.bytes(format!("{open},\"{key}\":").as_bytes())?;
        json(&mut self.writer).map_err(output_failed)?;
        self.bytes(b"}\n")
    }

    /// Brings everything to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.writer.flush().map_err(output_failed)
    }
}
