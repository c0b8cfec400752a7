//! Handles SIGINT, SIGTERM and SIGHUP, whatever atex is doing. A signal that was ignored when atex was started stays ignored,
//! with one exception: shells make every background job of a script ignore SIGINT, so a SIGINT that a process sent counts, and
//! only that of the terminal does not.
//!
//! If nothing has to be cleaned up, the first signal ends the process and the programs that it started on this host, with exit
//! code 130 and a message that says what was interrupted ([`doing`]). If machines are connected, the signal first raises a
//! [`Cancel`] ([`heed`]); if the process has not ended a moment later, it is ended. A run ends in order after the first signal,
//! however long that takes, and at once after the second. If it hangs then, it is ended by the third signal, or after a moment.
//!
//! So code that blocks the main thread (on a FIFO, a name server, a pager that does not read) need not know about signals.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{FORBIDDEN, SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use crate::cli::error::CliError;
use crate::host::{program, signal};
use crate::report::{Exit, Palette};
use crate::sut::{Cancel, Urgency};

/// How long ending in order may take outside of a run.
const IN_ORDER: Duration = Duration::from_millis(1200);
/// How long a run may take to end after the second signal. Meanwhile, it writes what is known of it.
const NOW: Duration = Duration::from_secs(3);
/// How long the last message waits for a standard error that does not accept it.
const LAST_WORD: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// What to do when a signal comes.
struct State {
    /// How many signals have come.
    count: u32,
    /// What is being done now, for the message.
    doing: String,
    /// What the first signal raises.
    cancel: Option<Cancel>,
    /// Whether a run goes on, which ends by itself once the cancel is raised.
    in_run: bool,
}

static STATE: Mutex<State> = Mutex::new(State {
    count: 0,
    doing: String::new(),
    cancel: None,
    in_run: false,
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts to handle signals.
pub(crate) fn listen() -> Result<(), CliError> {
    let failed = |error| CliError::infra(format!("cannot handle signals: {error}"));
    let ignored = signal::ignored();
    let is_ignored = move |number: i32| signal::is_in(ignored, number);
    default_in_programs(is_ignored);
    let heard = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|&signal| signal == SIGINT || !is_ignored(signal));
    let mut signals = SignalsInfo::<WithOrigin>::new(heard).map_err(failed)?;
    let listen = move || {
        for origin in signals.forever() {
            if !is_ignored(origin.signal) || matches!(origin.cause, Cause::Sent(_)) {
                take_signal();
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(128 * 1024)
        .spawn(listen)
        .map_err(failed)?;
    Ok(())
}

/// Lets the programs that atex starts begin with the default action for the signals that atex was started to ignore. A program
/// inherits that a signal is ignored, but not that it is handled; so a handler that does nothing is installed for each. bash
/// could not correct this, since it never resets a signal that was ignored when it started. The standard library takes care of
/// SIGPIPE.
fn default_in_programs(is_ignored: impl Fn(i32) -> bool) {
    let own = |signal: &i32| *signal == SIGPIPE || *signal == SIGINT || FORBIDDEN.contains(signal);
    for signal in (1..=64).filter(|signal| is_ignored(*signal) && !own(signal)) {
        let nothing = Arc::new(AtomicBool::new(false));
        let _the_c_library_keeps_some = signal_hook::flag::register(signal, nothing);
    }
}

/// Sets what atex is doing from now on: a fragment that follows `interrupted while`.
pub(crate) fn doing(what: impl Into<String>) {
    state().doing = what.into();
}

/// Keeps the reaction to a signal in force until it is dropped.
#[must_use]
pub(crate) struct Heeded {
    before: (Option<Cancel>, bool),
}

/// Until the returned value is dropped, the first signal raises `cancel`, and the process has a moment to end.
pub(crate) fn heed(cancel: &Cancel) -> Heeded {
    exchange(Some(cancel.clone()), false)
}

/// Until the returned value is dropped, the first signal raises `cancel`, which ends the run that goes on.
pub(crate) fn heed_in_run(cancel: &Cancel) -> Heeded {
    exchange(Some(cancel.clone()), true)
}

fn exchange(cancel: Option<Cancel>, in_run: bool) -> Heeded {
    let mut state = state();
    let before = (std::mem::replace(&mut state.cancel, cancel), state.in_run);
    state.in_run = in_run;
    Heeded { before }
}

impl Drop for Heeded {
    fn drop(&mut self) {
        let mut state = state();
        let was_run = state.in_run;
        (state.cancel, state.in_run) = (self.before.0.take(), self.before.1);
        // Only the summary remains to be printed.
        if was_run && state.count > 0 {
            end_after(IN_ORDER);
        }
    }
}

/// Returns whether a signal has come.
pub(crate) fn came() -> bool {
    state().count > 0
}

fn take_signal() {
    let mut state = state();
    state.count += 1;
    let (count, in_run) = (state.count, state.in_run);
    let Some(cancel) = state.cancel.clone() else {
        drop(state);
        end();
    };
    drop(state);
    cancel.raise(if count == 1 { Urgency::Graceful } else { Urgency::Now });
    match (count, in_run) {
        (1, true) => {}
        (1, false) => end_after(IN_ORDER),
        (2, true) => end_after(NOW),
        _ => end(),
    }
}

/// Ends the process after a while, unless a run goes on that was interrupted only once.
fn end_after(pause: Duration) {
    let watch = move || {
        std::thread::sleep(pause);
        let state = state();
        if state.in_run && state.count < 2 {
            return;
        }
        drop(state);
        end();
    };
    let thread = std::thread::Builder::new().stack_size(128 * 1024).spawn(watch);
    if thread.is_err() {
        end();
    }
}

/// Ends the process and the programs that it started on this host. Machines notice it when their streams end.
fn end() -> ! {
    let programs = program::end_all();
    let doing = if programs.is_empty() {
        state().doing.clone()
    } else {
        let verb = if programs.len() == 1 { "runs" } else { "run" };
        format!("{} {verb}", programs.join(", "))
    };
    let error = CliError::interrupted(if doing.is_empty() {
        "interrupted".to_owned()
    } else {
        format!("interrupted while {doing}")
    });
    say(&error.render(&Palette::new(false)));
    // Nothing is flushed, because that might wait for the same thing for which atex was waiting.
    signal_hook::low_level::exit(Exit::Interrupted.code().into())
}

/// Writes to standard error if it can take something. It does so without the lock, whose holder may hang in a write.
fn say(text: &str) {
    let stderr = std::io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    if poll(&mut fds, Some(&LAST_WORD)).is_ok() && fds[0].revents().contains(PollFlags::OUT) {
        let least = text.len().min(4096);
        let _nobody_is_left_to_tell = rustix::io::write(&stderr, &text.as_bytes()[..least]);
    }
}
