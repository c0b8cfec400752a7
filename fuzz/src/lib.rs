//! What the fuzzer of the control stream runs. `tests/modules/fuzz_seeds.rs` of atex runs every seed through the same function. Knows
//! the public interface of `control`, and nothing of libFuzzer. The fuzzers of the metadata engine are in `fmf/fuzz`.
//!
//! Laws that each input is held to: no panic, no hang, no stack that overflows, memory within bounds; and what the
//! function says.

use std::fs;

use atex::control::{ControlError, ControlMessage, Finish, InfraKind, Limits, Protocol, RESULTS, ResultStore, Status};

/// A control stream, written as [`streams`] says. It gives the same in chunks of any size, and nothing is
/// written outside the test's directory.
pub fn control_stream(input: &[u8]) {
    let streams = streams(input);
    let whole = control_in_chunks(&streams, usize::MAX);
    for size in [1, 2 + input.len() % 13] {
        assert_eq!(whole, control_in_chunks(&streams, size), "in chunks of {size} bytes");
    }
}

/// What came of a control stream.
#[derive(Debug, PartialEq)]
struct Outcome {
    said: Vec<ControlMessage>,
    broken: Option<ControlError>,
    results: String,
}

fn control_in_chunks(streams: &[Vec<u8>], size: usize) -> Outcome {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let test = dir.path().join("test");
    let store = ResultStore::create(&test).expect("a store");
    // Small, so that inputs meet them.
    let limits = Limits {
        line: 128,
        json: 2048,
        depth: 8,
        open: 4096,
    };
    let mut protocol = Protocol::new(store, limits);
    let mut said = Vec::new();
    let broken = feed(&mut protocol, streams, size, &mut said).err();
    let how = match (&broken, protocol.exit_code()) {
        (None, Some(code)) => Finish::Exited(if code == 0 { Status::Pass } else { Status::Fail }),
        _ => Finish::Infra {
            kind: InfraKind::Control,
            note: "the stream".to_owned(),
        },
    };
    let summary = protocol.finish(how);
    if let Ok(summary) = summary {
        said.extend(summary.late);
    }
    let names: Vec<_> = fs::read_dir(dir.path())
        .expect("the directory")
        .filter_map(Result::ok)
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(names, ["test"], "something else was written");
    let results = fs::read_to_string(test.join(RESULTS)).expect("results are UTF-8");
    assert!(results.ends_with('\n'), "a line is not whole: {results}");
    // Paths of a host's errors differ from run to run.
    let broken = broken.filter(|error| matches!(error, ControlError::Violation(_)));
    Outcome { said, broken, results }
}

fn feed(
    protocol: &mut Protocol,
    streams: &[Vec<u8>],
    size: usize,
    said: &mut Vec<ControlMessage>,
) -> Result<(), ControlError> {
    for (number, stream) in streams.iter().enumerate() {
        if number > 0 {
            protocol.restart();
        }
        for chunk in stream.chunks(size) {
            let fed = protocol.feed(chunk);
            said.extend(std::iter::from_fn(|| protocol.take()));
            fed?;
        }
    }
    protocol.end_of_stream()
}

/// Makes streams of an input: after `#@j` comes the JSON of a result, of which the line with its length is made here, so
/// that an input that changes stays one; after `#@r` comes what follows a restart; all else stands for itself.
fn streams(input: &[u8]) -> Vec<Vec<u8>> {
    let mut streams = Vec::new();
    let mut stream = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let marked = rest.strip_prefix(b"#@");
        let body = marked.and_then(|marked| marked.get(1..)).unwrap_or(rest);
        let end = (1..body.len())
            .find(|at| body[*at..].starts_with(b"#@"))
            .unwrap_or(body.len());
        match marked.and_then(|marked| marked.first()) {
            Some(b'j') => {
                stream.extend_from_slice(format!("result {end}\n").as_bytes());
                stream.extend_from_slice(&body[..end]);
            }
            Some(b'r') => {
                streams.push(std::mem::take(&mut stream));
                stream.extend_from_slice(&body[..end]);
            }
            _ => stream.extend_from_slice(&body[..end]),
        }
        rest = &body[end..];
    }
    streams.push(stream);
    streams
}
