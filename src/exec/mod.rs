//! Running a compiled workload on SUTs.
//!
//! `agenda` says what has to run; `schedule` (pure) says who does what next; `run` starts a `worker` thread for each SUT, some that
//! record what tests left (`recorder`), and the `driver`, one thread that owns all state. What a worker does lies in `enter` and
//! `prepare`, `testing` and `finishing`, which use `attempt` (one test, with its restarts; `streams` is one start of it) and `script`. What runs for a
//! `how` of prepare and finish is in `how`, who judges a test in `framework`.
//! `observing` takes what jobs were seen to read into keys; `audit` runs hits again, and knows the keys whose verdicts differ.
//! `times` is what nodes took before; `simulation` plays pools to the schedule; `null_build` is a run of which nothing has to run. All
//! that happens is an [`event::Event`].

pub mod agenda;
mod attempt;
pub mod audit;
mod driver;
mod enter;
pub mod event;
mod finishing;
mod framework;
mod how;
mod log;
pub mod null_build;
pub mod observing;
pub mod options;
mod prepare;
mod recorder;
mod recording;
pub mod run;
pub mod rundir;
pub mod schedule;
mod script;
pub mod shard;
mod shared;
pub mod simulation;
mod streams;
mod testing;
mod times;
mod together;
mod worker;
