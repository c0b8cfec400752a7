//! The output file of a test, to which everything that the test prints is appended as it comes.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use super::StoreError;
use crate::control::{Mask, MaskedStream};

/// The open output file of a test. All names that `testout` gives it are links to this file, so they grow with it.
#[derive(Debug)]
pub struct TestOutput {
    file: File,
    path: PathBuf,
    written: u64,
    dropped: u64,
    cap: Option<u64>,
    masked: MaskedStream,
}

impl TestOutput {
    pub(crate) fn new(file: File, path: PathBuf, mask: &Mask) -> Self {
        Self {
            file,
            path,
            written: 0,
            dropped: 0,
            cap: None,
            masked: mask.stream(),
        }
    }

    /// Keeps at most `cap` bytes. A line at the end of the file then says that there was more.
    #[must_use]
    pub fn with_cap(mut self, cap: Option<u64>) -> Self {
        self.cap = cap;
        self
    }

    /// Appends what the test printed, masked, as far as the cap allows.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let certain = self.masked.pass(bytes);
        self.keep(&certain)
    }

    /// Ends what the test printed so far, and writes the bytes that were held back as a possible beginning of a
    /// masked value.
    pub fn end(&mut self) -> Result<(), StoreError> {
        let held = self.masked.end();
        self.keep(&held)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let room = self.cap.map_or(u64::MAX, |cap| cap - self.written.min(cap));
        let kept = &bytes[..usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len())];
        self.write(kept)?;
        self.written += kept.len() as u64;
        if kept.len() < bytes.len() {
            if self.dropped == 0 {
                self.write(format!("\n[output beyond {} bytes was dropped]\n", self.written).as_bytes())?;
            }
            self.dropped += (bytes.len() - kept.len()) as u64;
        }
        Ok(())
    }

    /// Returns how many bytes of the test's output are in the file.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Returns how many bytes were dropped because of the cap.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|source| StoreError::new("write", &self.path, source))
    }
}
