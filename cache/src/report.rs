//! Reports of broken files: files of the store that were found broken and therefore not used.

use std::fmt;
use std::io;
use std::path::PathBuf;

use atex_graph::BlobDigest;

use crate::error::OsMessage;

/// A broken file of the store, which counted as absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadFile {
    /// The file.
    pub path: PathBuf,
    /// The problem with it.
    pub problem: FileProblem,
}

/// The problems that a file of the store can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileProblem {
    /// The document is cut off, edited or damaged.
    Checksum,
    /// The checksum is right, and yet it is not a document of this format.
    Malformed(String),
    /// The document belongs to another key or name than that of its file.
    Misplaced,
    /// The record names content that does not exist or has another size.
    MissingBlob(BlobDigest),
    /// The content of a blob does not match its name.
    Content,
    /// The file cannot be read.
    Unreadable(String),
}

/// Returns what a failure to read a file says about the file: that it is absent or unreadable, or nothing (too many open files…).
pub(crate) fn judge(error: io::Error) -> Result<Option<FileProblem>, io::Error> {
    use rustix::io::Errno;
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => Ok(None),
        Some(Errno::IO | Errno::ISDIR | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::PERM) => {
            Ok(Some(FileProblem::Unreadable(OsMessage(&error).to_string())))
        }
        _ => Err(error),
    }
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not used: {}", self.path.display(), self.problem)
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("its checksum does not match"),
            Self::Malformed(why) => write!(f, "it is malformed: {why}"),
            Self::Misplaced => f.write_str("it belongs to another name"),
            Self::MissingBlob(digest) => write!(f, "its output `{}` is missing", digest.short()),
            Self::Content => f.write_str("its content does not match its digest"),
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
        }
    }
}
