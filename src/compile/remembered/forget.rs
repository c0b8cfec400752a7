//! Removing what was remembered of trees at which nobody looked for long.
//!
//! All of it can be made again from the trees: whatever is taken away too early costs time only, and a reader that has a file open
//! keeps it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::compile::null_build;
use crate::compile::remembered::file_digests;
use crate::compile::remembered::packed_tree;
use crate::host::mounts;

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The directories of the cache that hold what is remembered of trees.
pub const REMEMBERED: [&str; 3] = [file_digests::BUCKET, packed_tree::BUCKET, null_build::BUCKET];

/// Removes what is below the cache's directory `cache` and was not of use for longer than `keep`.
pub fn forget(cache: &Path, keep: Duration, now: SystemTime) -> io::Result<Forgotten> {
    let mut forgotten = Forgotten::default();
    for bucket in REMEMBERED {
        let bucket = cache.join(bucket);
        if bucket.exists() {
            mounts::is_free(&bucket)?;
            sweep(&bucket, keep, now, &mut forgotten)?;
        }
    }
    Ok(forgotten)
}

/// Sweeps a directory and those below it, and removes one of those that is empty then.
fn sweep(directory: &Path, keep: Duration, now: SystemTime, forgotten: &mut Forgotten) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let (path, stat) = match entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        if stat.is_dir() {
            sweep(&path, keep, now, forgotten)?;
            let _is_in_use = fs::remove_dir(&path);
        } else if now.duration_since(stat.modified()?).is_ok_and(|age| age > keep) && fs::remove_file(&path).is_ok() {
            forgotten.files += 1;
            forgotten.bytes += stat.len();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_of_use_for_long_goes_and_the_rest_stays() {
        let cache = tempfile::tempdir().unwrap();
        let root = cache.path().join(packed_tree::BUCKET).join("3f9a");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(cache.path().join(file_digests::BUCKET)).unwrap();
        let now = SystemTime::now();
        let old = now - Duration::from_secs(100);
        for (file, used) in [
            (root.join("old.fmf"), old),
            (root.join("new.fmf"), now),
            (cache.path().join(file_digests::BUCKET).join("old"), old),
            (cache.path().join("other"), old),
        ] {
            fs::write(&file, "text").unwrap();
            fs::File::options()
                .append(true)
                .open(&file)
                .and_then(|file| file.set_modified(used))
                .unwrap();
        }
        let forgotten = forget(cache.path(), Duration::from_secs(50), now).unwrap();
        assert_eq!(forgotten, Forgotten { files: 2, bytes: 8 });
        assert!(root.join("new.fmf").exists() && cache.path().join("other").exists());
        let later = now + Duration::from_mins(1);
        assert_eq!(forget(cache.path(), Duration::from_secs(50), later).unwrap().files, 1);
        assert!(!root.exists());
        assert_eq!(
            forget(&cache.path().join("none"), Duration::ZERO, later).unwrap().files,
            0
        );
    }
}
