//! The environment of a benchmark: an sshd on loopback, a tree, and separate directories for everything that atex keeps.
//!
//! Hosts have names in one SSH configuration file, which the binary and the `ssh` client both read. Host keys are checked.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sshd::{self, Sshd};

/// Sessions of bash that read no start-up files: what those cost is not ours. (With this level bash takes itself for one that was
/// not started by sshd.)
pub(crate) const PLAIN_BASH: &str = "SetEnv SHLVL=5";

/// An sshd and what surrounds it.
pub(crate) struct Lab {
    // Ends before its files go.
    _sshd: Sshd,
    dir: tempfile::TempDir,
}

impl Lab {
    /// Starts one, with lines for the configuration of its sshd.
    pub(crate) fn new(server: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let sshd = Sshd::start(&dir.path().join("sshd"), server);
        let lab = Self { _sshd: sshd, dir };
        fs::create_dir_all(lab.path("home")).expect("a directory");
        lab
    }

    /// A path below its directory.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// The port of its sshd.
    pub(crate) fn port(&self) -> u16 {
        sshd::port_of(&self.path("sshd"))
    }

    /// Gives a host that is reached on a port of loopback a name.
    pub(crate) fn host(&self, name: &str, port: u16) {
        let (dir, user) = (self.path("sshd"), atex::sut::local_facts().user);
        let key = fs::read_to_string(dir.join("hostkey.pub")).expect("a key");
        append(&dir.join("known_hosts"), &format!("[127.0.0.1]:{port} {key}"));
        let dir = dir.display();
        let host = format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {dir}/key\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {dir}/known_hosts\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n"
        );
        append(&self.path("ssh-config"), &host);
    }

    /// Writes files of a tree.
    pub(crate) fn tree(&self, files: &[(&str, &str)]) {
        for (path, text) in [(".fmf/version", "1\n")].iter().chain(files) {
            let path = self.path("tree").join(path);
            fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
    }

    /// The binary, in the tree, with hosts of the laboratory.
    pub(crate) fn atex(&self, args: &[&str]) -> Command {
        let mut call = self.atex_as_here(args);
        call.arg("--ssh-config")
            .arg(self.path("ssh-config"))
            .env("HOME", self.path("home"));
        call
    }

    /// The binary, in the tree, with the SSH configuration of whoever runs this.
    pub(crate) fn atex_as_here(&self, args: &[&str]) -> Command {
        let mut call = Command::new(env!("CARGO_BIN_EXE_atex"));
        call.args(args)
            .current_dir(self.path("tree"))
            .stdin(Stdio::null())
            .env("ATEX_CACHE", self.path("cache"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"));
        call
    }
}

fn append(file: &Path, text: &str) {
    let file = OpenOptions::new().create(true).append(true).open(file);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("a file");
}
