//! The deadline of a test, which the test itself may move by `duration` lines.
//!
//! This module reads no clock: the caller says what time it is.

use std::time::{Duration, Instant};

/// The change that a `duration` line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationChange {
    /// The test may run this long from now.
    Set(Duration),
    /// The deadline moves away.
    Extend(Duration),
    /// The deadline comes nearer.
    Shorten(Duration),
    /// The time that remains now is remembered, unless one is remembered already.
    Save,
    /// The remembered time remains again, once as many `restore`s as `save`s were said.
    Restore,
}

/// The moment at which a test's time is over.
///
/// Invariants: `remaining` is present exactly while `saves > 0`; times are nanoseconds after `origin`, signed and wide
/// enough that no sequence of changes wraps.
#[derive(Clone, Debug)]
pub struct Deadline {
    origin: Instant,
    expires: i128,
    saves: u64,
    remaining: Option<i128>,
}

impl Deadline {
    /// Makes a deadline that lies `duration` after `now`.
    pub fn new(duration: Duration, now: Instant) -> Self {
        Self {
            origin: now,
            expires: nanos(duration),
            saves: 0,
            remaining: None,
        }
    }

    /// Applies what the test asked for at `now`. A `restore` without a `save` does nothing.
    pub fn apply(&mut self, change: DurationChange, now: Instant) {
        let now = nanos(now.saturating_duration_since(self.origin));
        match change {
            DurationChange::Set(duration) => self.expires = now + nanos(duration),
            DurationChange::Extend(duration) => self.expires = self.expires.saturating_add(nanos(duration)),
            DurationChange::Shorten(duration) => self.expires = self.expires.saturating_sub(nanos(duration)),
            DurationChange::Save => {
                self.remaining.get_or_insert(self.expires - now);
                self.saves += 1;
            }
            DurationChange::Restore => {
                self.saves = self.saves.saturating_sub(1);
                if self.saves == 0
                    && let Some(remaining) = self.remaining.take()
                {
                    self.expires = now + remaining;
                }
            }
        }
    }

    /// Returns when the time is over. A deadline further away than the clock can tell becomes a century after the
    /// start.
    pub fn expires(&self) -> Instant {
        const CENTURY: Duration = Duration::from_hours(876_000);
        let after = u64::try_from(self.expires.max(0)).map_or(CENTURY, Duration::from_nanos);
        self.origin + after.min(CENTURY)
    }

    /// Returns the time that remains at `now`, which is zero when the time is over.
    pub fn remaining(&self, now: Instant) -> Duration {
        self.expires().saturating_duration_since(now)
    }
}

fn nanos(duration: Duration) -> i128 {
    // A `Duration` has less than 2^94 nanoseconds.
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX >> 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn duration_counts_from_the_moment_it_is_said() {
        let start = Instant::now();
        let mut deadline = Deadline::new(5 * MINUTE, start);
        deadline.apply(DurationChange::Set(15 * MINUTE), start + 4 * MINUTE);
        assert_eq!(deadline.expires(), start + 19 * MINUTE);
    }

    #[test]
    fn moving_the_deadline_keeps_the_time_used_as_used() {
        let start = Instant::now();
        let mut deadline = Deadline::new(5 * MINUTE, start);
        deadline.apply(DurationChange::Extend(MINUTE), start + 3 * MINUTE);
        assert_eq!(deadline.expires(), start + 6 * MINUTE);
        deadline.apply(DurationChange::Shorten(2 * MINUTE), start + 3 * MINUTE);
        assert_eq!(deadline.expires(), start + 4 * MINUTE);
        assert_eq!(deadline.remaining(start + 3 * MINUTE), MINUTE);
    }

    #[test]
    fn shortening_below_nothing_expires_and_can_be_taken_back_exactly() {
        let start = Instant::now();
        let mut deadline = Deadline::new(5 * MINUTE, start);
        deadline.apply(DurationChange::Shorten(60 * MINUTE), start);
        assert_eq!(deadline.remaining(start), Duration::ZERO);
        deadline.apply(DurationChange::Extend(120 * MINUTE), start);
        assert_eq!(deadline.expires(), start + 65 * MINUTE);
    }

    #[test]
    fn restore_gives_back_the_time_that_remained_at_save() {
        let start = Instant::now();
        let mut deadline = Deadline::new(5 * MINUTE, start);
        deadline.apply(DurationChange::Save, start + MINUTE);
        deadline.apply(DurationChange::Set(60 * MINUTE), start + MINUTE);
        deadline.apply(DurationChange::Restore, start + 31 * MINUTE);
        assert_eq!(deadline.expires(), start + 35 * MINUTE);
    }

    #[test]
    fn only_the_outermost_pair_of_save_and_restore_acts() {
        let start = Instant::now();
        let mut deadline = Deadline::new(5 * MINUTE, start);
        deadline.apply(DurationChange::Save, start);
        deadline.apply(DurationChange::Set(60 * MINUTE), start);
        deadline.apply(DurationChange::Save, start + MINUTE);
        deadline.apply(DurationChange::Restore, start + 2 * MINUTE);
        assert_eq!(deadline.expires(), start + 60 * MINUTE);
        deadline.apply(DurationChange::Restore, start + 10 * MINUTE);
        assert_eq!(deadline.expires(), start + 15 * MINUTE);
        deadline.apply(DurationChange::Restore, start + 11 * MINUTE);
        assert_eq!(deadline.expires(), start + 15 * MINUTE);
    }

    proptest! {
        #[test]
        fn no_sequence_of_changes_panics(changes in prop::collection::vec((0u8..5, any::<u64>(), any::<u32>()), 0..40)) {
            let start = Instant::now();
            let mut deadline = Deadline::new(Duration::MAX, start);
            for (kind, seconds, later) in changes {
                let by = Duration::from_secs(seconds);
                let change = match kind {
                    0 => DurationChange::Set(by),
                    1 => DurationChange::Extend(by),
                    2 => DurationChange::Shorten(by),
                    3 => DurationChange::Save,
                    _ => DurationChange::Restore,
                };
                deadline.apply(change, start + Duration::from_secs(later.into()));
                prop_assert!(deadline.expires() >= start);
            }
        }
    }
}
