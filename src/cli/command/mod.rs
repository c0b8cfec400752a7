//! The commands: each has its options, help and code in one file or folder.

pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod fmf;
pub(crate) mod graph;
pub(crate) mod lint;
pub(crate) mod ls;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod sut;
pub(crate) mod why;
