//! Explains why a node has another key than before: the differences of two transcripts, and their text for people.
//!
//! It compares transcript entries, so it explains nodes of the graph and records of the cache in the same way.

mod causes;
mod diff;
mod lines;
mod text;

pub use causes::{Cause, causes, render_causes};
pub use diff::{Change, diff};
pub(crate) use text::visible;
pub use text::{render, render_one};
