//! A suite: trees, the machines that their tests run on, and a build of one of the trees.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::disk::other_disk;
use crate::harness::faults::{self, Fault};
use crate::harness::files::clear;
use crate::harness::machines;
use crate::harness::project::{Project, Shape};
use crate::harness::running::Running;
use crate::support::{Ran, World};

/// A build, as it is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) project: usize,
    pub(crate) options: Vec<&'static str>,
    pub(crate) harm: Vec<String>,
    /// Whether a test fails once.
    pub(crate) flake: bool,
    pub(crate) fault: Option<Fault>,
}

/// All that a seed plays with.
pub(crate) struct Suite {
    pub(crate) projects: Vec<Project>,
    pub(crate) machines: machines::Running,
    /// What jobs know beside the tree: what they log, and what the machines keep. It lies on another disk than all else.
    pub(crate) outside: tempfile::TempDir,
    pub(crate) world: World,
    logged: usize,
    builds: usize,
    /// Faults that met a build.
    pub(crate) struck: usize,
}

/// What a build left.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) ran: Ran,
    /// What the tests logged.
    pub(crate) log: Vec<String>,
}

impl std::fmt::Display for Build {
    /// What it told, a line for each event.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit {} {}", self.ran.code, self.ran.stderr)?;
        for line in self.ran.stdout.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let words = ["event", "node", "sut", "state", "outcome", "note", "text"];
            let words: Vec<_> = words.iter().filter_map(|word| event[word].as_str()).collect();
            writeln!(f, "  {}", words.join("  "))?;
        }
        Ok(())
    }
}

/// A build ends in this time, or it hangs; and so do all processes after it.
const PATIENCE: Duration = Duration::from_mins(2);

impl Suite {
    /// Makes trees where all tests pass.
    pub(crate) fn new(shape: &Shape) -> Self {
        let world = World::new();
        let outside = tempfile::tempdir_in(other_disk()).expect("a directory of the test");
        let path = |name| outside.path().join(name).display().to_string();
        let (log, kept, suts) = (path("log"), path("kept"), world.path("suts").display().to_string());
        let environment = format!("[defaults.environment]\nLOG = {log:?}\nOUTSIDE = {kept:?}\nSUTS = {suts:?}\n");
        world.write("home/.config/atex/config.toml", environment);
        fs::create_dir(&kept).expect("a directory of the test");
        fs::write(&log, "").expect("a file of the test");
        let projects = (0..shape.projects).map(|number| {
            let name = if number == 0 { "tree" } else { "other" };
            Project::new(&world, name, shape)
        });
        Self {
            projects: projects.collect(),
            machines: shape.machines.start(&world),
            outside,
            logged: 0,
            builds: 0,
            struck: 0,
            world,
        }
    }

    /// Returns the machines on which what a project prepared was not finished.
    pub(crate) fn due(&self, project: usize) -> Vec<PathBuf> {
        let kept = fs::read_dir(self.outside.path().join("kept")).expect("a directory of the test");
        let mark = format!("due-{project}");
        let marks = kept.flatten().map(|entry| entry.path().join(&mark));
        marks.filter(|mark| mark.exists()).collect()
    }

    /// Builds all plans of a project; with what went wrong where it hangs, or leaves something running.
    pub(crate) fn build(&mut self, call: &Call) -> Result<Build, String> {
        let kept = self.outside.path().join("kept");
        fs::write(kept.join("harm"), call.harm.join("\n")).expect("a file of the test");
        if call.flake {
            fs::write(kept.join("flake"), "").expect("a file of the test");
        }
        self.builds += 1;
        let project = format!("PROJECT={}", call.project);
        let atex = self
            .world
            .atex()
            .args(["build", "--json", "-e", &project])
            .args(&call.options);
        let atex = atex.args(self.machines.args(&self.world));
        let tree = self.projects[call.project].tree.clone();
        let output = self.outside.path().join(format!("told-{}", self.builds));
        let mut running = Running::start(atex.cwd(tree), &output);
        let until = Instant::now() + PATIENCE;
        let strike = |fault: &Fault| fault.strike(self, &mut running, call.project, until);
        let struck = call.fault.as_ref().and_then(strike);
        self.struck += usize::from(struck.is_some());
        let ended = running.end_by(until);
        drop(struck);
        if ended.is_none() {
            running.signal(Signal::KILL);
        }
        let left = faults::wait_for_the_end(self, Duration::from_secs(30));
        clear(&kept.join("flake"));
        let all = fs::read_to_string(self.outside.path().join("log")).expect("the log");
        let log: Vec<_> = all.lines().skip(self.logged).map(str::to_owned).collect();
        self.logged += log.len();
        let ran = running.end();
        if ended.is_none() {
            return Err(format!("it hangs: {ran:?}"));
        }
        if !left.is_empty() {
            return Err(format!("it left processes: {left:?}\n{ran:?}"));
        }
        Ok(Build { ran, log })
    }
}
