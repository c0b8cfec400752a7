//! A running atex process, and what it has printed so far.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Atex, Ran};

/// A process of atex. Dropped before its end, it is killed.
pub(crate) struct Running {
    atex: Atex,
    child: Child,
    ended: Option<ExitStatus>,
    told: PathBuf,
    errors: PathBuf,
}

impl Running {
    /// Starts a call that writes to files.
    pub(crate) fn start(atex: Atex, told: &Path) -> Self {
        let (told, errors) = (told.to_owned(), told.with_extension("errors"));
        let mut command = atex.command();
        command.stdout(File::create(&told).expect("a file of the test"));
        command.stderr(File::create(&errors).expect("a file of the test"));
        let child = command.spawn().expect("the atex binary runs");
        Self {
            atex,
            child,
            ended: None,
            told,
            errors,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, unless it has ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.lives() {
            kill_process(Pid::from_child(&self.child), signal).expect("the process is there");
        }
    }

    /// Returns whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child can be waited for");
        }
        self.ended.is_none()
    }

    /// Waits until it has told so many lines, but not longer than until its end.
    pub(crate) fn wait_for_lines(&mut self, lines: usize, until: Instant) {
        let count = |text: Vec<u8>| text.split(|byte| *byte == b'\n').count() - 1;
        while self.lives() && Instant::now() < until && count(fs::read(&self.told).unwrap_or_default()) < lines {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for its end; nothing where it does not come.
    pub(crate) fn end_by(&mut self, until: Instant) -> Option<ExitStatus> {
        while self.lives() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.ended
    }

    /// Returns how it ended, and all that it told.
    pub(crate) fn end(mut self) -> Ran {
        let status = self.child.wait().expect("a child can be waited for");
        let text = |path| fs::read(path).expect("a file of the test");
        let (stdout, stderr) = (text(&self.told), text(&self.errors));
        self.atex.ran(&std::process::Output { status, stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.lives() {
            let _gone_already = self.child.kill();
            let _reaped = self.child.wait();
        }
    }
}
