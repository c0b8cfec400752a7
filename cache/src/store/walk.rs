//! Lists the files of a bucket.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use atex_graph::{ActionKey, BlobDigest};
use rayon::prelude::*;

use crate::bucket::Bucket;
use crate::error::CacheError;
use crate::store::layout::{Layout, is_temporary};

/// A file of a bucket.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) path: PathBuf,
    /// The size in bytes.
    pub(crate) size: u64,
    /// The last change of its content.
    pub(crate) modified: std::time::SystemTime,
}

impl StoredFile {
    /// Returns whether the file is a temporary one, which is or was being written.
    pub(crate) fn is_temporary(&self) -> bool {
        self.path.file_name().is_some_and(is_temporary)
    }

    /// Returns the key that a record's file is named by.
    pub(crate) fn key(&self) -> Option<ActionKey> {
        record_key(self.path.file_name()?)
    }

    /// Returns the digest that a blob is named by.
    pub(crate) fn digest(&self) -> Option<BlobDigest> {
        self.path.file_name()?.to_str()?.parse().ok()
    }
}

/// Returns the key in the name of a record's file.
pub(crate) fn record_key(name: &OsStr) -> Option<ActionKey> {
    name.to_str()?.strip_suffix(".json")?.parse().ok()
}

/// Returns the store's own files in a bucket and in its directories, in no particular order. Files that the store cannot have
/// made are left out, and so are files that disappear meanwhile. A bucket that does not exist is empty.
pub(crate) fn files(layout: &Layout, bucket: Bucket) -> Result<Vec<StoredFile>, CacheError> {
    let (dirs, plain): (Vec<_>, Vec<_>) = entries(&layout.bucket(bucket))?
        .into_iter()
        .partition(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let owned: Vec<_> = dirs.iter().filter(|dir| bucket.owns_dir(&dir.file_name())).collect();
    let below: Vec<Vec<DirEntry>> = owned
        .par_iter()
        .map(|dir| entries(&dir.path()))
        .collect::<Result<_, _>>()?;
    let all = plain.into_iter().chain(below.into_iter().flatten());
    Ok(all
        .filter(|entry| bucket.owns(&entry.file_name()))
        .filter_map(|entry| found(&entry))
        .collect())
}

/// Returns the directories that the store makes in a bucket.
pub(crate) fn owned_dirs(layout: &Layout, bucket: Bucket) -> Result<Vec<PathBuf>, CacheError> {
    let dirs = entries(&layout.bucket(bucket))?
        .into_iter()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && bucket.owns_dir(&entry.file_name()));
    Ok(dirs.map(|dir| dir.path()).collect())
}

/// Returns the sizes of all files below a directory, in no particular order, without following symlinks. Files that disappear
/// meanwhile do not count.
pub(crate) fn sizes_below(dir: &Path) -> Result<Vec<u64>, CacheError> {
    let mut sizes = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in entries(&dir)? {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => dirs.push(entry.path()),
                Ok(metadata) if metadata.is_file() => sizes.push(metadata.len()),
                _ => {}
            }
        }
    }
    Ok(sizes)
}

/// Returns the entries of a directory; there are none if it does not exist or is not a directory.
pub(crate) fn entries(dir: &Path) -> Result<Vec<DirEntry>, CacheError> {
    let read = fs::read_dir(dir).and_then(Iterator::collect);
    read.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Vec::new()),
        _ => Err(CacheError::io("list", dir, error)),
    })
}

fn found(entry: &DirEntry) -> Option<StoredFile> {
    let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some(StoredFile {
        path: entry.path(),
        size: metadata.len(),
        modified: metadata.modified().ok()?,
    })
}
