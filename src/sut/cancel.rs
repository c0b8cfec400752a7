//! Cancellation by the user: a flag that all threads share and that a `poll(2)` can wait on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How urgent a cancellation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nothing was asked for.
    None,
    /// End what runs, write the results, and let the SUTs go.
    Graceful,
    /// Stop now, and wait for nothing.
    Now,
}

/// A cancellation flag with a file descriptor that becomes readable when it is raised. Clones share the flag.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    level: AtomicU8,
    event: OwnedFd,
}

impl Cancel {
    /// Makes a flag that is not raised. Fails where the process is out of file descriptors.
    pub fn new() -> std::io::Result<Self> {
        let flags = rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
        let event = rustix::event::eventfd(0, flags)?;
        Ok(Self(Arc::new(Inner {
            level: AtomicU8::new(0),
            event,
        })))
    }

    /// Raises the flag; it is never lowered, and a lower urgency changes nothing.
    pub fn raise(&self, urgency: Urgency) {
        self.0.level.fetch_max(urgency as u8, Ordering::SeqCst);
        let _full_is_readable_too = rustix::io::write(&self.0.event, &1_u64.to_ne_bytes());
    }

    /// Returns what was asked for.
    pub fn urgency(&self) -> Urgency {
        match self.0.level.load(Ordering::SeqCst) {
            0 => Urgency::None,
            1 => Urgency::Graceful,
            _ => Urgency::Now,
        }
    }
}

impl AsFd for Cancel {
    /// The descriptor is readable (level-triggered, for ever) once the flag was raised.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}
