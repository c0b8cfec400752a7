//! Puts blobs into the store: content that is named by its digest.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use atex_graph::BlobDigest;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::blobs::{hash, needs_copy};
use crate::bucket::Bucket;
use crate::error::CacheError;
use crate::report::judge;
use crate::store::Store;
use crate::store::disk::Disk;

/// Up to this many blobs are synced one by one; for more, their whole filesystem is synced.
const FEW: usize = 16;
/// How many bytes of a file are in memory while it is copied.
const CHUNK: usize = 1 << 18;

/// Contents that are stored together. Each is in the store at once, and all are durable after [`Batch::finish`].
#[derive(Debug)]
#[must_use = "the blobs are not durable before `finish`"]
pub struct Batch<'s> {
    store: &'s Store,
    placed: Vec<PathBuf>,
}

/// A file that was put into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The digest of the content.
    pub digest: BlobDigest,
    /// The size in bytes.
    pub size: u64,
}

impl<'s> Batch<'s> {
    pub(crate) fn new(store: &'s Store) -> Self {
        Self {
            store,
            placed: Vec::new(),
        }
    }

    /// Stores bytes. An existing blob is kept if it is good, and replaced otherwise.
    pub fn put_bytes(&mut self, bytes: &[u8]) -> Result<BlobDigest, CacheError> {
        let disk = self.store.disk()?;
        let digest = BlobDigest::of(bytes);
        let path = self.store.layout().blob(digest);
        if !is_good(&path, digest, bytes.len() as u64)? {
            let dir = path.parent().unwrap_or(Path::new("/"));
            disk.make_dirs(dir)?;
            let temporary = disk.temporary(dir)?;
            disk.write(temporary.as_file(), temporary.path(), bytes)?;
            disk.protect(temporary.as_file(), temporary.path())?;
            disk.rename(temporary, &path)?;
        }
        self.placed.push(path);
        Ok(digest)
    }

    /// Stores a regular file that nobody writes to any more. It becomes a hard link if possible, which takes the right to write
    /// from `source`, and a copy otherwise.
    ///
    /// Fails with [`CacheError::NotAFile`] for a symbolic link, a directory or a device.
    pub fn put_file(&mut self, source: &Path) -> Result<Stored, CacheError> {
        let disk = self.store.disk()?;
        let mut file = open_regular(source)?;
        let read_error = |error| CacheError::io("read", source, error).outside();
        let before = file.metadata().map_err(read_error)?;
        let (digest, size) = hash(&mut file).map_err(read_error)?;
        let path = self.store.layout().blob(digest);
        let after = file.metadata().map_err(read_error)?;
        let settled = same_version(&before, &after) && size == after.len();
        if settled && (is_good(&path, digest, size)? || link(disk, &file, source, &path)?) {
            self.placed.push(path);
            return Ok(Stored { digest, size });
        }
        self.copy(disk, file, source)
    }

    /// Copies a file, and digests the copied bytes.
    fn copy(&mut self, disk: &Disk, mut file: File, source: &Path) -> Result<Stored, CacheError> {
        let read_error = |error| CacheError::io("read", source, error).outside();
        let bucket = self.store.layout().bucket(Bucket::Blobs);
        disk.make_dirs(&bucket)?;
        let temporary = disk.temporary(&bucket)?;
        file.rewind().map_err(read_error)?;
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => {
                    hasher.update(&chunk[..length]);
                    disk.write(temporary.as_file(), temporary.path(), &chunk[..length])?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(error)),
            }
        }
        let (digest, size) = (BlobDigest::from(hasher.finalize()), hasher.count());
        let path = self.store.layout().blob(digest);
        if !is_good(&path, digest, size)? {
            place(disk, temporary, &path)?;
        }
        self.placed.push(path);
        Ok(Stored { digest, size })
    }

    /// Makes everything that was stored durable.
    pub fn finish(self) -> Result<(), CacheError> {
        if self.placed.is_empty() {
            return Ok(());
        }
        let disk = self.store.disk()?;
        if self.placed.len() > FEW {
            return disk.sync_filesystem(&self.store.layout().bucket(Bucket::Blobs));
        }
        let paths: BTreeSet<&PathBuf> = self.placed.iter().collect();
        for path in &paths {
            let file = File::open(path).map_err(|error| CacheError::io("open", *path, error))?;
            disk.sync(&file, path)?;
        }
        let dirs: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
        dirs.into_iter().try_for_each(|dir| disk.sync_dir(dir))
    }
}

/// Opens a regular file, and never waits for the other end of a pipe.
fn open_regular(path: &Path) -> Result<File, CacheError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::LOOP | Errno::NXIO) => return Err(CacheError::NotAFile { path: path.to_owned() }),
        Err(error) => return Err(CacheError::io("open", path, error.into()).outside()),
    };
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        Ok(_) => Err(CacheError::NotAFile { path: path.to_owned() }),
        Err(error) => Err(CacheError::io("read", path, error).outside()),
    }
}

/// Returns whether a blob with this content exists.
fn is_good(path: &Path, digest: BlobDigest, size: u64) -> Result<bool, CacheError> {
    let check = || -> io::Result<bool> {
        let mut file = File::open(path)?;
        Ok(file.metadata()?.len() == size && hash(&mut file)?.0 == digest)
    };
    match check().or_else(|error| judge(error).map(|_absent_or_bad| false)) {
        Ok(good) => Ok(good),
        Err(error) => Err(CacheError::io("read", path, error)),
    }
}

/// Links a complete file into the store, and returns whether that was possible.
fn link(disk: &Disk, file: &File, source: &Path, path: &Path) -> Result<bool, CacheError> {
    disk.make_dirs(path.parent().unwrap_or(Path::new("/")))?;
    match disk.link(source, path) {
        Ok(()) => {}
        // A bad blob has the name, or another process was faster: the copy replaces the blob, or finds it good.
        Err(CacheError::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) if needs_copy(&error) => return Ok(false),
        Err(error) => return Err(error),
    }
    // A file whose mode this user cannot change must not become part of the store.
    let protected = disk.protect(file, source).is_ok();
    if !protected {
        disk.remove(path)?;
    }
    Ok(protected)
}

/// Gives a complete temporary file its place among the blobs.
fn place(disk: &Disk, temporary: NamedTempFile, path: &Path) -> Result<(), CacheError> {
    disk.make_dirs(path.parent().unwrap_or(Path::new("/")))?;
    disk.protect(temporary.as_file(), temporary.path())?;
    disk.rename(temporary, path)
}

/// Returns whether nobody wrote to a file between two looks at it.
fn same_version(before: &Metadata, after: &Metadata) -> bool {
    before.len() == after.len() && matches!((before.modified(), after.modified()), (Ok(a), Ok(b)) if a == b)
}
