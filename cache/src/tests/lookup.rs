//! Tests of looking nodes up: hits, misses and tickets.

use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use atex_graph::BlobDigest;

use super::{Env, entries, key, put_all, record, ticket};
use crate::store::disk::Disk;
use crate::{CacheError, ClaimPatience, FileProblem, Lookup, OutputFile, RecordOutcome, Store};

fn hit(lookup: Lookup) -> crate::Record {
    match lookup {
        Lookup::Hit(record) => *record,
        other => panic!("not a hit: {other:?}"),
    }
}

#[test]
fn committed_record_is_a_hit_in_another_process_too() {
    let env = Env::new();
    let ticket = ticket(env.store.claim(key("a")).expect("a lookup"));
    ticket.begin().expect("begin");
    let record = record(key("a"), "test /a", put_all(&env.store, &[b"one", b"two", b"one"]));
    ticket.commit(record.clone()).expect("a commit");
    let other = Store::open(env.store.dir()).expect("the store");
    assert_eq!(hit(other.claim(key("a")).expect("a lookup")), record);
    assert_eq!(
        env.store.du().expect("a count").buckets[2].files,
        0,
        "the claim is gone"
    );
}

#[test]
fn long_lists_read_back_and_stay_out_of_the_record() {
    let env = Env::new();
    let ticket = ticket(env.store.claim(key("a")).expect("a lookup"));
    let digest = env.store.blobs().put_bytes(b"x").expect("put");
    let file = |n| OutputFile {
        path: format!("files/sub {n}/output.txt"),
        digest,
        size: 1,
    };
    let mut record = record(key("a"), "test /a", (0..10_000).map(file).collect());
    record.inputs = entries(5_000);
    ticket.commit(record.clone()).expect("a commit");
    assert!(
        fs::metadata(env.store.layout().record(key("a")))
            .expect("the record")
            .len()
            < 2_000
    );
    assert_eq!(env.store.peek(key("a")).expect("a lookup"), Some(record.clone()));
    assert_eq!(env.store.records().expect("a list").next(), Some(record.summary()));
}

#[test]
fn dropped_ticket_records_nothing_and_frees_the_claim() {
    let env = Env::new();
    drop(ticket(env.store.claim(key("a")).expect("a lookup")));
    drop(ticket(env.store.claim(key("a")).expect("a lookup")));
    assert_eq!(env.store.peek(key("a")).expect("a lookup"), None);
}

#[test]
fn begun_node_has_no_record() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"x"]);
    let ticket = ticket(env.store.claim_if(key("a"), |_| false).expect("a lookup"));
    assert!(
        env.store.peek(key("a")).expect("a lookup").is_some(),
        "the old record stays until the node begins"
    );
    ticket.begin().expect("begin");
    assert_eq!(env.store.peek(key("a")).expect("a lookup"), None);
}

#[test]
fn record_committed_between_look_and_claim_is_a_hit() {
    let env = Env::new();
    let (other, once) = (env.store.clone(), Once::new());
    let claim = env.store.layout().claim(key("a"));
    let disk = Disk::watched(Box::new(move |_, path| {
        if path == claim {
            once.call_once(|| {
                let ticket = other.claim_to_run(key("a")).expect("a ticket");
                ticket
                    .commit(record(key("a"), "test /a", Vec::new()))
                    .expect("a commit");
            });
        }
        Ok(())
    }));
    let store = Store::open_on(disk, env.store.dir()).expect("the store");
    hit(store.claim(key("a")).expect("a lookup"));
    drop(ticket(store.claim_if(key("a"), |_| false).expect("the claim is free")));
}

#[test]
fn unacceptable_record_is_a_miss() {
    let env = Env::new();
    let mut failed = record(key("a"), "test /a", Vec::new());
    failed.outcome = RecordOutcome::Failed;
    env.store
        .claim_to_run(key("a"))
        .and_then(|ticket| ticket.commit(failed))
        .expect("a commit");
    let passed = |record: &crate::Record| record.outcome == RecordOutcome::Passed;
    let ticket = ticket(env.store.claim_if(key("a"), passed).expect("a lookup"));
    ticket
        .commit(record(key("a"), "test /a", Vec::new()))
        .expect("a commit");
    hit(env.store.claim_if(key("a"), passed).expect("a lookup"));
}

#[test]
fn claim_of_another_is_busy_and_says_whose_it_is() {
    let env = Env::new();
    let held = ticket(env.store.claim(key("a")).expect("a lookup"));
    match env.store.claim(key("a")).expect("a lookup") {
        Lookup::Busy(holder) => {
            assert!(
                holder
                    .to_string()
                    .starts_with(&format!("process {} on ", std::process::id())),
                "{holder}"
            );
        }
        other => panic!("not busy: {other:?}"),
    }
    drop(ticket(env.store.claim(key("b")).expect("another node is free")));
    drop(held);
    drop(ticket(env.store.claim(key("a")).expect("a lookup")));
}

#[test]
fn waiting_ends_with_patience_or_cancellation() {
    let env = Env::new();
    let _held = ticket(env.store.claim(key("a")).expect("a lookup"));
    let over = ClaimPatience {
        limit: Some(Duration::from_millis(5)),
        cancel: None,
    };
    assert!(matches!(
        env.store.claim_waiting(key("a"), |_| true, over),
        Ok(Lookup::Busy(_))
    ));
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    ours.write_all(b"!").expect("cancel");
    let cancelled = ClaimPatience {
        limit: None,
        cancel: Some(theirs.as_fd()),
    };
    assert!(matches!(
        env.store.claim_waiting(key("a"), |_| true, cancelled),
        Ok(Lookup::Busy(_))
    ));
}

#[test]
fn node_that_runs_in_any_case_never_waits() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"x"]);
    let first = env.store.claim_to_run(key("a")).expect("a ticket");
    assert_eq!(env.store.peek(key("a")).expect("a lookup"), None);
    let second = env.store.claim_to_run(key("a")).expect("a ticket");
    assert_eq!((first.is_exclusive(), second.is_exclusive()), (true, false));
    let mut record = record(key("a"), "test /a", Vec::new());
    first.commit(record.clone()).expect("a commit");
    record.started += 1;
    second.commit(record.clone()).expect("a commit");
    assert_eq!(hit(env.store.claim(key("a")).expect("a lookup")), record);
}

#[test]
fn record_without_its_content_is_refused() {
    let env = Env::new();
    let file = OutputFile {
        path: "files/log".to_owned(),
        digest: BlobDigest::of(b"never put"),
        size: 9,
    };
    let ticket = ticket(env.store.claim(key("a")).expect("a lookup"));
    let error = ticket
        .commit(record(key("a"), "test /a", vec![file]))
        .expect_err("refused");
    assert!(matches!(error, CacheError::MissingBlob { .. }), "{error}");
    assert_eq!(env.store.peek(key("a")).expect("a lookup"), None);
}

#[test]
fn record_of_another_node_is_refused() {
    let env = Env::new();
    let ticket = ticket(env.store.claim(key("a")).expect("a lookup"));
    let error = ticket
        .commit(record(key("b"), "test /b", Vec::new()))
        .expect_err("refused");
    assert!(matches!(error, CacheError::WrongKey { .. }), "{error}");
}

#[test]
fn output_path_that_leads_outside_is_refused() {
    let env = Env::new();
    let digest = env.store.blobs().put_bytes(b"x").expect("put");
    for path in ["", "/etc/passwd", "a/../../b", "a//b", "./a", "a/", "a\0b"] {
        let file = OutputFile {
            path: path.to_owned(),
            digest,
            size: 1,
        };
        let ticket = env.store.claim_to_run(key("a")).expect("a ticket");
        let error = ticket.commit(record(key("a"), "test /a", vec![file])).expect_err(path);
        assert!(matches!(error, CacheError::BadOutputPath { .. }), "{error}");
    }
}

#[test]
fn lost_output_makes_the_record_a_miss() {
    let env = Env::new();
    let record = env.commit(key("a"), "test /a", &[b"x"]);
    fs::remove_file(env.store.layout().blob(record.files[0].digest)).expect("the blob");
    assert_eq!(env.store.peek(key("a")).expect("a lookup"), None);
    let reports = env.store.take_reports();
    assert_eq!(reports[0].problem, FileProblem::MissingBlob(record.files[0].digest));
    assert_eq!(
        env.store.inspect(key("a")).expect("a read"),
        Some(record),
        "it still explains"
    );
}

#[test]
fn record_under_another_name_or_of_another_form_is_a_miss() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"x"]);
    let path = env.store.layout().record(key("b"));
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::copy(env.store.layout().record(key("a")), &path).expect("a copy");
    assert_eq!(env.store.peek(key("b")).expect("a lookup"), None);
    assert_eq!(env.store.take_reports()[0].problem, FileProblem::Misplaced);
    fs::write(&path, crate::format::json::seal(b"[1]")).expect("another form");
    assert_eq!(env.store.peek(key("b")).expect("a lookup"), None);
    assert!(matches!(env.store.take_reports()[0].problem, FileProblem::Malformed(_)));
    fs::remove_file(&path).expect("the file");
    fs::create_dir(&path).expect("a directory in its place");
    assert_eq!(env.store.peek(key("b")).expect("a lookup"), None);
    assert!(matches!(
        env.store.take_reports()[0].problem,
        FileProblem::Unreadable(_)
    ));
}

#[test]
fn hit_marks_the_record_as_used() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"x"]);
    let path = env.store.layout().record(key("a"));
    let old = SystemTime::now() - Duration::from_hours(24);
    fs::File::open(&path)
        .and_then(|file| file.set_modified(old))
        .expect("an old record");
    env.store.peek(key("a")).expect("a look is no use");
    assert_eq!(
        fs::metadata(&path).and_then(|found| found.modified()).expect("a time"),
        old
    );
    hit(env.store.claim(key("a")).expect("a lookup"));
    assert!(
        fs::metadata(&path).and_then(|found| found.modified()).expect("a time") > old + Duration::from_secs(80_000)
    );
}

#[test]
fn removed_record_is_gone() {
    let env = Env::new();
    env.commit(key("a"), "test /a", &[b"x"]);
    assert!(env.store.remove(key("a")).expect("a removal"));
    assert!(!env.store.remove(key("a")).expect("nothing to remove"));
    assert_eq!(env.store.peek(key("a")).expect("a lookup"), None);
}

#[test]
fn output_is_the_record_without_its_inputs() {
    let env = Env::new();
    assert_eq!(env.store.output(key("a")).expect("a lookup"), None);
    let ticket = ticket(env.store.claim(key("a")).expect("a lookup"));
    let mut record = record(key("a"), "test /a", put_all(&env.store, &[b"one", b"two"]));
    record.inputs = entries(5_000);
    ticket.commit(record.clone()).expect("a commit");
    let output = env.store.output(key("a")).expect("a lookup");
    assert_eq!(output, Some(record.into_output()));
    assert!(env.store.take_reports().is_empty());
}

#[test]
fn output_of_a_bad_record_is_none_and_what_it_does_not_hold_is_reported() {
    let env = Env::new();
    let record = env.commit(key("a"), "test /a", &[b"content"]);
    let path = env.store.layout().record(key("a"));
    let whole = fs::read(&path).expect("the record");
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).expect("written");
        assert_eq!(env.store.output(key("a")).expect("a lookup"), None, "byte {at}");
        assert_eq!(env.store.take_reports().len(), 1, "byte {at}");
    }
    let other = env.store.layout().record(key("b"));
    fs::create_dir_all(other.parent().expect("a directory")).expect("made");
    fs::write(&other, &whole).expect("written");
    assert_eq!(env.store.output(key("b")).expect("a lookup"), None, "of another key");
    env.store.take_reports();
    fs::write(&path, whole).expect("written");
    let output = env.store.output(key("a")).expect("a lookup").expect("a record");
    assert!(env.store.holds(key("a"), &output.files));
    fs::remove_file(env.store.blobs().path(record.files[0].digest)).expect("removed");
    assert!(!env.store.holds(key("a"), &output.files));
    let reports = env.store.take_reports();
    assert_eq!(reports[0].problem, FileProblem::MissingBlob(record.files[0].digest));
}
