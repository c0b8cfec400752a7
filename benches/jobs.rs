//! What a test costs beside its own work, on the local machine: `cargo bench --bench jobs`.
//!
//! Trivial tests in a row through [`Machine`](atex::sut::shell::Machine), and through the binary, beside a loop of `bash -c true`.

use std::time::{Duration, Instant};

use atex::sut::{Cancel, EnvFile, FileSet, Job, JobKind, Local, OnHeld, Sut, SyncMode, Upload, Urgency};

/// Tests of one measurement.
const COUNT: usize = 200;

fn main() {
    bare();
    machine();
}

/// Bash, started and ended.
fn bare() {
    let mut took = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let start = Instant::now();
        let status = std::process::Command::new("bash")
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
        slot: "tree".to_owned(),
        files: std::sync::Arc::new(FileSet { files: Vec::new() }),
    };
    sut.sync(&upload, SyncMode::Exact).expect("it syncs");
    println!("{:<28} {:>8.2} ms", "sync, first time", millis(start.elapsed()));
    sut.close();
    let start = Instant::now();
    sut.open(OnHeld::Fail, &mut |_| ()).expect("it opens");
    println!("{:<28} {:>8.2} ms", "open", millis(start.elapsed()));
    let start = Instant::now();
    sut.sync(&upload, SyncMode::KeepPrepared).expect("it syncs");
    println!("{:<28} {:>8.2} ms", "sync, nothing to do", millis(start.elapsed()));

    let job = Job {
        kind: JobKind::Test {
            name: "/test".to_owned(),
            metadata: "summary: none\n".to_owned(),
            restarts: 0,
            tty: false,
        },
        script: "true".to_owned(),
        slot: "tree".to_owned(),
        dir: String::new(),
        env_before: Vec::new(),
        env_after: Vec::new(),
        env_file: EnvFile::Prepared,
    };
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
