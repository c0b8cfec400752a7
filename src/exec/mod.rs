//! Running a compiled workload on SUTs.

pub mod event;
pub mod rundir;
pub mod schedule;
