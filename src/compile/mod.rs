//! From the metadata tree to a workload: plans, tests, steps, input files and the sealed graph with every key.
//!
//! The only module that knows fmf and graph.

pub mod spec;
