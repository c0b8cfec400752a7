//! A tree whose scripts and tests append a line to a file when they run, which is the witness of what really happened.
//!
//! Scripts write to `$COUNTER`, which the user's configuration sets for all of them. So the tests need not believe what atex says
//! of itself.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::e2e_main::running::{Running, processes_of};
use crate::support::{Atex, Ran, World};

/// What is waited for happens in well under a second; a machine that is busy with other things gets this long.
const PATIENCE: Duration = Duration::from_secs(90);

/// A world with a witness.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) world: World,
    seen: Cell<usize>,
}

impl Scene {
    /// Makes a world with these files in its tree.
    pub(crate) fn new<P: AsRef<Path>, C: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, C)>) -> Self {
        let world = World::new();
        let counter = world.path("ran");
        let config = format!(
            "[defaults.environment]\nCOUNTER = {:?}\n",
            counter.display().to_string()
        );
        world.write("home/.config/atex/config.toml", config);
        world.write("ran", "");
        let scene = Self {
            world,
            seen: Cell::new(0),
        };
        for (path, content) in files {
            scene.write(path, content);
        }
        scene
    }

    /// Writes a file of the tree.
    pub(crate) fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        self.world.write(Path::new("tree").join(path), content);
    }

    /// Replaces a text that occurs once in a file of the tree.
    #[track_caller]
    pub(crate) fn edit(&self, path: &str, old: &str, new: &str) {
        let before = self.world.read(Path::new("tree").join(path));
        assert_eq!(
            before.matches(old).count(),
            1,
            "`{old}` stands once in {path}:\n{before}"
        );
        self.write(path, before.replace(old, new));
    }

    /// Puts a call together that works on the SUT in the directory `sut`.
    pub(crate) fn atex<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Atex {
        self.on("sut", args)
    }

    /// Puts a call together that works on the SUT in another directory of the world.
    pub(crate) fn on<'a>(&self, sut: &str, args: impl IntoIterator<Item = &'a str>) -> Atex {
        let dir = self.world.path(sut);
        self.world
            .atex()
            .args(args)
            .args(["--sut-dir".as_ref(), dir.as_os_str()])
    }

    /// Runs it to its end, which must be with this exit code.
    #[track_caller]
    pub(crate) fn run<const N: usize>(&self, code: i32, args: [&str; N]) -> Ran {
        self.atex(args).run().expect(code)
    }

    /// Starts it and leaves it running; it writes its run to the directory `output` of the world.
    pub(crate) fn start<const N: usize>(&self, output: &str, args: [&str; N]) -> Running {
        Running::start(self.atex(args), output)
    }

    /// Kills a run when the witness has what is waited for, after which nothing stands in the way of what waited for `$COUNTER.go`.
    pub(crate) fn kill(&self, run: Running, has: impl Fn(&str) -> bool) {
        eventually("the moment to kill it", || has(&self.world.read("ran")).then_some(()));
        run.signal(Signal::KILL);
        run.end();
        eventually("the end of all processes of the run", || {
            processes_of(&self.world).is_empty().then_some(())
        });
        self.world.write("ran.go", "");
        self.ran();
    }

    /// What ran since this was asked last, sorted.
    pub(crate) fn ran(&self) -> Vec<String> {
        let mut lines = self.ran_in_order();
        lines.sort();
        lines
    }

    /// What ran since this was asked last.
    pub(crate) fn ran_in_order(&self) -> Vec<String> {
        let all = self.world.read("ran");
        let fresh: Vec<_> = all.lines().skip(self.seen.get()).map(str::to_owned).collect();
        self.seen.set(self.seen.get() + fresh.len());
        fresh
    }

    /// What `atex why NAME` says.
    #[track_caller]
    pub(crate) fn why<const N: usize>(&self, args: [&str; N]) -> String {
        self.atex(["why"]).args(args).run().expect(0).stdout
    }

    /// The directory of the newest run.
    pub(crate) fn latest(&self) -> PathBuf {
        let runs = self.world.path("home/.local/state/atex/runs");
        fs::canonicalize(runs.join("latest")).expect("a run was made")
    }

    /// The results of a test in the newest run.
    #[track_caller]
    pub(crate) fn results(&self, test: &str) -> Vec<Value> {
        results(&self.latest(), test)
    }

    /// What a test printed in the newest run.
    #[track_caller]
    pub(crate) fn output(&self, test: &str) -> String {
        let path = self
            .latest()
            .join("tests")
            .join(test.trim_start_matches('/'))
            .join("files/output.txt");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }
}

/// The results of a test below a run's directory.
#[track_caller]
pub(crate) fn results(run: &Path, test: &str) -> Vec<Value> {
    jsonl(
        &run.join("tests")
            .join(test.trim_start_matches('/'))
            .join("results.jsonl"),
    )
}

/// The lines of a file, each a JSON value.
#[track_caller]
pub(crate) fn jsonl(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let value = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
    text.lines().map(value).collect()
}

/// A test that leaves `test NAME` with the witness and passes.
pub(crate) fn witness(name: &str) -> String {
    format!("test: echo 'test {name}' >> \"$COUNTER\"\n")
}

/// The text of a script that reports a result.
pub(crate) fn report(json: &str) -> String {
    format!("printf 'result {}\\n%s' '{json}' >&$ATEX_TEST_CONTROL", json.len())
}

/// Waits until `look` finds something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Waits so long until `look` finds something.
#[track_caller]
pub(crate) fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs git in a directory.
pub(crate) fn git<const N: usize>(args: [&str; N], dir: &Path) {
    let identity = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "init.defaultBranch=main",
    ];
    let done = Command::new("git")
        .args(identity)
        .args(args)
        .current_dir(dir)
        .output()
        .expect("git is installed");
    assert!(done.status.success(), "{done:?}");
}
