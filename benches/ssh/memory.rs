//! Benchmark of many sessions, each with a sleeping test: memory, and processor time while nothing happens.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use atex::sut::{OnHeld, Sut, SyncMode};

use crate::lab::Lab;
use crate::library::{drain, job, login_at, machine, nothing};
use crate::others::pss;

/// So many sessions are measured where nobody says how many.
pub(crate) const COUNTS: [&str; 3] = ["1", "100", "1000"];

/// The stack of a thread that drives a machine, as the executor gives it.
const STACK: usize = 512 * 1024;

/// How long the idle processor time is measured.
const IDLE: Duration = Duration::from_mins(1);

/// Prints what so many sessions take, each with a test that sleeps, in a process of their own.
pub(crate) fn memory(counts: &[&str]) {
    println!("\nsessions with a sleeping test  PSS MB  above base, each  idle, % of a core");
    for count in counts {
        let lab = Lab::new(&crate::server());
        let status = Command::new(std::env::current_exe().expect("this program"))
            .arg("child")
            .arg(lab.path("sshd"))
            .arg(count)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the child works");
    }
}

/// That process.
pub(crate) fn child(sshd: &Path, count: usize) {
    let base = pss(std::process::id());
    let ready = Arc::new(Barrier::new(count + 1));
    let (stop, _running) = mpsc::channel::<()>();
    let login = login_at(sshd);
    for index in 0..count {
        let (ready, login) = (Arc::clone(&ready), login.clone());
        let dir = sshd.join(format!("sut-{index}"));
        let drive = move || {
            let mut sut = machine(login, dir);
            sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens");
            sut.sync(&nothing(), SyncMode::Exact).expect("it syncs");
            let channel = sut.start(&job("sleep 100000")).expect("it starts");
            ready.wait();
            drain(channel, |_| ());
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(drive);
        thread.expect("a thread");
    }
    ready.wait();
    thread::sleep(Duration::from_secs(5));
    let all = pss(std::process::id());
    let (before, since) = (cpu(), Instant::now());
    thread::sleep(IDLE);
    let idle = (cpu() - before) / since.elapsed().as_secs_f64() * 100.0;
    println!(
        "{count:>8} {all:>29.1} {:>13.3} MB {idle:>16.2}",
        (all - base) / number(count)
    );
    drop(stop);
    std::process::exit(0);
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Processor time of this process in seconds.
fn cpu() -> f64 {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task").expect("the kernel tells") {
        let path = task.expect("a task").path().join("schedstat");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        nanoseconds += text
            .split(' ')
            .next()
            .and_then(|word| word.parse::<f64>().ok())
            .unwrap_or(0.0);
    }
    nanoseconds / 1e9
}
