//! Files that can be made again from a tree: its packed metadata, the digests of its files, the keys of its tests.
//!
//! They spare time and decide nothing: one that is absent, damaged, of another version or not to be read is a miss, and one that cannot
//! be written costs the next run time. So no lock of the store is held here, and a collection may take away any of them at any time: who
//! has a file open keeps it. Two processes that write the same name write the same content, or the last one wins.
//!
//! A group is what is about one thing, such as the root of a tree. Of each group only the files that were used last are kept.

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

/// How many files of one group are kept: for as many contexts, requests or states of the tree.
const KEPT: usize = 8;

/// No file that is larger is read: it is not one of ours.
const LARGEST: u64 = 1 << 30;

/// The files of one group in a bucket.
#[derive(Debug)]
pub struct Derived {
    bucket: Bucket,
    dir: PathBuf,
    disk: Disk,
}

impl Derived {
    /// Names the packed trees of the tree at `root`, below the directory of the cache. Nothing is made before something is written.
    #[must_use]
    pub fn packed(cache: &Path, root: &Path) -> Self {
        Self::new(cache, Bucket::Packed, root)
    }

    /// Names the digests of the files of the tree at `root`.
    #[must_use]
    pub fn digests(cache: &Path, root: &Path) -> Self {
        Self::new(cache, Bucket::Digests, root)
    }

    /// Names the null builds of the tree at `root`.
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

    /// Returns whether there may be files of this group.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.dir.exists()
    }

    /// Reads a file as a whole. It is not checked: see [`BinaryReader::open`](crate::binary::BinaryReader::open).
    #[must_use]
    pub fn read(&self, name: &blake3::Hash) -> Option<Vec<u8>> {
        let mut file = self.open(name)?;
        let size = file.metadata().ok()?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(size).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Opens a file. It is not checked.
    #[must_use]
    pub fn open(&self, name: &blake3::Hash) -> Option<File> {
        // A FIFO that nobody writes to is opened at once that way, and refused.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options = File::options();
        let file = options.read(true).custom_flags(flags).open(self.path(name)).ok()?;
        let found = file.metadata().ok()?;
        (found.is_file() && found.len() <= LARGEST).then_some(file)
    }

    /// Notes that a file was of use, so that it is not among the first to go.
    pub fn mark_used(&self, name: &blake3::Hash) {
        if let Some(file) = self.open(name) {
            // That it cannot be noted costs time only.
            let _goes_earlier = self.disk.touch(&file, &self.path(name));
        }
    }

    /// Writes a file as a whole, in place of one of this name.
    pub fn write(&self, name: &blake3::Hash, bytes: &[u8]) -> Result<(), CacheError> {
        let temporary = self.create()?;
        self.disk.write(temporary.as_file(), temporary.path(), bytes)?;
        self.keep(temporary, name)
    }

    /// Makes a file without a name, to be written and given to [`keep`](Self::keep). It goes away otherwise.
    pub fn create(&self) -> Result<NamedTempFile, CacheError> {
        self.disk.make_dirs(&self.dir)?;
        self.disk.temporary(&self.dir)
    }

    /// Gives a complete file its name.
    ///
    /// It is not synced: the digest at its end shows a torn file, and all that is lost is time.
    pub fn keep(&self, temporary: NamedTempFile, name: &blake3::Hash) -> Result<(), CacheError> {
        self.disk.rename(temporary, &self.path(name))?;
        self.remove_oldest();
        Ok(())
    }

    fn path(&self, name: &blake3::Hash) -> PathBuf {
        self.dir.join(name.to_hex().as_str())
    }

    /// Removes the files of the group that were not of use for the longest time, and what killed processes left among them.
    fn remove_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut found: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| self.bucket.owns(&entry.file_name()))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        found.sort_unstable_by(|left, right| right.cmp(left));
        for (_, path) in found.into_iter().skip(KEPT) {
            // Another process may have been faster.
            let _gone = self.disk.remove(&path);
        }
    }
}
