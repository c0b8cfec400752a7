//! The record of a node that ran. A record can only contain what the node itself did: there is no outcome for trouble with the
//! infrastructure, so such trouble cannot be recorded.

use atex_graph::{ActionKey, BlobDigest, Entry, Kind};
use serde::{Deserialize, Serialize};

/// A node that ran to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The action key: the digest of everything that the node depended on.
    pub key: ActionKey,
    /// The node's name for people, such as `test /a/b`.
    pub name: String,
    /// The other names that the same node has in other plans.
    pub aliases: Vec<String>,
    /// The kind of the node.
    pub kind: Kind,
    /// The SUT on which it ran.
    pub sut: String,
    /// When it started, in seconds since the epoch.
    pub started: u64,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// When the oldest part of what it was based on was prepared, in seconds since the epoch. It is `None` if nothing was
    /// prepared, or nobody knows.
    pub prepared: Option<u64>,
    /// How it ended.
    pub outcome: RecordOutcome,
    /// The inputs of its key as text, to explain why another key differs.
    pub inputs: Vec<Entry>,
    /// The files that it left: relative path, content, and size in bytes. The contents are blobs of the store.
    pub files: Vec<OutputFile>,
    /// Other known facts, which are small (counts, an exit code).
    pub meta: serde_json::Value,
}

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordOutcome {
    /// The node succeeded.
    Passed,
    /// The node ran to its end and failed.
    Failed,
}

/// A file that a node left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutputFile {
    /// The path below the node's output: relative, with `/` between components, and without `.`, `..`, empty components and NUL.
    pub path: String,
    /// The digest of its content.
    pub digest: BlobDigest,
    /// The size in bytes.
    pub size: u64,
}

impl OutputFile {
    /// Returns whether the path stays below the directory to which it is joined.
    pub fn has_plain_path(&self) -> bool {
        !self.path.contains('\0')
            && self
                .path
                .split('/')
                .all(|component| !matches!(component, "" | "." | ".."))
    }
}

/// The part of a record that is needed to take it instead of running its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOutput {
    /// See [`Record::started`].
    pub started: u64,
    /// See [`Record::duration_ms`].
    pub duration_ms: u64,
    /// See [`Record::prepared`].
    pub prepared: Option<u64>,
    /// See [`Record::outcome`].
    pub outcome: RecordOutcome,
    /// See [`Record::files`].
    pub files: Vec<OutputFile>,
}

/// The part of a record that a listing shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordSummary {
    /// See [`Record::key`].
    pub key: ActionKey,
    /// See [`Record::name`].
    pub name: String,
    /// See [`Record::aliases`].
    pub aliases: Vec<String>,
    /// See [`Record::kind`].
    pub kind: Kind,
    /// See [`Record::sut`].
    pub sut: String,
    /// When it started, in seconds since the epoch.
    pub started: u64,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// See [`Record::prepared`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<u64>,
    /// How it ended.
    pub outcome: RecordOutcome,
    /// How many files it left.
    pub files: u64,
    /// The total size of these files in bytes.
    pub size: u64,
    /// See [`Record::meta`].
    pub meta: serde_json::Value,
}

impl RecordSummary {
    /// Returns whether `name` is one of the node's names.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

impl Record {
    /// Returns the part that is needed to take the record instead of running its node.
    pub fn into_output(self) -> RecordOutput {
        RecordOutput {
            started: self.started,
            duration_ms: self.duration_ms,
            prepared: self.prepared,
            outcome: self.outcome,
            files: self.files,
        }
    }

    /// Returns the part that a listing shows.
    pub fn summary(&self) -> RecordSummary {
        RecordSummary {
            key: self.key,
            name: self.name.clone(),
            aliases: self.aliases.clone(),
            kind: self.kind,
            sut: self.sut.clone(),
            started: self.started,
            duration_ms: self.duration_ms,
            prepared: self.prepared,
            outcome: self.outcome,
            files: self.files.len() as u64,
            size: self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size)),
            meta: self.meta.clone(),
        }
    }
}
