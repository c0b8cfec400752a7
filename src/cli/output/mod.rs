//! Standard output for commands that print and end: buffered, with or without colours, and silent once nobody reads it any more.

pub(crate) mod interruptible;
pub(crate) mod json;
pub(crate) mod messages;
pub(crate) mod table;
pub(crate) mod yaml;

use std::fmt;
use std::io::{self, BufWriter, Stdout, Write};

use rayon::iter::ParallelIterator as _;
use rayon::slice::ParallelSlice as _;
use serde::Serialize;

use crate::cli::error::{CliError, output_failed};
use crate::report::Palette;

use json::Versioned;

/// How many lines are rendered before any of them is printed.
const BATCH: usize = 1024;

/// How many lines one thread renders in a row.
const AT_ONCE: usize = 64;

/// After how many bytes a thread stops rendering, because lines may be of any length.
const LARGE: usize = 256 << 10;

/// The output of a command.
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

    /// Prints bytes unchanged.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.writer.write_all(bytes).map_err(output_failed)
    }

    /// Returns standard output for code that writes to it directly.
    pub(crate) fn writer(&mut self) -> &mut impl Write {
        &mut self.writer
    }

    /// Prints a line for each item, in their order. `render` appends the line without its newline; it is called for many items at
    /// once, on all cores.
    pub(crate) fn lines<T: Sync>(
        &mut self,
        items: &[T],
        render: impl Fn(&T, &mut String) -> Result<(), CliError> + Sync,
    ) -> Result<(), CliError> {
        let some = |items: &[T]| -> Result<(usize, String), CliError> {
            let (mut lines, mut done) = (String::new(), 0);
            for item in items {
                render(item, &mut lines)?;
                lines.push('\n');
                done += 1;
                if lines.len() > LARGE {
                    break;
                }
            }
            Ok((done, lines))
        };
        for batch in items.chunks(BATCH) {
            let made: Vec<_> = batch.par_chunks(AT_ONCE).map(some).collect();
            for (items, made) in batch.chunks(AT_ONCE).zip(made) {
                let (mut done, mut lines) = made?;
                self.bytes(lines.as_bytes())?;
                while done < items.len() {
                    let more;
                    (more, lines) = some(&items[done..])?;
                    self.bytes(lines.as_bytes())?;
                    done += more;
                }
            }
        }
        Ok(())
    }

    /// Prints a value, which must be an object, with the version as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        serde_json::to_writer(&mut self.writer, &Versioned::new(value))
            .map_err(io::Error::from)
            .and_then(|()| self.writer.write_all(b"\n"))
            .map_err(output_failed)
    }

    /// Prints the JSON object `about` with the version and one more key, whose value is `json`.
    pub(crate) fn json_with(&mut self, about: &impl Serialize, key: &str, json: &[u8]) -> Result<(), CliError> {
        self.bytes(open_object(about, key)?.as_bytes())?;
        self.bytes(json)?;
        self.bytes(b"}\n")
    }

    /// Writes out what is still buffered.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.writer.flush().map_err(output_failed)
    }
}

/// Returns the JSON object `about` with the version and one more key, up to that key's value.
pub(crate) fn open_object(about: &impl Serialize, key: &str) -> Result<String, CliError> {
    let mut text =
        serde_json::to_string(&Versioned::new(about)).map_err(|error| CliError::defect(error.to_string()))?;
    let _brace = text.pop();
    text.push_str(",\"");
    text.push_str(key);
    text.push_str("\":");
    Ok(text)
}
