//! The commands that print and end, a file each.

pub(super) mod cache;
pub(super) mod completions;
pub(super) mod fmf;
pub(super) mod graph;
pub(super) mod lint;
pub(super) mod ls;
pub(super) mod report;
pub(super) mod results;
mod results_file;
pub(super) mod run;
pub(super) mod sut;
pub(super) mod why;
