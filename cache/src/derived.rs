//! Derived files, which can be made again from a tree: its packed metadata, the digests of its files, and its null builds.
//!
//! These files save time and decide nothing: a file that is absent, damaged, unreadable or of another version is a miss, and one
//! that cannot be written only costs the next run time. Therefore the store is not locked for them, and a collection may remove
//! any of them at any time; a process that has one open keeps it. Two processes that write the same name write the same content,
//! or the last one wins.
//!
//! A group is all files about one thing, such as the root of a tree. Of each group, only the files that were used last are kept.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

use crate::bucket::Bucket;
use crate::error::CacheError;
use crate::store::disk::Disk;

/// How many files of one group are kept, each for another context, request or state of the tree.
const KEPT: usize = 16;

/// A larger file is not read, because atex did not write it.
const LARGEST: u64 = 1 << 30;

/// The files of one group in a bucket.
#[derive(Debug)]
pub struct Derived {
    bucket: Bucket,
    dir: PathBuf,
    disk: Disk,
}

impl Derived {
    /// Returns the packed trees of the tree at `root`, below the cache directory. Nothing is made before something is written.
    #[must_use]
    pub fn packed(cache: &Path, root: &Path) -> Self {
        Self::new(cache, Bucket::Packed, root)
    }

    /// Returns the digests of the files of the tree at `root`.
    #[must_use]
    pub fn digests(cache: &Path, root: &Path) -> Self {
        Self::new(cache, Bucket::Digests, root)
    }

    /// Returns the null builds of the tree at `root`.
    #[must_use]
    pub fn null_builds(cache: &Path, root: &Path) -> Self {
        Self::new(cache, Bucket::NullBuilds, root)
    }

    fn new(cache: &Path, bucket: Bucket, group: &Path) -> Self {
        let group = blake3::hash(group.as_os_str().as_bytes()).to_hex();
        Self {
            bucket,
            dir: bucket.below(cache).join(group.as_str()),
            disk: Disk::default(),
        }
    }

    /// Returns whether the group may have files.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.dir.exists()
    }

    /// Reads a whole file, without checking it: see [`BinaryReader::open`](crate::binary::BinaryReader::open).
    #[must_use]
    pub fn read(&self, name: &blake3::Hash) -> Option<Vec<u8>> {
        let mut file = self.open(name)?;
        let size = file.metadata().ok()?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(size).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Opens a file, without checking it.
    #[must_use]
    pub fn open(&self, name: &blake3::Hash) -> Option<File> {
        // With these flags, a FIFO without a writer is opened at once and then refused.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options = File::options();
        let file = options.read(true).custom_flags(flags).open(self.path(name)).ok()?;
        let found = file.metadata().ok()?;
        (found.is_file() && found.len() <= LARGEST).then_some(file)
    }

    /// Records that a file was used, so that it is not among the first to be removed.
    pub fn mark_used(&self, name: &blake3::Hash) {
        if let Some(file) = self.open(name) {
            // If the use cannot be recorded, only time is lost.
            let _goes_earlier = self.disk.touch(&file, &self.path(name));
        }
    }

    /// Writes a whole file, in place of an existing one of this name.
    pub fn write(&self, name: &blake3::Hash, bytes: &[u8]) -> Result<(), CacheError> {
        let temporary = self.create()?;
        self.disk.write(temporary.as_file(), temporary.path(), bytes)?;
        self.keep(temporary, name)
    }

    /// Makes a file without a name, to be written and passed to [`keep`](Self::keep). It is deleted otherwise.
    pub fn create(&self) -> Result<NamedTempFile, CacheError> {
        self.disk.make_dirs(&self.dir)?;
        self.disk.temporary(&self.dir)
    }

    /// Gives a complete file its name.
    ///
    /// The file is not synced: the digest at its end reveals a torn file, and only time is lost.
    pub fn keep(&self, temporary: NamedTempFile, name: &blake3::Hash) -> Result<(), CacheError> {
        self.disk.rename(temporary, &self.path(name))?;
        self.remove_oldest();
        Ok(())
    }

    fn path(&self, name: &blake3::Hash) -> PathBuf {
        self.dir.join(name.to_hex().as_str())
    }

    /// Removes the files of the group that were not used for the longest time, and what killed processes left among them.
    fn remove_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut found: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| self.bucket.owns(&entry.file_name()))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        found.sort_unstable_by(|left, right| right.cmp(left));
        for (_, path) in found.into_iter().skip(KEPT) {
            // Another process may have removed it already.
            let _gone = self.disk.remove(&path);
        }
    }
}
