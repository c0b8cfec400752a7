//! Test of the memory that a test can make the runner use. It is alone in its process, because it measures the process.

use std::io::Write;

use atex::control::{Finish, Limits, Protocol, ResultStore, Status};

/// Bytes of its own that the process holds in memory: pages of the program, which come as it runs, are none of them.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: Vec<u64> = statm.split(' ').map_while(|pages| pages.trim().parse().ok()).collect();
    (pages[1] - pages[2]) * rustix::param::page_size() as u64
}

struct Fed {
    dir: tempfile::TempDir,
    protocol: Protocol,
    chunk: Vec<u8>,
}

impl Fed {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = ResultStore::create(&dir.path().join("test")).expect("a store");
        Self {
            dir,
            protocol: Protocol::new(store, Limits::default()),
            chunk: Vec::with_capacity(65_536),
        }
    }

    /// Says a result, as an executor would read it: some 64 KiB at a time, taking what was said.
    fn result(&mut self, json: &str) {
        write!(self.chunk, "result {}\n{json}", json.len()).expect("memory");
        if self.chunk.len() > 65_000 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.protocol.feed(&self.chunk).expect("the protocol is kept");
        self.chunk.clear();
        while self.protocol.take().is_some() {}
    }

    fn finish(mut self) -> (u64, tempfile::TempDir) {
        self.flush();
        (
            self.protocol
                .finish(Finish::Exited(Status::Pass))
                .expect("a disk")
                .results,
            self.dir,
        )
    }
}

/// What `work` adds to the resident memory, in KiB.
fn growth(work: impl FnOnce()) -> u64 {
    let before = resident();
    work();
    resident().saturating_sub(before) / 1024
}

#[test]
fn results_partial_pieces_and_files_take_constant_memory() {
    let mut fed = Fed::new();
    let some = |fed: &mut Fed, count: u32| {
        for number in 0..count {
            fed.result(&format!(
                r#"{{"name":"sub/{number}","status":"pass","note":"number {number}"}}"#
            ));
        }
    };
    some(&mut fed, 2_000);
    let grown = growth(|| some(&mut fed, 200_000));
    assert!(grown < 1024, "200,000 results: {grown} KiB");

    let grown = growth(|| {
        for number in 0..200_000 {
            fed.result(&format!(
                r#"{{"name":"open","at":{number},"o":{{"x":{number}}},"testout":"log","partial":true}}"#
            ));
        }
    });
    assert!(grown < 1024, "200,000 pieces of one result: {grown} KiB");

    let grown = growth(|| {
        for number in 0..100_000 {
            fed.result(&format!(r#"{{"name":"s{number}","a":[1],"partial":true}}"#));
            fed.result(&format!(r#"{{"name":"s{number}","a":[2]}}"#));
        }
    });
    assert!(grown < 1024, "100,000 results of two pieces: {grown} KiB");

    let grown = growth(|| {
        let size = 128 << 20;
        fed.result(&format!(
            r#"{{"name":"big","status":"pass","files":[{{"name":"f","length":{size}}}]}}"#
        ));
        fed.flush();
        let bytes = vec![b'x'; 65_536];
        for _ in 0..size / bytes.len() {
            fed.protocol.feed(&bytes).expect("a disk");
        }
    });
    assert!(grown < 1024, "a file of 128 MiB: {grown} KiB");
    let (results, dir) = fed.finish();
    assert_eq!(results, 2_000 + 200_000 + 100_000 + 1 + 2);
    assert_eq!(
        std::fs::metadata(dir.path().join("test/files/big/f"))
            .expect("a file")
            .len(),
        128 << 20
    );
}
