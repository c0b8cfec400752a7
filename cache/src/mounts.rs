//! What is mounted below a directory, and the removal of directories that stops there.
//!
//! `remove_dir_all` of the standard library crosses mount points. The kernel's list is read instead of comparing devices, because a
//! directory can be bound to a place on its own device, and because what is mounted may not answer any more.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Returns the mount points at and below `dir`, in the order in which they were mounted.
///
/// # Errors
///
/// Fails where the directory or the kernel's list cannot be read.
pub fn below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let dir = dir.canonicalize()?;
    let list = fs::read("/proc/self/mountinfo")?;
    let points = list.split(|byte| *byte == b'\n').filter_map(point);
    Ok(points.filter(|point| point.starts_with(&dir)).collect())
}

/// Removes a directory with all in it, as [`std::fs::remove_dir_all`] does, but nothing where something is mounted at it or below.
///
/// # Errors
///
/// Names what is mounted, or fails as the standard library's function does.
pub fn remove_dir_all(dir: &Path) -> io::Result<()> {
    // The place of a link is meant, and not where it leads.
    if !fs::symlink_metadata(dir)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if let Some(point) = below(dir)?.first() {
        let what = format!("`{}` is a mount point", point.display());
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, what));
    }
    fs::remove_dir_all(dir)
}

/// The mount point in a line of the kernel's list: its fifth word, where blanks and their like are `\` and three octal digits.
fn point(line: &[u8]) -> Option<PathBuf> {
    let word = line.split(|byte| *byte == b' ').nth(4)?;
    let mut name = Vec::with_capacity(word.len());
    let mut at = 0;
    while at < word.len() {
        let digits = word.get(at + 1..at + 4).filter(|_| word[at] == b'\\');
        let code = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        name.push(code.unwrap_or(word[at]));
        at += if code.is_some() { 4 } else { 1 };
    }
    Some(PathBuf::from(OsString::from_vec(name)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Something mounted until this is dropped; nothing where only root could do that.
    struct Mounted(PathBuf);

    impl Mounted {
        fn bind(from: &Path, to: &Path) -> Option<Self> {
            if !rustix::process::geteuid().is_root() {
                eprintln!("SKIPPED: only root can mount");
                return None;
            }
            let status = Command::new("mount").arg("--bind").args([from, to]).status().unwrap();
            assert!(status.success());
            Some(Self(to.to_owned()))
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            let _gone = Command::new("umount").arg(&self.0).status();
        }
    }

    #[test]
    fn names_of_mount_points_are_read_as_they_are() {
        let line = br"36 35 98:0 /root /a\040b\134040c/\303\244 rw,noatime - ext3 /dev/root rw";
        assert_eq!(point(line), Some(PathBuf::from("/a b\\040c/ä")));
        assert_eq!(point(b""), None);
    }

    #[test]
    fn nothing_goes_where_something_is_mounted_also_of_the_same_device() {
        let dir = tempfile::tempdir().unwrap();
        let (precious, doomed) = (dir.path().join("precious"), dir.path().join("doomed"));
        let point = doomed.join("a b");
        fs::create_dir_all(&point).unwrap();
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "kept").unwrap();
        fs::write(doomed.join("file"), "kept too").unwrap();
        let Some(mounted) = Mounted::bind(&precious, &point) else {
            return;
        };
        let error = remove_dir_all(&doomed).unwrap_err();
        assert!(error.to_string().contains(&*point.to_string_lossy()), "{error}");
        assert!(precious.join("file").exists() && doomed.join("file").exists());
        drop(mounted);
        remove_dir_all(&doomed).unwrap();
        assert!(precious.join("file").exists() && !doomed.exists());
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        assert!(remove_dir_all(&dir.path().join("link")).is_err());
        assert!(dir.path().join("real").exists());
    }
}
