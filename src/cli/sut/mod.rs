//! The machines of an invocation, and what this host remembers of them.
//!
//! `-s`, groups, `local*N` and the lines of `--sut-file` become single targets ([`targets`], [`sut_file`]), and these become a
//! validated pool ([`pool`]). The kinds in [`crate::sut::kind`] decide what a target means and how a machine is reached.

pub(crate) mod base_identity;
pub(crate) mod due_finishes;
pub(crate) mod machines;
pub(crate) mod plan_target;
pub(crate) mod pool;
mod remembered_facts;
pub(crate) mod sut_file;
pub(crate) mod targets;
