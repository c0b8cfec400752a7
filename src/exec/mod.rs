//! The executor: it runs a compiled workload on SUTs.
//!
//! - [`pending`]: what of a workload has to run, and which tests have a usable record; [`null_build`]: a build in which nothing
//!   has to run;
//! - [`run`]: one run from its pending work to its exit code. One thread, the event loop, owns all state and feeds the schedule;
//! - [`schedule`]: which SUT does what next, as a pure state machine;
//! - `worker`: the thread of one SUT, with its four steps: enter (send the tree), prepare, test, finish;
//! - `attempt`: one start of a test or script on a machine: what it prints, when it ends, and who judges it;
//! - [`record`]: what is kept in the cache under which key, and restored from there;
//! - [`options`], [`shard`]: what the user wants of the run.
//!
//! Everything that happens is an [`Event`](crate::event::Event). The results are in a [`RunDir`](crate::rundir::RunDir).

mod attempt;
pub mod null_build;
pub mod options;
pub mod pending;
pub mod record;
pub mod run;
pub mod schedule;
pub mod shard;
mod worker;
