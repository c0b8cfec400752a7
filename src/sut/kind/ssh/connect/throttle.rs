//! Limits how many connections to one host are set up at the same time.
//!
//! Once ten connections are not logged in yet, a server with default limits drops a part of the new ones
//! (`MaxStartups 10:30:100`). So at most [`AT_ONCE`] connections of this process are between connecting and being logged in;
//! the others sleep in a queue. The connections of other processes are not seen: one that is dropped in spite of this is
//! tried again, after longer and longer pauses ([`Pause`]).

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};

use crate::sut::agent::timeouts::{WaitLimits, alarm};
use crate::sut::kind::ssh::connect::transport::{Halt, poll_until};

/// How many connections to one host and port are set up at the same time.
const AT_ONCE: usize = 6;

/// The first and the longest pause before another try.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A host and its port.
type Place = (String, u16);

#[derive(Default)]
struct Line {
    busy: usize,
    waiting: VecDeque<Arc<OwnedFd>>,
}

static LINES: LazyLock<Mutex<HashMap<Place, Line>>> = LazyLock::new(Mutex::default);

fn lines() -> MutexGuard<'static, HashMap<Place, Line>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to set up a connection; it is given back when this is dropped.
pub(crate) struct Turn {
    place: Place,
}

impl Turn {
    /// Waits until it is this connection's turn.
    pub(crate) fn wait(host: &str, port: u16, limits: &WaitLimits<'_>) -> Result<Self, Halt> {
        let place = (host.to_owned(), port);
        let ticket = {
            let mut lines = lines();
            let line = lines.entry(place.clone()).or_default();
            if line.busy < AT_ONCE {
                line.busy += 1;
                return Ok(Self { place });
            }
            let Ok(event) = eventfd(0, EventfdFlags::CLOEXEC) else {
                // The process is out of descriptors. The connection itself will report that.
                line.busy += 1;
                return Ok(Self { place });
            };
            let ticket = Arc::new(event);
            line.waiting.push_back(Arc::clone(&ticket));
            ticket
        };
        loop {
            let (alarm, until) = alarm(limits.cancel, limits.until);
            let mut fds = [PollFd::from_borrowed_fd(ticket.as_fd(), PollFlags::IN)];
            poll_until(&mut fds, alarm, until);
            let called = !fds[0].revents().is_empty();
            let halt = if limits.cancel.urgency() > limits.known {
                Some(Halt::Cancelled)
            } else if limits.until.is_some_and(|until| Instant::now() >= until) {
                Some(Halt::TimedOut)
            } else {
                None
            };
            match halt {
                None if called => return Ok(Self { place }),
                None => {}
                Some(halt) => {
                    let gone = {
                        let mut lines = lines();
                        let line = lines.entry(place.clone()).or_default();
                        let before = line.waiting.len();
                        line.waiting.retain(|other| !Arc::ptr_eq(other, &ticket));
                        before > line.waiting.len()
                    };
                    if !gone {
                        // The turn was given to this one in the last moment, so it is passed on to the next one.
                        drop(Self { place });
                    }
                    return Err(halt);
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lines = lines();
        let Some(line) = lines.get_mut(&self.place) else { return };
        match line.waiting.pop_front() {
            Some(next) => drop(rustix::io::write(&*next, &1_u64.to_ne_bytes())),
            None => line.busy -= 1,
        }
        if line.busy == 0 && line.waiting.is_empty() {
            lines.remove(&self.place);
        }
    }
}

/// The pauses between tries: each is twice as long as the one before, up to a limit, and has a random part.
pub(crate) struct Pause(Duration);

impl Pause {
    /// Starts with the first pause.
    pub(crate) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    /// Sleeps for one pause. Fails where the limits end it before another try.
    pub(crate) fn sleep(&mut self, limits: &WaitLimits<'_>) -> Result<(), Halt> {
        let mut random = [0];
        let _any_will_do = getrandom::fill(&mut random);
        let half = self.0 / 2;
        let wake = Instant::now() + half + half * u32::from(random[0]) / 128;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        loop {
            if limits.cancel.urgency() > limits.known {
                return Err(Halt::Cancelled);
            }
            let now = Instant::now();
            if limits.until.is_some_and(|until| now >= until) {
                return Err(Halt::TimedOut);
            }
            if now >= wake {
                return Ok(());
            }
            let until = limits.until.map_or(wake, |until| until.min(wake));
            let (alarm, until) = alarm(limits.cancel, Some(until));
            poll_until(&mut [], alarm, until);
        }
    }
}
