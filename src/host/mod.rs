//! What atex needs of the host that it runs on, for whichever module asks: programs that end with it ([`program`]), files that
//! cannot hang it ([`mod@file`]), which signals it ignores ([`signal`]), what the first process of a container owes ([`init`]), and which
//! processes live ([`process`]).
//!
//! Knows nothing of trees, plans and machines.

pub(crate) mod file;
pub(crate) mod init;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod signal;
