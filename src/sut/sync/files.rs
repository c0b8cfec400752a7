//! Trees that are brought to a SUT.

use std::path::PathBuf;
use std::sync::Arc;

/// The files of a slot, as they are on the host.
#[derive(Clone, Debug, Default)]
pub struct SlotFiles {
    /// Sorted by path, unique.
    pub files: Vec<FileEntry>,
}

/// One file, symlink or directory to bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the slot: relative, without `..`, any bytes but NUL.
    pub path: PathBuf,
    /// Where it is read from on the host.
    pub source: PathBuf,
    /// What it is.
    pub kind: FileKind,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file: BLAKE3 of its content, whether it is executable, and its size in bytes.
    File {
        digest: [u8; 32],
        executable: bool,
        size: u64,
    },
    /// A symlink with its target as it is.
    Symlink(PathBuf),
    /// A directory that would otherwise not exist (an empty one).
    Directory,
}

/// A request to bring files.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The directory below `tree/`: `[a-z0-9-]+`.
    pub slot: String,
    /// What it must hold.
    pub files: Arc<SlotFiles>,
    /// Whether it will be asked what a job reads of it.
    pub observed: bool,
}

/// How strict a sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// What so many first steps of a chain made or changed there stays (it is part of the prepared state); what tests and later steps
    /// changed, added or deleted is undone. Where something that those steps made is not as they left it, nothing is done: see
    /// [`Synced::lost_prepared`].
    KeepPrepared(usize),
    /// The same, with what is left of what any prepare step made: for finish scripts.
    KeepRest,
    /// As `Exact`, but nothing is done where prepare steps made something there: see [`Synced::has_prepared`].
    ExactIfUnprepared,
    /// Exactly the files, nothing else: before a chain is prepared from its first step.
    Exact,
}

impl SyncMode {
    /// Returns whether what prepare steps made stays.
    pub(crate) fn keeps_prepared(self) -> bool {
        matches!(self, Self::KeepPrepared(_) | Self::KeepRest)
    }
}

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Files sent.
    pub sent: u64,
    /// Bytes of file content sent.
    pub bytes: u64,
    /// Files removed on the SUT.
    pub removed: u64,
    /// Where something that prepare steps made there is not as they left it: the place in the chain of the first step that must
    /// run again. Then nothing was done.
    pub lost_prepared: Option<usize>,
    /// Whether there is something that prepare steps made, and nothing was done for that reason.
    pub has_prepared: bool,
    /// The file, by its position in the list, that was not what the list says when it was to be sent. Then the tree is not whole.
    pub changed: Option<usize>,
}
