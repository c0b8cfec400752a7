//! The faults that happen to a build, the cache and the machines.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::disk::{self, has_small_disk};
use crate::harness::edits::Edit;
use crate::harness::machines::Machines;
use crate::harness::project::Shape;
use crate::harness::random::Random;
use crate::harness::running::Running;
use crate::harness::suite::Suite;
use crate::sut_support::sshd::Sshd;

/// What may happen, by its name.
pub(crate) struct Kinds(BTreeSet<String>);

impl Kinds {
    /// Returns those that are asked for by hand, or these.
    pub(crate) fn of(usual: &[&str]) -> Self {
        let asked = std::env::var("ATEX_HARNESS_KINDS").ok();
        let names = asked.unwrap_or_else(|| usual.join(","));
        Self(names.split(',').map(str::to_owned).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// What befalls a build after it told so many lines, and so many milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    lines: usize,
    wait: u64,
    blow: Blow,
}

#[derive(Clone, Debug)]
enum Blow {
    /// A signal to atex.
    Atex(Signal),
    /// A signal to one of the other processes: agents, wrappers, jobs and what they started.
    Other(usize, Signal),
    /// All connections end.
    Cut,
    /// Nothing more comes through any connection; new ones can be made.
    Silence,
    /// The disk of the tree, the cache, the results and the machines has so many KiB left.
    Full(u64),
    /// Somebody edits the tree.
    Edit(Edit),
}

/// What lasts until a build has ended.
#[derive(Default)]
pub(crate) struct Struck {
    /// A file that fills the disk.
    ballast: Option<PathBuf>,
    /// Processes that were stopped.
    stopped: Vec<u32>,
}

impl Fault {
    pub(crate) fn random(random: &mut Random, shape: &Shape, kinds: &Kinds) -> Option<Self> {
        let signals = [Signal::INT, Signal::TERM, Signal::KILL, Signal::HUP];
        let mut blows = Vec::new();
        if kinds.has("signals") {
            blows.push(Blow::Atex(random.one_of(&signals)));
            blows.push(Blow::Other(random.below(1000), random.one_of(&signals)));
            blows.push(Blow::Other(random.below(1000), Signal::KILL));
        }
        if kinds.has("cuts") && matches!(shape.machines, Machines::Ssh(_)) {
            blows.extend([Blow::Cut, Blow::Silence]);
        }
        if kinds.has("disks") && has_small_disk() {
            blows.push(Blow::Full(random.one_of(&[0, 0, 4, 16, 64, 256])));
        }
        if kinds.has("meanwhile") {
            blows.push(Blow::Edit(Edit::random(random)));
        }
        let (lines, wait) = (random.below(30), random.below(60) as u64);
        let blow = (!blows.is_empty()).then(|| random.one_of(&blows))?;
        Some(Self { lines, wait, blow })
    }

    /// Returns whether the tree is edited.
    pub(crate) fn is_edit(&self) -> bool {
        matches!(self.blow, Blow::Edit(_))
    }

    /// Waits for its moment, and does it unless the build has ended by then.
    pub(crate) fn strike(
        &self,
        suite: &Suite,
        running: &mut Running,
        project: usize,
        until: Instant,
    ) -> Option<Struck> {
        running.wait_for_lines(self.lines, until);
        std::thread::sleep(Duration::from_millis(self.wait));
        if !running.lives() {
            return None;
        }
        let sessions = || suite.machines.sshd.as_ref().map(Sshd::sessions).unwrap_or_default();
        let mut struck = Struck::default();
        match &self.blow {
            Blow::Atex(signal) => running.signal(*signal),
            Blow::Other(pick, signal) => {
                let mut others = processes(suite);
                others.retain(|pid| *pid != running.pid());
                if !others.is_empty() {
                    send(others[pick % others.len()], *signal);
                }
            }
            Blow::Cut => sessions().into_iter().for_each(|pid| send(pid, Signal::KILL)),
            Blow::Silence => {
                struck.stopped = sessions();
                struck.stopped.iter().for_each(|pid| send(*pid, Signal::STOP));
            }
            Blow::Full(left) => struck.ballast = Some(fill(suite, *left)),
            Blow::Edit(edit) => edit.apply(&suite.projects[project]),
        }
        Some(struck)
    }
}

/// Leaves so many KiB on the disk, and returns the file that takes the rest.
fn fill(suite: &Suite, kilobytes: u64) -> PathBuf {
    let path = suite.world.path("ballast");
    let file = File::create(&path).expect("an empty file");
    let room = rustix::fs::statvfs(&path).expect("a file system");
    let free = (room.f_bavail * room.f_frsize).saturating_sub(kilobytes * 1024);
    // Others write at the same time: what is not to be had is not needed.
    let _full_already = rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, free.max(1));
    path
}

impl Drop for Struck {
    fn drop(&mut self) {
        self.stopped.iter().for_each(|pid| send(*pid, Signal::CONT));
        if let Some(path) = &self.ballast {
            fs::remove_file(path).expect("the file goes");
        }
    }
}

/// What befalls the cache between two builds.
#[derive(Clone, Debug)]
pub(crate) struct Damage {
    act: &'static str,
    /// Which of the files, and where in it.
    pick: usize,
    at: usize,
}

impl Damage {
    pub(crate) fn random(random: &mut Random) -> Self {
        let act = random.one_of(&["flip", "flip", "truncate", "empty", "remove", "chmod"]);
        let (pick, at) = (random.below(100_000), random.below(100_000));
        Self { act, pick, at }
    }

    pub(crate) fn apply(&self, suite: &Suite) {
        let mut files = Vec::new();
        below(&suite.world.path("home/.cache/atex"), &mut files);
        files.retain(|path| fs::metadata(path).is_ok_and(|met| met.len() > 0));
        files.sort();
        let Some(path) = files.get(self.pick % files.len().max(1)) else {
            return;
        };
        let mut bytes = fs::read(path).expect("a file of the cache");
        let at = self.at % bytes.len();
        let mode = fs::metadata(path).expect("a file of the cache").permissions();
        match self.act {
            "flip" => bytes[at] ^= 1 << (self.at % 8),
            "truncate" => bytes.truncate(at),
            "empty" => bytes.clear(),
            "chmod" => return fs::set_permissions(path, PermissionsExt::from_mode(0o000)).expect("a mode"),
            _ => return fs::remove_file(path).expect("a file of the cache"),
        }
        // Records and blobs are read-only, and were put there by rename.
        fs::remove_file(path).expect("a file of the cache");
        fs::write(path, bytes).expect("a file of the cache");
        fs::set_permissions(path, mode).expect("a mode");
    }
}

/// What befalls the machines between two builds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {
    /// They are booted: what prepare steps made outside of the tree was in memory, and is gone.
    Boot,
    /// They are installed anew.
    Anew,
}

impl Turn {
    pub(crate) fn random(random: &mut Random) -> Self {
        if random.one_in(2) && has_small_disk() {
            Self::Boot
        } else {
            Self::Anew
        }
    }

    pub(crate) fn apply(self, suite: &mut Suite) {
        let kept = suite.outside.path().join("kept");
        let dirs = fs::read_dir(kept).expect("a directory of the test").flatten();
        dirs.filter(|entry| entry.path().is_dir())
            .for_each(|entry| fs::remove_dir_all(entry.path()).expect("a directory of the test"));
        match self {
            Self::Boot => {
                disk::boot();
                if let Some(sshd) = &mut suite.machines.sshd {
                    sshd.stop();
                    assert!(sshd.resume(), "sshd starts again: {}", sshd.log());
                }
            }
            Self::Anew => {
                let suts = suite.world.path("suts");
                if suts.exists() {
                    fs::remove_dir_all(suts).expect("the files of the machines");
                }
            }
        }
    }
}

/// Waits until no process of the suite is left, and returns those that do not end.
pub(crate) fn wait_for_the_end(suite: &Suite, patience: Duration) -> Vec<String> {
    let until = Instant::now() + patience;
    loop {
        // What a session has not started yet is not seen before.
        let sessions = suite.machines.sshd.as_ref().map(Sshd::sessions);
        let left = [sessions.unwrap_or_default(), processes(suite)].concat();
        if left.is_empty() || Instant::now() > until {
            return left.into_iter().map(described).collect();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn described(pid: u32) -> String {
    let read = |name| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
    let line: String = line.chars().take(300).collect();
    format!("{pid} {line}")
}

/// Returns the processes that have a path of the suite in their environment or on their command line, work in one or hold a file of
/// it open, but no sshd.
fn processes(suite: &Suite) -> Vec<u32> {
    let marks = [suite.world.path(""), suite.outside.path().to_owned()];
    let marks = marks.map(|mark| mark.components().as_path().as_os_str().as_encoded_bytes().to_vec());
    let has = |text: &[u8]| {
        let has = |mark: &Vec<u8>| text.windows(mark.len()).any(|part| part == mark);
        marks.iter().any(has)
    };
    let leads = |link: PathBuf| fs::read_link(link).is_ok_and(|to| has(to.as_os_str().as_encoded_bytes()));
    let is_ours = |pid: &u32| {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let read = |name| fs::read(dir.join(name)).unwrap_or_default();
        let holds = || {
            fs::read_dir(dir.join("fd"))
                .into_iter()
                .flatten()
                .flatten()
                .any(|file| leads(file.path()))
        };
        let is_ours = has(&read("environ")) || has(&read("cmdline")) || leads(dir.join("cwd")) || holds();
        is_ours && !read("comm").starts_with(b"sshd") && *pid != std::process::id()
    };
    let entries = fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_ours).collect()
}

fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let _gone_already = kill_process(pid.expect("a process"), signal);
}

fn below(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            below(&path, files);
        } else {
            files.push(path);
        }
    }
}
