//! The process of the command line: its signals, its threads, its panics, and its clock.

pub(crate) mod clock;
pub(crate) mod panics;
pub(crate) mod signals;
pub(crate) mod threads;
