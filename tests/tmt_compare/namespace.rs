//! A root of its own for a program that changes the machine it runs on: what it changes is gone when it ends.
//!
//! `namespace.sh` makes it. This file only starts it, and knows nothing of what runs in it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// So many namespaces were made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// After so many seconds a program is ended that has not ended by itself.
const PATIENCE: u32 = 1800;

/// A small tree can bring a script, which makes what no text file can be: repositories, links, names that no file system of a developer has.
const PREPARE_TREES: &str = r#"
prepare_trees() {
    local script
    for script in "$tree"/tmt-compare.sh "$tree"/*/tmt-compare.sh; do
        [ ! -e "$script" ] || (cd "${script%/*}" && bash -euo pipefail ./tmt-compare.sh) || exit 99
    done
}
"#;

/// A directory that programs in namespaces share with this machine, as long as this value lives.
pub(crate) struct Namespace {
    dir: tempfile::TempDir,
}

impl Namespace {
    pub(crate) fn new() -> io::Result<Self> {
        // tmt looks for playbooks under their paths in small letters.
        let name = format!(
            "tmt-compare-{}-{}",
            std::process::id(),
            MADE.fetch_add(1, Ordering::Relaxed)
        );
        let dir = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir()?;
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
            .args(["bash", "-c", &format!("{PREPARE_TREES}{script}"), "bash"])
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let status = command.status()?;
        Ok(status.code().unwrap_or(-1))
    }
}
