//! The machines that the tests run on.

use std::ffi::OsString;

use crate::harness::faults::Kinds;
use crate::support::World;
use crate::sut_support::sshd::{Sshd, port_of};

/// A kind of machines.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Machines {
    /// This one, or so many parts of it.
    Local(usize),
    /// This one by SSH, or so many parts of it.
    Ssh(usize),
}

/// Machines that are there.
pub(crate) struct Running {
    machines: Machines,
    /// Ended before its files go.
    pub(crate) sshd: Option<Sshd>,
}

impl Machines {
    /// Returns those of a seed: four in a row have all of them.
    pub(crate) fn of(seed: u64, kinds: &Kinds) -> Self {
        let count = if seed & 2 > 0 && kinds.has("pools") { 2 } else { 1 };
        if seed & 1 > 0 && kinds.has("ssh") {
            Self::Ssh(count)
        } else {
            Self::Local(count)
        }
    }

    pub(crate) fn start(self, world: &World) -> Running {
        let sshd = matches!(self, Self::Ssh(_)).then(|| {
            let sshd = Sshd::start(&world.path("sshd"), "");
            let known = world.path("sshd/known_hosts");
            let text = format!(
                "Host *\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n",
                known.display()
            );
            world.write("home/.ssh/config", text);
            sshd
        });
        Running { machines: self, sshd }
    }
}

impl Running {
    /// Returns the arguments that name them; the files of each lie below `suts`, in a directory of its own.
    pub(crate) fn args(&self, world: &World) -> Vec<OsString> {
        let suts = world.path("suts");
        match self.machines {
            Machines::Local(1) => vec!["--sut-dir".into(), suts.join("0").into()],
            Machines::Local(count) => vec![
                "-s".into(),
                format!("local*{count}").into(),
                "--sut-dir".into(),
                suts.into(),
            ],
            Machines::Ssh(count) => {
                let sshd = world.path("sshd");
                let target = |number| {
                    let (port, key, dir) = (port_of(&sshd), sshd.join("key"), suts.join(format!("{number}")));
                    let (key, dir) = (key.display(), dir.display());
                    format!("ssh://127.0.0.1:{port}?key={key}&dir={dir}&name=lab{number}")
                };
                let targets = (0..count).flat_map(|number| ["-s".into(), target(number).into()]);
                // A machine that does not answer is waited for.
                targets.chain(["--dead-after".into(), "10s".into()]).collect()
            }
        }
    }
}
