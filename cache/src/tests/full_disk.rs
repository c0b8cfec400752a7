//! Tests on a disk that is really full or really read-only: a small filesystem in a mount namespace of the test's own.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{child, key, put_all, record, temporaries_below};
use crate::Store;

/// Runs the test `test` as a child with a new filesystem of 1 MiB at `dir`. Returns `None` if this machine does not allow that.
fn in_small_filesystem(test: &str, dir: &Path) -> Option<Output> {
    let inner = child::command(test, dir, "");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--propagation", "private", "sh", "-c"]);
    command
        .arg(r#"mount -t tmpfs -o size=1m tmpfs "$0" || exit 77; exec "$@""#)
        .arg(dir)
        .arg(inner.get_program());
    command
        .args(inner.get_args())
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().ok()?;
    let refused = output.status.code() == Some(77) || output.stderr.starts_with(b"unshare:");
    (!refused).then_some(output)
}

fn passes_in_small_filesystem(test: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    match in_small_filesystem(test, dir.path()) {
        None => eprintln!("SKIPPED: no filesystem can be mounted here (user namespaces, or root, are needed)"),
        Some(output) => {
            let (out, err) = (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
            assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
        }
    }
}

#[test]
fn full_disk_is_a_clear_error_and_leaves_the_store_sound() {
    match child::orders() {
        Some((dir, _)) => process_that_fills_the_disk(&dir),
        None => passes_in_small_filesystem("tests::full_disk::full_disk_is_a_clear_error_and_leaves_the_store_sound"),
    }
}

fn process_that_fills_the_disk(dir: &Path) {
    let store = Store::open(&dir.join("cache")).expect("a store");
    let kept = record(key("kept"), "test /kept", put_all(&store, &[b"small"]));
    store
        .claim_to_run(key("kept"))
        .and_then(|ticket| ticket.commit(kept.clone()))
        .expect("a commit");

    let mut stored = 0_u32;
    let error = loop {
        match store.blobs().put_bytes(&stored.to_le_bytes().repeat(10_000)) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    let shown = error.to_string();
    assert!(
        shown.ends_with(": No space left on device") && shown.contains(&*dir.to_string_lossy()),
        "{shown}"
    );
    assert!(error.hint().expect("a hint").contains("atex cache gc"));
    assert_eq!(temporaries_below(dir).len(), 0);

    // The filesystem is filled to the last byte, so not even a record fits.
    let filler = fs::File::create(dir.join("filler")).expect("a file");
    while std::io::Write::write_all(&mut &filler, &[0; 512]).is_ok() {}
    let failed = store
        .claim_to_run(key("a"))
        .and_then(|ticket| ticket.commit(record(key("a"), "test /a", Vec::new())));
    assert!(
        failed
            .expect_err("no space")
            .to_string()
            .ends_with(": No space left on device")
    );
    assert_eq!(temporaries_below(dir).len(), 0);
    assert_eq!(store.verify().expect("a check").bad, []);
    assert_eq!(store.peek(key("kept")).expect("a lookup"), Some(kept));
    assert_eq!(store.peek(key("a")).expect("a lookup"), None);

    // The collection must make room although there is none to write into.
    let policy = crate::GcPolicy {
        max_size: Some(0),
        ..crate::GcPolicy::default()
    };
    let report = store.gc(&policy, std::time::SystemTime::now()).expect("a collection");
    assert_eq!(report.blobs_removed, u64::from(stored) + 1);
}

#[test]
fn read_only_filesystem_can_be_inspected_and_not_written() {
    match child::orders() {
        Some((dir, _)) => process_on_a_read_only_filesystem(&dir),
        None => passes_in_small_filesystem("tests::full_disk::read_only_filesystem_can_be_inspected_and_not_written"),
    }
}

fn process_on_a_read_only_filesystem(dir: &Path) {
    let store = Store::open(&dir.join("cache")).expect("a store");
    let kept = record(key("kept"), "test /kept", put_all(&store, &[b"small"]));
    store
        .claim_to_run(key("kept"))
        .and_then(|ticket| ticket.commit(kept.clone()))
        .expect("a commit");
    drop(store);
    let remounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(dir)
        .status()
        .expect("mount");
    assert!(remounted.success());

    for path in [dir.join("cache"), dir.join("new/cache")] {
        let error = Store::open(&path).expect_err("nothing can be written");
        assert!(error.to_string().ends_with(": Read-only file system"), "{error}");
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
        assert_eq!(
            error.hint().as_deref(),
            Some("set ATEX_CACHE to a directory that you may write")
        );
    }
    let store = Store::open_read_only(&dir.join("cache")).expect("a store to read");
    assert_eq!(store.peek(key("kept")).expect("a lookup"), Some(kept.clone()));
    assert_eq!(store.verify().expect("a check").bad, []);
    let outside = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a directory elsewhere");
    let exported = store
        .blobs()
        .export(kept.files[0].digest, &outside.path().join("copy"))
        .expect("an export");
    assert_eq!(exported, Some(crate::Exported::Copied));
}
