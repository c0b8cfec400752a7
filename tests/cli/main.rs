//! Tests of the command line through the real binary: what it prints, which files it writes, and which exit code it returns.

mod cache;
mod errors;
mod examples;
mod fmf;
mod help;
mod inspect;
mod json;
mod lint;
mod null_build;
mod plan_target;
mod results;
mod run;
#[path = "../support/mod.rs"]
mod support;
mod sut;
