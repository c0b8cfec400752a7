//! Test of a full disk. It is alone in its process, because it limits the size of the files that the process may write.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use atex::control::{ControlError, Finish, Limits, Protocol, ResultStore, Status};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};

fn limit(bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    setrlimit(Resource::Fsize, limit).expect("a limit");
}

#[test]
fn a_full_disk_leaves_whole_lines_and_says_which_file() {
    // Without a handler, the signal that comes with the failed write would end the process.
    signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::new(AtomicBool::new(false))).expect("a handler");
    let dir = tempfile::tempdir().expect("a directory");
    let test = dir.path().join("test");
    let mut protocol = Protocol::new(ResultStore::create(&test).expect("a store"), Limits::default());
    let json = r#"{"name":"sub","status":"pass"}"#;
    let stream = format!("result {}\n{json}", json.len()).repeat(10);

    limit(Some(100));
    let error = protocol.feed(stream.as_bytes()).expect_err("31 bytes a line");
    assert!(
        matches!(&error, ControlError::Store(store) if store.path() == test.join("results.jsonl")),
        "{error:?}"
    );
    assert!(error.to_string().starts_with("cannot write `"), "{error}");
    assert_eq!(
        std::fs::read_to_string(test.join("results.jsonl")).expect("the results"),
        format!("{json}\n").repeat(3)
    );
    assert_eq!(
        protocol.feed(b"noop\n"),
        Err(error),
        "what could not be kept is not passed over"
    );

    limit(None);
    protocol
        .finish(Finish::Exited(Status::Pass))
        .expect("there is room again");
    let lines = std::fs::read_to_string(test.join("results.jsonl")).expect("the results");
    assert_eq!(
        lines,
        format!("{json}\n").repeat(3) + "{\"status\":\"pass\",\"files\":[\"output.txt\"]}\n"
    );
}
