//! The time of day, for time stamps and ages. A clock that is set to before 1970 is at 0.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the seconds since the epoch.
pub(crate) fn unix_now() -> u64 {
    since_epoch().as_secs()
}

/// Returns the milliseconds since the epoch.
pub(crate) fn unix_millis() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
