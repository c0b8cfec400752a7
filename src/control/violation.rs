//! Violations of the control protocol by a test, described so that the test's author finds the fault.

use std::fmt::{self, Write};

use super::{InfraKind, StoreError};

/// The most bytes of the stream that a note shows.
const SHOWN: usize = 80;

/// A breach of the protocol. It ends the test as [`InfraKind::Control`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{note}")]
pub struct Violation {
    note: String,
}

impl Violation {
    pub(crate) fn new(note: impl Into<String>) -> Self {
        Self { note: note.into() }
    }

    /// Makes a violation whose note ends with the bytes at fault.
    pub(crate) fn at(what: impl fmt::Display, bytes: &[u8]) -> Self {
        Self::new(format!("{what}: {}", ShownBytes(bytes)))
    }

    /// Returns what was wrong, with the bytes at fault escaped and shortened.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Returns the kind of infrastructure failure that a violation is.
    pub fn kind(&self) -> InfraKind {
        InfraKind::Control
    }
}

/// Why the stream cannot be followed any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The test broke the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The host could not keep what the test said.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Bytes shown for a person: in backticks, escaped, and cut after [`SHOWN`] bytes even in the middle of a character.
pub(crate) struct ShownBytes<'a>(pub(crate) &'a [u8]);

impl fmt::Display for ShownBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(SHOWN)];
        f.write_char('`')?;
        for byte in shown {
            match byte {
                // Quotes are not escaped, because they are not ambiguous in backticks, and JSON is full of them.
                b'"' | b'\'' => f.write_char((*byte).into())?,
                _ => write!(f, "{}", byte.escape_ascii())?,
            }
        }
        f.write_char('`')?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more bytes"),
        }
    }
}
