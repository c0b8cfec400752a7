//! Limits of a wait: a deadline, a cancellation by the user, and how long the other side may be silent or busy.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::sut::agent::connection::ConnectionError;
use crate::sut::{Cancel, Urgency};

/// How often a further cancellation is looked for after the first one, because the alarm stays readable from then on.
const AFTER_CANCEL: Duration = Duration::from_millis(100);

/// How often the time of a request is checked where silence is not measured.
const CHECK: Duration = Duration::from_secs(5);

/// The limit of silence is measured in this number of slices.
const SLICES: u32 = 8;

/// Whenever this number of bytes has moved, the request may take another second.
const BYTES_PER_SECOND: u64 = 4 * 1024;

/// How long to wait, and what ends the wait before that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitLimits<'a> {
    /// Ends the wait once it rises above `known`.
    pub cancel: &'a Cancel,
    /// The urgency that the caller already knows of.
    pub known: Urgency,
    /// When to give up.
    pub until: Option<Instant>,
}

impl WaitLimits<'_> {
    /// Returns the same limits, but none beyond `limit`.
    pub(crate) fn at_most(self, limit: Instant) -> Self {
        Self {
            until: Some(self.until.map_or(limit, |until| until.min(limit))),
            ..self
        }
    }
}

/// Returns the descriptor that a wait must poll so that `cancel` can end it, and how long the wait may last. Once raised, the
/// alarm stays readable, so a further cancellation can only be found by a look from time to time.
pub(crate) fn alarm(cancel: &Cancel, until: Option<Instant>) -> (Option<BorrowedFd<'_>>, Option<Instant>) {
    match cancel.urgency() {
        Urgency::None => (Some(cancel.as_fd()), until),
        Urgency::Graceful => {
            let look = Instant::now() + AFTER_CANCEL;
            (None, Some(until.map_or(look, |until| until.min(look))))
        }
        Urgency::Now => (None, until),
    }
}

/// Finds out whether the other side is stuck: it may be silent only for so long, and a request may take only so long as a
/// whole.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    /// How long the other side may show no sign of life while it is waited for.
    max_silence: Option<Duration>,
    /// For how long nothing has moved while it was waited for.
    silent: Duration,
    /// How long the request may take as a whole.
    max_total: Option<Duration>,
    /// For how long the request was waited for; `moved` is how many bytes have moved since it began.
    waited: Duration,
    moved: u64,
}

impl Watchdog {
    /// Sets how long the other side may be silent from now on.
    pub(super) fn limit_silence(&mut self, silence: Option<Duration>) {
        self.max_silence = silence;
        self.silent = Duration::ZERO;
    }

    /// Begins a request that may take no longer than `total`, with or without signs of life. Bytes that move extend that
    /// time.
    pub(super) fn begin_request(&mut self, total: Option<Duration>) {
        self.max_total = total;
        self.waited = Duration::ZERO;
        self.moved = 0;
    }

    /// Notes that bytes of the request or its reply have moved.
    pub(super) fn bytes_moved(&mut self, count: usize) {
        self.moved += count as u64;
        self.silent = Duration::ZERO;
    }

    /// Notes a sign of life.
    pub(super) fn shows_life(&mut self) {
        self.silent = Duration::ZERO;
    }

    /// Returns after how long a wait must end so that the limits can be checked.
    pub(super) fn next_check(&self) -> Option<Duration> {
        self.silence_slice().or(self.max_total.map(|_| CHECK))
    }

    /// Counts a wait that took `elapsed`. Where the runner itself was suspended, it could hear nothing in that time, so
    /// little of it counts.
    pub(super) fn has_waited(&mut self, elapsed: Duration) {
        let counted = |slice: Option<Duration>| slice.map_or(Duration::ZERO, |slice| elapsed.min(2 * slice));
        self.silent += counted(self.silence_slice());
        self.waited += counted(self.next_check());
    }

    /// Fails where a limit is exceeded.
    pub(super) fn check(&self) -> Result<(), ConnectionError> {
        if let Some(silence) = self.max_silence.filter(|silence| self.silent >= *silence) {
            return Err(ConnectionError::Stuck(silence));
        }
        let allowed = |total: Duration| total + Duration::from_secs(self.moved / BYTES_PER_SECOND);
        match self.max_total.filter(|total| self.waited >= allowed(*total)) {
            Some(total) => Err(ConnectionError::Endless(total)),
            None => Ok(()),
        }
    }

    fn silence_slice(&self) -> Option<Duration> {
        self.max_silence.map(|silence| silence / SLICES)
    }
}
