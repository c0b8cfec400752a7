//! What was found broken in the store and therefore not used.

use std::fmt;
use std::io;
use std::path::PathBuf;

use atex_graph::BlobDigest;

use crate::error::OsMessage;

/// A file of the store that is not what it should be, and counted as absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadFile {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: FileProblem,
}

/// What can be wrong with a file of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileProblem {
    /// The document is cut off, edited or damaged.
    Checksum,
    /// The checksum is right, and yet it is not a document of this format.
    Malformed(String),
    /// The document belongs to another key or target than its name says.
    Misplaced,
    /// The record names content that is not there, or has another size.
    MissingBlob(BlobDigest),
    /// A blob's content is not what its name says.
    Content,
    /// The file cannot be read.
    Unreadable(String),
}

/// Tells what the failure to read a file says of the file: absent, unreadable, or nothing (too many open files…).
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
