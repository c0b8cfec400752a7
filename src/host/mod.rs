//! What atex needs of the host that it runs on, for whichever module asks: programs that end with it ([`program`]), files that
//! cannot hang it ([`mod@file`]), which signals it ignores ([`signal`]), what the first process of a container owes ([`init`]), which
//! processes live ([`process`]), and what keeps it off what is not its own ([`ownership`]).
//!
//! Knows nothing of trees, plans and machines.

pub(crate) use atex_cache::ownership;

pub(crate) mod file;
pub(crate) mod init;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod signal;
