//! The process of the command line: its signals, its threads, and its panics.

pub(crate) mod panics;
pub(crate) mod signals;
pub(crate) mod threads;
