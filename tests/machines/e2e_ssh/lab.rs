//! An environment with an sshd: the tests' machine is this one, reached by SSH.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Atex, Ran, World};
use crate::sut_support::sshd::{Place, Sshd, port_of};

/// What is waited for happens in a second; a machine that is busy with other things gets this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A plan with one prepare and one finish script and two tests; scripts leave a line in `$COUNTER`.
const TREE: [(&str, &str); 3] = [
    (
        "plan.fmf",
        "discover:\n    how: fmf\nprepare:\n    how: shell\n    script: echo prepare >>$COUNTER\nexecute:\n    how: tmt\n\
         finish:\n    how: shell\n    script: echo finish >>$COUNTER\n",
    ),
    ("a/main.fmf", "test: echo a >>$COUNTER\n"),
    ("b/main.fmf", "test: echo b >>$COUNTER; test -e file\n"),
];

/// A world, an sshd, and an SSH configuration that knows where its host keys are.
pub(crate) struct Lab {
    // Ends, and shows its log, before its files go.
    pub(crate) sshd: Sshd,
    pub(crate) world: World,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// Makes one whose sshd has more lines of configuration.
    pub(crate) fn with(sshd: &str) -> Self {
        Self::within(World::new(), &[], sshd)
    }

    /// Makes one in a world that was prepared for it, whose sshd is started by a command.
    pub(crate) fn within(world: World, prefix: &[&str], sshd: &str) -> Self {
        let place = Place {
            prefix: prefix.iter().map(|word| (*word).to_owned()).collect(),
            host: Ipv4Addr::LOCALHOST,
        };
        let sshd = Sshd::start_at(place, &world.path("sshd"), sshd);
        for (file, text) in TREE {
            world.write(Path::new("tree").join(file), text);
        }
        world.write("tree/b/file", "");
        world.write("ran", "");
        let lab = Self { sshd, world };
        lab.configure("");
        lab
    }

    /// Writes the user's SSH configuration: `more` stands first, so it wins.
    pub(crate) fn configure(&self, more: &str) {
        let known = self.file("known_hosts");
        let text = format!(
            "{more}\nHost *\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n",
            known.display()
        );
        self.world.write("home/.ssh/config", text);
    }

    /// A file of the sshd.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.world.path("sshd").join(name)
    }

    pub(crate) fn port(&self) -> u16 {
        port_of(&self.world.path("sshd"))
    }

    /// The line of `known_hosts` that the sshd's key is known by.
    pub(crate) fn known(&self) -> String {
        fs::read_to_string(self.file("known_hosts")).unwrap()
    }

    /// The target, under the name `lab`, with more parameters.
    pub(crate) fn target(&self, more: &str) -> String {
        let (port, key) = (self.port(), self.file("key"));
        let dir = self.world.sut();
        format!(
            "ssh://127.0.0.1:{port}?key={}&dir={}&name=lab{more}",
            key.display(),
            dir.display()
        )
    }

    /// A call of atex on the machine.
    pub(crate) fn atex<const N: usize>(&self, args: [&str; N]) -> Atex {
        self.on(&self.target(""), args)
    }

    /// A call of atex on a target.
    pub(crate) fn on<const N: usize>(&self, target: &str, args: [&str; N]) -> Atex {
        let counter = format!("COUNTER={}", self.world.path("ran").display());
        let takes_environment = !matches!(args.first(), Some(&"sut"));
        let atex = self.world.atex().args(args).args(["-s", target]);
        if takes_environment {
            atex.args(["-e", &counter])
        } else {
            atex
        }
    }

    /// Runs atex on the machine.
    #[track_caller]
    pub(crate) fn run<const N: usize>(&self, code: i32, args: [&str; N]) -> Ran {
        self.atex(args).run().expect(code)
    }

    /// What ran since the last time somebody asked.
    pub(crate) fn ran(&self) -> Vec<String> {
        let lines = self.world.read("ran").lines().map(str::to_owned).collect();
        self.world.write("ran", "");
        lines
    }
}

/// Starts a call whose end is waited for later, as [`Atex::ran`] takes it.
#[track_caller]
pub(crate) fn start(atex: &Atex) -> Child {
    let mut command = atex.command();
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until `done` gives something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(value) = done() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it did not happen: {what}");
}

/// Runs `ssh-keygen`.
#[track_caller]
pub(crate) fn ssh_keygen<const N: usize>(args: [&str; N]) {
    let output = Command::new("ssh-keygen")
        .args(args)
        .output()
        .expect("ssh-keygen is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
