//! The bash programs that atex runs on a machine (the agent and the wrapper), and the runner's side of each.
//!
//! [`link`] starts bash on a machine, [`connection`] exchanges requests and replies with it, and [`session`] knows the
//! requests of the agent: it makes a [`Sut`](super::Sut) of any link. [`wrapper`] is the runner's side of the program that
//! runs a job.

pub mod access_times;
pub(crate) mod connection;
pub mod features;
pub(crate) mod job_text;
pub mod link;
pub mod packages;
mod programs;
pub(crate) mod reply;
pub mod session;
pub(crate) mod timeouts;
pub(crate) mod wrapper;

pub use session::Machine;
