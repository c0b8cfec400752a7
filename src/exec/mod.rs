//! Running a compiled workload on SUTs.
//!
//! `agenda` says what has to run; `schedule` (pure) says who does what next; `run` drives it: one thread that owns all state,
//! and a `worker` thread for each SUT. What a worker does lies in `enter`, `testing` and `finishing`, which use `attempt` (one
//! test under its wrapper) and `script`. All that happens is an [`event::Event`].

pub mod agenda;
mod attempt;
mod enter;
pub mod event;
mod finishing;
mod log;
pub mod options;
mod recording;
pub mod run;
pub mod rundir;
pub mod schedule;
mod script;
mod shared;
mod testing;
mod worker;
