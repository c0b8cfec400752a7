//! The store as a whole: opening it, the right to write, and the reports of broken files.

pub(crate) mod disk;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod walk;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};

use crate::blobs::Blobs;
use crate::bucket::Bucket;
use crate::error::CacheError;
use crate::mounts;
use crate::ownership::{self, Foreign};
use crate::report::{BadFile, FileProblem};
use crate::store::disk::Disk;
use crate::store::layout::{FORMAT, Format, Layout, TAG};
use crate::store::lock::StoreLock;

/// An open store. Its clones share it, and any number of threads and processes may use it.
///
/// Nothing is collected while one of the clones, or one of their [`Ticket`](crate::Ticket)s, lives.
///
/// ```
/// use atex_cache::Store;
///
/// let dir = tempfile::tempdir()?;
/// let store = Store::open(&dir.path().join("cache"))?;
/// let digest = store.blobs().put_bytes(b"hello\n")?;
/// assert_eq!(store.blobs().read(digest)?.as_deref(), Some(&b"hello\n"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What the clones of a store share.
struct Inner {
    layout: Layout,
    disk: Disk,
    /// Why nothing may be written.
    read_only: Option<String>,
    /// The lock; it is absent if the store is only read and there is no file to lock.
    lock: Option<StoreLock>,
    reports: Mutex<BTreeSet<BadFile>>,
}

/// The parts of a store that nobody else holds.
pub(crate) struct Alone {
    pub(crate) store: Store,
    pub(crate) lock: StoreLock,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.dir())
            .field("read_only", &self.read_only())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in `dir` for reading and writing, and makes it if it does not exist.
    ///
    /// It waits up to a minute while the store is being collected. A store whose marker says that a newer atex made it is opened
    /// for reading only; [`Store::read_only`] says why.
    ///
    /// Fails with [`CacheError::Io`] if the directory cannot be made or written, and with [`CacheError::InUse`] if the collection
    /// takes longer.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        Self::open_on(Disk::default(), dir)
    }

    /// Opens the store in `dir` to look at it, without making or changing anything. A store that does not exist is an empty one.
    ///
    /// Fails with [`CacheError::Io`] if it exists and cannot be read, and with [`CacheError::InUse`] as [`Store::open`] does.
    pub fn open_read_only(dir: &Path) -> Result<Self, CacheError> {
        let layout = Layout::new(absolute(dir)?);
        check(layout.dir())?;
        let lock = match open_plain(&layout.lock()) {
            Ok(file) => Some(StoreLock::shared(file, layout.dir())?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(CacheError::io("open", layout.lock(), error)),
        };
        Ok(Self::assemble(
            layout,
            Disk::default(),
            Some("it was opened to be read".to_owned()),
            lock,
        ))
    }

    /// As [`Store::open`]. If the store cannot be made, written or locked, it is opened for reading only, as far as it can be
    /// read: what cannot be read is a miss.
    ///
    /// Fails with [`CacheError::InUse`] as [`Store::open`] does, and with [`CacheError::Io`] if `dir` cannot be a directory at
    /// all.
    pub fn open_as_far_as_it_goes(dir: &Path) -> Result<Self, CacheError> {
        let layout = Layout::new(absolute(dir)?);
        let error = match Self::open(dir) {
            Err(error @ CacheError::Io { .. }) if !is_no_directory(&error, layout.dir()) => error,
            opened => return opened,
        };
        let lock = open_plain(&layout.lock()).ok();
        // Without the lock, a collection may remove what was found; that is a miss, too.
        let lock = match lock.map(|file| StoreLock::shared(file, layout.dir())) {
            Some(Err(error @ CacheError::InUse { .. })) => return Err(error),
            lock => lock.and_then(Result::ok),
        };
        Ok(Self::assemble(layout, Disk::default(), Some(error.to_string()), lock))
    }

    pub(crate) fn open_on(disk: Disk, dir: &Path) -> Result<Self, CacheError> {
        let layout = Layout::new(absolute(dir)?);
        check(layout.dir())?;
        disk.make_dirs(layout.dir())?;
        // Somebody else may have made the directory first.
        check(layout.dir())?;
        let lock = StoreLock::shared(disk.open_lock(&layout.lock())?, layout.dir())?;
        let format = layout.read_format();
        let damaged = (format == Format::Damaged).then(|| layout.format());
        let read_only = match format {
            Format::Known => None,
            Format::Absent | Format::Damaged => {
                // What a killed process leaves must lie where `gc` recognises it as the store's.
                let way = layout.bucket(Bucket::Records);
                if !layout.holds_foreign_files() {
                    disk.replace_by_way_of(&way, &layout.tag(), TAG.as_bytes())?;
                }
                disk.replace_by_way_of(&way, &layout.format(), format!("{FORMAT}\n").as_bytes())?;
                None
            }
            Format::Unknown(found) => Some(format!("its format is `{found}`, and this atex knows `{FORMAT}`")),
        };
        let store = Self::assemble(layout, disk, read_only, Some(lock));
        if let Some(path) = damaged {
            store.report(
                path,
                FileProblem::Malformed("it holds no version, and was written anew".to_owned()),
            );
        }
        Ok(store)
    }

    fn assemble(layout: Layout, disk: Disk, read_only: Option<String>, lock: Option<StoreLock>) -> Self {
        let reports = Mutex::new(BTreeSet::new());
        Self {
            inner: Arc::new(Inner {
                layout,
                disk,
                read_only,
                lock,
                reports,
            }),
        }
    }

    /// Returns the absolute path of the store's directory.
    pub fn dir(&self) -> &Path {
        self.inner.layout.dir()
    }

    /// Returns why nothing can be written, if that is the case.
    pub fn read_only(&self) -> Option<&str> {
        self.inner.read_only.as_deref()
    }

    /// Returns the blobs of the store.
    pub fn blobs(&self) -> Blobs<'_> {
        Blobs::new(self)
    }

    /// Returns the broken files that were found since the last call, sorted by path and without duplicates.
    pub fn take_reports(&self) -> Vec<BadFile> {
        let mut reports = self.inner.reports.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *reports).into_iter().collect()
    }

    pub(crate) fn report(&self, path: PathBuf, problem: FileProblem) {
        let mut reports = self.inner.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.insert(BadFile { path, problem });
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// Returns the access to the disk for a change in the store.
    pub(crate) fn disk(&self) -> Result<&Disk, CacheError> {
        match &self.inner.read_only {
            None => Ok(&self.inner.disk),
            Some(reason) => Err(CacheError::ReadOnly {
                path: self.dir().to_owned(),
                reason: reason.clone(),
            }),
        }
    }

    /// Returns the access to the disk for a change outside the store.
    pub(crate) fn disk_outside(&self) -> &Disk {
        &self.inner.disk
    }

    /// Fails if something is mounted below the store, because a removal that walks the store would remove somebody's files. The
    /// store itself may be mounted.
    pub(crate) fn holds_no_mounts(&self) -> Result<(), CacheError> {
        let points =
            mounts::below(self.dir()).map_err(|error| CacheError::io("look for mounts below", self.dir(), error))?;
        let real = self.dir().canonicalize().unwrap_or_default();
        match points.into_iter().find(|point| *point != real) {
            None => Ok(()),
            Some(point) => Err(CacheError::Mounted {
                path: self.dir().to_owned(),
                point,
            }),
        }
    }

    /// Takes the store apart if this is its only holder in the process, for operations that need its lock.
    pub(crate) fn alone(self) -> Result<Alone, CacheError> {
        self.disk()?;
        let dir = self.dir().to_owned();
        let in_use = CacheError::InUse {
            path: dir,
            what: "this process is at work",
        };
        let Ok(mut inner) = Arc::try_unwrap(self.inner) else {
            return Err(in_use);
        };
        match inner.lock.take() {
            Some(lock) => Ok(Alone {
                store: Self { inner: Arc::new(inner) },
                lock,
            }),
            None => Err(in_use),
        }
    }
}

/// Returns whether an error says that the store's directory cannot be a directory, because it or one of its parents is something
/// else.
fn is_no_directory(error: &CacheError, dir: &Path) -> bool {
    use io::ErrorKind::{AlreadyExists, NotADirectory};
    matches!(error, CacheError::Io { path, source, .. }
        if path == dir && matches!(source.kind(), AlreadyExists | NotADirectory))
}

/// Checks that the store's directory belongs to this user.
fn check(dir: &Path) -> Result<(), CacheError> {
    ownership::check(dir).map_err(|source| match source {
        Foreign::Io { action, path, source } => CacheError::io(action, path, source),
        source => CacheError::Foreign {
            path: dir.to_owned(),
            source,
        },
    })
}

/// Opens a file for reading, and does not follow a symlink.
fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

fn absolute(dir: &Path) -> Result<PathBuf, CacheError> {
    std::path::absolute(dir).map_err(|source| CacheError::io("find", dir, source))
}
