//! The time stamps of events.

use crate::event::{Event, Stamped};
use crate::host::clock::unix_millis;

/// Adds the present time to an event.
pub(crate) fn stamp(event: Event) -> Stamped {
    Stamped {
        time: unix_millis(),
        event,
    }
}
