//! Fault tests: each change to the disk fails in turn, which must give a clear error or do no harm, and leave nothing
//! half-written.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;

use super::{entries, key, record, temporaries_below, ticket};
use crate::store::disk::Disk;
use crate::{CacheError, OutputFile, Record, Store};

/// Returns a disk whose change number `at` fails with `error`, and the counter of its changes.
fn faulty(at: usize, error: Errno) -> (Disk, std::sync::Arc<AtomicUsize>) {
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let disk = Disk::watched(Box::new(move |_, _| match counter.fetch_add(1, Ordering::SeqCst) {
        now if now == at => Err(io::Error::from(error)),
        _ => Ok(()),
    }));
    (disk, count)
}

fn run(disk: Disk, dir: &Path) -> Result<Record, CacheError> {
    let store = Store::open_on(disk, &dir.join("cache"))?;
    let ticket = ticket(store.claim_if(key("a"), |_| false)?);
    ticket.begin()?;
    let mut batch = store.blobs().batch();
    let stored = batch.put_file(&dir.join("output.txt"))?;
    batch.finish()?;
    let file = OutputFile {
        path: "output.txt".to_owned(),
        digest: stored.digest,
        size: stored.size,
    };
    let mut record = record(key("a"), "test /a", vec![file]);
    record.inputs = entries(300);
    record.started += 1;
    ticket.commit(record.clone())?;
    store.remember_facts("host", &serde_json::json!({}))?;
    Ok(record)
}

#[test]
fn failing_change_is_a_clear_error_and_leaves_nothing_half_written() {
    for (error, words, hinted) in [
        (Errno::NOSPC, "No space left on device", true),
        (Errno::IO, "Input/output error", false),
        (Errno::ACCESS, "Permission denied", true),
    ] {
        let mut failures = 0;
        for at in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            fs::write(dir.path().join("output.txt"), "output").expect("an output");
            let (disk, changes) = faulty(at, error);
            let ran = run(disk, dir.path());
            assert_eq!(temporaries_below(dir.path()).len(), 0, "change {at}");
            let store = Store::open(&dir.path().join("cache")).expect("the store");
            assert_eq!(store.verify().expect("a check").bad, [], "change {at}");
            let found = store.peek(key("a")).expect("a lookup");
            match ran {
                Ok(record) => assert_eq!(found, Some(record), "change {at}"),
                Err(failure) => {
                    failures += 1;
                    let shown = failure.to_string();
                    assert!(
                        shown.starts_with("cannot ") && shown.ends_with(words),
                        "change {at}: {shown}"
                    );
                    assert!(shown.contains(&*dir.path().to_string_lossy()), "change {at}: {shown}");
                    assert_eq!(failure.hint().is_some(), hinted, "change {at}: {shown}");
                }
            }
            if changes.load(Ordering::SeqCst) <= at {
                assert!(failures > 20, "only {failures} of {at} changes failed");
                break;
            }
        }
    }
}
