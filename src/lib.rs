//! atex runs fmf/tmt tests on real machines, as a content-addressed build graph.
//!
//! `docs/architecture.md` shows how the modules are cut and which may know which. The binary in `main.rs` only calls
//! [`cli::main`].

pub mod cli;
pub mod compile;
pub mod control;
pub mod exec;
mod host;
pub mod report;
pub mod sut;
