//! What atex needs of the host that it runs on, for whichever module asks: programs that end with it ([`program`]), and files that
//! cannot hang it ([`mod@file`]).
//!
//! Knows nothing of trees, plans and machines.

pub(crate) mod file;
pub(crate) mod program;
