//! Tests of blobs: storing, verifying, exporting and replacing content.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use atex_graph::BlobDigest;

use super::{Env, files_below, temporaries_below};
use crate::{CacheError, Exported, FileProblem};

#[test]
fn bytes_read_back_and_equal_bytes_are_one_blob() {
    let env = Env::new();
    let digest = env.store.blobs().put_bytes(b"hello").expect("put");
    assert_eq!(env.store.blobs().put_bytes(b"hello").expect("put again"), digest);
    assert_eq!(
        env.store.blobs().read(digest).expect("a read").as_deref(),
        Some(&b"hello"[..])
    );
    assert_eq!(env.store.du().expect("a count").buckets[1].files, 1);
    assert_eq!(env.store.blobs().read(BlobDigest::of(b"other")).expect("a read"), None);
    assert_eq!(env.store.take_reports(), []);
}

#[test]
fn file_is_linked_into_the_store_and_loses_only_the_right_to_write() {
    let env = Env::new();
    let path = env.file("output.txt", b"content");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
    let stored = env.store.blobs().put_file(&path).expect("put");
    assert_eq!((stored.digest, stored.size), (BlobDigest::of(b"content"), 7));
    let (source, blob) = (
        fs::metadata(&path),
        fs::metadata(env.store.layout().blob(stored.digest)),
    );
    let (source, blob) = (source.expect("the source"), blob.expect("the blob"));
    assert_eq!(source.ino(), blob.ino());
    assert_eq!(source.mode() & 0o7777, 0o440);
}

#[test]
fn file_of_another_filesystem_is_copied() {
    let env = Env::new();
    let elsewhere = std::path::Path::new("/dev/shm");
    let device = |path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    if device(elsewhere).is_none_or(|other| Some(other) == device(env.dir.path())) {
        eprintln!("SKIPPED: no second filesystem at {}", elsewhere.display());
        return;
    }
    let dir = tempfile::tempdir_in(elsewhere).expect("a directory there");
    let source = dir.path().join("big");
    let content: Vec<u8> = (0..1_000_003_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&source, &content).expect("a file there");
    let stored = env.store.blobs().put_file(&source).expect("put");
    assert_eq!(stored.digest, BlobDigest::of(&content));
    let found = fs::metadata(&source).expect("the source");
    assert_eq!((found.nlink(), found.permissions().readonly()), (1, false));

    let dest = dir.path().join("back");
    assert_eq!(
        env.store.blobs().export(stored.digest, &dest).expect("an export"),
        Some(Exported::Copied)
    );
    assert_eq!(fs::read(&dest).expect("the copy"), content);
    assert_eq!(temporaries_below(env.store.dir()), temporaries_below(dir.path()));
}

#[test]
fn only_regular_files_are_stored() {
    let env = Env::new();
    let target = env.file("target", b"x");
    let (link, fifo) = (env.dir.path().join("link"), env.dir.path().join("fifo"));
    symlink(&target, &link).expect("a link");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a fifo");
    for path in [link.as_path(), fifo.as_path(), env.dir.path()] {
        assert!(
            matches!(env.store.blobs().put_file(path), Err(CacheError::NotAFile { .. })),
            "{}",
            path.display()
        );
    }
    let missing = env
        .store
        .blobs()
        .put_file(&env.dir.path().join("missing"))
        .expect_err("missing");
    assert!(
        missing.to_string().contains("missing`: No such file or directory"),
        "{missing}"
    );
}

#[test]
fn changed_blob_is_a_miss_is_reported_and_can_be_put_again() {
    let env = Env::new();
    let path = env.file("output.txt", b"content");
    let digest = env.store.blobs().put_file(&path).expect("put").digest;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    fs::write(&path, b"CONTENT").expect("an edit of the linked file");
    assert!(env.store.blobs().open_verified(digest).expect("a read").is_none());
    let reports = env.store.take_reports();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].problem, FileProblem::Content);
    assert_eq!(env.store.take_reports(), []);
    env.store.blobs().put_bytes(b"content").expect("put again");
    let mut text = String::new();
    let opened = env.store.blobs().open_verified(digest).expect("a read");
    opened.expect("the blob").read_to_string(&mut text).expect("text");
    assert_eq!(text, "content");
}

#[test]
fn putting_over_a_bad_blob_replaces_it() {
    let env = Env::new();
    let digest = BlobDigest::of(b"content");
    for bad in [&b"short"[..], b"CONTENT"] {
        for from_file in [false, true] {
            env.store.blobs().put_bytes(b"content").expect("put");
            let blob = env.store.layout().blob(digest);
            fs::remove_file(&blob).expect("the blob");
            fs::write(&blob, bad).expect("damage");
            let put = if from_file {
                env.store
                    .blobs()
                    .put_file(&env.file("source", b"content"))
                    .map(|stored| stored.digest)
            } else {
                env.store.blobs().put_bytes(b"content")
            };
            assert_eq!(put.expect("put again"), digest);
            assert!(env.store.blobs().read(digest).expect("a read").is_some());
            fs::remove_file(env.dir.path().join("source")).ok();
        }
    }
    assert_eq!(temporaries_below(env.store.dir()).len(), 0);
}

#[test]
fn export_links_and_never_replaces_a_file() {
    let env = Env::new();
    let digest = env.store.blobs().put_bytes(b"content").expect("put");
    let dest = env.dir.path().join("dest");
    assert_eq!(
        env.store.blobs().export(digest, &dest).expect("an export"),
        Some(Exported::Linked)
    );
    assert_eq!(fs::read(&dest).expect("the file"), b"content");
    let error = env.store.blobs().export(digest, &dest).expect_err("taken");
    assert!(error.to_string().ends_with("dest`: File exists"), "{error}");
    assert_eq!(error.hint(), None, "it has nothing to do with the cache's place");
    assert_eq!(
        env.store
            .blobs()
            .export(BlobDigest::of(b"none"), &dest)
            .expect("a miss"),
        None
    );
}

#[test]
fn thousands_of_blobs_are_one_batch() {
    let env = Env::new();
    let mut batch = env.store.blobs().batch();
    let digests: Vec<_> = (0..3000_u32)
        .map(|n| batch.put_bytes(&n.to_le_bytes()).expect("put"))
        .collect();
    batch.finish().expect("one sync");
    assert_eq!(
        files_below(&env.store.layout().bucket(crate::bucket::Bucket::Blobs)).len(),
        3000
    );
    assert!(digests.iter().all(|digest| env.store.blobs().contains(*digest, 4)));
}

#[test]
fn exporter_verifies_each_content_and_gives_it_many_names() {
    let env = Env::new();
    let (good, bad) = (
        env.store.blobs().put_bytes(b"good").expect("put"),
        env.store.blobs().put_bytes(b"bad").expect("put"),
    );
    let path = env.store.blobs().path(bad);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    fs::write(&path, b"worse").expect("written");
    let exporter = env.store.blobs().exporter();
    let outside = env.store.dir().parent().expect("a directory");
    for name in ["one", "two"] {
        let dest = outside.join(name);
        assert_eq!(exporter.export(good, &dest).expect("exported"), Some(Exported::Linked));
        assert_eq!(fs::read(dest).expect("read"), b"good");
    }
    assert_eq!(exporter.export(bad, &outside.join("bad")).expect("a miss"), None);
    assert!(!outside.join("bad").exists());
    assert_eq!(env.store.take_reports().len(), 1);
}
