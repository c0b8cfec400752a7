//! The result store: the results and files of one test on disk.
//!
//! ```text
//! <dir>/results.jsonl            one line a result, in the order in which they became final
//! <dir>/files/output.txt         what the test printed
//! <dir>/files/[<subtest>/]<file> uploads, and further names of the output
//! <dir>/output.txt               what the test printed, only where the test took `files/output.txt` for a file of its own
//! ```
//!
//! Invariant: `results.jsonl` holds whole lines except while a write is going on. Lines that became final together
//! are written together. A line for which the disk had no room is removed again.

mod files;
pub(super) mod output;
pub(super) mod path;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::json::push_string;
use super::violation::ControlError;
use super::{InfraKind, Mask, MaskedStream};
use files::FilesDir;
pub(crate) use files::files_dir;
use output::TestOutput;
use path::FilePath;

/// The file of results in a test's directory.
pub const RESULTS: &str = "results.jsonl";

/// The directory of files in a test's directory.
pub const FILES: &str = "files";
/// The name of what the test printed, in `files/`.
pub const OUTPUT: &str = "output.txt";

/// If the waiting lines are larger than this, in bytes, they are written before the end of the chunk that they came
/// in.
const BATCH: usize = 128 << 10;

/// The capacity of the buffer for lines that is kept between chunks. It is small because a thousand tests at once
/// each have a buffer.
const KEPT_BUFFER: usize = 16 << 10;

/// The host could not store what a test said, because of a full disk or missing permissions for example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} `{}`: {reason}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    reason: String,
}

impl StoreError {
    pub(crate) fn new(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self {
            action,
            path: path.to_owned(),
            reason: source.into().to_string(),
        }
    }

    /// Returns the path that could not be written.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The directory of one test (or of one attempt of it), open for writing.
#[derive(Debug)]
pub struct ResultStore {
    results: Lines,
    files: FilesDir,
    path: PathBuf,
    mask: Mask,
    /// Uploaded files that end with what may be the beginning of a masked value, which the next upload to the file
    /// may continue.
    unended: HashMap<FilePath, MaskedStream>,
}

impl ResultStore {
    /// Creates `dir` if it does not exist, and in it `results.jsonl` and `files/output.txt`, both empty, which must
    /// not exist.
    pub fn create(dir: &Path) -> Result<Self, StoreError> {
        let results = Lines::create(dir)?;
        Ok(Self {
            results,
            files: FilesDir::create(files_dir(dir))?,
            path: dir.to_owned(),
            mask: Mask::default(),
            unended: HashMap::new(),
        })
    }

    /// Masks values in everything that is stored from now on.
    #[must_use]
    pub fn with_mask(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// Returns the values that are masked.
    pub(crate) fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Stores the only result of a test that never started.
    pub fn infra(dir: &Path, kind: InfraKind, note: &str) -> Result<(), StoreError> {
        let mut results = Lines::create(dir)?;
        let line = &mut results.pending;
        line.extend_from_slice(br#"{"status":"infra","error":"#);
        push_string(line, kind.as_str());
        line.extend_from_slice(br#","note":"#);
        push_string(line, note);
        line.extend_from_slice(b"}\n");
        results.flush()
    }

    /// Opens the output, so that what the test prints can be appended.
    pub fn output(&self) -> Result<TestOutput, StoreError> {
        Ok(TestOutput::new(
            self.files.open_output()?,
            files_dir(&self.path).join(OUTPUT),
            &self.mask,
        ))
    }

    /// Opens a file that the test uploads, to append to it.
    pub(crate) fn open_file(&mut self, path: FilePath) -> Result<UploadedFile, ControlError> {
        let file = self.files.open(&path)?;
        let masked = self.unended.remove(&path).unwrap_or_else(|| self.mask.stream());
        Ok(UploadedFile { file, path, masked })
    }

    /// Appends bytes of an upload.
    pub(crate) fn append(&self, file: &mut UploadedFile, bytes: &[u8]) -> Result<(), StoreError> {
        let certain = file.masked.pass(bytes);
        file.file
            .write_all(&certain)
            .map_err(|source| self.not_written(&file.path, source))
    }

    /// Ends an upload. Another upload may append to the file later.
    pub(crate) fn close_file(&mut self, file: UploadedFile) {
        if file.masked.holds() {
            self.unended.insert(file.path, file.masked);
        }
    }

    /// Ends all uploads, and writes the bytes that were held back as a possible beginning of a masked value.
    pub(crate) fn end_files(&mut self) -> Result<(), StoreError> {
        for (path, mut masked) in std::mem::take(&mut self.unended) {
            let mut file = match self.files.open(&path) {
                Ok(file) => file,
                Err(ControlError::Store(error)) => return Err(error),
                // Something that atex did not make has taken the file's place.
                Err(ControlError::Violation(_)) => continue,
            };
            let written = file.write_all(&masked.end());
            written.map_err(|source| self.not_written(&path, source))?;
        }
        Ok(())
    }

    fn not_written(&self, path: &FilePath, source: io::Error) -> StoreError {
        StoreError::new("write", &files_dir(&self.path).join(path.as_str()), source)
    }

    /// Gives the output one more name.
    pub(crate) fn link_output(&mut self, path: &FilePath) -> Result<(), ControlError> {
        self.files.link_output(path)
    }

    /// Returns whether `output.txt` is still the test's output.
    pub(crate) fn output_has_its_name(&self) -> bool {
        self.files.output_has_its_name()
    }

    /// Adds a line, which `write` appends without its newline.
    pub(crate) fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), StoreError> {
        write(&mut self.results.pending);
        self.results.pending.push(b'\n');
        if self.results.pending.len() < BATCH {
            return Ok(());
        }
        self.results.flush()
    }

    /// Writes the waiting lines.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        self.results.flush()
    }
}

/// An open file of a test, to which uploaded bytes are appended.
#[derive(Debug)]
pub(crate) struct UploadedFile {
    file: File,
    pub(crate) path: FilePath,
    masked: MaskedStream,
}

/// A file of lines that is only appended to.
#[derive(Debug)]
struct Lines {
    file: File,
    path: PathBuf,
    /// The size of the file in bytes.
    length: u64,
    /// Whole lines that are not in the file yet.
    pending: Vec<u8>,
}

impl Lines {
    fn create(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(RESULTS);
        let file =
            std::fs::create_dir_all(dir).and_then(|()| OpenOptions::new().append(true).create_new(true).open(&path));
        Ok(Self {
            file: file.map_err(|source| StoreError::new("create", &path, source))?,
            path,
            length: 0,
            pending: Vec::new(),
        })
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let (written, outcome) = self.write_pending();
        let whole = match &outcome {
            Ok(()) => written,
            Err(_) => self.pending[..written]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |end| end + 1),
        };
        self.length += whole as u64;
        if whole < written {
            // A full disk took only a part of a line, which is removed. If that fails too, the first error already
            // tells of the disk.
            let _ = self.file.set_len(self.length);
        }
        self.pending.clear();
        self.pending.shrink_to(KEPT_BUFFER);
        outcome.map_err(|source| StoreError::new("write", &self.path, source))
    }

    /// Writes the waiting lines, in one call unless the system takes less. Returns how many bytes were written.
    fn write_pending(&mut self) -> (usize, io::Result<()>) {
        let mut written = 0;
        while written < self.pending.len() {
            match self.file.write(&self.pending[written..]) {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }
}
