//! What symlinks lead to out of the tree. On this host it is what a test reads through them, so it is in the key; on another machine
//! the link leads to what that has there, and a key that changes with this host's costs a run at most.

use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use atex_graph::BlobDigest;

use super::spec::UploadKind;

/// A file larger than this counts by its size and the times of its inode.
const LARGEST: u64 = 16 << 20;

/// So many files behind one link are looked at.
const MOST: usize = 2_000;

/// Digests what an absolute symlink leads to, if it leads out of the tree. One by `..` leads nowhere on any machine.
pub(crate) fn digest(root: &Path, kind: &UploadKind) -> Option<BlobDigest> {
    let UploadKind::Symlink(target) = kind else {
        return None;
    };
    if !target.is_absolute() || target.starts_with(root) {
        return None;
    }
    let (mut hasher, mut left) = (blake3::Hasher::new(), vec![target.clone()]);
    let mut looked = 0;
    while let Some(path) = left.pop() {
        hasher.update(path.as_os_str().as_bytes()).update(&[0]);
        looked += 1;
        // What is not looked at any more still has its name above.
        if looked <= MOST {
            look(&mut hasher, &path, looked == 1, &mut left);
        }
    }
    Some(BlobDigest::from_bytes(hasher.finalize().into()))
}

/// What is at a path: of the link itself behind all links, of what lies below it as it is.
fn look(hasher: &mut blake3::Hasher, path: &Path, follow: bool, left: &mut Vec<PathBuf>) {
    let metadata = if follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    let Ok(metadata) = metadata else { return };
    hasher.update(&metadata.mode().to_le_bytes());
    if metadata.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut below: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        below.sort_unstable();
        left.extend(below.into_iter().take(MOST + 1));
    } else if metadata.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        hasher.update(target.as_os_str().as_bytes());
    } else if metadata.is_file() {
        content(hasher, path, &metadata);
    }
}

fn content(hasher: &mut blake3::Hasher, path: &Path, metadata: &Metadata) {
    let read = (metadata.len() <= LARGEST).then(|| {
        let mut content = blake3::Hasher::new();
        content.update_reader(File::open(path)?)?;
        std::io::Result::Ok(content.finalize())
    });
    match read {
        Some(Ok(digest)) => hasher.update(digest.as_bytes()),
        // Who cannot read it cannot know more of it.
        _ => [
            metadata.len(),
            metadata.ino(),
            metadata.ctime().cast_unsigned(),
            metadata.ctime_nsec().cast_unsigned(),
        ]
        .iter()
        .fold(hasher, |hasher, number| hasher.update(&number.to_le_bytes())),
    };
}
