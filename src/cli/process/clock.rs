//! The time of day, for ages.

use std::time::SystemTime;

/// Returns seconds since the epoch; 0 for a clock that stands before it.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
