//! The scheduler and its workers.

pub mod event;
