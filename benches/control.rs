//! Benchmark of the control protocol, in results per second: `cargo bench --bench control`.
//!
//! Each case feeds a stream in chunks of 64 KiB, as the executor reads it, takes the messages, and stores the results on disk.

use std::time::Instant;

use atex::control::{Finish, Limits, Protocol, ResultStore, Status};

const CHUNK: usize = 64 << 10;

fn result(json: &str) -> String {
    format!("result {}\n{json}", json.len())
}

fn measure(name: &str, results: u32, stream: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = ResultStore::create(&dir.path().join("test")).expect("a store");
    let mut protocol = Protocol::new(store, Limits::default());
    let start = Instant::now();
    for chunk in stream.as_bytes().chunks(CHUNK) {
        protocol.feed(chunk).expect("the protocol is kept");
        while let Some(said) = protocol.take() {
            std::hint::black_box(said);
        }
    }
    let summary = protocol.finish(Finish::Exited(Status::Pass)).expect("a disk");
    let seconds = start.elapsed().as_secs_f64();
    assert!(summary.results >= u64::from(results), "all results are stored");
    let bytes = u32::try_from(stream.len()).expect("a stream that fits into memory");
    println!(
        "{name:<28} {results:>9} results  {:>10.0} results/s  {:>7.0} MB/s",
        f64::from(results) / seconds,
        f64::from(bytes) / 1e6 / seconds
    );
}

fn main() {
    let count = 1_000_000;
    let small: String = (0..count)
        .map(|n| result(&format!(r#"{{"status":"pass","name":"sub/{n}"}}"#)))
        .collect();
    measure("small", count, &small);
    drop(small);

    let count = 500_000;
    let common: String = (0..count)
        .map(|n| {
            result(&format!(
                r#"{{"name": "rule/{n}", "status": "fail", "note": "expected \"1\", got 2", "took": 1.25, "tags": ["a", "b"], "host": {{"arch": "x86_64"}}}}"#
            ))
        })
        .collect();
    measure("with nested values", count, &common);
    drop(common);

    let count = 200_000;
    let merged: String = (0..count)
        .map(|n| {
            result(&format!(r#"{{"name":"sub/{n}","steps":["one"],"partial":true}}"#))
                + &result(&format!(r#"{{"name":"sub/{n}","status":"pass","steps":["two"]}}"#))
        })
        .collect();
    measure("of two pieces", count, &merged);
    drop(merged);

    let count = 20_000;
    let files: String = (0..count)
        .map(|n| {
            result(&format!(
                r#"{{"status":"pass","files":[{{"name":"log","length":{}}}]}}"#,
                10
            )) + &format!("{n:010}")
        })
        .collect();
    measure("with an upload", count, &files);
}
