//! Python's view of characters and numbers in text, which its `str` methods, `int()` and `re` share.
//!
//! What Python says of whole values is in `value`.

pub(crate) mod chars;
pub(crate) mod number;
