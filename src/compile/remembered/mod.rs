//! Results of compilation that are remembered between runs, so that an unchanged tree is not read, parsed or adjusted again.

pub(crate) mod file_digests;
pub(crate) mod null_build;
pub(crate) mod packed_tree;
