//! The fmf metadata engine: what the Python module `fmf` 1.7 gives, node by node and value by value.
//!
//! Owns YAML, the tree, inheritance and merging, adjust, selection and fetching. Knows nothing of plans, tests, graph or SUTs.
//! [`Tree::load`] reads a tree, [`Tree::adjusted`] applies a context, [`Tree::prune`] selects nodes; `tests/fmf_reference.rs`
//! compares all of it with Python's module. [`Metadata`] makes trees that need not fit into memory, and finds them again.
//!
//! Where Python raises an exception, whatever it is, there is an [`Error`]. Refused here and not by Python are only: data that contain
//! themselves; halves of surrogate pairs (`"\ud83d"`); text in place of a node's mapping that names an existing directory, which
//! Python would read; integers of more than 4,300 digits in any base; files of more than 64 MiB, or that aliases blow up to
//! more than 8,000,000 values; substitutions that make a text longer by more than 1 MiB.

pub mod condition;
pub mod context;
mod error;
mod fetch;
pub mod filter;
mod prune;
mod python;
pub mod regex;
mod spot;
mod tree;
pub mod value;
mod yaml;

pub use error::Error;
pub use fetch::fetch;
pub use prune::{Pruned, prune};
pub use spot::Spot;
pub use tree::{Chain, Metadata, MetadataFile, Node, Origin, Packing, ReadFile, Rule, Selection, Tree};
pub use value::{Map, Value};
