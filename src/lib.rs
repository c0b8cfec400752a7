//! atex runs fmf/tmt tests on real machines, as a content-addressed build graph.
//!
//! `docs/architecture.md` describes the modules, and which of them may know which others. The binary in `main.rs` only calls
//! [`cli::main`].

pub mod cli;
pub mod compile;
pub mod control;
pub mod event;
pub mod exec;
pub mod exit;
mod host;
pub mod json_version;
pub mod report;
pub mod rundir;
pub mod sut;
