//! Tests of opening a store, and of who may write to it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use super::{Env, key, ticket};
use crate::{CacheError, GcPolicy, Store};

#[test]
fn new_store_is_private_and_tagged() {
    let env = Env::new();
    let mode = fs::metadata(env.store.dir())
        .expect("the directory")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o700);
    let tag = fs::read_to_string(env.store.dir().join("CACHEDIR.TAG")).expect("the tag");
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
}

#[test]
fn directory_that_was_there_keeps_its_mode() {
    let env = Env::new();
    let dir = env.dir.path().join("there");
    fs::create_dir(&dir).expect("a directory");
    for mode in [0o755, 0o2750] {
        fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).expect("the mode");
        drop(Store::open(&dir).expect("a store"));
        let found = fs::metadata(&dir).expect("the directory").permissions().mode();
        assert_eq!(found & 0o7777, mode);
    }
}

#[test]
fn directory_that_others_may_write_to_is_neither_read_nor_written() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"output"]);
    let (dir, new) = (env.store.dir().to_owned(), env.store.dir().join("new"));
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("the mode");
    for dir in [&dir, &new] {
        for refused in [Store::open(dir), Store::open_read_only(dir)] {
            let refused = refused.expect_err("no store");
            assert!(matches!(refused, CacheError::Foreign { .. }), "{refused}");
            assert!(refused.to_string().contains("others may write to"), "{refused}");
            assert!(refused.hint().is_some());
        }
    }
    assert!(!new.exists());
}

#[test]
fn lock_is_not_opened_where_a_link_leads() {
    let env = Env::new();
    let dir = env.dir.path().join("linked");
    fs::create_dir(&dir).expect("a directory");
    std::os::unix::fs::symlink("../elsewhere", dir.join("lock")).expect("a link");
    Store::open(&dir).expect_err("no store");
    Store::open_read_only(&dir).expect_err("no store");
    assert!(!env.dir.path().join("elsewhere").exists());
}

#[test]
fn directory_of_somebody_is_not_tagged() {
    let env = Env::new();
    let dir = env.dir.path().join("home");
    fs::create_dir(&dir).expect("a directory");
    fs::write(dir.join(".profile"), "").expect("a file");
    Store::open(&dir).expect("a store");
    assert!(!dir.join("CACHEDIR.TAG").exists());
}

#[test]
fn store_of_a_newer_atex_is_only_read() {
    let env = Env::new();
    let record = env.commit(key("a"), "test /a", &[b"output"]);
    fs::write(env.store.dir().join("format"), "2\n").expect("the marker");
    let store = Store::open(env.store.dir()).expect("a store to read");
    assert_eq!(store.read_only(), Some("its format is `2`, and this atex knows `1`"));
    assert_eq!(store.peek(key("a")).expect("a lookup"), Some(record));
    let refused = store.claim(key("b")).expect_err("no claim");
    assert!(matches!(refused, CacheError::ReadOnly { .. }), "{refused}");
    assert!(
        refused
            .to_string()
            .ends_with("is read-only: its format is `2`, and this atex knows `1`"),
        "{refused}"
    );
    assert!(matches!(
        store.gc(&GcPolicy::default(), SystemTime::now()),
        Err(CacheError::ReadOnly { .. })
    ));
}

#[test]
fn damaged_marker_is_told_once_and_written_anew() {
    for damage in [&b""[..], b"1", b"1*", b"q\n", b"\xff\xfe", b"0\n", b"-1\n"] {
        let env = Env::new();
        let record = env.commit(key("a"), "test /a", &[b"output"]);
        let marker = env.store.dir().join("format");
        fs::write(&marker, damage).expect("the marker");
        let store = Store::open(env.store.dir()).expect("a store");
        assert_eq!(store.read_only(), None, "{damage:?}");
        assert_eq!(store.take_reports().len(), 1, "{damage:?}");
        assert_eq!(store.peek(key("a")).expect("a lookup"), Some(record));
        assert_eq!(fs::read(&marker).expect("the marker"), b"1\n");
        let again = Store::open(env.store.dir()).expect("a store");
        assert_eq!(again.take_reports(), []);
    }
}

#[test]
fn bucket_of_a_newer_version_is_left_alone_and_its_blobs_are_kept() {
    let env = Env::new();
    let newer = env.store.dir().join("records-v2/ab");
    fs::create_dir_all(&newer).expect("a directory");
    fs::write(newer.join("record"), "of another form").expect("a file");
    let digest = env.store.blobs().put_bytes(b"needed by the newer record").expect("put");
    let dir = env.store.dir().to_owned();
    let report = env
        .store
        .gc(
            &GcPolicy {
                max_size: Some(0),
                ..GcPolicy::default()
            },
            SystemTime::now(),
        )
        .expect("a collection");
    assert_eq!(
        report.blobs_spared.as_deref(),
        Some("records of another version may need them: `records-v2`")
    );
    assert!(newer.join("record").exists());
    assert!(
        Store::open(&dir)
            .expect("a store")
            .blobs()
            .read(digest)
            .expect("a read")
            .is_some()
    );
}

#[test]
fn missing_store_reads_as_empty_and_is_not_made() {
    let env = Env::new();
    let dir = env.dir.path().join("missing");
    let store = Store::open_read_only(&dir).expect("an empty store");
    assert_eq!(store.records().expect("a list").count(), 0);
    assert_eq!(store.du().expect("a count").bytes(), 0);
    assert!(store.peek(key("a")).expect("a lookup").is_none());
    assert!(matches!(
        store.blobs().put_bytes(b"x"),
        Err(CacheError::ReadOnly { .. })
    ));
    assert!(!dir.exists());
}

#[test]
fn reading_changes_nothing_even_what_is_bad() {
    let env = Env::new();
    let record = env.commit(key("a"), "test /a", &[b"output"]);
    let blob = env.store.layout().blob(record.files[0].digest);
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o600)).expect("chmod");
    fs::write(&blob, b"0utput").expect("damage");
    let store = Store::open_read_only(env.store.dir()).expect("a store");
    assert_eq!(store.blobs().read(record.files[0].digest).expect("a read"), None);
    assert_eq!(store.verify().expect("a check").bad.len(), 1);
    assert!(blob.exists());
    assert!(store.peek(key("a")).expect("a lookup").is_some());
}

#[test]
fn file_in_place_of_the_directory_is_a_clear_error() {
    let env = Env::new();
    let path = env.file("cache-file", b"");
    let error = Store::open(&path).expect_err("not a directory");
    let shown = error.to_string();
    assert!(shown.contains(&*path.to_string_lossy()), "{shown}");
    assert!(!shown.contains("os error"), "{shown}");
    assert_eq!(error.hint().as_deref(), Some("set ATEX_CACHE to a directory"));
}

#[test]
fn store_in_use_is_not_collected() {
    let env = Env::new();
    let other = Store::open(env.store.dir()).expect("a second handle");
    let error = other.gc(&GcPolicy::default(), SystemTime::now()).expect_err("in use");
    assert!(
        error
            .to_string()
            .ends_with("is in use: other atex processes are at work"),
        "{error}"
    );

    let ticket = ticket(env.store.claim(key("a")).expect("a claim"));
    let error = env
        .store
        .gc(&GcPolicy::default(), SystemTime::now())
        .expect_err("in use");
    assert!(
        error.to_string().ends_with("is in use: this process is at work"),
        "{error}"
    );
    drop(ticket);
}

#[test]
fn collection_waits_for_who_uses_the_store() {
    let env = Env::new();
    let lock = File::open(env.store.layout().lock()).expect("the lock");
    flock(&lock, FlockOperation::LockShared).expect("a user");
    let policy = GcPolicy {
        wait: std::time::Duration::from_mins(1),
        ..GcPolicy::default()
    };
    let collection = std::thread::spawn(move || env.store.gc(&policy, SystemTime::now()));
    assert!(!collection.is_finished());
    drop(lock);
    collection.join().expect("no panic").expect("a collection");
}

#[test]
fn facts_are_remembered_by_name_and_verified() {
    let env = Env::new();
    let answer = serde_json::json!({"os": "fedora", "version": "41"});
    assert_eq!(env.store.facts("name").expect("a read"), None);
    env.store.remember_facts("name", &answer).expect("a write");
    env.store
        .remember_facts("other", &serde_json::Value::Null)
        .expect("a write");
    assert_eq!(env.store.facts("name").expect("a read"), Some(answer));

    let path = env.store.layout().facts("name");
    fs::copy(env.store.layout().facts("other"), &path).expect("another name's");
    assert_eq!(env.store.facts("name").expect("a read"), None);
    fs::write(&path, "{}").expect("damage");
    assert_eq!(env.store.facts("name").expect("a read"), None);
    assert_eq!(env.store.take_reports().len(), 2);
}
