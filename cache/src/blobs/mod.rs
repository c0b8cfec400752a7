//! Reads and exports blobs: content that is named by its digest. Everything is verified before it is handed out; a blob that does
//! not pass is removed, reported, and counted as a miss.

pub(crate) mod batch;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use atex_graph::BlobDigest;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::blobs::batch::{Batch, Stored};
use crate::bucket::Bucket;
use crate::error::{CacheError, OsMessage};
use crate::report::{FileProblem, judge};
use crate::store::Store;
use crate::store::layout::Layout;

/// The blobs of a store. All reading verifies; the memory use does not depend on a blob's size, except in [`Blobs::read`].
#[derive(Clone, Copy, Debug)]
pub struct Blobs<'s> {
    store: &'s Store,
}

/// How a blob was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    /// The blob was hard-linked and is read-only.
    Linked,
    /// The blob was copied.
    Copied,
}

impl<'s> Blobs<'s> {
    pub(crate) fn new(store: &'s Store) -> Self {
        Self { store }
    }

    /// Starts to store many contents at once, which costs one sync.
    pub fn batch(self) -> Batch<'s> {
        Batch::new(self.store)
    }

    /// Stores bytes durably; see [`Batch::put_bytes`].
    pub fn put_bytes(self, bytes: &[u8]) -> Result<BlobDigest, CacheError> {
        let mut batch = self.batch();
        let digest = batch.put_bytes(bytes)?;
        batch.finish()?;
        Ok(digest)
    }

    /// Stores a file durably; see [`Batch::put_file`].
    pub fn put_file(self, source: &Path) -> Result<Stored, CacheError> {
        let mut batch = self.batch();
        let stored = batch.put_file(source)?;
        batch.finish()?;
        Ok(stored)
    }

    /// Returns whether a blob of this digest and size exists, without reading it.
    pub fn contains(self, digest: BlobDigest, size: u64) -> bool {
        fs::symlink_metadata(self.store.layout().blob(digest)).is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Returns the path of a blob in the store, whether it exists or not, to show it.
    pub fn path(self, digest: BlobDigest) -> PathBuf {
        self.store.layout().blob(digest)
    }

    /// Opens a blob and verifies its content; the file is positioned at its start. Returns `None` if the blob is missing or bad.
    pub fn open_verified(self, digest: BlobDigest) -> Result<Option<File>, CacheError> {
        let Some(mut file) = self.verified(digest)? else {
            return Ok(None);
        };
        let rewound = file.rewind();
        rewound.map_err(|error| CacheError::io("read", self.store.layout().blob(digest), error))?;
        Ok(Some(file))
    }

    /// As [`Blobs::open_verified`], but the file is positioned at its end.
    fn verified(self, digest: BlobDigest) -> Result<Option<File>, CacheError> {
        self.verify(digest, open_to_check(CWD, &self.store.layout().blob(digest)))
    }

    /// Verifies an opened blob, or says why it could not be opened.
    fn verify(self, digest: BlobDigest, opened: io::Result<File>) -> Result<Option<File>, CacheError> {
        let verified = opened.and_then(|mut file| {
            let found = hash(&mut file)?.0;
            Ok((file, found))
        });
        let path = || self.store.layout().blob(digest);
        let problem = match verified {
            Ok((file, found)) if found == digest => return Ok(Some(file)),
            Ok(_) => FileProblem::Content,
            // A process that may read it will find out whether it is good.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.store
                    .report(path(), FileProblem::Unreadable(OsMessage(&error).to_string()));
                return Ok(None);
            }
            Err(error) => match judge(error).map_err(|error| CacheError::io("read", path(), error))? {
                Some(problem) => problem,
                None => return Ok(None),
            },
        };
        if let Ok(disk) = self.store.disk() {
            let _stays_and_is_found_again = disk.remove(&path());
        }
        self.store.report(path(), problem);
        Ok(None)
    }

    /// Reads a whole blob, which should be known to be small. Returns `None` as [`Blobs::open_verified`] does.
    pub fn read(self, digest: BlobDigest) -> Result<Option<Vec<u8>>, CacheError> {
        let Some(mut file) = self.open_verified(digest)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = file.read_to_end(&mut bytes);
        read.map_err(|error| CacheError::io("read", self.store.layout().blob(digest), error))?;
        // The file may have changed after it was verified, so the returned bytes are checked themselves.
        Ok((BlobDigest::of(&bytes) == digest).then_some(bytes))
    }

    /// Gives a blob the name `dest` outside the store, as a hard link, or as a copy if a link is impossible. The name must be
    /// free, and its directory must exist. Returns `None` as [`Blobs::open_verified`] does.
    ///
    /// A link shares its content with the store: changing it makes the blob bad, which the next reading finds.
    pub fn export(self, digest: BlobDigest, dest: &Path) -> Result<Option<Exported>, CacheError> {
        self.exporter().export(digest, dest)
    }

    /// Starts to export many blobs in a row, some of which may be the same.
    pub fn exporter(self) -> Exporter<'s> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Exporter {
            blobs: self,
            // If the directory cannot be opened, neither can the blobs in it, and the error is returned when one is wanted.
            bucket: rustix::fs::open(self.store.layout().bucket(Bucket::Blobs), flags, Mode::empty()).ok(),
            verified: RwLock::default(),
        }
    }

    /// Copies a verified blob; `file` is that blob, if it is still open.
    fn copy(self, digest: BlobDigest, file: Option<File>, dest: &Path) -> Result<Option<Exported>, CacheError> {
        let disk = self.store.disk_outside();
        let file = match file {
            Some(file) => Some(file),
            None => self.verified(digest)?,
        };
        let Some(mut file) = file else { return Ok(None) };
        let rewound = file.rewind();
        rewound.map_err(|error| CacheError::io("read", self.store.layout().blob(digest), error))?;
        let temporary = disk
            .temporary(dest.parent().unwrap_or(Path::new("/")))
            .map_err(CacheError::outside)?;
        disk.copy(&file, temporary.as_file(), dest)
            .map_err(CacheError::outside)?;
        disk.rename_new(temporary, dest).map_err(CacheError::outside)?;
        Ok(Some(Exported::Copied))
    }
}

/// Exports many blobs in a row and verifies each content only once. It can be used by any number of threads, and is meant to live
/// for seconds rather than days.
#[derive(Debug)]
pub struct Exporter<'s> {
    blobs: Blobs<'s>,
    /// The open directory of all blobs, so that its path is resolved only once.
    bucket: Option<OwnedFd>,
    verified: RwLock<HashSet<BlobDigest>>,
}

impl Exporter<'_> {
    /// Exports a blob; see [`Blobs::export`].
    pub fn export(&self, digest: BlobDigest, dest: &Path) -> Result<Option<Exported>, CacheError> {
        let Some(bucket) = &self.bucket else {
            return self
                .blobs
                .verified(digest)?
                .map_or(Ok(None), |file| self.blobs.copy(digest, Some(file), dest));
        };
        let name = Layout::blob_in_bucket(digest);
        let known = self
            .verified
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&digest);
        let file = if known {
            None
        } else {
            let opened = open_to_check(bucket.as_fd(), Path::new(&name));
            let Some(file) = self.blobs.verify(digest, opened)? else {
                return Ok(None);
            };
            self.verified
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(digest);
            Some(file)
        };
        match self.blobs.store.disk_outside().link_from(bucket.as_fd(), &name, dest) {
            Ok(()) => Ok(Some(Exported::Linked)),
            Err(error) if !needs_copy(&error) => Err(error.outside()),
            Err(_) => self.blobs.copy(digest, file, dest),
        }
    }
}

/// Returns whether linking failed for a reason that a copy does not have: another filesystem, too many links, another owner, or a
/// filesystem without links.
pub(crate) fn needs_copy(error: &CacheError) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error, CacheError::Io { source, .. }
        if matches!(source.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported))
}

/// Opens a file to verify it. Verifying is no use of the file, so its time of last use stays, if that is allowed. (A link that
/// was made before is a change, after which reading would cost a second change of the inode.)
fn open_to_check(dir: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    let open = |more| {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | more;
        rustix::io::retry_on_intr(|| rustix::fs::openat(dir, path, flags, Mode::empty()))
    };
    let file = match open(OFlags::NOATIME) {
        Err(Errno::PERM) => open(OFlags::empty()),
        opened => opened,
    };
    Ok(file?.into())
}

/// How many bytes of a file are read into a buffer of its own.
const SMALL: usize = 4096;

/// Returns the digest and the length of the rest of a file, in constant memory.
pub(crate) fn hash(file: &mut File) -> io::Result<(BlobDigest, u64)> {
    let mut hasher = blake3::Hasher::new();
    // Most contents are small and fit here. The hasher's own buffer is large and would have to be allocated first.
    let mut start = [0; SMALL];
    let mut filled = 0;
    while filled < SMALL {
        match file.read(&mut start[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    hasher.update(&start[..filled]);
    if filled == SMALL {
        hasher.update_reader(file)?;
    }
    Ok((BlobDigest::from(hasher.finalize()), hasher.count()))
}
