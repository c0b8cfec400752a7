//! Turns arguments and configuration into validated requests: what is to be compiled, and what is to be run.

pub(crate) mod compile_request;
pub(crate) mod own_files;
pub(crate) mod probes;
pub(crate) mod project;
pub(crate) mod run;
pub(crate) mod secret_key;
pub(crate) mod unusable;
