//! Errors of the store itself. A broken file in the store is not an error, but a [`BadFile`](crate::BadFile).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use atex_graph::{ActionKey, BlobDigest};

use crate::ownership::{self, Foreign};

/// An error of the store. The message names the path, and [`hint`](CacheError::hint) suggests a remedy.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A system call failed: the disk is full, permission is missing, or there was an input or output error.
    #[error("cannot {action} `{}`: {}", path.display(), OsMessage(source))]
    Io {
        /// The operation that failed: `write`, `rename`, `sync`…
        action: &'static str,
        /// The path that it was about.
        path: PathBuf,
        /// The reason of the failure.
        source: io::Error,
    },
    /// A system call failed on a file outside the store: a file that was to be stored, or the destination of an export.
    #[error("cannot {action} `{}`: {}", path.display(), OsMessage(source))]
    Outside {
        /// The operation that failed: `write`, `rename`, `sync`…
        action: &'static str,
        /// The path that it was about.
        path: PathBuf,
        /// The reason of the failure.
        source: io::Error,
    },
    /// Something was to be written into a read-only store.
    #[error("the cache `{}` is read-only: {reason}", path.display())]
    ReadOnly {
        /// The store's directory.
        path: PathBuf,
        /// Why nothing may be written there.
        reason: String,
    },
    /// Others can write to the store's directory, or replace it with another one.
    #[error("the cache `{}` is not used: {source}", path.display())]
    Foreign {
        /// The store's directory.
        path: PathBuf,
        /// Why the directory is not this user's own.
        source: Foreign,
    },
    /// Files were to be removed, but something is mounted among them.
    #[error("nothing is removed from the cache `{}`: `{}` is a mount point", path.display(), point.display())]
    Mounted {
        /// The store's directory.
        path: PathBuf,
        /// The mount point.
        point: PathBuf,
    },
    /// Other processes use the store and did not finish in time.
    #[error("the cache `{}` is in use: {what}", path.display())]
    InUse {
        /// The store's directory.
        path: PathBuf,
        /// What is in the way.
        what: &'static str,
    },
    /// What was to be stored is not a regular file.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// The path that was given.
        path: PathBuf,
    },
    /// A record was to be committed with the ticket of another node.
    #[error("a record of `{}` was committed with the ticket of `{}`", record.short(), ticket.short())]
    WrongKey {
        /// The key of the ticket.
        ticket: ActionKey,
        /// The key in the record.
        record: ActionKey,
    },
    /// A record was to be committed before the content that it names.
    #[error("the content of output `{output}` of `{name}` is not in the cache: blob `{}`", digest.short())]
    MissingBlob {
        /// The node's name.
        name: String,
        /// The output's path.
        output: String,
        /// The digest of the content.
        digest: BlobDigest,
    },
    /// The path of an output is absolute or empty, contains a NUL, or leads upwards.
    #[error("output path `{}` of `{name}` is not a plain relative path", output.escape_debug())]
    BadOutputPath {
        /// The node's name.
        name: String,
        /// The path of the output.
        output: String,
    },
    /// A document could not be encoded as JSON.
    #[error("cannot encode `{what}` as JSON: {source}")]
    Encode {
        /// The name of the node or of the document.
        what: String,
        /// The reason of the failure.
        source: serde_json::Error,
    },
    /// No record has a key with this beginning.
    #[error("no record in `{}` has a key that begins with `{}`", path.display(), prefix.escape_debug())]
    NoRecord {
        /// The store's directory.
        path: PathBuf,
        /// The beginning that was asked for.
        prefix: String,
    },
    /// More than one record has a key with this beginning.
    #[error("`{prefix}` is ambiguous: {}", Candidates(candidates, *more))]
    Ambiguous {
        /// The beginning that was asked for.
        prefix: String,
        /// Some of the records whose keys begin with it.
        candidates: Vec<Candidate>,
        /// How many more such records there are.
        more: usize,
    },
}

/// A record that an ambiguous beginning of a key may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The key of the record.
    pub key: ActionKey,
    /// The name of its node; empty if the record cannot be read.
    pub name: String,
}

impl CacheError {
    /// Wraps the failure of `action` on `path`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.into(),
            source,
        }
    }

    /// Marks an error as one about a path outside the store.
    pub(crate) fn outside(self) -> Self {
        match self {
            Self::Io { action, path, source } => Self::Outside { action, path, source },
            other => other,
        }
    }

    /// Returns advice for the user, if there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("free some space there, for example with `atex cache gc --max-size 1G`".to_owned())
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("set ATEX_CACHE to a directory that you may write".to_owned())
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    Some("set ATEX_CACHE to a directory".to_owned())
                }
                _ => None,
            },
            Self::ReadOnly { .. } => Some("use a newer atex, or set ATEX_CACHE to another directory".to_owned()),
            Self::Foreign { .. } => Some(format!("set ATEX_CACHE to another: {}", ownership::HINT)),
            Self::Mounted { .. } => Some("unmount it first".to_owned()),
            Self::InUse { .. } => Some("try again when the other atex processes have ended".to_owned()),
            Self::NoRecord { .. } => Some("`atex cache ls` shows the keys".to_owned()),
            Self::Ambiguous { .. } => Some("give more digits of the key".to_owned()),
            Self::Outside { .. }
            | Self::NotAFile { .. }
            | Self::WrongKey { .. }
            | Self::MissingBlob { .. }
            | Self::BadOutputPath { .. }
            | Self::Encode { .. } => None,
        }
    }

    /// Returns the path that the error is about, if there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::Outside { path, .. }
            | Self::ReadOnly { path, .. }
            | Self::Foreign { path, .. }
            | Self::Mounted { path, .. }
            | Self::InUse { path, .. }
            | Self::NotAFile { path }
            | Self::NoRecord { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// Displays an operating system's error without its number.
pub(crate) struct OsMessage<'e>(pub(crate) &'e io::Error);

impl fmt::Display for OsMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        f.write_str(text.split_once(" (os error ").map_or(text.as_str(), |(words, _)| words))
    }
}

struct Candidates<'e>(&'e [Candidate], usize);

impl fmt::Display for Candidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, candidate) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}`{}` ({})", candidate.key.short(), candidate.name)?;
        }
        if self.1 > 0 {
            write!(f, " and {} more", self.1)?;
        }
        Ok(())
    }
}
