//! The time of day, for the time stamps of events and records.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::{Event, Stamped};

/// Adds the present time to an event.
pub(crate) fn stamp(event: Event) -> Stamped {
    Stamped {
        time: unix_millis(),
        event,
    }
}

/// Returns the milliseconds since the epoch.
pub(crate) fn unix_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the seconds since the epoch.
pub(crate) fn unix_now() -> u64 {
    unix_millis() / 1000
}
