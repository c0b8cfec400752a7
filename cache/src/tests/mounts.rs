//! Tests of mount points: nothing that is mounted below a directory is removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::{Env, key};
use crate::mounts::remove_dir_all;
use crate::{CacheError, GcPolicy, Store};

/// A bind mount that lasts until this is dropped. Only root can make one.
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

#[test]
fn nothing_is_collected_across_a_mount_point_and_the_store_may_be_mounted_itself() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"output"]);
    let (dir, other) = (env.store.dir().to_owned(), env.dir.path().join("other"));
    fs::create_dir(&other).expect("a directory");
    let precious = other.join("ab").join(format!("ab{}", "0".repeat(62)));
    fs::create_dir(other.join("ab")).expect("a directory");
    fs::write(&precious, "kept").expect("a file");
    let Some(mounted) = Mounted::bind(&other, &dir.join("blobs-v1")) else {
        return;
    };
    let refused = env.store.verify().expect_err("nothing is removed");
    assert!(matches!(refused, CacheError::Mounted { .. }), "{refused}");
    let collect = || {
        Store::open(&dir)
            .expect("a store")
            .gc(&GcPolicy::default(), SystemTime::now())
    };
    drop(env.store);
    let refused = collect().expect_err("nothing is collected");
    assert!(refused.to_string().contains("blobs-v1` is a mount point"), "{refused}");
    assert!(precious.exists());
    drop(mounted);
    let _itself = Mounted::bind(&dir, &dir).expect("it was possible before");
    collect().expect("a collection");
}
