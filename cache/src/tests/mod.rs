//! Tests of the store as a whole, one file for each subject.

mod blobs;
mod child;
mod contention;
mod crash;
mod derived;
mod faults;
mod full_disk;
mod gc;
mod index;
mod lookup;
mod model;
mod mounts;
mod opening;
mod ownership;
mod search;

use std::path::{Path, PathBuf};

use atex_graph::{ActionKey, BlobDigest, Entry, Kind};
use tempfile::TempDir;

use crate::{Lookup, OutputFile, Record, RecordOutcome, Store, Ticket};

/// A new store, and the directory that is deleted with it. Its `files` are on the same filesystem as the store.
struct Env {
    dir: TempDir,
    store: Store,
}

impl Env {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(&dir.path().join("cache")).expect("a new store");
        Self { dir, store }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).expect("a file outside the store");
        path
    }

    /// Records `name` under `key` with outputs of these contents, in the usual way.
    fn commit(&self, key: ActionKey, name: &str, contents: &[&[u8]]) -> Record {
        let ticket = self.store.claim_to_run(key).expect("a ticket");
        let record = record(key, name, put_all(&self.store, contents));
        ticket.commit(record.clone()).expect("a commit");
        record
    }
}

fn put_all(store: &Store, contents: &[&[u8]]) -> Vec<OutputFile> {
    let mut batch = store.blobs().batch();
    let put = |(index, bytes): (usize, &&[u8])| OutputFile {
        path: format!("files/{index}"),
        digest: batch.put_bytes(bytes).expect("put"),
        size: bytes.len() as u64,
    };
    let files = contents.iter().enumerate().map(put).collect();
    batch.finish().expect("sync");
    files
}

fn key(seed: &str) -> ActionKey {
    ActionKey::from_bytes(*BlobDigest::of(seed.as_bytes()).as_bytes())
}

fn record(key: ActionKey, name: &str, files: Vec<OutputFile>) -> Record {
    Record {
        key,
        name: name.to_owned(),
        aliases: Vec::new(),
        kind: Kind::Test,
        sut: "local".to_owned(),
        started: 1_700_000_000,
        duration_ms: 1500,
        prepared: Some(1_699_990_000),
        outcome: RecordOutcome::Passed,
        inputs: entries(2),
        files,
        meta: serde_json::json!({"exit_code": 0}),
    }
}

/// Returns a transcript of this many entries. One of some hundred entries becomes a blob of its own.
fn entries(count: usize) -> Vec<Entry> {
    let entry = |index| Entry {
        path: format!("environment.VARIABLE_{index}"),
        value: format!("\"value {index}\""),
        origin: Some("plans/main.fmf:12".to_owned()),
    };
    (0..count).map(entry).collect()
}

fn ticket(lookup: Lookup) -> Ticket {
    match lookup {
        Lookup::Miss(ticket) => ticket,
        other => panic!("not a miss: {other:?}"),
    }
}

/// Returns every file below a directory.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).expect("a readable directory").flatten() {
            match entry.path() {
                path if path.is_dir() => dirs.push(path),
                path => files.push(path),
            }
        }
    }
    files.sort();
    files
}

fn temporaries_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = files_below(dir);
    files.retain(|path| path.file_name().is_some_and(crate::store::layout::is_temporary));
    files
}
