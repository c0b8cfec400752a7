//! [`Inventory`]: how `ansible-playbook`, which runs on this host, reaches one machine.
//!
//! Each kind of machine makes it from what it knows of the way there. Secrets stand in files that only the user can read, never
//! on a command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::host::program::{self, Bounds};
use crate::sut::{Trouble, TroubleKind};

/// How long that command may take.
const ENDING: Duration = Duration::from_secs(5);

/// The inventory of one machine, as arguments of `ansible-playbook`. Its files go with it.
#[derive(Debug)]
pub struct Inventory {
    arguments: Vec<OsString>,
    files: Option<TempDir>,
    /// The command that ends what Ansible leaves behind on this host, such as a shared connection.
    last: Option<Command>,
}

impl Inventory {
    /// Makes the trouble that Ansible has no way to a machine behind a command.
    pub(crate) fn none(name: &str) -> Trouble {
        let what = "Ansible cannot reach a machine behind a command";
        let trouble = Trouble::new(TroubleKind::Setup, format!("`{name}`: {what}"));
        trouble.with_hint("plans with `how: ansible` run on `local` and over SSH")
    }

    /// Returns the inventory of this host.
    pub fn local() -> Self {
        Self {
            arguments: ["-c", "local", "-i", "localhost,"].map(OsString::from).to_vec(),
            files: None,
            last: None,
        }
    }

    /// Returns an inventory that is a file of the directory.
    pub(crate) fn of_file(files: TempDir, name: &str, last: Command) -> Self {
        let file: PathBuf = files.path().join(name);
        Self {
            arguments: vec!["-i".into(), file.into()],
            files: Some(files),
            last: Some(last),
        }
    }

    /// Returns the arguments that stand before the playbook.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Returns the directory of the inventory's files.
    pub fn directory(&self) -> Option<&Path> {
        self.files.as_ref().map(TempDir::path)
    }
}

impl Drop for Inventory {
    fn drop(&mut self) {
        if let Some(last) = &mut self.last {
            let bounds = Bounds {
                time: Some(ENDING),
                output: None,
            };
            last.stdin(Stdio::null());
            // A connection that is not there any more, or cannot be ended, ends by itself.
            let _ended = program::run(last, "the end of Ansible's connection", bounds);
        }
    }
}
