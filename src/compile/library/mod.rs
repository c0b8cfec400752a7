//! Libraries of tests, as beakerlib's `rlImport` looks for them: what the items of `require` and `recommend` name is found in the
//! tree or fetched, and lies as tmt would put it, in `libs/REPOSITORY/NAME` of the section's directory in the slot.
//!
//! Approach: `requirement` reads what is asked for; `repository` has the trees that libraries come from, each loaded once;
//! `files` makes the files of one of them; `of_plan` follows the libraries of all tests of a plan, and theirs, and says of each
//! test what it needs. Of two libraries for one place in a section the first is taken, as in tmt; a library within another's
//! directory is taken in place of that part of it.
//!
//! A library that cannot be had concerns the tests that need it, which cannot run: see [`Needed::missing`]. The network is used only
//! here and in [`fetch`](crate::compile::fetch), when a graph is made; what only lists reads `requirement` alone.

pub(crate) mod of_plan;
pub(crate) mod requirement;

mod files;
mod patterns;
pub(crate) mod repository;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;

use atex_graph::FileSet;

/// What a test needs beside the files of its own tree, where it requires libraries or files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needed {
    /// The packages that must be installed: its own, and those of its libraries.
    pub(crate) requires: Vec<String>,
    /// The packages that are installed if they are available.
    pub(crate) recommends: Vec<String>,
    /// Its libraries, with those that they need, by place in the slot, and which commit each one is of, or what else it is.
    pub(crate) libraries: BTreeMap<PathBuf, String>,
    /// The files of these libraries, and the files of the tree that it requires by a pattern.
    pub(crate) files: Vec<FileSet>,
    /// Why it cannot run: something that it requires cannot be had.
    pub(crate) missing: Option<String>,
    /// What is said of libraries in whose place a package is taken.
    pub(crate) replaced: Vec<String>,
}
