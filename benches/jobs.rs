//! Benchmark of the cost of a test beside its own work, and of the speed of its results, on the local machine: `cargo bench
//! --bench jobs`.
//!
//! Trivial tests run in a row through [`Machine`](atex::sut::agent::session::Machine) and through the binary, and are compared
//! with a loop of `bash -c true`. For results, a test copies a prepared file into its control stream, which is compared with the
//! same copy into a pipe that somebody empties. `cargo bench --bench jobs -- observed` measures only the cost of seeing what a
//! test reads.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use atex::sut::{Cancel, EnvFile, Job, JobKind, Local, OnHeld, SlotFiles, Sut, SyncMode, Upload, Urgency};

/// Tests of one measurement.
const COUNT: usize = 200;

/// Tests of one measurement of what it costs to see reads.
const OBSERVED: usize = 50;

/// Results that the test of results gives.
const RESULTS: u32 = 1_000_000;

fn main() {
    if std::env::args().any(|word| word == "observed") {
        return observed();
    }
    bare();
    machine();
    binary();
    observed();
    results();
}

/// Bash, started and ended.
fn bare() {
    let mut took = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let start = Instant::now();
        let status = Command::new("bash")
            .args(["--noprofile", "--norc", "-c", "true"])
            .status()
            .expect("bash");
        took.push(start.elapsed());
        assert!(status.success(), "bash works");
    }
    tell("bash -c true", &mut took);
}

fn machine() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut sut = Local::new("local", Some(dir.path().join("sut")), Cancel::new().expect("a flag")).expect("a machine");
    let start = Instant::now();
    sut.open(OnHeld::Fail, &mut |_| ()).expect("it opens");
    println!("{:<28} {:>8.2} ms", "open, first time", millis(start.elapsed()));
    let start = Instant::now();
    let upload = Upload {
        observed: false,
        slot: "tree".to_owned(),
        files: std::sync::Arc::new(SlotFiles { files: Vec::new() }),
    };
    sut.sync(&upload, SyncMode::Exact).expect("it syncs");
    println!("{:<28} {:>8.2} ms", "sync, first time", millis(start.elapsed()));
    sut.close();
    let start = Instant::now();
    sut.open(OnHeld::Fail, &mut |_| ()).expect("it opens");
    println!("{:<28} {:>8.2} ms", "open", millis(start.elapsed()));
    let start = Instant::now();
    sut.sync(&upload, SyncMode::KeepPrepared(1)).expect("it syncs");
    println!("{:<28} {:>8.2} ms", "sync, nothing to do", millis(start.elapsed()));

    let job = job("true");
    let (mut started, mut took) = (Vec::with_capacity(COUNT), Vec::with_capacity(COUNT));
    for _ in 0..COUNT {
        let start = Instant::now();
        let mut channel = sut.start(&job).expect("it starts");
        started.push(start.elapsed());
        let (mut control, mut output) = (true, true);
        let mut buffer = vec![0; 64 << 10];
        while control || output {
            let ready = channel.wait(None, Urgency::Now).expect("it waits");
            if ready.control {
                control = !matches!(channel.read_control(&mut buffer), Ok(0));
            }
            if ready.output {
                output = !matches!(channel.read_output(&mut buffer), Ok(0));
            }
        }
        channel.end(Instant::now() + Duration::from_secs(10));
        took.push(start.elapsed());
    }
    tell("until a test starts", &mut started);
    tell("a test", &mut took);
}

fn job(script: &str) -> Job {
    Job {
        kind: JobKind::Test {
            name: "/test".to_owned(),
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
        env_file: EnvFile::Prepared,
    }
}

/// A tree, and places for all that atex keeps.
fn world(files: &[(&str, String)]) -> tempfile::TempDir {
    let world = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(world.path().join("tree/.fmf")).expect("a directory");
    for (path, content) in [(".fmf/version", "1\n".to_owned())].iter().chain(files) {
        write(world.path(), path, content);
    }
    world
}

fn write(world: &Path, path: &str, content: &str) {
    let path = world.join("tree").join(path);
    std::fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
    std::fs::write(path, content).expect("a file");
}

/// Runs the binary; returns how long it took.
fn atex(world: &Path, args: &[&str]) -> Duration {
    let start = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_atex"))
        .args(args)
        .arg("--sut-dir")
        .arg(world.join("sut"))
        .current_dir(world.join("tree"))
        .env("ATEX_CACHE", world.join("cache"))
        .env("XDG_STATE_HOME", world.join("state"))
        .output()
        .expect("the binary");
    let took = start.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    took
}

/// One test, and many: the difference is what a test after another costs.
fn binary() {
    let mut tests = String::new();
    for n in 0..COUNT {
        let _infallible = writeln!(tests, "/t{n}:\n  test: 'true'");
    }
    let world = world(&[("tests.fmf", tests)]);
    atex(world.path(), &["test", "/tests/t0$"]);
    let mut one: Vec<_> = (0..9).map(|_| atex(world.path(), &["test", "/tests/t0$"])).collect();
    tell("binary, one test", &mut one);
    let mut each: Vec<_> = (0..3)
        .map(|_| {
            atex(world.path(), &["test", "/tests/"]).saturating_sub(one[4]) / u32::try_from(COUNT - 1).unwrap_or(1)
        })
        .collect();
    tell("binary, a test after another", &mut each);
}

/// What it costs to see which files a test reads: each of many tests in a row, with so many files beside them, by a first build, whose
/// reads are seen, and by one with `--rerun`, whose reads are known.
fn observed() {
    for files in [50, 1_000, 10_000] {
        let mut tree: Vec<(String, String)> = (0..OBSERVED)
            .map(|n| (format!("t{n}/main.fmf"), "test: bash test.sh\n".to_owned()))
            .collect();
        tree.extend((0..OBSERVED).map(|n| (format!("t{n}/test.sh"), "true\n".to_owned())));
        tree.extend((0..files).map(|n| (format!("lib/{}/{n}", n / 20), String::new())));
        let tree: Vec<_> = tree.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        let world = world(&tree);
        let each = |took: Duration| took / u32::try_from(OBSERVED).unwrap_or(1);
        let mut seen = vec![each(atex(world.path(), &["build"]))];
        tell(
            &format!("{files} files, a test that is seen, with the upload"),
            &mut seen,
        );
        let mut known: Vec<_> = (0..3)
            .map(|_| each(atex(world.path(), &["build", "--rerun"])))
            .collect();
        tell(&format!("{files} files, a test that is known"), &mut known);
        let mut seen: Vec<_> = (0..3)
            .map(|n| {
                let changed = format!("true {n}\n");
                (0..OBSERVED).for_each(|test| write(world.path(), &format!("t{test}/test.sh"), &changed));
                each(atex(world.path(), &["build"]))
            })
            .collect();
        tell(&format!("{files} files, a test that is seen"), &mut seen);
    }
}

/// A million results, as a test gives them that does nothing else.
fn results() {
    let mut text = String::new();
    for n in 0..RESULTS {
        let json = format!(r#"{{"status":"pass","name":"sub/{n}"}}"#);
        let _infallible = write!(text, "result {}\n{json}", json.len());
    }
    let bytes = text.len();
    let world = world(&[
        ("results", text),
        (
            "t.fmf",
            "test: cat results >&$ATEX_TEST_CONTROL\nduration: 1h\n".to_owned(),
        ),
    ]);
    let start = Instant::now();
    let copied = Command::new("bash")
        .args(["-c", "cat results | cat >/dev/null"])
        .current_dir(world.path().join("tree"))
        .stdin(Stdio::null())
        .status();
    assert!(copied.is_ok_and(|status| status.success()), "bash works");
    tell_rate("results through a pipe", start.elapsed(), bytes);
    atex(world.path(), &["test", "/t", "--dry-run"]);
    atex(world.path(), &["build", "--until", "prepare"]);
    for _ in 0..3 {
        tell_rate("results, the whole run", atex(world.path(), &["test", "/t"]), bytes);
    }
}

fn tell_rate(what: &str, took: Duration, bytes: usize) {
    let seconds = took.as_secs_f64();
    let bytes = u32::try_from(bytes).map_or(f64::INFINITY, f64::from);
    println!(
        "{what:<28} {:>8.0} results/s {:>8.1} MB/s",
        f64::from(RESULTS) / seconds,
        bytes / 1e6 / seconds
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Prints the median, and what nine of ten stay below.
fn tell(what: &str, took: &mut [Duration]) {
    took.sort_unstable();
    println!(
        "{what:<28} {:>8.2} ms median {:>8.2} ms 90 %",
        millis(took[took.len() / 2]),
        millis(took[took.len() * 9 / 10])
    );
}
