//! Tests of finding records.

use std::fs;
use std::time::{Duration, SystemTime};

use atex_graph::ActionKey;

use super::{Env, key, record};
use crate::{CacheError, FileProblem};

/// Returns a key with this first byte and this last one.
fn plain_key(first: u8, last: u8) -> ActionKey {
    let mut bytes = [0; 32];
    (bytes[0], bytes[31]) = (first, last);
    ActionKey::from_bytes(bytes)
}

fn commit_at(env: &Env, key: ActionKey, name: &str, aliases: &[&str], started: u64) {
    let mut record = record(key, name, Vec::new());
    record.aliases = aliases.iter().map(|&alias| alias.to_owned()).collect();
    record.started = started;
    env.store
        .claim_to_run(key)
        .and_then(|ticket| ticket.commit(record))
        .expect("a commit");
}

#[test]
fn unique_start_of_a_key_will_do() {
    let env = Env::new();
    for key in [plain_key(0xab, 1), plain_key(0xab, 2), plain_key(0xac, 1)] {
        env.commit(key, "test /a", &[]);
    }
    let resolve = |prefix: &str| env.store.resolve(prefix);
    assert_eq!(resolve("ac").expect("unique"), plain_key(0xac, 1));
    assert_eq!(resolve("AC00").expect("unique"), plain_key(0xac, 1));
    let whole = plain_key(0xab, 2).to_string();
    assert_eq!(resolve(&whole).expect("whole"), plain_key(0xab, 2));
    let error = resolve("ab").expect_err("two");
    assert_eq!(
        error.to_string(),
        "`ab` is ambiguous: `ab0000000000` (test /a), `ab0000000000` (test /a)"
    );
    assert!(matches!(resolve("a"), Err(CacheError::Ambiguous { candidates, .. }) if candidates.len() == 3));
    assert!(matches!(resolve(""), Err(CacheError::Ambiguous { .. })));
    for prefix in ["ad", "xyz", "../ab", "ab\0", "é", &format!("{whole}0")] {
        assert!(matches!(resolve(prefix), Err(CacheError::NoRecord { .. })), "{prefix}");
    }
}

#[test]
fn of_two_records_of_one_second_the_later_one_is_the_latest() {
    let env = Env::new();
    for (first, last) in [(1, 2), (4, 3)] {
        for (key, written) in [(plain_key(first, 0), 5), (plain_key(last, 0), 6)] {
            commit_at(&env, key, "test /a", &[], 1000);
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(written + u64::from(first) * 10);
            fs::File::open(env.store.layout().record(key))
                .and_then(|file| file.set_modified(at))
                .expect("a record");
        }
        let latest = env
            .store
            .latest("test /a")
            .expect("a readable store")
            .expect("a record");
        assert_eq!(latest.key, plain_key(last, 0));
    }
}

#[test]
fn only_some_of_many_candidates_are_named() {
    let env = Env::new();
    for last in 0..8 {
        env.commit(plain_key(1, last), "test /a", &[]);
    }
    let error = env.store.resolve("01").expect_err("ambiguous");
    assert!(error.to_string().ends_with(" and 3 more"), "{error}");
}

#[test]
fn latest_record_of_a_name_is_the_newest_that_can_be_read() {
    let env = Env::new();
    commit_at(&env, key("old"), "test /a", &[], 100);
    commit_at(&env, key("new"), "test /a", &["test /a (/plans/x)"], 200);
    commit_at(&env, key("other"), "test /a/b", &[], 300);
    commit_at(&env, key("quoted"), "test \"\\é\n", &[], 300);
    let latest = |name: &str| env.store.latest(name).expect("a search").map(|record| record.key);
    assert_eq!(latest("test /a"), Some(key("new")));
    assert_eq!(latest("test /a (/plans/x)"), Some(key("new")));
    assert_eq!(latest("test \"\\é\n"), Some(key("quoted")));
    assert_eq!(latest("test /"), None);
    let newest = env.store.newest().expect("a list");
    assert_eq!(newest.len(), 4);
    assert_eq!(newest["test /a"].key, key("new"));

    let path = env.store.layout().record(key("new"));
    let damaged = fs::read_to_string(&path).expect("the record").replace("200", "999");
    fs::write(&path, damaged).expect("damage");
    assert_eq!(latest("test /a"), Some(key("old")));
    assert_eq!(env.store.take_reports()[0].problem, FileProblem::Checksum);
}

#[test]
fn list_is_newest_first_and_leaves_foreign_files_out() {
    let env = Env::new();
    for (name, started) in [("a", 3), ("b", 1), ("c", 2)] {
        commit_at(&env, key(name), name, &[], started);
    }
    let bucket = env.store.layout().bucket(crate::bucket::Bucket::Records);
    fs::write(bucket.join("README"), "").expect("a file");
    fs::write(bucket.join("notes.json"), "").expect("a file");
    fs::create_dir(bucket.join("zz")).expect("a directory");
    fs::write(bucket.join("zz/.cut.tmp"), "").expect("a file");
    let names: Vec<String> = env
        .store
        .records()
        .expect("a list")
        .map(|summary| summary.name)
        .collect();
    assert_eq!(names, ["a", "c", "b"]);
}
