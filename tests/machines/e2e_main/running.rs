//! An atex process that runs beside the test: what it has printed so far, signals to it, and its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::e2e_main::scene::eventually;
use crate::support::{Atex, Ran, World};

/// A running atex. Dropped before its end, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    atex: Atex,
    child: Option<Child>,
    /// Its run's directory, if it was named.
    pub(crate) dir: PathBuf,
}

impl Running {
    /// Starts a call; its run goes to the directory `output` of its world.
    pub(crate) fn start(atex: Atex, output: &str) -> Self {
        let dir = atex.world().path(output);
        let atex = atex.args(["-o".as_ref(), dir.as_os_str()]);
        let mut running = Self::plain(atex);
        running.dir = dir;
        running
    }

    /// Starts a call; its run goes where runs go.
    pub(crate) fn plain(atex: Atex) -> Self {
        let mut command = atex.command();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self {
            atex,
            child: Some(child.expect("the atex binary runs")),
            dir: PathBuf::new(),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("it has not ended"))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there");
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        let child = self.child.as_mut().expect("it has not been waited for");
        child.try_wait().expect("a child can be waited for").is_none()
    }

    /// The events so far; the last line may still be in the making.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.dir)
    }

    /// Waits until an event of this kind tells of this node.
    #[track_caller]
    pub(crate) fn wait_for(&self, event: &str, node: &str) {
        eventually(&format!("`{event}` of `{node}`"), || {
            let is_it = |told: &Value| told["event"] == event && told["node"] == node;
            self.events().iter().any(is_it).then_some(())
        });
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        let child = self.child.take().expect("it has not been waited for");
        self.atex
            .ran(&child.wait_with_output().expect("a child can be waited for"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _gone_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// The events of a run that may still go on.
pub(crate) fn events(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}")))
        .collect()
}

/// Ids of the processes that the atex of a world started, and of atex itself: all have the world's HOME.
pub(crate) fn processes_of(world: &World) -> Vec<u32> {
    let home = format!("HOME={}\0", world.path("home").display());
    let is_ours = |pid: &u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.windows(home.len()).any(|part| part == home.as_bytes())
    };
    let entries = fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_ours).collect()
}
