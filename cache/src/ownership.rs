//! Checks the ownership of a directory: whether anybody except this user and root can put something into it, or replace it.
//!
//! This module owns the rule for every directory whose contents atex trusts, runs or removes. The programs that run on SUTs
//! implement the same rule in bash, as `safe` in `directory.bash`.
//!
//! The rule applies to the directory, and to every directory and symlink on the way to it:
//!
//! 1. The directory itself belongs to the user. What is on the way to it belongs to the user or to root.
//! 2. Nobody else may write to any of them. On the way, everybody may write to a sticky directory such as `/tmp`, because nobody
//!    can touch there what belongs to another user.
//! 3. A group counts as the user's own if nobody else is in it and no access control list names others: it has the user's number
//!    or name, `/etc/group` names no other member, and it is nobody else's own group in `/etc/passwd`. Root's group counts as
//!    well.
//!
//! A directory that does not exist yet is judged by the way to it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::Mode;

/// How many symlinks a path may lead through, which is the kernel's limit.
const MOST_LINKS: u32 = 40;

/// The extended attribute that holds an access control list.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum Foreign {
    /// The directory, or something on the way to it, belongs to somebody else.
    #[error("`{}` belongs to the user with the number {uid}", path.display())]
    Owner {
        /// The directory or link at fault.
        path: PathBuf,
        /// The number of its owner.
        uid: u32,
    },
    /// Others may write to the directory, or to something on the way to it.
    #[error("others may write to `{}`", .0.display())]
    Writable(PathBuf),
    /// The directory cannot be checked or made.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// The operation that failed.
        action: &'static str,
        /// The path at fault.
        path: PathBuf,
        /// The reason of the failure.
        source: io::Error,
    },
}

/// What to do about a [`Foreign`] directory.
pub const HINT: &str = "name a directory that only you can write to, on a way that only you and root can change";

/// Checks that nobody except this user and root can put anything into `dir`, or replace it with something else.
///
/// # Errors
///
/// The error names what on the way belongs to somebody else, or can be written by others.
pub fn check(dir: &Path) -> Result<(), Foreign> {
    let unmapped = unmapped_user();
    let mut path = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = parts(&std::path::absolute(dir).map_err(|source| io_error(dir, source))?);
    let mut links = 0;
    check_one(&path, false, unmapped)?;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            path.pop();
            continue;
        }
        path.push(part);
        let metadata = match check_one(&path, false, unmapped) {
            Err(Foreign::Io { source, .. }) if is_missing(&source) => return Ok(()),
            checked => checked?,
        };
        if metadata.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err(io_error(&path, rustix::io::Errno::LOOP.into()));
            }
            let target = fs::read_link(&path).map_err(|source| io_error(&path, source))?;
            if target.is_absolute() {
                path = PathBuf::from("/");
            } else {
                path.pop();
            }
            for part in parts(&target).into_iter().rev() {
                rest.push_front(part);
            }
        }
    }
    check_one(&path, true, unmapped).map(drop)
}

/// Makes a directory and its parents with a mode. It is checked as [`check`] does before anything is made, and again afterwards,
/// because somebody else may have been faster. An existing directory keeps its mode.
///
/// # Errors
///
/// Fails as [`check`] does, and if the directory cannot be made.
pub fn make(dir: &Path, mode: u32) -> Result<(), Foreign> {
    check(dir)?;
    if dir.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(mode).create(dir);
    made.map_err(|source| Foreign::Io {
        action: "make",
        path: dir.to_owned(),
        source,
    })?;
    check(dir)
}

/// Checks one directory or symlink. `last` says that it is the directory itself, and not on the way to it.
fn check_one(path: &Path, last: bool, unmapped: Option<u32>) -> Result<fs::Metadata, Foreign> {
    let metadata = fs::symlink_metadata(path).map_err(|source| io_error(path, source))?;
    let (me, uid) = (rustix::process::geteuid().as_raw(), metadata.uid());
    if uid != me && (last || uid != 0 && Some(uid) != unmapped) {
        let path = path.to_owned();
        return Err(Foreign::Owner { path, uid });
    }
    let mode = Mode::from_raw_mode(metadata.mode());
    if metadata.is_symlink() || !last && mode.contains(Mode::SVTX) {
        return Ok(metadata);
    }
    let by_group = || mode.contains(Mode::WGRP) && (!is_own_group(metadata.gid(), me) || has_access_list(path));
    if mode.contains(Mode::WOTH) || by_group() {
        return Err(Foreign::Writable(path.to_owned()));
    }
    Ok(metadata)
}

/// Returns whether a group is the user's own or root's.
fn is_own_group(gid: u32, me: u32) -> bool {
    let read = |file: &str| fs::read(file).map_or_else(|_| String::new(), |text| String::from_utf8_lossy(&text).into());
    gid == 0 || is_private(gid, me, &read("/etc/passwd"), &read("/etc/group"))
}

/// Returns whether a group contains nobody except its user and root, as far as the two files tell. Users and groups from
/// elsewhere are known only by their numbers.
pub(crate) fn is_private(gid: u32, me: u32, passwd: &str, group: &str) -> bool {
    let fields = |line: &'_ str| -> Option<(String, u32, String)> {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name.to_owned(), number.parse().ok()?, fields.next()?.to_owned()))
    };
    let (mut mine, mut trusted) = (Vec::new(), Vec::new());
    for (name, uid, own) in passwd.lines().filter_map(fields) {
        if uid == me {
            mine.push(name.clone());
        } else if uid != 0 && own.parse() == Ok(gid) {
            return false;
        }
        if uid == me || uid == 0 {
            trusted.push(name);
        }
    }
    let mut known = gid == me;
    for (name, _, members) in group.lines().filter_map(fields).filter(|(_, number, _)| *number == gid) {
        let mut members = members.split(',').map(str::trim).filter(|member| !member.is_empty());
        if members.any(|member| !trusted.iter().any(|name| name == member)) {
            return false;
        }
        known |= mine.contains(&name);
    }
    known
}

/// Returns whether an access control list names more users or groups than the mode does.
fn has_access_list(path: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    rustix::fs::lgetxattr(path, ACCESS_LIST, &mut nothing).is_ok_and(|length| length > 0)
}

/// Returns the number that stands for all users that this namespace does not know, among them the host's root, provided that it
/// stands for nobody else.
fn unmapped_user() -> Option<u32> {
    let number: u32 = fs::read_to_string("/proc/sys/kernel/overflowuid")
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let map = fs::read_to_string("/proc/self/uid_map").ok()?;
    let holds = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let (Some(Ok(inside)), Some(Ok(_)), Some(Ok(count))) = (numbers.next(), numbers.next(), numbers.next()) else {
            return true;
        };
        let (inside, count): (u64, u64) = (inside, count);
        (inside..inside + count).contains(&number.into())
    };
    (!map.lines().any(holds)).then_some(number)
}

/// Returns the names in a path, without those that lead nowhere.
fn parts(path: &Path) -> VecDeque<OsString> {
    let name = |part| match part {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).map(OsStr::to_owned).collect()
}

/// Returns whether the error means that nothing is there yet. Making something there will report why it cannot be made.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn io_error(path: &Path, source: io::Error) -> Foreign {
    let path = path.to_owned();
    Foreign::Io {
        action: "look at",
        path,
        source,
    }
}
