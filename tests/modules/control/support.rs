//! A test of the runner that speaks the control protocol, and the files that it leaves on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use atex::control::{
    ControlError, ControlMessage, Finish, InfraKind, Limits, Protocol, RESULTS, ResultStore, Status, TestOutput,
    TestSummary,
};
use serde_json::value::RawValue;

/// The bytes of a result, with those of its files.
pub(crate) fn result(json: &str) -> Vec<u8> {
    format!("result {}\n{json}", json.len()).into_bytes()
}

/// The same with the bytes of its files.
pub(crate) fn result_with(json: &str, files: &str) -> Vec<u8> {
    [result(json), files.as_bytes().to_vec()].concat()
}

/// A test that is running.
pub(crate) struct Running {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) protocol: Protocol,
    pub(crate) output: TestOutput,
    pub(crate) said: Vec<ControlMessage>,
}

impl Running {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = ResultStore::create(&dir.path().join("test")).expect("a store");
        let output = store.output().expect("the output");
        Self {
            dir,
            protocol: Protocol::new(store, limits),
            output,
            said: Vec::new(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("test")
    }

    pub(crate) fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), ControlError> {
        let outcome = self.protocol.feed(bytes.as_ref());
        self.said.extend(std::iter::from_fn(|| self.protocol.take()));
        outcome
    }

    /// Says what must be right.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_say(bytes).expect("the protocol is kept");
        self
    }

    /// Says a result that must be right.
    pub(crate) fn report(&mut self, json: &str) -> &mut Self {
        self.say(result(json))
    }

    /// Says what must be wrong; gives the note.
    pub(crate) fn break_with(&mut self, bytes: impl AsRef<[u8]>) -> String {
        violation(self.try_say(bytes))
    }

    /// Has the runner say something of the end.
    pub(crate) fn remark(&mut self, text: &str) {
        self.protocol.remark(text);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        lines(&self.path())
    }

    pub(crate) fn file(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join("files").join(path)).expect(path)
    }

    pub(crate) fn exit(self, code: i32) -> Done {
        self.finish(Finish::Exited(if code == 0 { Status::Pass } else { Status::Fail }))
    }

    pub(crate) fn fail(self, kind: InfraKind, note: &str) -> Done {
        self.finish(Finish::Infra {
            kind,
            note: note.to_owned(),
        })
    }

    pub(crate) fn finish(self, how: Finish) -> Done {
        let path = self.path();
        let summary = self.protocol.finish(how).expect("the end is stored");
        Done {
            lines: lines(&path),
            files: tree(&path),
            summary,
            said: self.said,
        }
    }
}

/// A test that is over.
pub(crate) struct Done {
    pub(crate) lines: Vec<String>,
    pub(crate) summary: TestSummary,
    pub(crate) said: Vec<ControlMessage>,
    /// Content of all files, by path below the test's directory.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// The note of the violation that an outcome must be.
pub(crate) fn violation(outcome: Result<(), ControlError>) -> String {
    match outcome {
        Err(ControlError::Violation(violation)) => {
            assert_eq!(violation.kind(), InfraKind::Control);
            violation.note().to_owned()
        }
        other => panic!("not a violation: {other:?}"),
    }
}

/// The lines of `results.jsonl`, each of which must be whole and JSON.
pub(crate) fn lines(test: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(test.join(RESULTS)).expect("the results");
    assert!(text.is_empty() || text.ends_with('\n'), "a line is not whole: {text:?}");
    for line in text.lines() {
        assert!(
            serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(line).is_ok(),
            "no JSON: {line}"
        );
    }
    text.lines().map(str::to_owned).collect()
}

fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("below").to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}
