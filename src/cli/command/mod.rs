//! The commands that print and end, a file each.

pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod fmf;
pub(crate) mod graph;
pub(crate) mod lint;
pub(crate) mod ls;
pub(crate) mod report;
pub(crate) mod results;
mod results_file;
pub(crate) mod run;
pub(crate) mod sut;
pub(crate) mod why;
