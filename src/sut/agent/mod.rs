//! The bash programs that atex runs on a machine, and the side of each that is in this process.
//!
//! [`link`] says how bash is started on a machine, [`connection`] how it is talked with, and [`session`] what the agent is asked for: it
//! makes a [`Sut`](super::Sut) of any link. [`wrapper`] is the other side of the program that runs a job.

pub mod access_times;
pub(crate) mod connection;
pub(crate) mod job_text;
pub mod link;
pub mod packages;
mod programs;
pub(crate) mod reply;
pub mod session;
pub(crate) mod timeouts;
pub(crate) mod wrapper;

pub use session::Machine;
