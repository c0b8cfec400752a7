//! The metadata of the trees of a request: loading them, reading typed values, and where a value stands.

pub(crate) mod location;
pub(crate) mod names;
pub(crate) mod read;
pub(crate) mod schema;
pub(crate) mod source_text;
pub(crate) mod trees;
pub(crate) mod unsupported;
