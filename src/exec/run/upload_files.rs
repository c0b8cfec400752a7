//! The lists of uploaded files, as they are sent to SUTs. A file that changes while it is sent is read again, and what depends on it is not
//! recorded.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::compile::spec::{UploadFile, UploadKind, UploadSpec, Workload};
use crate::sut::SlotFiles;
use crate::sut::sync::files::{FileEntry, FileKind};

/// The files of a tree as they are sent to SUTs.
pub(crate) struct UploadedFiles(Mutex<Current>);

struct Current {
    list: Arc<SlotFiles>,
    /// The files that have changed since the keys were made, by the names of input files.
    unsettled: BTreeSet<String>,
}

impl UploadedFiles {
    pub(super) fn new(list: SlotFiles) -> Self {
        Self(Mutex::new(Current {
            list: Arc::new(list),
            unsettled: BTreeSet::new(),
        }))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Arc<SlotFiles> {
        Arc::clone(&self.current().list)
    }

    pub(super) fn unsettled(&self) -> BTreeSet<String> {
        self.current().unsettled.clone()
    }

    /// Reads a file again. Another worker may have done so already; then the current list is another one.
    pub(super) fn look_again(&self, list: &SlotFiles, index: usize) {
        let mut current = self.current();
        let entry = &list.files[index];
        let Some(at) = current
            .list
            .files
            .iter()
            .position(|other| other.path == entry.path && other.kind == entry.kind)
        else {
            return;
        };
        let mut files = current.list.files.clone();
        match UploadKind::of(&entry.source) {
            Some(kind) => files[at].kind = kind_of(&kind),
            None => drop(files.remove(at)),
        }
        current.list = Arc::new(SlotFiles { files });
        current.unsettled.insert(UploadFile::input_name(&entry.path));
    }
}

fn kind_of(kind: &UploadKind) -> FileKind {
    match kind {
        UploadKind::File {
            digest,
            executable,
            size,
        } => FileKind::File {
            digest: *digest.as_bytes(),
            executable: *executable,
            size: *size,
        },
        UploadKind::Symlink(target) => FileKind::Symlink(target.clone()),
        UploadKind::Directory => FileKind::Directory,
    }
}

/// Returns the files of each upload of a workload, as they are sent to SUTs.
pub(crate) fn file_sets(work: &Workload) -> Vec<UploadedFiles> {
    let entry = |file: &UploadFile| FileEntry {
        path: file.path.clone(),
        source: file.source.clone(),
        content: file.content.clone(),
        kind: kind_of(&file.kind),
    };
    let set = |upload: &UploadSpec| {
        UploadedFiles::new(SlotFiles {
            files: upload.files.iter().map(entry).collect(),
        })
    };
    work.uploads.iter().map(set).collect()
}
