//! What atex needs of the host that it runs on, for any module: programs that end together with it ([`program`]), files that
//! cannot hang it ([`mod@file`]), the signals that it ignores ([`signal`]), the duties of a container's first process ([`init`]),
//! which processes are alive ([`process`]), the time of day ([`clock`]), and checks that keep it away from what is not its own ([`ownership`]).
//!
//! This module knows nothing of trees, plans and machines.

pub(crate) use atex_cache::ownership;

pub(crate) mod clock;
pub(crate) mod file;
pub(crate) mod init;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod signal;
