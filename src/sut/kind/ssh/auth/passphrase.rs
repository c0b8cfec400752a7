//! Passphrases of keys: asked for on the terminal, once for each key and process.
//!
//! Workers that need the same passphrase wait for the one that asks. Without a terminal nobody is asked, and there is no
//! answer.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::super::login::Password;
use crate::sut::{Cancel, Urgency};

/// How many times a passphrase is asked for when the answers are wrong.
const QUESTIONS: u32 = 3;

/// How often a worker that waits for another worker's question checks for cancellation.
const LOOK: Duration = Duration::from_millis(200);

/// The answers of this process.
static ANSWERS: Answers = Answers {
    state: Mutex::new(State {
        asking: false,
        keys: BTreeMap::new(),
    }),
    answered: Condvar::new(),
};

struct Answers {
    state: Mutex<State>,
    answered: Condvar,
}

struct State {
    asking: bool,
    keys: BTreeMap<PathBuf, LockedKey>,
}

#[derive(Default)]
struct LockedKey {
    answer: Option<Password>,
    asked: u32,
}

/// Returns the passphrase of a key file. `wrong` is an answer that did not fit: it leads to a new question, unless another
/// worker got another answer meanwhile. `None` where nobody can be asked, or nobody knows the passphrase.
pub(super) fn passphrase(file: &Path, wrong: Option<&Password>, cancel: &Cancel) -> Option<Password> {
    let mut state = locked();
    loop {
        let key = state.keys.entry(file.to_owned()).or_default();
        let good = |answer: &&Password| wrong.is_none_or(|wrong| wrong.0 != answer.0);
        if let Some(answer) = key.answer.as_ref().filter(good) {
            return Some(answer.clone());
        }
        if key.asked >= QUESTIONS || cancel.urgency() != Urgency::None {
            return None;
        }
        if !state.asking {
            break;
        }
        let waited = ANSWERS.answered.wait_timeout(state, LOOK);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    state.asking = true;
    drop(state);
    let answer = ask(&format!("passphrase of `{}`: ", file.display()), cancel);
    let mut state = locked();
    state.asking = false;
    let key = state.keys.entry(file.to_owned()).or_default();
    key.asked = if answer.is_some() { key.asked + 1 } else { QUESTIONS };
    key.answer.clone_from(&answer);
    ANSWERS.answered.notify_all();
    answer
}

fn locked() -> MutexGuard<'static, State> {
    ANSWERS.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks on the terminal. `None` where there is no terminal, where the answer is empty or ends early, or on cancellation.
fn ask(question: &str, cancel: &Cancel) -> Option<Password> {
    let flags = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open("/dev/tty")
        .ok()?;
    let quiet = Quiet::new(terminal.try_clone().ok()?).ok()?;
    terminal.write_all(question.as_bytes()).ok()?;
    let answer = line(&mut terminal, cancel);
    let _the_answer_counts = terminal.write_all(b"\n");
    drop(quiet);
    answer.filter(|answer| !answer.is_empty()).map(Password)
}

/// Reads a line. `None` where it is not UTF-8, since libssh2's binding takes no other passphrase.
fn line(terminal: &mut File, cancel: &Cancel) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let mut ready = [
            PollFd::new(terminal, PollFlags::IN),
            PollFd::from_borrowed_fd(cancel.as_fd(), PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return None,
            Ok(_) if !ready[1].revents().is_empty() => return None,
            Ok(_) => {}
        }
        let mut byte = [0];
        match terminal.read(&mut byte) {
            Ok(0) | Err(_) => return None,
            Ok(_) if matches!(byte, [b'\n' | b'\r']) => return String::from_utf8(line).ok(),
            Ok(_) => line.extend(byte),
        }
    }
}

/// A terminal that does not echo what is typed, until this is dropped.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _gone = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
