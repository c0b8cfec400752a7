//! A root of its own for a program that changes the machine it runs on: what it changes is gone when it ends.
//!
//! `namespace.sh` makes it. This file only starts it, and knows nothing of what runs in it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// After so many seconds a program is ended that has not ended by itself.
const PATIENCE: u32 = 1800;

/// A directory that programs in namespaces share with this machine, as long as this value lives.
pub(crate) struct Namespace {
    dir: tempfile::TempDir,
}

impl Namespace {
    pub(crate) fn new() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        for name in ["scratch", "shared"] {
            std::fs::create_dir(dir.path().join(name))?;
        }
        Ok(Self { dir })
    }

    /// Returns a path in the directory that is seen inside and outside, at the same place.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.dir.path().join("shared").join(name)
    }

    /// Runs a script of bash with these arguments. What it and its children print is kept in `log`. Returns the exit code.
    pub(crate) fn run(&self, script: &str, args: &[&str], log: &Path) -> io::Result<i32> {
        let log = File::create(log)?;
        let mut command = Command::new("timeout");
        command
            .args(["--signal=KILL", &PATIENCE.to_string()])
            .args(["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"])
            .args(["bash", "-c", include_str!("namespace.sh"), "namespace.sh"])
            .args([self.dir.path().join("scratch"), self.dir.path().join("shared")])
            .args(["bash", "-c", script, "bash"])
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let status = command.status()?;
        Ok(status.code().unwrap_or(-1))
    }
}
