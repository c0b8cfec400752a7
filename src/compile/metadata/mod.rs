//! The metadata of the trees of a request: loads them, reads typed values, and finds where a value is written.

pub(crate) mod location;
pub(crate) mod names;
pub(crate) mod read;
pub(crate) mod schema;
pub(crate) mod source_text;
pub(crate) mod test_defaults;
pub(crate) mod trees;
pub(crate) mod unsupported;
