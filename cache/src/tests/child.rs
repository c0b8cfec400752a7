//! Child processes for tests: the test binary runs itself again with the same test, which first asks whether it is the child.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Signal, getpid, kill_process};

const DIR: &str = "ATEX_CACHE_TEST_DIR";
const ARGUMENT: &str = "ATEX_CACHE_TEST_ARGUMENT";

/// Returns the command of a child that runs the test `test` in `dir`.
pub(super) fn command(test: &str, dir: &std::path::Path, argument: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test binary"));
    command
        .args(["--exact", "--nocapture", test])
        .env(DIR, dir)
        .env(ARGUMENT, argument);
    command
}

/// Returns the directory and the argument, in a child.
pub(super) fn orders() -> Option<(PathBuf, String)> {
    Some((std::env::var_os(DIR)?.into(), std::env::var(ARGUMENT).ok()?))
}

/// Ends this process as `kill -9` would.
pub(super) fn die() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a signal to oneself");
    loop {
        std::thread::park();
    }
}
