//! What can go wrong with the store itself. What is merely found broken in it is a [`BadFile`](crate::BadFile), not an error.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use atex_graph::{ActionKey, BlobDigest};

use crate::ownership::{self, Foreign};

/// An error of the store; the message names the path, [`hint`](CacheError::hint) the remedy.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A system call failed: disk full, no permission, input or output error.
    #[error("cannot {action} `{}`: {}", path.display(), OsMessage(source))]
    Io {
        /// What was tried: `write`, `rename`, `sync`…
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A system call failed on a file outside the store: one that was to be stored, or the place of an export.
    #[error("cannot {action} `{}`: {}", path.display(), OsMessage(source))]
    Outside {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Something was to be written into a store that is only read.
    #[error("the cache `{}` is read-only: {reason}", path.display())]
    ReadOnly {
        /// The store's directory.
        path: PathBuf,
        /// Why nothing may be written there.
        reason: String,
    },
    /// Others can write to the store's directory, or put another in its place.
    #[error("the cache `{}` is not used: {source}", path.display())]
    Foreign {
        /// The store's directory.
        path: PathBuf,
        /// Who can.
        source: Foreign,
    },
    /// Files were to be removed, and something is mounted among them.
    #[error("nothing is removed from the cache `{}`: `{}` is a mount point", path.display(), point.display())]
    Mounted {
        /// The store's directory.
        path: PathBuf,
        /// Where something is mounted.
        point: PathBuf,
    },
    /// Other processes use the store and did not end in time.
    #[error("the cache `{}` is in use: {what}", path.display())]
    InUse {
        /// The store's directory.
        path: PathBuf,
        /// Who is in the way.
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
        /// The key the ticket is for.
        ticket: ActionKey,
        /// The key in the record.
        record: ActionKey,
    },
    /// A record was to be committed before the content it names.
    #[error("the content of output `{output}` of `{name}` is not in the cache: blob `{}`", digest.short())]
    MissingBlob {
        /// The node's name.
        name: String,
        /// The output's path.
        output: String,
        /// Its digest.
        digest: BlobDigest,
    },
    /// An output's path is absolute, empty, has a NUL, or leads upwards.
    #[error("output path `{}` of `{name}` is not a plain relative path", output.escape_debug())]
    BadOutputPath {
        /// The node's name.
        name: String,
        /// The path.
        output: String,
    },
    /// A document could not be put in JSON.
    #[error("cannot encode `{what}` as JSON: {source}")]
    Encode {
        /// The node or target.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// No record has such a key.
    #[error("no record in `{}` has a key that begins with `{}`", path.display(), prefix.escape_debug())]
    NoRecord {
        /// The store's directory.
        path: PathBuf,
        /// What was asked for.
        prefix: String,
    },
    /// More than one record has such a key.
    #[error("`{prefix}` is ambiguous: {}", Candidates(candidates, *more))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// Some of the records whose keys begin so.
        candidates: Vec<Candidate>,
        /// How many more there are.
        more: usize,
    },
}

/// A record that an ambiguous prefix may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its key.
    pub key: ActionKey,
    /// Its node's name; empty where the record cannot be read.
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

    /// Says that the path of an error lies outside the store.
    pub(crate) fn outside(self) -> Self {
        match self {
            Self::Io { action, path, source } => Self::Outside { action, path, source },
            other => other,
        }
    }

    /// Returns advice for the user, where there is some.
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

    /// Returns the path that the error is about, where it is about one.
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

/// An operating system's error as people know it, without the number.
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
