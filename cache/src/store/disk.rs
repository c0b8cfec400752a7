//! All changes that the store makes on the disk: one method for each kind of change, with the path in each error.
//!
//! This module knows nothing of records and blobs. The crash tests set a hook here that is called before each change, and either
//! kills the process or makes the change fail; a change that is made elsewhere would escape them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Seek, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, OFlags};
use tempfile::NamedTempFile;

use crate::error::CacheError;
use crate::store::layout::TEMPORARY;

/// The hook of the tests. It gets the name and the path of a change before the change is made; its error replaces that of the
/// change.
#[cfg(test)]
pub(crate) type Before = dyn Fn(&'static str, &Path) -> io::Result<()> + Send + Sync;

/// The access to the disk.
#[derive(Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    before: Option<Box<Before>>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    #[cfg(test)]
    pub(crate) fn watched(before: Box<Before>) -> Self {
        Self { before: Some(before) }
    }

    #[cfg(test)]
    fn step(&self, action: &'static str, path: &Path) -> io::Result<()> {
        self.before.as_ref().map_or(Ok(()), |before| before(action, path))
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the hook of the tests is not compiled in"
    )]
    fn step(&self, _action: &'static str, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Makes one change.
    fn change<T>(
        &self,
        action: &'static str,
        path: &Path,
        change: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, CacheError> {
        let done = self.step(action, path).and_then(|()| change());
        done.map_err(|source| CacheError::io(action, path, source))
    }

    /// Makes a directory and its parents, for this user alone. An existing directory stays as it is.
    pub(crate) fn make_dirs(&self, dir: &Path) -> Result<(), CacheError> {
        if dir.is_dir() {
            return Ok(());
        }
        self.change("create directory", dir, || {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)
        })
    }

    /// Opens a file that is locked rather than written, for reading and writing, and makes it if it does not exist.
    pub(crate) fn open_lock(&self, path: &Path) -> Result<File, CacheError> {
        self.change("open", path, || {
            let mut options = OpenOptions::new();
            options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                .open(path)
        })
    }

    /// Makes an empty file with a unique name in `dir`. It is deleted if it is dropped before [`Disk::rename`].
    pub(crate) fn temporary(&self, dir: &Path) -> Result<NamedTempFile, CacheError> {
        self.change("create a file in", dir, || {
            let (prefix, suffix) = TEMPORARY;
            tempfile::Builder::new().prefix(prefix).suffix(suffix).tempfile_in(dir)
        })
    }

    /// Writes all of `bytes`.
    pub(crate) fn write(&self, mut file: &File, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        // The bytes are written in two halves, so that the crash tests see a torn file.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.change("write", path, || file.write_all(first))?;
        self.change("write", path, || file.write_all(second))
    }

    /// Truncates a file, to remove what it says of its holder.
    pub(crate) fn truncate(&self, file: &File, path: &Path) -> Result<(), CacheError> {
        self.change("truncate", path, || file.set_len(0))
    }

    /// Makes a file's content durable.
    pub(crate) fn sync(&self, file: &File, path: &Path) -> Result<(), CacheError> {
        self.change("sync", path, || file.sync_all())
    }

    /// Makes the names in a directory durable.
    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<(), CacheError> {
        self.change("sync", dir, || match File::open(dir)?.sync_all() {
            // Some filesystems cannot sync directories and need no sync.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            done => done,
        })
    }

    /// Makes everything durable that was written to the filesystem of `dir`.
    pub(crate) fn sync_filesystem(&self, dir: &Path) -> Result<(), CacheError> {
        self.change("sync the filesystem of", dir, || {
            Ok(rustix::fs::syncfs(File::open(dir)?)?)
        })
    }

    /// Gives a complete file its final name, in place of an existing file.
    pub(crate) fn rename(&self, temporary: NamedTempFile, path: &Path) -> Result<(), CacheError> {
        self.change("rename a file to", path, || {
            temporary.persist(path).map(drop).map_err(|error| error.error)
        })
    }

    /// Gives a file a second name, which must be free.
    pub(crate) fn link(&self, from: &Path, to: &Path) -> Result<(), CacheError> {
        self.change("link a file to", to, || fs::hard_link(from, to))
    }

    /// As [`Disk::link`], for a file that is named relative to an open directory.
    pub(crate) fn link_from(&self, dir: BorrowedFd<'_>, name: &str, to: &Path) -> Result<(), CacheError> {
        self.change("link a file to", to, || {
            Ok(rustix::fs::linkat(dir, name, CWD, to, AtFlags::empty())?)
        })
    }

    /// Removes everybody's right to write, and the mode bits that are useless in a cache.
    pub(crate) fn protect(&self, file: &File, path: &Path) -> Result<(), CacheError> {
        self.change("change the mode of", path, || {
            let mode = file.metadata()?.permissions().mode();
            file.set_permissions(Permissions::from_mode(mode & 0o555 | 0o400))
        })
    }

    /// Fills the empty file `to` with the content of `from`. It shares the blocks if the filesystem can, and otherwise copies
    /// them, in the kernel if possible.
    pub(crate) fn copy(&self, mut from: &File, mut to: &File, path: &Path) -> Result<(), CacheError> {
        self.change("write", path, || {
            if rustix::fs::ioctl_ficlone(to, from).is_err() {
                from.rewind()?;
                io::copy(&mut from, &mut to)?;
            }
            Ok(())
        })
    }

    /// Gives a complete file its final name, which must be free.
    pub(crate) fn rename_new(&self, temporary: NamedTempFile, path: &Path) -> Result<(), CacheError> {
        self.change("rename a file to", path, || {
            temporary.persist_noclobber(path).map(drop).map_err(|error| error.error)
        })
    }

    /// Marks a file as used now.
    pub(crate) fn touch(&self, file: &File, path: &Path) -> Result<(), CacheError> {
        self.change("touch", path, || file.set_modified(SystemTime::now()))
    }

    /// Removes a directory if it is empty.
    pub(crate) fn remove_empty_dir(&self, path: &Path) -> Result<(), CacheError> {
        self.change("remove", path, || match fs::remove_dir(path) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
                Err(error)
            }
            _ => Ok(()),
        })
    }

    /// Removes a file, and returns whether there was one.
    pub(crate) fn remove(&self, path: &Path) -> Result<bool, CacheError> {
        self.change("remove", path, || match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// Writes `bytes` to `path`, in place of an existing file: completely or not at all, and durably.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        self.replace_by_way_of(path.parent().unwrap_or(Path::new("/")), path, bytes)
    }

    /// As [`Disk::replace`], but the file is written in another directory, `way`, of the same filesystem.
    pub(crate) fn replace_by_way_of(&self, way: &Path, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        let dir = path.parent().unwrap_or(Path::new("/"));
        self.make_dirs(dir)?;
        self.make_dirs(way)?;
        let temporary = self.temporary(way)?;
        self.write(temporary.as_file(), temporary.path(), bytes)?;
        self.sync(temporary.as_file(), temporary.path())?;
        self.rename(temporary, path)?;
        self.sync_dir(dir)
    }
}
