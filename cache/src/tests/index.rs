//! Tests of the index of records: it must say what reading the records would say.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use atex_graph::ActionKey;

use super::{Env, key, record};
use crate::records::index::now_ns;
use crate::{FileProblem, GcPolicy, RecordOutcome, RecordOutput, Store};

const NAME: &str = "a tree";

/// Returns a store with two records, the second of which failed.
fn env() -> (Env, [ActionKey; 3]) {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"one", b"two"]);
    let ticket = env.store.claim_to_run(key("b")).expect("a ticket");
    let mut failed = record(key("b"), "test /b", Vec::new());
    failed.outcome = RecordOutcome::Failed;
    ticket.commit(failed).expect("a commit");
    (env, [key("a"), key("b"), key("never run")])
}

/// Returns what reading the records one by one says.
fn one_by_one(store: &Store, keys: &[ActionKey]) -> Vec<Option<RecordOutput>> {
    keys.iter().map(|&key| store.output(key).ok().flatten()).collect()
}

/// Returns a time at which files that are written now count as old.
fn later() -> i128 {
    now_ns() + 10_000_000_000
}

/// Writes a well-formed index with other starting times of the records.
fn forge(store: &Store) {
    let path = store.layout().index(NAME);
    let mut bytes = fs::read(&path).expect("an index");
    bytes.truncate(bytes.len() - 32);
    let (started, forged) = (1_700_000_000_u64.to_le_bytes(), 7_u64.to_le_bytes());
    let places: Vec<usize> = (0..bytes.len() - 8)
        .filter(|&at| bytes[at..at + 8] == started)
        .collect();
    for at in places {
        bytes[at..at + 8].copy_from_slice(&forged);
    }
    let checksum = blake3::hash(&bytes);
    bytes.extend(checksum.as_bytes());
    fs::write(path, bytes).expect("written");
}

fn started(outputs: &[Option<RecordOutput>]) -> Vec<Option<u64>> {
    outputs
        .iter()
        .map(|output| output.as_ref().map(|output| output.started))
        .collect()
}

#[test]
fn what_is_remembered_is_what_reading_says_and_spares_it() {
    let (env, keys) = env();
    let expected = one_by_one(&env.store, &keys);
    assert_eq!(env.store.outputs_at(NAME, &keys, later()), expected);
    assert_eq!(env.store.outputs_at(NAME, &keys, later()), expected);
    forge(&env.store);
    let from_index = env.store.outputs_at(NAME, &keys, later());
    assert_eq!(started(&from_index), [Some(7), Some(7), None], "no record was read");
    assert_eq!(env.store.outputs_at("another tree", &keys, later()), expected);
    assert_eq!(env.store.take_reports(), []);
}

#[test]
fn record_of_just_now_is_read_again() {
    let (env, keys) = env();
    let expected = one_by_one(&env.store, &keys);
    // Setting back the time of change does not hide the change, because the inode's own time cannot be set back.
    let file = File::options()
        .append(true)
        .open(env.store.layout().record(keys[0]))
        .expect("a record");
    file.set_modified(SystemTime::UNIX_EPOCH).expect("set");
    assert_eq!(env.store.outputs_at(NAME, &keys, now_ns()), expected);
    assert_eq!(env.store.outputs_at(NAME, &keys, now_ns()), expected);
    forge(&env.store);
    assert_eq!(env.store.outputs_at(NAME, &keys, later()), expected);
}

#[test]
fn record_that_changed_with_its_size_and_time_kept_is_bad_and_told() {
    let (env, keys) = env();
    let expected = env.store.outputs_at(NAME, &keys, later());
    let path = env.store.layout().record(keys[0]);
    let stat = fs::metadata(&path).expect("a record");
    let mut bytes = fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("written");
    let file = File::options().append(true).open(&path).expect("a record");
    file.set_modified(stat.modified().expect("a time")).expect("set");
    let now = fs::metadata(&path).expect("a record");
    assert_eq!(
        (now.ino(), now.len(), now.mtime_nsec()),
        (stat.ino(), stat.len(), stat.mtime_nsec())
    );
    let found = env.store.outputs_at(NAME, &keys, later());
    assert_eq!(found, [None, expected[1].clone(), None]);
    let [report] = &env.store.take_reports()[..] else {
        panic!("one report")
    };
    assert_eq!((&report.path, &report.problem), (&path, &FileProblem::Checksum));
}

#[test]
fn record_that_went_or_was_made_anew_is_seen() {
    let (env, keys) = env();
    env.store.outputs_at(NAME, &keys, later());
    env.commit(keys[1], "test /b", &[b"three"]);
    env.store.remove(keys[0]).expect("removed");
    let found = env.store.outputs_at(NAME, &keys, later());
    assert_eq!(found, one_by_one(&env.store, &keys));
    assert_eq!(found[0], None);
    assert_eq!(found[1].as_ref().expect("a record").outcome, RecordOutcome::Passed);
    env.commit(keys[0], "test /a", &[b"one", b"two"]);
    assert_eq!(
        env.store.outputs_at(NAME, &keys, later()),
        one_by_one(&env.store, &keys)
    );
}

#[test]
fn damaged_index_is_an_empty_one() {
    let (env, keys) = env();
    let expected = env.store.outputs_at(NAME, &keys, later());
    let path = env.store.layout().index(NAME);
    let whole = fs::read(&path).expect("an index");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        for bytes in [&bytes[..], &whole[..at]] {
            fs::write(&path, bytes).expect("written");
            assert_eq!(env.store.outputs_at(NAME, &keys, later()), expected, "byte {at}");
        }
    }
}

#[test]
fn store_that_cannot_be_written_is_read() {
    let (env, keys) = env();
    let expected = one_by_one(&env.store, &keys);
    let reading = Store::open_read_only(env.store.dir()).expect("the store");
    assert_eq!(reading.outputs_at(NAME, &keys, later()), expected);
    assert!(!env.store.layout().index(NAME).exists());
    let nothing = Store::open_read_only(&env.dir.path().join("none")).expect("an empty store");
    assert_eq!(nothing.outputs_at(NAME, &keys, later()), [None, None, None]);
}

#[test]
fn record_that_was_looked_for_is_of_use_and_an_index_at_which_nobody_looks_goes() {
    let (env, keys) = env();
    env.commit(key("c"), "test /c", &[b"c"]);
    let now = SystemTime::now();
    let age = |path: &Path, days: u64| {
        let file = File::open(path).expect("a file");
        file.set_modified(now - Duration::from_secs(days * 86_400))
            .expect("set");
    };
    let layout = env.store.layout().clone();
    env.store.outputs_at(NAME, &keys[..1], later());
    env.store.outputs_at("nobody looks here", &[key("c")], later());
    age(&layout.index(NAME), 40);
    age(&layout.index("nobody looks here"), 40);
    for key in [keys[0], keys[1], key("c")] {
        age(&layout.record(key), 40);
    }
    // The time of the record has changed, so this look writes the index anew, and the next one only records its own time.
    env.store.outputs_at(NAME, &keys[..1], later());
    age(&layout.index(NAME), 40);
    env.store.outputs_at(NAME, &keys[..1], later());
    let policy = GcPolicy {
        keep: Some(Duration::from_hours(720)),
        ..GcPolicy::default()
    };
    let dir = env.store.dir().to_owned();
    let Env { store, dir: _dir } = env;
    let report = store.gc(&policy, now).expect("a collection");
    assert_eq!((report.records_kept, report.records_removed), (1, 2));
    let store = Store::open(&dir).expect("the store");
    assert!(store.output(keys[0]).expect("a lookup").is_some());
    assert!(layout.index(NAME).exists() && !layout.index("nobody looks here").exists());
}
