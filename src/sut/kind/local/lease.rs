//! Finds out who holds the lease of a machine's directory on this host, from outside: nothing is locked, so nobody has to
//! wait.
//!
//! The kernel lists the locked files in `/proc/locks`. Where it hides locks whose taker has ended (in containers), the
//! `fdinfo` of all processes' open files tells the same. The text of the lease says who took it last; that is the holder, if
//! anybody holds it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{major, minor};

use super::used_dir;

/// A file as the kernel's lists of locks identify it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    major: u32,
    minor: u32,
    inode: u64,
}

/// Returns who holds the local machine whose directory is `dir` or the default one; `None` where it is free.
pub fn peek(dir: Option<&Path>) -> Option<String> {
    let path = used_dir(dir)?.join("lease");
    let metadata = fs::symlink_metadata(&path).ok()?;
    let place = Place {
        major: major(metadata.dev()),
        minor: minor(metadata.dev()),
        inode: metadata.ino(),
    };
    let listed = fs::read_to_string("/proc/locks").is_ok_and(|locks| locks.lines().any(|line| is_held(line, place)));
    if !listed && !is_held_by_a_process(place) {
        return None;
    }
    let holder = fs::read(&path).unwrap_or_default();
    // The rest of the file is what a longer text left there before.
    let line = holder.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Some(String::from_utf8_lossy(line).trim().to_owned())
}

/// Whether a line reports that this file is locked: `1: FLOCK  ADVISORY  WRITE 20571 fe:00:10027015 0 EOF`. A line of one
/// that only waits for the lock has an arrow in it. Where the filesystem has no device of its own, the kernel's device number
/// differs from that of `stat`, so only the inode is compared.
fn is_held(line: &str, place: Place) -> bool {
    let words: Vec<&str> = line.trim_start_matches("lock:").split_whitespace().collect();
    let [_, "FLOCK", _, "WRITE", _, file, ..] = words[..] else {
        return false;
    };
    let parts: Vec<&str> = file.split(':').collect();
    let [major, minor, inode] = parts[..] else { return false };
    let hex = |text| u32::from_str_radix(text, 16).ok();
    let same_device = place.major == 0 || hex(major) == Some(place.major) && hex(minor) == Some(place.minor);
    same_device && inode.parse() == Ok(place.inode)
}

fn is_held_by_a_process(place: Place) -> bool {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let processes = entries(Path::new("/proc"));
    let mut files = processes.flat_map(|process| entries(&process.path().join("fdinfo")));
    files.any(|file| {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        text.lines()
            .any(|line| line.starts_with("lock:") && is_held(line, place))
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    #[test]
    fn a_lease_is_seen_while_it_is_held_and_looking_does_not_take_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".atex"), "found\n").unwrap();
        assert_eq!(peek(Some(dir.path())), None, "there is none");
        fs::write(dir.path().join("lease"), "pid 1 of somebody\nelse, before\n").unwrap();
        assert_eq!(peek(Some(dir.path())), None, "nobody holds it");
        let lease = File::open(dir.path().join("lease")).unwrap();
        flock(&lease, FlockOperation::NonBlockingLockExclusive).unwrap();
        for _ in 0..3 {
            assert_eq!(peek(Some(dir.path())).as_deref(), Some("pid 1 of somebody"));
        }
        drop(lease);
        assert_eq!(peek(Some(dir.path())), None);
    }

    #[test]
    fn who_waits_for_a_lock_and_who_locks_another_file_do_not_hold_it() {
        let place = Place {
            major: 0xfe,
            minor: 0,
            inode: 77,
        };
        assert!(is_held("1: FLOCK  ADVISORY  WRITE 20571 fe:00:77 0 EOF", place));
        assert!(is_held("lock:\t1: FLOCK  ADVISORY  WRITE 0 fe:00:77 0 EOF", place));
        for line in [
            "1: -> FLOCK  ADVISORY  WRITE 20571 fe:00:77 0 EOF",
            "1: FLOCK  ADVISORY  WRITE 20571 fe:01:77 0 EOF",
            "1: FLOCK  ADVISORY  READ 20571 fe:00:77 0 EOF",
            "1: POSIX  ADVISORY  WRITE 20571 fe:00:77 0 EOF",
            "nonsense",
        ] {
            assert!(!is_held(line, place), "{line}");
        }
    }
}
