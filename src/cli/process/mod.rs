//! This process: its signals, its threads, its panics, and the clock that it reads.

pub(crate) mod clock;
pub(crate) mod panics;
pub(crate) mod signals;
pub(crate) mod threads;
