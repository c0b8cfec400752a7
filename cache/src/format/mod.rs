//! How the bytes of files are made, and read back with a check.

pub(crate) mod json;
