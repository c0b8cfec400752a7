//! Python's view of characters and of numbers in text, which its `str` methods, `int()` and `re` share.
//!
//! Python's view of whole values is in `value`.

pub(crate) mod chars;
pub(crate) mod number;
