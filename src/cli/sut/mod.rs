//! Which machines an invocation has, and what this host knows of them.
//!
//! `-s`, groups, `local*N` and the lines of `--sut-file` become single targets ([`targets`], [`sut_file`]), and these a validated pool
//! ([`pool`]). What a target means, and how a machine is reached, is decided by the kinds in [`crate::sut::kind`].

pub(crate) mod base_identity;
pub(crate) mod due_finishes;
pub(crate) mod machines;
pub(crate) mod pool;
mod remembered_facts;
pub(crate) mod sut_file;
pub(crate) mod targets;
