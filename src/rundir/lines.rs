//! Reads a file of a run's directory that has one value on each line.
//!
//! Lines are read one by one into a buffer that is reused, so the use of memory does not grow with their number. A last line
//! without its newline is still being written, or its writer was killed: reading ends before it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::ReadError;

/// How many bytes are read at once.
const BUFFER: usize = 256 * 1024;

/// Reads whole lines.
#[derive(Debug)]
pub(super) struct LineReader {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

/// A whole line, and where it is.
pub(super) struct Line<'a> {
    /// The line without its newline.
    pub(super) text: &'a [u8],
    /// The path of the file.
    pub(super) path: &'a Path,
    /// The number of the line, from 1.
    pub(super) number: u64,
}

impl LineReader {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(BUFFER, file),
            line: Vec::new(),
            number: 0,
        })
    }

    /// Returns the next whole line, or `None` at the end of what has been written.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        self.line.clear();
        let read = self.reader.read_until(b'\n', &mut self.line);
        read.map_err(|source| ReadError::Read {
            path: self.path.clone(),
            source,
        })?;
        self.number += 1;
        Ok(self.line.strip_suffix(b"\n").map(|text| Line {
            text,
            path: &self.path,
            number: self.number,
        }))
    }
}
