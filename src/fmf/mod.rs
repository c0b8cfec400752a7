//! The fmf metadata engine: what the Python module `fmf` 1.7 gives, node by node and value by value.
//!
//! Owns YAML, the tree, inheritance and merging, adjust, selection and fetching. Knows nothing of plans, tests, graph or SUTs.

pub mod condition;
pub mod context;
mod error;
mod fetch;
pub mod filter;
mod python;
pub mod regex;
mod tree;
pub mod value;
mod yaml;

pub use error::{Error, Spot};
pub use fetch::fetch;
pub use tree::{MetadataFile, Node, Origin, Rule, Selection, Tree};
pub use value::{Map, Value};
