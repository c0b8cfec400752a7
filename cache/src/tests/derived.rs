//! Tests of derived files: which of them are kept, and how they are counted, verified and collected.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Env, files_below};
use crate::binary::BinaryWriter;
use crate::{Derived, FileProblem, GcPolicy};

const DAY: Duration = Duration::from_hours(24);

fn name(text: &str) -> blake3::Hash {
    blake3::hash(text.as_bytes())
}

fn content(text: &str) -> Vec<u8> {
    let mut encoder = BinaryWriter::default();
    encoder.text(text);
    encoder.seal()
}

fn buckets(env: &Env) -> [Derived; 3] {
    let (cache, root) = (env.store.dir(), Path::new("/tree"));
    [
        Derived::packed(cache, root),
        Derived::digests(cache, root),
        Derived::null_builds(cache, root),
    ]
}

/// Writes a file in each bucket of derived files, and returns the paths.
fn write_each(env: &Env) -> Vec<PathBuf> {
    for files in buckets(env) {
        files.write(&name("a"), &content("a")).expect("a write");
    }
    let mut paths = files_below(env.store.dir());
    paths.retain(|path| path.ends_with(name("a").to_hex().as_str()));
    assert_eq!(paths.len(), 3);
    paths
}

fn age(path: &Path, days: u32) {
    let file = File::options().append(true).open(path).expect("a file");
    file.set_modified(SystemTime::now() - DAY * days).expect("a time");
}

#[test]
fn what_was_written_is_read_and_counted_bucket_by_bucket() {
    let env = Env::new();
    write_each(&env);
    for files in buckets(&env) {
        assert!(files.exists());
        assert_eq!(files.read(&name("a")), Some(content("a")));
        assert_eq!(files.read(&name("b")), None);
    }
    assert!(!Derived::packed(env.store.dir(), Path::new("/other")).exists());
    let usage = env.store.du().expect("a count");
    let size = content("a").len() as u64;
    for bucket in ["packed", "digests", "null-builds"] {
        let found = usage
            .buckets
            .iter()
            .find(|found| found.name == bucket)
            .expect("a bucket");
        assert_eq!((found.files, found.bytes), (1, size), "{bucket}");
    }
}

#[test]
fn of_each_group_the_files_that_were_of_use_last_are_kept() {
    let env = Env::new();
    let [files, ..] = buckets(&env);
    for number in 0..17_u32 {
        files.write(&name(&number.to_string()), &content("x")).expect("a write");
        let path = files_below(env.store.dir());
        let last = path
            .iter()
            .find(|path| path.ends_with(name(&number.to_string()).to_hex().as_str()));
        age(last.expect("the file"), 30 - number);
    }
    // The second oldest file is used now.
    files.mark_used(&name("1"));
    files.write(&name("17"), &content("x")).expect("a write");
    let left: Vec<u32> = (0..18)
        .filter(|number| files.read(&name(&number.to_string())).is_some())
        .collect();
    let expected: Vec<u32> = [1].into_iter().chain(3..18).collect();
    assert_eq!(left, expected);
}

#[test]
fn what_was_not_of_use_for_long_goes_and_the_rest_stays() {
    for (keep, days) in [(None, 31), (Some(DAY * 10), 11)] {
        let env = Env::new();
        let paths = write_each(&env);
        age(&paths[0], days);
        age(&paths[1], days - 2);
        let foreign = paths[0].with_file_name("notes");
        fs::write(&foreign, "somebody's").expect("a file");
        age(&foreign, days);
        let Env { dir, store } = env;
        let policy = GcPolicy {
            keep,
            ..GcPolicy::default()
        };
        let report = store.gc(&policy, SystemTime::now()).expect("a collection");
        let size = content("a").len() as u64;
        assert_eq!((report.derived_removed, report.derived_bytes_removed), (1, size));
        assert!(!paths[0].exists() && paths[1].exists() && paths[2].exists() && foreign.exists());
        fs::remove_file(&foreign).expect("removed");
        let store = crate::Store::open(&dir.path().join("cache")).expect("the store");
        store.gc(&policy, SystemTime::now()).expect("a collection");
        assert!(!paths[0].parent().expect("a group").exists(), "an empty group goes");
        assert!(paths[1].exists());
    }
}

#[test]
fn a_check_finds_and_removes_what_is_damaged() {
    let env = Env::new();
    let paths = write_each(&env);
    assert_eq!(env.store.verify().expect("a check").others, 3);
    fs::write(&paths[1], "torn").expect("damage");
    let report = env.store.verify().expect("a check");
    let bad: Vec<_> = report.bad.into_iter().map(|bad| (bad.path, bad.problem)).collect();
    assert_eq!(bad, [(paths[1].clone(), FileProblem::Checksum)]);
    assert!(paths[0].exists() && !paths[1].exists());
}

#[test]
fn what_is_no_file_is_a_miss_and_no_wait() {
    let env = Env::new();
    let paths = write_each(&env);
    for path in &paths {
        fs::remove_file(path).expect("removed");
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
    }
    for files in buckets(&env) {
        assert_eq!(files.read(&name("a")), None);
    }
    assert_eq!(env.store.verify().expect("a check").bad, []);
}
