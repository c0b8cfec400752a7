//! Runs the real binary in an environment in which everything that could vary is fixed: HOME, the XDG directories, TMPDIR,
//! COLUMNS, no colours, a fresh tree. It returns the output with temporary paths replaced by names.
//!
//! ```text
//! <temporary>/tree/…    the current directory: `.fmf/version` and the files that were asked for
//! <temporary>/home/     HOME; below it the XDG directories (.config .cache .local/state)
//! <temporary>/tmp/      TMPDIR
//! <temporary>/sut/      what `--sut-dir` may name, see [`World::sut`]
//! ```

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

/// The directories of a test, which live until the last handle to them is dropped.
#[derive(Clone, Debug)]
pub(crate) struct World(Arc<tempfile::TempDir>);

/// One call of the binary, being put together.
#[derive(Clone, Debug)]
pub(crate) struct Atex {
    world: World,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    cwd: Option<PathBuf>,
}

/// How a call ended, with paths normalised.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// 128 + the signal's number where a signal ended it, as a shell says it.
    pub(crate) code: i32,
}

impl World {
    /// Makes the directories and an empty fmf tree.
    pub(crate) fn new() -> Self {
        let world = Self(Arc::new(tempfile::tempdir().expect("a temporary directory")));
        for dir in ["tree", "home", "tmp"] {
            fs::create_dir(world.path(dir)).expect("a directory of the test");
        }
        world.write("tree/.fmf/version", "1\n");
        world
    }

    /// Returns a path below the temporary directory.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(relative)
    }

    /// Returns the tree.
    pub(crate) fn tree(&self) -> PathBuf {
        self.path("tree")
    }

    /// Returns a directory for a SUT's files.
    pub(crate) fn sut(&self) -> PathBuf {
        self.path("sut")
    }

    /// Writes a file below the temporary directory, with the directories above it. Scripts (`#!`) become executable.
    pub(crate) fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        let dir = path.parent().expect("a file below the temporary directory");
        fs::create_dir_all(dir).expect("the directories above a file");
        fs::write(&path, content.as_ref()).expect("a file of the test");
        if content.as_ref().starts_with(b"#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable file");
        }
    }

    /// Reads a file below the temporary directory.
    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> String {
        let path = self.path(relative);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Runs a line of bash in the tree as a user would, with the binary as `atex`.
    pub(crate) fn bash(&self, line: &str) -> Ran {
        let bin = self.path("bin");
        if !bin.exists() {
            fs::create_dir(&bin).expect("a directory of the test");
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_atex"), bin.join("atex")).expect("a link to the binary");
        }
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(bin).chain(std::env::split_paths(&paths));
        let call = self
            .atex()
            .env("PATH", std::env::join_paths(paths).expect("a path without colons"));
        let atex = call.command();
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-o", "pipefail", "-c", line])
            .current_dir(self.tree())
            .stdin(Stdio::null())
            .env_clear()
            .envs(atex.get_envs().filter_map(|(name, value)| Some((name, value?))));
        call.ran(&bash.output().expect("bash runs"))
    }

    /// Starts putting a call together.
    pub(crate) fn atex(&self) -> Atex {
        Atex {
            world: self.clone(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
        }
    }
}

impl Atex {
    /// Starts with a new world.
    pub(crate) fn new() -> Self {
        World::new().atex()
    }

    /// Returns the world, to look at or to make further calls in.
    pub(crate) fn world(&self) -> World {
        self.world.clone()
    }

    /// Writes files of the tree: pairs of path and content.
    pub(crate) fn tree<P: AsRef<Path>, C: AsRef<[u8]>>(self, files: impl IntoIterator<Item = (P, C)>) -> Self {
        for (path, content) in files {
            self.world.write(Path::new("tree").join(path), content);
        }
        self
    }

    /// Appends arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((key.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Takes a variable away.
    pub(crate) fn without_env(mut self, key: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), None));
        self
    }

    /// Runs in another directory of the world than the tree.
    pub(crate) fn cwd(mut self, relative: impl AsRef<Path>) -> Self {
        self.cwd = Some(self.world.path(relative));
        self
    }

    /// Returns the call as a command, for tests that need more than its output: signals, terminals, many at once.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atex"));
        command
            .args(&self.args)
            .current_dir(self.cwd.clone().unwrap_or_else(|| self.world.tree()))
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.world.path("home"))
            .env("TMPDIR", self.world.path("tmp"))
            .env("COLUMNS", "100")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("TERM", "dumb");
        for (key, value) in &self.env {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self) -> Ran {
        let output = self.command().output().expect("the atex binary runs");
        self.ran(&output)
    }

    /// Normalises the output of a command that was made by [`Self::command`].
    pub(crate) fn ran(&self, output: &Output) -> Ran {
        let code = output
            .status
            .code()
            .or_else(|| output.status.signal().map(|signal| 128 + signal));
        Ran {
            stdout: self.normalised(&output.stdout),
            stderr: self.normalised(&output.stderr),
            code: code.expect("a process that ended has a code or a signal"),
        }
    }

    fn normalised(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let root = self.world.path("");
        let real = root.canonicalize().expect("the temporary directory");
        [real.as_path(), &root].into_iter().fold(text, |text, root| {
            text.replace(root.to_string_lossy().trim_end_matches('/'), "[TMP]")
        })
    }
}

impl Ran {
    /// Returns the run if it ended with `code`, else fails with all that it said.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "wrong exit code\n{self:?}");
        self
    }

    /// Returns whether one of its streams has this text in it.
    pub(crate) fn said(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }

    /// Returns the lines of standard output as JSON values.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}\n{self:?}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl fmt::Debug for Ran {
    /// All of it, as snapshots show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "\n--- {name}\n{}", text.trim_end_matches('\n'))?;
            }
        }
        Ok(())
    }
}
