//! The command line, through the real binary: what is said, which files are written, which exit code comes back.

mod cache;
mod errors;
mod examples;
mod fmf;
mod help;
mod inspect;
mod lint;
mod null_build;
mod results;
mod run;
#[path = "../support/mod.rs"]
mod support;
mod sut;
