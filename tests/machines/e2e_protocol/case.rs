//! A case: one test script that the binary runs, and what is on disk afterwards.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Atex, Ran, World};

/// What scripts here are written with. `result JSON` takes ASCII only.
const WORDS: &str = r#"say() { printf '%s\n' "$*" >&$ATEX_TEST_CONTROL; }
result() { printf 'result %d\n%s' "${#1}" "$1" >&$ATEX_TEST_CONTROL; }
let_go() { say disconnect; while :; do echo noop >&$ATEX_TEST_CONTROL || break; sleep 0.1; done; }
"#;

/// A tree with the one test `/t`, being put together.
pub(crate) struct Case {
    world: World,
    metadata: String,
    args: Vec<String>,
    code: i32,
}

/// What came of it.
pub(crate) struct Done {
    pub(crate) ran: Ran,
    pub(crate) world: World,
}

impl Case {
    /// Makes the test of a script; the words above are defined in it. It is to end with exit code 0 unless told otherwise.
    pub(crate) fn new(script: &str) -> Self {
        Self::raw(&format!("{WORDS}{script}"))
    }

    /// Makes the test of a script as it is.
    pub(crate) fn raw(script: &str) -> Self {
        let world = World::new();
        let lines: Vec<_> = script.lines().map(|line| format!("    {line}")).collect();
        Self {
            world,
            metadata: format!("test: |\n{}\n", lines.join("\n")),
            args: Vec::new(),
            code: 0,
        }
    }

    /// Adds a line to the test's metadata.
    pub(crate) fn with(mut self, line: &str) -> Self {
        self.metadata.push_str(line);
        self.metadata.push('\n');
        self
    }

    /// Adds a file below the tree.
    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        self.world.write(format!("tree/{path}"), content);
        self
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Says how atex is to end.
    pub(crate) fn exits(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// Returns the call, with all files in place. The script finds the world's directory in `$WORLD`.
    pub(crate) fn atex(&self) -> Atex {
        self.world.write("tree/t/main.fmf", &self.metadata);
        let world = format!("WORLD={}", self.world.path("").display());
        let atex = self.world.atex().args(["test", "/t", "-o", "../out", "--json"]);
        atex.args(["-e", &world, "--sut-dir", "../sut"]).args(&self.args)
    }

    pub(crate) fn world(&self) -> World {
        self.world.clone()
    }

    #[track_caller]
    pub(crate) fn run(self) -> Done {
        let ran = self.atex().run().expect(self.code);
        Done { ran, world: self.world }
    }
}

impl Done {
    /// All results, in order, as they are stored.
    #[track_caller]
    pub(crate) fn results(&self) -> Vec<Value> {
        let text = self.world.read("out/tests/t/results.jsonl");
        let parse = |line| serde_json::from_str(line).expect("a line of results.jsonl is JSON");
        text.lines().map(parse).collect()
    }

    /// The only result.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let mut results = self.results();
        assert_eq!(results.len(), 1, "{results:?}");
        results.remove(0)
    }

    /// The last result: that of the runner, where the test gave none for itself.
    #[track_caller]
    pub(crate) fn last(&self) -> Value {
        self.results().pop().expect("a test has a result")
    }

    /// What lies in `files/`.
    #[track_caller]
    pub(crate) fn uploaded(&self, name: &str) -> String {
        self.world.read(format!("out/tests/t/files/{name}"))
    }

    /// What the test printed.
    #[track_caller]
    pub(crate) fn output(&self) -> String {
        self.uploaded("output.txt")
    }

    /// Asserts that the infrastructure ended the test, and returns the note.
    #[track_caller]
    pub(crate) fn infra(&self, kind: &str) -> String {
        let last = self.last();
        assert_eq!(
            (&last["status"], &last["error"]),
            (&"infra".into(), &kind.into()),
            "{last}"
        );
        last["note"].as_str().expect("a note").to_owned()
    }

    /// The states that the SUT went through.
    pub(crate) fn states(&self) -> Vec<String> {
        let of_sut = |event: Value| (event["event"] == "sut").then(|| event["state"].as_str().map(str::to_owned))?;
        self.ran.json().into_iter().filter_map(of_sut).collect()
    }

    pub(crate) fn was_tainted(&self) -> bool {
        self.states().iter().any(|state| state == "tainted")
    }

    /// Numbers that the script appended to a file of the world.
    pub(crate) fn pids(&self, file: &str) -> Vec<i32> {
        let numbers = self.world.read(file);
        numbers
            .split_whitespace()
            .map(|pid| pid.parse().expect("a pid"))
            .collect()
    }
}

/// Whether a process runs (a zombie does not).
pub(crate) fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < until, "not so: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A path of the world, once it exists.
#[track_caller]
pub(crate) fn awaited(world: &World, path: &str) -> PathBuf {
    let path = world.path(path);
    eventually(&format!("{} exists", path.display()), || path.exists());
    path
}
