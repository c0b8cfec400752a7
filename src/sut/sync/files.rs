//! The types of a sync: the list of files that a tree on a SUT must hold, how strict the sync is, and what it did.

use std::path::PathBuf;
use std::sync::Arc;

/// The list of files of a slot, as they are on the host.
#[derive(Clone, Debug, Default)]
pub struct SlotFiles {
    /// The entries, sorted by path and without duplicates.
    pub files: Vec<FileEntry>,
}

/// One file, symlink or empty directory of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// The path below the slot: relative, without `..`, and with any bytes but NUL.
    pub path: PathBuf,
    /// The path from which it is read on the host.
    pub source: PathBuf,
    /// The content of a file that does not exist on the host.
    pub content: Option<Arc<[u8]>>,
    /// The kind of the entry.
    pub kind: FileKind,
}

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file: the BLAKE3 digest of its content, whether it is executable, and its size in bytes.
    File {
        digest: [u8; 32],
        executable: bool,
        size: u64,
    },
    /// A symlink, with its target as it is.
    Symlink(PathBuf),
    /// A directory that would otherwise not exist, because it is empty.
    Directory,
}

/// A request to sync a tree.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The slot, which is the name of a directory below `tree/`: `[a-z0-9-]+`.
    pub slot: String,
    /// The files that it must hold.
    pub files: Arc<SlotFiles>,
    /// Whether the machine will be asked later what a job reads of it.
    pub observed: bool,
}

/// How strict a sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// What the first `n` steps of a chain made or changed in the tree stays, since it is part of the prepared state. What
    /// tests and later steps changed, added or deleted is undone. Where something that those steps made is not as they left
    /// it, nothing is done: see [`Synced::lost_prepared`].
    KeepPrepared(usize),
    /// The same with whatever is left of the work of all prepare steps: for finish scripts.
    KeepRest,
    /// The same as `Exact`, but nothing is done where prepare steps made something in the tree: see [`Synced::has_prepared`].
    ExactIfUnprepared,
    /// The tree holds exactly the files and nothing else: before a chain is prepared from its first step.
    Exact,
}

impl SyncMode {
    /// Returns whether the work of prepare steps stays.
    pub(crate) fn keeps_prepared(self) -> bool {
        matches!(self, Self::KeepPrepared(_) | Self::KeepRest)
    }
}

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// The number of files that were sent.
    pub sent: u64,
    /// The number of bytes of file content that were sent.
    pub bytes: u64,
    /// The number of files that were removed on the SUT.
    pub removed: u64,
    /// Set where something that prepare steps made is not as they left it: the position in the chain of the first step that
    /// must run again. In this case nothing was done.
    pub lost_prepared: Option<usize>,
    /// Whether the tree holds work of prepare steps, and nothing was done for that reason.
    pub has_prepared: bool,
    /// Set where a file no longer was what the list says when it was to be sent: its position in the list. In this case the
    /// tree is incomplete.
    pub changed: Option<usize>,
}
