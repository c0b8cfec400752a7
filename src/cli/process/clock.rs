//! The current time, from which ages are computed.

use std::time::SystemTime;

/// Returns the seconds since the epoch, or 0 if the clock is set to an earlier time.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
