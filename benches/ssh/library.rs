//! The benchmarks that use the library as the executor does, without the program around it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use atex::sut::agent::session::Machine;
use atex::sut::kind::ssh::{Login, Ssh, SshLink};
use atex::sut::{Cancel, Channel, EnvFile, Job, JobKind, SlotFiles, Upload, Urgency};

use crate::lab::Lab;
use crate::sshd;

/// How to log in to the sshd of a laboratory.
pub(crate) fn login(lab: &Lab) -> Login {
    login_at(&lab.path("sshd"))
}

/// How to log in to the sshd whose files lie in `dir`.
pub(crate) fn login_at(dir: &Path) -> Login {
    Login {
        connect_timeout: Duration::from_mins(10),
        ..sshd::login(dir, "lab")
    }
}

/// A machine behind a login.
pub(crate) fn machine(login: Login, dir: PathBuf) -> Ssh {
    let cancel = Cancel::new().expect("a flag");
    Machine::over(SshLink::new(login, cancel.clone()), Some(dir), cancel)
}

/// A test.
pub(crate) fn job(script: &str) -> Job {
    Job {
        kind: JobKind::Test {
            name: "/bench".to_owned(),
            metadata: "summary: none\n".to_owned(),
            restarts: 0,
            tty: false,
            tmt: None,
        },
        script: script.to_owned(),
        slot: "tree".to_owned(),
        dir: String::new(),
        env_before: Vec::new(),
        env_after: Vec::new(),
        env_file: EnvFile::Base,
    }
}

/// An empty tree.
pub(crate) fn nothing() -> Upload {
    Upload {
        observed: false,
        slot: "tree".to_owned(),
        files: Arc::new(SlotFiles { files: Vec::new() }),
    }
}

/// Reads both streams to their end, and gives the control stream away.
pub(crate) fn drain(mut channel: Box<dyn Channel>, mut control: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    let mut open = [true, true];
    while open[0] || open[1] {
        let ready = channel.wait(None, Urgency::Now).expect("it can be waited for");
        if ready.control && open[0] {
            open[0] = each(&mut buffer, |buffer| channel.read_control(buffer), &mut control);
        }
        if ready.output && open[1] {
            open[1] = each(&mut buffer, |buffer| channel.read_output(buffer), &mut |_| ());
        }
    }
}

/// Reads what is there; says whether the stream is open still.
fn each(buffer: &mut [u8], mut read: impl FnMut(&mut [u8]) -> io::Result<usize>, with: &mut impl FnMut(&[u8])) -> bool {
    loop {
        match read(buffer) {
            Ok(0) => return false,
            Ok(count) => with(&buffer[..count]),
            Err(_would_block) => return true,
        }
    }
}
