//! Finds what is mounted below a directory, and removes directories without crossing mount points.
//!
//! The standard library's `remove_dir_all` crosses mount points. This module reads the kernel's list instead of comparing
//! devices, because a directory can be bind-mounted on its own device, and because a mounted filesystem may no longer respond.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Returns the mount points at and below `dir`, in the order in which they were mounted.
///
/// # Errors
///
/// Fails if the directory or the kernel's list cannot be read.
pub fn below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let dir = dir.canonicalize()?;
    let list = fs::read("/proc/self/mountinfo")?;
    let points = list.split(|byte| *byte == b'\n').filter_map(point);
    Ok(points.filter(|point| point.starts_with(&dir)).collect())
}

/// Fails if something is mounted at a directory or below it.
///
/// # Errors
///
/// The error names the mount point. Fails also as [`below`] does.
pub fn is_free(dir: &Path) -> io::Result<()> {
    match below(dir)?.first() {
        None => Ok(()),
        Some(point) => {
            let what = format!("`{}` is a mount point", point.display());
            Err(io::Error::new(io::ErrorKind::ResourceBusy, what))
        }
    }
}

/// Removes a directory with everything in it, as [`std::fs::remove_dir_all`] does, but removes nothing if something is mounted at
/// it or below it.
///
/// # Errors
///
/// The error names the mount point. Fails also as the standard library's function does.
pub fn remove_dir_all(dir: &Path) -> io::Result<()> {
    // For a symlink, the link itself is meant, and not its target.
    if !fs::symlink_metadata(dir)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    is_free(dir)?;
    fs::remove_dir_all(dir)
}

/// Returns the mount point in a line of the kernel's list. It is the fifth word, in which white space is written as `\` and three
/// octal digits.
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
    use super::*;

    #[test]
    fn names_of_mount_points_are_read_as_they_are() {
        let line = br"36 35 98:0 /root /a\040b\134040c/\303\244 rw,noatime - ext3 /dev/root rw";
        assert_eq!(point(line), Some(PathBuf::from("/a b\\040c/ä")));
        assert_eq!(point(b""), None);
    }
}
