//! Tests of garbage collection: what it removes, and what it keeps.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::{Env, entries, key, record, temporaries_below};
use crate::bucket::Bucket;
use crate::{FileProblem, GcPolicy, GcReport, Lookup, Store};

const DAY: Duration = Duration::from_hours(24);

/// Sets the time of a record's last use to this many days ago.
fn age(env: &Env, name: &str, days: u32) {
    let path = env.store.layout().record(key(name));
    File::open(path)
        .and_then(|file| file.set_modified(SystemTime::now() - DAY * days))
        .expect("a record");
}

/// Collects, and then opens the store again.
fn collect(env: Env, keep: Option<Duration>, max_size: Option<u64>) -> (Env, GcReport) {
    let Env { dir, store } = env;
    let policy = GcPolicy {
        keep,
        max_size,
        wait: Duration::ZERO,
    };
    let report = store.gc(&policy, SystemTime::now()).expect("a collection");
    let store = Store::open(&dir.path().join("cache")).expect("the store");
    let usage = store.du().expect("a count");
    assert_eq!(usage.buckets[0].files, report.records_kept);
    assert_eq!(usage.buckets[1].files, report.blobs_kept);
    assert_eq!(usage.bytes(), report.bytes_kept);
    assert_eq!(store.verify().expect("a check").bad, []);
    (Env { dir, store }, report)
}

fn is_recorded(env: &Env, name: &str) -> bool {
    env.store.peek(key(name)).expect("a lookup").is_some()
}

#[test]
fn records_unused_for_longer_than_kept_go_with_the_blobs_that_only_they_need() {
    let env = Env::new();
    env.commit(key("old"), "test /old", &[b"shared", b"only of old"]);
    env.commit(key("new"), "test /new", &[b"shared", b"only of new"]);
    age(&env, "old", 31);
    age(&env, "new", 29);
    let (env, report) = collect(env, Some(DAY * 30), None);
    assert_eq!((report.records_removed, report.blobs_removed), (1, 1));
    assert!(!is_recorded(&env, "old"));
    assert!(is_recorded(&env, "new"));
}

#[test]
fn use_keeps_a_record() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"x"]);
    age(&env, "a", 100);
    assert!(matches!(env.store.claim(key("a")), Ok(Lookup::Hit(_))));
    let (env, _) = collect(env, Some(DAY), None);
    assert!(is_recorded(&env, "a"));
}

#[test]
fn longest_unused_go_first_until_the_rest_is_small_enough() {
    let env = Env::new();
    let big = vec![b'x'; 100_000];
    for (days, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        env.commit(
            key(name),
            name,
            &[name.as_bytes(), &big, &[name.as_bytes(), &big].concat()],
        );
        age(&env, name, u32::try_from(days).expect("few"));
    }
    // There are four records with 100 kB each, and 100 kB that all of them share.
    let (env, report) = collect(env, None, Some(350_000));
    assert_eq!((report.records_kept, report.blobs_removed), (2, 4));
    assert!(is_recorded(&env, "a") && is_recorded(&env, "b"));
    let (env, report) = collect(env, None, Some(0));
    assert_eq!(report.bytes_kept, 0);
    assert_eq!(env.store.du().expect("a count").bytes(), 0);
}

#[test]
fn without_limits_only_what_is_broken_or_left_over_goes() {
    let env = Env::new();
    let mut long = record(key("long"), "test /long", Vec::new());
    long.inputs = entries(1000);
    env.store
        .claim_to_run(key("long"))
        .and_then(|ticket| ticket.commit(long.clone()))
        .expect("a commit");
    let lost = env.commit(key("lost"), "test /lost", &[b"lost"]);
    fs::remove_file(env.store.layout().blob(lost.files[0].digest)).expect("the blob");
    env.commit(key("cut"), "test /cut", &[]);
    fs::write(env.store.layout().record(key("cut")), "{").expect("damage");
    let records = env.store.layout().bucket(Bucket::Records);
    let blobs = env.store.layout().bucket(Bucket::Blobs);
    let claims = env.store.layout().bucket(Bucket::Claims);
    for leftover in [
        records.join("00/.aAaA09.tmp"),
        blobs.join(".bbbbbb.tmp"),
        claims.join(key("x").to_string()),
    ] {
        fs::create_dir_all(leftover.parent().expect("a parent")).expect("a directory");
        fs::write(&leftover, "of a dead process").expect("a file");
    }
    env.store
        .blobs()
        .put_bytes(b"of a record that was never committed")
        .expect("put");
    let (env, report) = collect(env, None, None);
    assert_eq!((report.records_kept, report.records_removed), (1, 2));
    assert_eq!((report.blobs_kept, report.blobs_removed), (1, 1));
    assert_eq!(report.leftovers_removed, 3);
    let mut problems: Vec<_> = report.bad.into_iter().map(|report| report.problem).collect();
    problems.sort();
    assert_eq!(
        problems,
        [FileProblem::Checksum, FileProblem::MissingBlob(lost.files[0].digest)]
    );
    assert_eq!(temporaries_below(env.store.dir()).len(), 0);
    assert_eq!(env.store.peek(key("long")).expect("a lookup"), Some(long));
}

#[test]
fn what_no_store_makes_is_left_alone_wherever_it_lies() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"x"]);
    let dir = env.store.dir().to_owned();
    let foreign = [
        ".document.tmp",
        ".aAaA09.tmp",
        "notes",
        "records-v1/notes.json",
        "records-v1/00/notes.json",
        "blobs-v1/picture",
        "blobs-v1/.picture.tmp",
        "claims-v1/mine",
        "index-v2/.index.tmp",
        "packed-v1/notes",
        "digests-v4/.digests.tmp",
        "null-builds-v1/00/.aAaA09.tmp",
        "fetched-v1/notes/text",
        "mine/.aAaA09.tmp",
        "blobs-v1/mine/.aAaA09.tmp",
    ];
    for path in foreign.map(|path| dir.join(path)) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, "mine").expect("a file");
    }
    assert_eq!(env.store.verify().expect("a check").bad, []);
    let report = env.store.gc(
        &GcPolicy {
            keep: Some(Duration::ZERO),
            max_size: Some(0),
            wait: Duration::ZERO,
        },
        SystemTime::now() + DAY,
    );
    assert_eq!(report.expect("a collection").leftovers_removed, 0);
    for path in foreign {
        assert!(dir.join(path).exists(), "{path}");
    }
}

#[test]
fn record_of_the_future_counts_as_new() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[]);
    let path = env.store.layout().record(key("a"));
    File::open(path)
        .and_then(|file| file.set_modified(SystemTime::now() + DAY * 365))
        .expect("a record");
    let (env, _) = collect(env, Some(DAY), None);
    assert!(is_recorded(&env, "a"));
}

#[test]
fn facts_outlive_collections() {
    let env = Env::new();
    env.store
        .remember_facts("host", &serde_json::json!(1))
        .expect("a write");
    let store = env.store.clone();
    drop(env.store);
    store
        .gc(
            &GcPolicy {
                max_size: Some(0),
                ..GcPolicy::default()
            },
            SystemTime::now(),
        )
        .expect("a collection");
    let store = Store::open(&env.dir.path().join("cache")).expect("the store");
    assert_eq!(store.facts("host").expect("a read"), Some(serde_json::json!(1)));
}
