//! Benchmark of `tmt` and the Python package `atex`, which do the same work over the same sshd as this atex.
//!
//! Nothing is installed here: `ATEX_BENCH_VENV` names a virtual environment of Python 3.12 or later in which `pip install tmt
//! atex` was done. Both programs need `rsync`. Neither knows whether a machine is prepared. `tmt` is told to leave that step out,
//! and Python `atex` cannot be told so; what the plan prepares here takes no time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::timing::{middle, timed};

/// The variable that names the virtual environment.
const VENV: &str = "ATEX_BENCH_VENV";

/// How often each is done.
const ROUNDS: usize = 5;

/// How long a test may take until it runs.
const PATIENCE: Duration = Duration::from_mins(2);

const PLAN: &str = "/plan";
const TRIVIAL: &str = "/tests/trivial";
const WAITING: &str = "/tests/waiting";

/// One that runs a test.
struct Runner<'a> {
    name: String,
    /// Makes the call that runs a test of this name.
    call: Box<dyn Fn(&str) -> Command + 'a>,
}

/// Prints the table.
pub(crate) fn others() {
    let Some(venv) = std::env::var_os(VENV).map(PathBuf::from) else {
        println!("\ntmt and Python atex are not measured: {VENV} names no virtual environment");
        return;
    };
    let lab = Lab::new(&crate::server());
    lab.host("near", lab.port());
    let waiting = format!(
        "/trivial:\n  test: 'true'\n/waiting:\n  test: touch {0}/runs; until [ -e {0}/enough ]; do sleep 0.1; done\n",
        lab.path("home").display()
    );
    lab.tree(&[
        (
            "plan.fmf",
            "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {how: shell, script: 'true'}\n",
        ),
        ("tests.fmf", &waiting),
    ]);
    let runners = [Some(atex(&lab)), python(&lab, &venv), tmt(&lab, &venv)];
    println!("\none test, {ROUNDS} times                 trivial test   PSS while one runs");
    for runner in runners.iter().flatten() {
        timed(&mut (runner.call)(TRIVIAL));
        let took: Vec<f64> = (0..ROUNDS).map(|_| timed(&mut (runner.call)(TRIVIAL))).collect();
        let memory = while_running(&lab, (runner.call)(WAITING));
        println!("{:<34} {:>11.0} ms {memory:>17.1} MB", runner.name, middle(&took));
    }
}

fn atex(lab: &Lab) -> Runner<'_> {
    let target = format!("near?dir={}", lab.path("sut").display());
    timed(&mut lab.atex(&["build", "--until", "prepare", "-s", &target]));
    Runner {
        name: "atex".to_owned(),
        call: Box::new(move |test| lab.atex(&["test", test, "-s", &target])),
    }
}

fn python<'a>(lab: &'a Lab, venv: &Path) -> Option<Runner<'a>> {
    let version = version(venv, "atex")?;
    let python = venv.join("bin/python");
    let call = move |test: &str| {
        let out = lab.path("python");
        let _from_before = fs::remove_dir_all(&out);
        let keys = lab.path("sshd");
        let mut call = Command::new(&python);
        call.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/support/python_atex.py"))
            .arg(lab.path("tree"))
            .args([PLAN, test])
            .arg(lab.port().to_string())
            .arg(atex::sut::local_facts().user)
            .args([keys.join("key"), keys.join("known_hosts"), lab.path("home"), out])
            .stdin(Stdio::null());
        call
    };
    Some(Runner {
        name: format!("Python atex {version}"),
        call: Box::new(call),
    })
}

fn tmt<'a>(lab: &'a Lab, venv: &Path) -> Option<Runner<'a>> {
    let version = version(venv, "tmt")?;
    let program = venv.join("bin/tmt");
    let call = move |test: &str| {
        let keys = lab.path("sshd");
        let mut call = Command::new(&program);
        call.args(["run", "--scratch", "--id"])
            .arg(lab.path("tmt"))
            .args(["discover", "execute", "report", "cleanup"])
            .args([
                "plan",
                "--name",
                &format!("^{PLAN}$"),
                "test",
                "--name",
                &format!("^{test}$"),
            ])
            .args(["provision", "--how", "connect", "--guest", "127.0.0.1", "--port"])
            .arg(lab.port().to_string())
            .args(["--user", &atex::sut::local_facts().user, "--key"])
            .arg(keys.join("key"))
            .current_dir(lab.path("tree"))
            .env("HOME", lab.path("home"))
            .env("TMT_WORKDIR_ROOT", lab.path("tmt-runs"))
            .stdin(Stdio::null());
        call
    };
    Some(Runner {
        name: format!("tmt {version}"),
        call: Box::new(call),
    })
}

/// The version of a package of the environment; nothing, and a word about that, where it is not installed.
fn version(venv: &Path, package: &str) -> Option<String> {
    let script = format!("from importlib.metadata import version; print(version('{package}'))");
    let output = Command::new(venv.join("bin/python")).args(["-c", &script]).output();
    let output = output.ok().filter(|output| output.status.success());
    if output.is_none() {
        println!("`{package}` is not installed in {}", venv.display());
    }
    Some(String::from_utf8_lossy(&output?.stdout).trim().to_owned())
}

/// Megabytes of all processes of a call while its test runs.
fn while_running(lab: &Lab, mut call: Command) -> f64 {
    let (runs, enough) = (lab.path("home/runs"), lab.path("home/enough"));
    for file in [&runs, &enough] {
        let _from_before = fs::remove_file(file);
    }
    let mut child = call
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it can be started");
    let until = Instant::now() + PATIENCE;
    while !runs.exists() {
        assert!(Instant::now() < until, "{call:?} runs no test");
        thread::sleep(Duration::from_millis(50));
    }
    // What it takes in the long run.
    thread::sleep(Duration::from_secs(2));
    let memory = tree(child.id()).into_iter().map(pss).sum();
    fs::write(&enough, "").expect("a file");
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{call:?} fails");
    memory
}

/// A process and all that it started.
fn tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").expect("the kernel tells").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        if let Some(parent) = after_name.split_whitespace().nth(1).and_then(|word| word.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.get(pid).into_iter().flatten().copied().collect::<Vec<_>>());
        next += 1;
    }
    found
}

/// Proportional memory of a process in MB.
pub(crate) fn pss(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) * 1.024 / 1000.0
}
