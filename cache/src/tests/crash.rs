//! Crash tests: a process that is killed before each of its changes to the disk, one after the other, leaves a sound store.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use atex_graph::BlobDigest;

use super::{child, entries, key, put_all, record, temporaries_below};
use crate::bucket::Bucket;
use crate::store::disk::Disk;
use crate::{FileProblem, GcPolicy, Lookup, OutputFile, Record, Store};

const OUTPUT: &[u8] = b"what the test printed";
const DAMAGED: &[u8] = b"content whose blob is damaged";

/// Returns the record that the child commits, with a linked file, a copied file and a long list.
fn wanted() -> Record {
    let file = |path: &str, content: &[u8]| OutputFile {
        path: path.to_owned(),
        digest: BlobDigest::of(content),
        size: content.len() as u64,
    };
    let mut record = record(
        key("a"),
        "test /a",
        vec![file("output.txt", OUTPUT), file("copied", DAMAGED)],
    );
    record.inputs = entries(300);
    record
}

/// Returns the record of an earlier run, under the key of this name.
fn former(store: &Store, name: &str) -> Record {
    let mut former = record(key(name), "test /a", put_all(store, &[b"former output"]));
    former.started -= 1;
    former
}

fn prepare(dir: &Path, with_former: bool) {
    fs::write(dir.join("output.txt"), OUTPUT).expect("an output");
    fs::write(dir.join("copied"), DAMAGED).expect("an output");
    if with_former {
        let store = Store::open(&dir.join("cache")).expect("a store");
        for name in ["a", "other"] {
            store
                .claim_to_run(key(name))
                .and_then(|it| it.commit(former(&store, name)))
                .expect("a commit");
        }
        let blob = store.layout().blob(BlobDigest::of(DAMAGED));
        fs::create_dir_all(blob.parent().expect("a parent")).expect("a directory");
        fs::write(blob, b"CONTENT whose blob is damaged").expect("a bad blob");
        let claims = store.layout().bucket(Bucket::Claims);
        for leftover in [
            claims.join(key("gone").to_string()),
            store.layout().bucket(Bucket::Blobs).join(".gOne09.tmp"),
        ] {
            fs::write(leftover, "of a dead process").expect("a leftover");
        }
    }
}

fn run_node(disk: Disk, dir: &Path) {
    let store = Store::open_on(disk, &dir.join("cache")).expect("a store");
    let Ok(Lookup::Miss(ticket)) = store.claim_if(key("a"), |_| false) else {
        panic!("not a miss");
    };
    ticket.begin().expect("begin");
    let mut batch = store.blobs().batch();
    for name in ["output.txt", "copied"] {
        batch.put_file(&dir.join(name)).expect("put");
    }
    batch.finish().expect("sync");
    ticket.commit(wanted()).expect("a commit");
}

fn collect(disk: Disk, dir: &Path) {
    let store = Store::open_on(disk, &dir.join("cache")).expect("a store");
    let old = SystemTime::now() - std::time::Duration::from_secs(1000);
    let path = store.layout().record(key("a"));
    fs::File::open(path)
        .and_then(|file| file.set_modified(old))
        .expect("an old record");
    let keep = Some(std::time::Duration::from_secs(500));
    store
        .gc(
            &GcPolicy {
                keep,
                ..GcPolicy::default()
            },
            SystemTime::now(),
        )
        .expect("a collection");
}

/// The code of the child process: it does a job and is killed before one of its changes.
fn process_that_dies(dir: &Path, argument: &str) {
    let (job, steps) = argument.split_once(' ').expect("two words");
    let (last, done) = (steps.parse::<usize>().expect("a number"), AtomicUsize::new(0));
    let disk = Disk::watched(Box::new(move |_, _| {
        if done.fetch_add(1, Ordering::SeqCst) == last {
            child::die();
        }
        Ok(())
    }));
    match job {
        "run" => run_node(disk, dir),
        _ => collect(disk, dir),
    }
}

/// Runs `job` once for each of its changes, and kills it before that change. `check` gets the directory each time, and finally
/// that of the complete run.
fn killed_everywhere(job: &str, with_former: bool, least: usize, mut check: impl FnMut(&Path, usize, bool)) {
    for step in 0..1000 {
        let dir = tempfile::tempdir().expect("a directory");
        prepare(dir.path(), with_former);
        let mut command = child::command(
            "tests::crash::node_killed_at_any_step_is_recorded_right_or_not_at_all",
            dir.path(),
            &format!("{job} {step}"),
        );
        let output = command.stdin(Stdio::null()).output().expect("a child");
        let killed = output.status.signal() == Some(9);
        assert!(
            killed || output.status.success(),
            "step {step}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        check(dir.path(), step, !killed);
        if !killed {
            assert!(step >= least, "only {step} changes were seen");
            return;
        }
    }
    panic!("the child never came to its end");
}

/// Checks what holds after any crash: everything is sound, no claim is held, a collection leaves no temporary files, and the node
/// can be recorded.
fn check_sound(dir: &Path, step: usize) {
    let store = Store::open(&dir.join("cache")).expect("the store opens");
    let mut bad = store.verify().expect("a check").bad;
    let damaged = store.layout().blob(BlobDigest::of(DAMAGED));
    bad.retain(|report| report.path != damaged || report.problem != FileProblem::Content);
    assert_eq!(bad, [], "step {step}");
    match store.claim_if(key("a"), |_| false) {
        Ok(Lookup::Miss(ticket)) => assert!(ticket.is_exclusive(), "step {step}"),
        other => panic!("step {step}: {other:?}"),
    }
    let before: Vec<_> = store.records().expect("a list").collect();
    store.gc(&GcPolicy::default(), SystemTime::now()).expect("a collection");
    assert_eq!(
        temporaries_below(&dir.join("cache")).len(),
        usize::from(dir.join("cache/format").exists()) - 1
    );
    run_node(Disk::default(), dir);
    let store = Store::open(&dir.join("cache")).expect("the store opens");
    assert_eq!(store.peek(key("a")).expect("a lookup"), Some(wanted()), "step {step}");
    let others = |summary: &crate::RecordSummary| summary.key != key("a");
    let after: Vec<_> = store.records().expect("a list").filter(others).collect();
    assert_eq!(
        after,
        before.into_iter().filter(others).collect::<Vec<_>>(),
        "step {step}"
    );
}

#[test]
fn node_killed_at_any_step_is_recorded_right_or_not_at_all() {
    if let Some((dir, argument)) = child::orders() {
        return process_that_dies(&dir, &argument);
    }
    for with_former in [false, true] {
        // Stage 0 is the earlier record, 1 is no record, and 2 is the new one. A later death never leaves an earlier stage.
        let mut stage = usize::from(!with_former);
        let mut seen = BTreeSet::new();
        killed_everywhere("run", with_former, 30, |dir, step, complete| {
            let store = Store::open_read_only(&dir.join("cache")).expect("the store opens");
            let now = match store.peek(key("a")).expect("a lookup") {
                None => 1,
                Some(found) if found == wanted() => 2,
                Some(found) => {
                    assert_eq!(
                        (found.started, with_former),
                        (wanted().started - 1, true),
                        "step {step}"
                    );
                    0
                }
            };
            assert!(now >= stage, "step {step}: from {stage} to {now}");
            assert!(!complete || now == 2, "step {step}");
            stage = now;
            seen.insert(now);
            if now == 2 {
                for file in wanted().files {
                    assert!(
                        store.blobs().read(file.digest).expect("a read").is_some(),
                        "step {step}"
                    );
                }
            }
            assert_eq!(
                store.peek(key("other")).expect("a lookup").is_some(),
                with_former,
                "step {step}"
            );
            drop(store);
            check_sound(dir, step);
        });
        assert_eq!(seen, (usize::from(!with_former)..=2).collect());
    }
}

#[test]
fn collection_killed_at_any_step_leaves_a_sound_store() {
    let mut removed = false;
    killed_everywhere("collect", true, 5, |dir, step, complete| {
        let store = Store::open_read_only(&dir.join("cache")).expect("the store opens");
        let found = store.peek(key("a")).expect("a lookup");
        assert!(found.is_none() || !removed, "step {step}");
        removed = found.is_none();
        assert!(!complete || removed, "step {step}");
        assert!(store.peek(key("other")).expect("a lookup").is_some(), "step {step}");
        drop(store);
        check_sound(dir, step);
    });
}
