//! As the first process of a container, atex inherits every orphan there, and each stays a zombie until it is asked for. Its threads ask
//! for their own children, so atex starts itself once more, and the first process does nothing but ask for whoever ends.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::signal;

/// What is passed on, if somebody sent it to this process alone: what a terminal sends comes to the other one, too.
const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Runs the program once more and asks for all that end meanwhile, if this is the first process. Returns its exit code; nothing where
/// this is another process, or that cannot be done.
pub(crate) fn stand_by() -> Option<u8> {
    if std::process::id() != 1 {
        return None;
    }
    let ignored = signal::ignored();
    let heard = PASSED_ON.into_iter().filter(|&signal| !signal::is_in(ignored, signal));
    // Before anybody can end.
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

/// As shells tell it.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
