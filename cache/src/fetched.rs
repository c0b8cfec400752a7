//! Fetched git trees: their layout in the cache, and the removal of commits that were not used for long.
//!
//! ```text
//! fetched-v1/
//! └── <name>-<digest of url and ref>/
//!     ├── lock          held while something below changes
//!     ├── repository/   bare, what was fetched
//!     ├── <commit>/     the files of one commit; complete once it has this name, and never changed
//!     └── <commit>.used empty; changed when somebody asked for the commit
//! ```
//!
//! Git and the module that runs it write here. Invariant: the directory of a commit is complete as long as it has its name; so it
//! loses the name before anything in it is removed.

use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;

use crate::bucket::Bucket;
use crate::mounts;

/// The file that is locked while anything of a repository changes.
pub const LOCK: &str = "lock";

/// The flags with which files are opened that are written or locked, so that somebody's symlink cannot redirect them.
pub const NO_LINK: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// The name of the bare repository.
pub const REPOSITORY: &str = "repository";

/// The prefix of the names of incomplete directories.
pub const UNFINISHED: &str = "unfinished-";

/// Returns the directory of fetched trees below the directory of the cache.
#[must_use]
pub fn directory(cache: &Path) -> PathBuf {
    Bucket::Fetched.below(cache)
}

/// Returns the file whose age tells when a commit was last asked for.
#[must_use]
pub fn used_file(directory: &Path, commit: &str) -> PathBuf {
    directory.join(format!("{commit}.used"))
}

/// A process that fetched a commit within this time may be about to read it.
const MAY_BE_READ: Duration = Duration::from_hours(1);

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The number of commits.
    pub commits: u64,
    /// The bytes of their files, and of repositories without any remaining commit.
    pub bytes: u64,
}

/// Removes the commits below `directory` that were not used for longer than `keep` (at least an hour). What another process is
/// fetching now is left alone.
///
/// # Errors
///
/// Fails if something is mounted among the files, or if they cannot be listed or removed.
pub fn prune(directory: &Path, keep: Duration, now: SystemTime) -> io::Result<Pruned> {
    let mut pruned = Pruned::default();
    let keep = keep.max(MAY_BE_READ);
    for fetched in entries(directory)? {
        let lock = match File::options()
            .append(true)
            .custom_flags(NO_LINK)
            .open(fetched.path().join(LOCK))
        {
            Ok(lock) => lock,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(error),
        };
        if lock.try_lock().is_ok() {
            prune_one(&fetched.path(), keep, now, &mut pruned)?;
        }
    }
    Ok(pruned)
}

fn prune_one(dir: &Path, keep: Duration, now: SystemTime, pruned: &mut Pruned) -> io::Result<()> {
    let mut left = false;
    for entry in entries(dir)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_commit = matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_commit {
            let used = fs::metadata(used_file(dir, &name)).or_else(|_never_noted| entry.metadata())?;
            if now.duration_since(used.modified()?).is_ok_and(|age| age > keep) {
                mounts::is_free(&entry.path())?;
                let gone = dir.join(format!("{UNFINISHED}{name}"));
                fs::rename(entry.path(), &gone)?;
                remove(&gone, pruned)?;
                let _was_never_noted = fs::remove_file(used_file(dir, &name));
                pruned.commits += 1;
            } else {
                left = true;
            }
        } else if name.starts_with(UNFINISHED) {
            // The process that made it held the lock, so it no longer exists.
            remove(&entry.path(), pruned)?;
        }
    }
    let repository = dir.join(REPOSITORY);
    if !left && repository.exists() {
        remove(&repository, pruned)?;
    }
    Ok(())
}

fn entries(dir: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path, pruned: &mut Pruned) -> io::Result<()> {
    mounts::is_free(path)?;
    let mut todo = vec![path.to_owned()];
    while let Some(path) = todo.pop() {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            todo.extend(entries(&path)?.iter().map(DirEntry::path));
        } else {
            pruned.bytes += metadata.len();
        }
    }
    mounts::remove_dir_all(path)
}
