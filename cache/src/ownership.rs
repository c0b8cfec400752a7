//! Whose a directory is: whether anybody but this user and root can put something into it, or something else in its place.
//!
//! Owns the rule for every directory whose contents atex believes, runs or removes. The programs that run on SUTs hold the same rule in
//! bash, as `safe` of `directory.bash`.
//!
//! The rule, for the directory, and for every directory and link on the way to it:
//!
//! 1. The directory itself is the user's own. What lies on the way to it is the user's own or root's.
//! 2. Nobody else may write to any of them. On the way, a sticky directory such as `/tmp` may be written by everybody, because nobody
//!    can touch there what is not his.
//! 3. A group that nobody else is in is the user's own, where no access control list names others: it has his number or his name, `/etc/group`
//!    names no other member, and it is nobody else's own group in `/etc/passwd`. So is root's group.
//!
//! A directory that is not there yet is judged by the way to it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::Mode;

/// How many links a way may lead through, as many as the kernel follows.
const MOST_LINKS: u32 = 40;

/// The attribute that holds an access control list.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum Foreign {
    /// It belongs to somebody else, or something on the way to it does.
    #[error("`{}` belongs to the user with the number {uid}", path.display())]
    Owner {
        /// The directory or link at fault.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// Others may write to it, or to something on the way to it.
    #[error("others may write to `{}`", .0.display())]
    Writable(PathBuf),
    /// It cannot be told, or made.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The path at fault.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What to do about a [`Foreign`] directory.
pub const HINT: &str = "name a directory that only you can write to, on a way that only you and root can change";

/// Checks that nobody but this user and root can put anything into `dir`, or something else in its place.
///
/// # Errors
///
/// Says what on the way belongs to whom, or can be written by others.
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

/// Makes a directory and those above it with a mode, and checks it as [`check`] does before anything is made, and again then: somebody
/// else may have come first. One that is there keeps its mode.
///
/// # Errors
///
/// As [`check`]; and where it cannot be made.
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

/// Checks one directory or link; `last`: it is where the way leads.
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

/// Returns whether nobody but a user and root is in a group of his, as the two files tell. Users and groups from elsewhere are known by
/// their numbers only.
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

/// Returns whether a list names more users or groups than the mode does.
fn has_access_list(path: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    rustix::fs::lgetxattr(path, ACCESS_LIST, &mut nothing).is_ok_and(|length| length > 0)
}

/// The number that stands for all users whom this namespace does not know, root of the host among them, if it stands for nobody
/// else.
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

/// The names in a path, without those that lead nowhere.
fn parts(path: &Path) -> VecDeque<OsString> {
    let name = |part| match part {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).map(OsStr::to_owned).collect()
}

/// Returns whether there is nothing in a place, and who wants to make something there will hear why it cannot be.
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
