//! Reaps orphaned processes when atex is the first process (PID 1) of a container.
//!
//! PID 1 inherits every orphan, and each stays a zombie until it is waited for. The threads of atex wait only for their own
//! children. So atex starts itself once more as a child, and the first process does nothing but wait for every process that ends.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::signal;

/// Signals that are passed on to the child if somebody sent them to this process alone. A signal from a terminal reaches the
/// child anyway.
const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// If this is the first process, runs the program once more, waits for all processes that end meanwhile, and returns the exit
/// code. Returns `None` if this is another process, or if the program cannot be started.
pub(crate) fn stand_by() -> Option<u8> {
    if std::process::id() != 1 {
        return None;
    }
    let ignored = signal::ignored();
    let heard = PASSED_ON.into_iter().filter(|&signal| !signal::is_in(ignored, signal));
    // The handlers must be there before any process can end.
    let mut signals = SignalsInfo::<WithOrigin>::new(heard.chain([SIGCHLD])).ok()?;
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_else(|| "atex".into());
    let child = Command::new("/proc/self/exe").arg0(name).args(args).spawn().ok()?;
    let child = Pid::from_child(&child);
    for origin in signals.forever() {
        if origin.signal != SIGCHLD {
            let signal = Signal::from_named_raw(origin.signal);
            if let (Cause::Sent(_), Some(signal)) = (origin.cause, signal) {
                let _it_ended = kill_process(child, signal);
            }
            continue;
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == child {
                return Some(code_of(ExitStatus::from_raw(status.as_raw())));
            }
        }
    }
    None
}

/// Returns the exit code that a shell would report.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
