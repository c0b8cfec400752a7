//! Starts the threads that share the work of this process, but no more than the system allows.
//!
//! A limit (`ulimit -u`, or the pids limit of a container) counts threads and processes together. Therefore, only a part of what
//! is allowed is used here, and most is left to the workers of the machines and the programs that run for them. If too little is
//! left even so, the command fails at once and names the limit, instead of failing halfway.

use std::fs;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, available_parallelism};

use rayon::{ThreadBuilder, ThreadPoolBuilder};
use rustix::process::{Resource, getrlimit};

use crate::cli::error::CliError;

/// The threads that share the work take one part of this many parts of the limit.
const PARTS: u64 = 4;

/// A limit of at least this much is far above what a run takes, so nothing is tried out.
const AMPLE: u64 = 512;

/// How many threads and processes must be left: those that serve one machine, and those that run there for a test.
const SPARE: usize = 10;

/// The stack size of a thread that only proves that it can be started.
const SMALL: usize = 64 * 1024;

/// Starts the threads that share the work, and fails if not even one can be started.
pub(crate) fn start() -> Result<(), CliError> {
    let limit = limit();
    let asked = std::env::var("RAYON_NUM_THREADS").ok();
    let wanted = asked.and_then(|text| text.parse().ok()).filter(|&count| count > 0);
    let wanted = wanted.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let most = limit.map_or(u64::MAX, |limit| limit / PARTS).max(1);
    let count = wanted.min(usize::try_from(most).unwrap_or(usize::MAX));
    pool(count).map_err(|why| too_few(&why))?;
    if limit.is_some_and(|limit| limit < AMPLE) {
        try_out(SPARE).map_err(|error| too_few(&error.to_string()))?;
    }
    Ok(())
}

/// Starts up to `count` threads of the pool that the whole process shares. Each waits until it is known how many could be
/// started. If not all could, half of them end again, because others need threads, too.
fn pool(count: usize) -> Result<(), String> {
    let mut refused = None;
    let mut waiting: Vec<_> = (0..count)
        .map_while(|_| waiter().map_err(|error| refused = Some(error)).ok())
        .collect();
    if let Some(refused) = refused {
        if waiting.is_empty() {
            return Err(refused.to_string());
        }
        waiting.truncate((waiting.len() / 2).max(1));
    }
    let pool = ThreadPoolBuilder::new().num_threads(waiting.len());
    let hand = |part: ThreadBuilder| {
        let gone = io::ErrorKind::BrokenPipe;
        waiting[part.index()].send(part).map_err(|_| gone.into())
    };
    pool.spawn_handler(hand)
        .build_global()
        .map_err(|error| error.to_string())
}

/// Starts a thread that waits for its part of the pool, and ends if there is none.
fn waiter() -> io::Result<Sender<ThreadBuilder>> {
    let (sender, inbox) = channel::<ThreadBuilder>();
    let serve = move || {
        if let Ok(part) = inbox.recv() {
            part.run();
        }
    };
    Builder::new().name("share".to_owned()).spawn(serve)?;
    Ok(sender)
}

/// Fails if `count` more threads are not allowed.
fn try_out(count: usize) -> io::Result<()> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let (hold, held_up) = channel::<()>();
        let thread = Builder::new().stack_size(SMALL).spawn(move || held_up.recv().is_ok())?;
        held.push((hold, thread));
    }
    for (hold, thread) in held {
        drop(hold);
        let _it_only_waited = thread.join();
    }
    Ok(())
}

/// Makes an error about a thread that could not be started.
pub(crate) fn too_few(why: &str) -> CliError {
    let limit = limit();
    let allowed = limit.map_or_else(String::new, |limit| {
        format!(" (the limit is {limit}, for all of this user or container)")
    });
    CliError::infra(format!(
        "too few threads and processes can be started here{allowed}: {why}"
    ))
    .hint("raise the limit (`ulimit -u`, the pids limit of the container or service), or end something else")
}

/// Returns the lowest known limit.
fn limit() -> Option<u64> {
    let of_user = getrlimit(Resource::Nproc).current;
    of_user.into_iter().chain(limit_of_group()).min()
}

/// Returns the pids limit of this process's control group.
fn limit_of_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let limit = fs::read_to_string(format!("/sys/fs/cgroup{path}/pids.max")).ok()?;
    limit.trim().parse().ok()
}
