//! Helpers of the tests of SUTs: machines that can be made again and again, trees to send, and jobs that run to their end.

pub(crate) mod ansible;
pub(crate) mod laws;
pub(crate) mod packages;
pub(crate) mod proxy;
pub(crate) mod sshd;
pub(crate) mod stopped;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use atex::sut::{
    Cancel, Channel, End, EnvFile, FileEntry, FileKind, Hello, Job, JobKind, OnHeld, SlotFiles, Sut, SyncMode, Synced,
    Upload, Urgency,
};

/// This is longer than anything here may take: a wait that ends by this time has found a hang.
pub(crate) const HANG: Duration = Duration::from_mins(1);

/// A machine under test. It makes SUTs that share one directory, which the test can look into.
pub(crate) struct World<'a> {
    pub(crate) make: &'a mut dyn FnMut() -> Box<dyn Sut>,
    /// The kind of SUT, for the processes that [`World::runner_with`] starts.
    pub(crate) kind: &'static str,
    /// The machine's directory. Its parent directory belongs to the test too.
    pub(crate) dir: PathBuf,
    /// The cancellation flag of all SUTs that `make` makes.
    pub(crate) cancel: Cancel,
}

impl World<'_> {
    /// Returns an open SUT.
    pub(crate) fn open(&mut self) -> Box<dyn Sut> {
        self.open_with_hello().0
    }

    pub(crate) fn open_with_hello(&mut self) -> (Box<dyn Sut>, Hello) {
        let mut sut = (self.make)();
        let hello = sut.open(OnHeld::Fail, &mut |_| ()).expect("the machine opens");
        (sut, hello)
    }

    /// Returns an open SUT, after waiting until no other runner holds the machine.
    pub(crate) fn open_waiting(&mut self) -> Box<dyn Sut> {
        let mut sut = (self.make)();
        sut.open(OnHeld::Wait, &mut |_| ()).expect("the machine opens");
        sut
    }

    /// Opens the same machine over a new connection.
    pub(crate) fn open_again(&mut self, sut: Box<dyn Sut>) -> Box<dyn Sut> {
        drop(sut);
        self.open_waiting()
    }

    /// Starts another process that opens the machine.
    pub(crate) fn runner(&self, mode: &str) -> Runner {
        self.runner_with(mode, OsStr::new(""))
    }

    /// The same for a process that also does something: `upload DIR`, `test SCRIPT`, `tty SCRIPT`, or `late SCRIPT`, a test
    /// that waits for a file `go` beside the machine's directory before it is started.
    pub(crate) fn runner_with(&self, mode: &str, argument: &OsStr) -> Runner {
        let ready = self.dir.with_file_name("ready");
        let _none = std::fs::remove_file(&ready);
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "sut_conformance::machine_where_bash_does_not_start_is_unreachable",
                "--nocapture",
            ])
            .env("SUT_KIND", self.kind)
            .env("SUT_DIR", &self.dir)
            .env("SUT_READY", &ready)
            .env("SUT_RUNNER", mode)
            .env("SUT_ARGUMENT", argument)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        eventually("the other process has the machine", || ready.exists());
        Runner(child)
    }

    /// Returns a path in the tree of the slot `tree`, as the test sees it.
    pub(crate) fn tree(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.join("v1/tree/tree").join(path)
    }
}

/// Another process that holds the machine, until it is killed.
pub(crate) struct Runner(std::process::Child);

impl Runner {
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The body of the process that [`World::runner_with`] starts: it opens the machine, does what it is told, and stays.
pub(crate) fn be_a_runner(make: impl Fn(PathBuf) -> Box<dyn Sut>) {
    let var = |name| std::env::var_os(name).unwrap_or_default();
    let mut sut = make(PathBuf::from(var("SUT_DIR")));
    let argument = var("SUT_ARGUMENT");
    sut.open(OnHeld::Fail, &mut |_| ()).unwrap();
    let ready = || std::fs::write(var("SUT_READY"), "").unwrap();
    let mode = var("SUT_RUNNER");
    if mode == "upload" {
        let upload = list_of(Path::new(&argument));
        ready();
        sut.sync(&upload, SyncMode::Exact).unwrap();
    } else if mode == "open" {
        ready();
    } else if mode == "late" {
        ready();
        let go = PathBuf::from(var("SUT_DIR")).with_file_name("go");
        eventually("it may go on", || go.exists());
        Running::start(&mut *sut, &test(argument.to_str().unwrap()));
    } else {
        let text = argument.to_str().unwrap();
        let job = if mode == "tty" { tty_test(text) } else { test(text) };
        let mut running = Running::start(&mut *sut, &job);
        ready();
        running.until(|_| false);
    }
    std::thread::park();
}

/// A directory with files on the host, and the list of them.
pub(crate) struct Host {
    pub(crate) dir: tempfile::TempDir,
}

impl Host {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let host = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for (path, content) in files {
            host.write(path, content);
        }
        host
    }

    pub(crate) fn path(&self, path: impl AsRef<OsStr>) -> PathBuf {
        self.dir.path().join(Path::new(path.as_ref()))
    }

    pub(crate) fn write(&self, path: impl AsRef<OsStr>, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn executable(&self, path: impl AsRef<OsStr>, yes: bool) {
        let mode = if yes { 0o755 } else { 0o644 };
        std::fs::set_permissions(self.path(path), PermissionsExt::from_mode(mode)).unwrap();
    }

    pub(crate) fn remove(&self, path: impl AsRef<OsStr>) {
        let path = self.path(path);
        if path.is_dir() && !path.is_symlink() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    pub(crate) fn upload(&self) -> Upload {
        list_of(self.dir.path())
    }
}

fn list_of(dir: &Path) -> Upload {
    let mut files = Vec::new();
    list(dir, Path::new(""), &mut files);
    files.sort_by(|a: &FileEntry, b| a.path.as_os_str().as_bytes().cmp(b.path.as_os_str().as_bytes()));
    Upload {
        observed: false,
        slot: "tree".into(),
        files: Arc::new(SlotFiles { files }),
    }
}

fn list(root: &Path, below: &Path, files: &mut Vec<FileEntry>) {
    let names: Vec<_> = std::fs::read_dir(root.join(below))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    if names.is_empty() && below != Path::new("") {
        files.push(FileEntry {
            path: below.into(),
            source: root.join(below),
            content: None,
            kind: FileKind::Directory,
        });
    }
    for name in names {
        let path = below.join(name);
        let source = root.join(&path);
        let meta = source.symlink_metadata().unwrap();
        let kind = if meta.is_dir() {
            list(root, &path, files);
            continue;
        } else if meta.is_symlink() {
            FileKind::Symlink(std::fs::read_link(&source).unwrap())
        } else {
            FileKind::File {
                digest: *blake3::hash(&std::fs::read(&source).unwrap()).as_bytes(),
                executable: meta.permissions().mode() & 0o100 != 0,
                size: meta.len(),
            }
        };
        files.push(FileEntry {
            path,
            source,
            content: None,
            kind,
        });
    }
}

/// Describes everything below a directory by one line each, sorted, so that two trees can be compared.
pub(crate) fn describe(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(below) = todo.pop() {
        for entry in std::fs::read_dir(dir.join(&below)).unwrap() {
            let path = below.join(entry.unwrap().file_name());
            let full = dir.join(&path);
            let meta = full.symlink_metadata().unwrap();
            let what = if meta.is_symlink() {
                format!("-> {}", std::fs::read_link(&full).unwrap().display())
            } else if meta.is_dir() {
                todo.push(path.clone());
                format!("dir {:o}", meta.permissions().mode() & 0o7777)
            } else {
                let content = std::fs::read(&full).unwrap();
                format!(
                    "{:o} {}",
                    meta.permissions().mode() & 0o7777,
                    blake3::hash(&content).to_hex()
                )
            };
            lines.push(format!("{} {what}", path.as_os_str().as_bytes().escape_ascii()));
        }
    }
    lines.sort();
    lines
}

/// Syncs the host's files, and returns what the sync did.
pub(crate) fn sync(sut: &mut dyn Sut, host: &Host, mode: SyncMode) -> Synced {
    sut.sync(&host.upload(), mode).expect("the sync works")
}

/// Makes a job of a script.
pub(crate) fn script(text: &str) -> Job {
    Job {
        kind: JobKind::Script {
            plan_data: None,
            step: None,
        },
        script: text.into(),
        slot: "tree".into(),
        dir: String::new(),
        env_before: Vec::new(),
        env_after: Vec::new(),
        env_file: EnvFile::Prepared,
    }
}

/// Makes a job of a test.
pub(crate) fn test(text: &str) -> Job {
    Job {
        kind: JobKind::Test {
            name: "/a/b".into(),
            metadata: "summary: none\n".into(),
            restarts: 0,
            tty: false,
            tmt: None,
        },
        ..script(text)
    }
}

/// Makes a job of a test with a terminal.
pub(crate) fn tty_test(text: &str) -> Job {
    let mut job = test(text);
    if let JobKind::Test { tty, .. } = &mut job.kind {
        *tty = true;
    }
    job
}

/// The streams and the end of a job.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) control: Vec<u8>,
    pub(crate) output: Vec<u8>,
    pub(crate) end: Option<End>,
}

impl Outcome {
    pub(crate) fn control(&self) -> String {
        String::from_utf8_lossy(&self.control).into_owned()
    }

    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// Returns the exit code that the wrapper told.
    pub(crate) fn exit_code(&self) -> i32 {
        let control = self.control();
        let line = control.lines().last().unwrap_or_default();
        line.strip_prefix("exitcode ")
            .and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("no exit code in {control:?}; {:?}", self.output()))
    }
}

/// A channel, and what was read from it.
pub(crate) struct Running {
    pub(crate) channel: Box<dyn Channel>,
    pub(crate) seen: Outcome,
    control_ended: bool,
    output_ended: bool,
}

impl Running {
    pub(crate) fn start(sut: &mut dyn Sut, job: &Job) -> Self {
        let channel = sut.start(job).expect("the job starts");
        Self {
            channel,
            seen: Outcome::default(),
            control_ended: false,
            output_ended: false,
        }
    }

    /// Reads what comes until `enough` returns true, or both streams have ended.
    pub(crate) fn until(&mut self, enough: impl Fn(&Outcome) -> bool) -> &Outcome {
        let deadline = Instant::now() + HANG;
        while !(enough(&self.seen) || self.control_ended && self.output_ended) {
            let ready = self.channel.wait(Some(deadline), Urgency::Now).expect("the wait works");
            assert!(
                !ready.timed_out,
                "nothing came for long; so far {:?} and {:?}",
                self.seen.control(),
                self.seen.output()
            );
            if ready.control && !self.control_ended {
                self.control_ended = read_all(&mut self.seen.control, |buffer| self.channel.read_control(buffer));
            }
            if ready.output && !self.output_ended {
                self.output_ended = read_all(&mut self.seen.output, |buffer| self.channel.read_output(buffer));
            }
        }
        &self.seen
    }

    pub(crate) fn said(&mut self, control: &str) {
        self.until(|seen| seen.control().contains(control));
        assert!(
            self.seen.control().contains(control),
            "{:?} {:?}",
            self.seen.control(),
            self.seen.output()
        );
    }

    /// Reads everything, and waits for the end.
    pub(crate) fn finish(mut self) -> Outcome {
        self.until(|_| false);
        // The seal differs each time, and does not matter to the tests.
        let sealed = format!(" {}\n", self.channel.seal());
        if self.seen.control.ends_with(sealed.as_bytes()) {
            let end = self.seen.control.len() - sealed.len();
            self.seen.control.truncate(end);
            self.seen.control.push(b'\n');
        }
        self.seen.end = Some(self.channel.end(Instant::now() + HANG));
        self.seen
    }
}

/// Reads until that would block. Returns whether the stream has ended.
fn read_all(into: &mut Vec<u8>, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => into.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) => panic!("a read failed: {error}"),
        }
    }
}

/// Runs a job to its end.
pub(crate) fn run(sut: &mut dyn Sut, job: &Job) -> Outcome {
    let outcome = Running::start(sut, job).finish();
    assert_eq!(
        outcome.end,
        Some(End::Clean),
        "{:?} {:?}",
        outcome.control(),
        outcome.output()
    );
    outcome
}

/// Waits until `holds` returns true, for [`HANG`] at most.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process lives and is not a zombie.
pub(crate) fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}
