//! Stops processes of an agent, which has at least the effect on them that a stuck disk has.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// The agent of a directory and all processes that it started. They are stopped until this is dropped.
pub(crate) struct Stopped(Vec<Pid>);

impl Stopped {
    pub(crate) fn agent_of(dir: &Path) -> Self {
        let lease = dir.join("lease").canonicalize().unwrap();
        let mut found: Vec<u32> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != std::process::id() && holds(*pid, &lease))
            .collect();
        assert!(!found.is_empty(), "somebody holds the lease");
        let mut at = 0;
        while let Some(pid) = found.get(at).copied() {
            at += 1;
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            found.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
        let pids = found.into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed()));
        let stopped = Self(pids.collect());
        stopped.signal(Signal::STOP);
        stopped
    }

    fn signal(&self, signal: Signal) {
        for pid in &self.0 {
            let _gone = kill_process(*pid, signal);
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
    }
}

fn holds(pid: u32, file: &Path) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    open.flatten()
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == file))
}
