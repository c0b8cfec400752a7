//! The fmf metadata engine, which gives the same results as the Python module `fmf` 1.7, node by node and value by value.
//!
//! It contains YAML, the tree, inheritance and merging, adjust and selection. It does not know what the metadata are used for.
//! [`Tree::load`] reads a tree, [`Tree::adjusted`] applies a context, [`Tree::prune`] selects nodes, and [`Node::origins`]
//! returns which lines made a value. [`Metadata`] makes trees that need not fit into memory, and opens them again.
//! `tests/fmf/reference` compares all of it with Python's module.
//!
//! ```
//! # use std::fs;
//! use atex_fmf::context::Context;
//! use atex_fmf::{Selection, Tree};
//!
//! # let dir = tempfile::tempdir()?;
//! # let root = dir.path();
//! # fs::create_dir(root.join(".fmf"))?;
//! # fs::write(root.join(".fmf/version"), "1\n")?;
//! fs::write(
//!     root.join("main.fmf"),
//!     "tag: fast\n/smoke:\n  test: ./smoke.sh\n  adjust:\n  - when: arch == s390x\n    tag: slow\n",
//! )?;
//! let mut context = Context::new();
//! context.set("arch", &["s390x"]);
//! let tree = Tree::load(root)?.into_adjusted(&context)?;
//! let selection = Selection {
//!     filters: vec!["tag: slow".to_owned()],
//!     ..Selection::default()
//! };
//! let [smoke] = tree.prune(&selection)?[..] else { panic!("there is one slow test") };
//! assert_eq!(smoke.name(), "/smoke");
//! let origin = smoke.origin("tag").expect("it was written somewhere");
//! assert_eq!(origin.location.to_string(), "main.fmf:6");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where Python raises an exception of any kind, there is an [`Error`]. Only these are refused here and not by Python: data that
//! contain themselves; halves of surrogate pairs (`"\ud83d"`); text in place of a node's mapping that names an existing
//! directory, which Python would read; integers of more than 4,300 digits in any base; files of more than 64 MiB, or that aliases
//! expand to more than 8,000,000 values; substitutions that make a text longer by more than 1 MiB.

pub mod condition;
pub mod context;
mod error;
pub mod filter;
mod location;
mod python;
pub mod regex;
mod tree;
pub mod value;
mod yaml;

pub use error::Error;
pub use location::{Location, MarkedLine};
pub use tree::{AdjustRule, Chain, Metadata, MetadataFile, Node, Origin, Packing, ReadFile, Selection, Tree};
pub use value::{Map, Value};
pub use yaml::Problem as YamlProblem;
