//! The metadata tree: nodes in fmf's order, their merged data, and where it came from.
//!
//! A tree is immutable once loaded. [`Tree::adjusted`] makes another one that shares shape, files and all data that stays
//! the same. Invariants: a node's parent comes before it in the node table; `order` is fmf's `climb(whole=True)`.

mod adjust;
mod grow;
mod heap;
mod inherit;
mod merge;
mod origin;
mod select;
mod show;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use origin::{Origin, Rule};
pub use select::Selection;

use super::Error;
use super::value::Map;
use origin::History;

/// A loaded metadata tree.
#[derive(Clone, Debug)]
pub struct Tree {
    shape: Arc<Shape>,
    /// Each node's merged (and adjusted) data, by node number.
    data: Vec<Arc<Map>>,
    aliases: Arc<Vec<Aliases>>,
    history: Arc<History>,
}

/// What does not change by adjusting: the nodes, their names, relations and files.
#[derive(Debug, Default)]
struct Shape {
    root: PathBuf,
    files: Vec<MetadataFile>,
    nodes: Vec<Record>,
    /// Node numbers in the order of `climb(whole=True)`.
    order: Vec<u32>,
}

/// One node of the shape.
#[derive(Debug)]
struct Record {
    name: Arc<str>,
    /// Files that define the node, as numbers, in fmf's order.
    sources: Arc<[u32]>,
    /// The nearest file at or above the node.
    file: Option<u32>,
    /// Children in the order in which fmf created them.
    children: Vec<u32>,
    /// Whether `climb(whole=False)` gives the node: a leaf, or what its `select` directive says.
    selected: bool,
}

/// A node while the tree grows: what was defined for it, before inheritance.
#[derive(Debug)]
struct Sprout {
    name: Arc<str>,
    parent: Option<u32>,
    depth: usize,
    data: Map,
    children: Vec<u32>,
    sources: Vec<u32>,
    directives: Directives,
    /// Whether data were given at all, even empty ones; directories without stay out of the tree.
    updated: bool,
}

/// What a node says under `/`.
#[derive(Clone, Copy, Debug, Default)]
struct Directives {
    inherit: Option<bool>,
    select: Option<bool>,
}

/// What references to one and the same dictionary a node may have.
#[derive(Clone, Copy, Debug)]
struct Aliases {
    /// Dictionaries that other nodes may refer to as well.
    identities: bool,
    /// Dictionaries that the node itself refers to more than once.
    repeated: bool,
}

/// A file that was read to make the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataFile {
    /// The path, relative to the tree's root.
    pub path: PathBuf,
    /// The digest of its content.
    pub digest: blake3::Hash,
}

/// A node of a tree: a cheap handle.
#[derive(Clone, Copy, Debug)]
pub struct Node<'t> {
    tree: &'t Tree,
    number: u32,
}

impl Tree {
    /// Loads the tree that a directory belongs to: its root is there or above.
    pub fn load(start: &Path) -> Result<Self, Error> {
        let walk = walk::walk(start)?;
        let growth = grow::grow(&walk)?;
        inherit::inherit(walk, growth)
    }

    /// Returns the directory that holds the tree's `.fmf`, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.shape.root
    }

    /// Returns every file that was read to make the tree: `.fmf/version` and `.fmf/config` too.
    pub fn metadata_files(&self) -> &[MetadataFile] {
        &self.shape.files
    }

    /// Iterates over the nodes as fmf's `climb()` does, children sorted by name: all of them, or those that are leaves or
    /// have the `select` directive.
    pub fn climb(&self, whole: bool) -> impl Iterator<Item = Node<'_>> {
        let nodes = self.shape.order.iter().map(|&number| Node { tree: self, number });
        nodes.filter(move |node| whole || node.record().selected)
    }

    /// Returns the first node with the given name, or nothing.
    pub fn find(&self, name: &str) -> Option<Node<'_>> {
        self.climb(true).find(|node| node.name() == name)
    }
}

impl<'t> Node<'t> {
    /// Returns the node's name, such as `/tests/basic`.
    pub fn name(self) -> &'t str {
        &self.record().name
    }

    /// Returns the node's merged data.
    pub fn data(self) -> &'t Map {
        &self.tree.data[self.number as usize]
    }

    /// Returns the node's merged data, to keep beyond the tree.
    pub fn shared_data(self) -> Arc<Map> {
        Arc::clone(&self.tree.data[self.number as usize])
    }

    /// Returns the files that define the node, relative to the root, in fmf's order.
    pub fn sources(self) -> Vec<&'t Path> {
        let files = &self.tree.shape.files;
        self.record()
            .sources
            .iter()
            .map(|&file| files[file as usize].path.as_path())
            .collect()
    }

    /// Returns the directory of the file that defines the node, relative to the root.
    pub fn dir(self) -> &'t Path {
        let file = self.record().file.map(|file| &self.tree.shape.files[file as usize]);
        file.and_then(|file| file.path.parent()).unwrap_or(Path::new(""))
    }

    /// Tells whether the node has children.
    pub fn is_branch(self) -> bool {
        !self.record().children.is_empty()
    }

    /// Returns where the value of a top-level key came from, finally.
    pub fn origin(self, key: &str) -> Option<Origin> {
        self.origins(key).pop()
    }

    /// Returns all that made the value of a top-level key, first to last: definition, merges, adjust rules. What an
    /// adjust rule replaced is part of it; what a child's own definition replaced is not.
    pub fn origins(self, key: &str) -> Vec<Origin> {
        let mark = self.data().entry(key).map(|entry| entry.mark);
        mark.map_or_else(Vec::new, |mark| self.tree.history.chain(mark, &self.tree.shape.files))
    }

    fn record(self) -> &'t Record {
        &self.tree.shape.nodes[self.number as usize]
    }
}
