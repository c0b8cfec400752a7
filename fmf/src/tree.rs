//! The metadata tree: nodes in fmf's order, their merged data, and where the data came from.
//!
//! A loaded tree is immutable. [`Tree::adjusted`] makes another tree that shares the shape, the files and all data that did not
//! change. Invariants: a node's parent comes before it in the node table, and `order` is fmf's `climb(whole=True)`.
//!
//! There are two forms of a tree. A [grown](grow) tree is in memory, as it must be while something can still change it. A
//! [packed] tree is adjusted and is in a file, for large trees and for later processes. [`Metadata`] makes both.

mod adjust;
mod ahead;
mod beside;
mod grow;
mod heap;
mod inherit;
mod merge;
mod metadata;
mod origin;
mod packed;
mod select;
mod show;
mod stream;
mod walk;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use metadata::{Metadata, Packing, ReadFile};

pub use origin::{AdjustRule, Chain, Origin};
pub use select::Selection;

use super::Error;
use super::Location;
use super::value::{Entry, Map, Value};
use origin::History;
use packed::Packed;

/// A loaded metadata tree.
#[derive(Clone, Debug)]
pub struct Tree(Body);

#[derive(Clone, Debug)]
enum Body {
    Grown(Grown),
    Packed(Arc<Packed>),
}

/// A tree in memory.
#[derive(Clone, Debug)]
struct Grown {
    shape: Arc<Shape>,
    /// Each node's merged (and adjusted) data, by node number.
    data: Vec<Arc<Map>>,
    aliases: Arc<Vec<Aliases>>,
    history: Arc<History>,
}

/// What adjusting does not change: the nodes, their names, relations and files.
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
    /// The numbers of the files that define the node, in fmf's order.
    sources: Arc<[u32]>,
    /// The nearest file at or above the node.
    file: Option<u32>,
    /// The children in the order in which fmf created them.
    children: Vec<u32>,
    /// Whether `climb(whole=False)` returns the node, which is a leaf or is selected by its `select` directive.
    selected: bool,
}

/// A node while the tree grows, with the data that was defined for it, before inheritance.
#[derive(Debug)]
struct Sprout {
    name: Arc<str>,
    parent: Option<u32>,
    depth: usize,
    data: Map,
    children: Vec<u32>,
    /// The children by the last part of their names.
    by_name: HashMap<Box<str>, u32>,
    sources: Vec<u32>,
    directives: Directives,
    /// Whether data was given at all, even if it was empty. Directories without data stay out of the tree.
    updated: bool,
}

/// The directives that a node has under `/`.
#[derive(Clone, Copy, Debug, Default)]
struct Directives {
    inherit: Option<bool>,
    select: Option<bool>,
}

/// Which kinds of several references to one dictionary a node may have.
#[derive(Clone, Copy, Debug)]
struct Aliases {
    /// Whether other nodes may refer to its dictionaries as well.
    identities: bool,
    /// Whether the node itself may refer to a dictionary more than once.
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

/// A node of a tree. It is a cheap handle.
#[derive(Clone, Copy, Debug)]
pub struct Node<'t> {
    tree: &'t Tree,
    number: u32,
}

impl Tree {
    /// Loads the tree that a directory belongs to. The tree's root is this directory or one above it.
    pub fn load(start: &Path) -> Result<Self, Error> {
        Metadata::find(start)?.grow()
    }

    /// Returns the directory that holds the tree's `.fmf`, as an absolute path.
    pub fn root(&self) -> &Path {
        match &self.0 {
            Body::Grown(grown) => &grown.shape.root,
            Body::Packed(packed) => &packed.root,
        }
    }

    /// Returns every file that was read to make the tree, including `.fmf/version` and `.fmf/config`.
    pub fn metadata_files(&self) -> &[MetadataFile] {
        match &self.0 {
            Body::Grown(grown) => &grown.shape.files,
            Body::Packed(packed) => &packed.files,
        }
    }

    /// Iterates over the nodes as fmf's `climb()` does, with children sorted by name: over all nodes, or over the leaves and the
    /// nodes with the `select` directive.
    pub fn climb(&self, whole: bool) -> impl Iterator<Item = Node<'_>> {
        let count = match &self.0 {
            Body::Grown(grown) => u32::try_from(grown.shape.order.len()).unwrap_or(u32::MAX),
            Body::Packed(packed) => packed.len(),
        };
        let nodes = (0..count).map(|at| Node {
            tree: self,
            number: match &self.0 {
                Body::Grown(grown) => grown.shape.order[at as usize],
                Body::Packed(_) => at,
            },
        });
        nodes.filter(move |node| whole || node.is_selected())
    }

    /// Returns the first node with the given name, if there is one.
    pub fn find(&self, name: &str) -> Option<Node<'_>> {
        self.climb(true).find(|node| node.name() == name)
    }
}

impl<'t> Node<'t> {
    /// Returns the node's name, such as `/tests/basic`.
    pub fn name(self) -> &'t str {
        match &self.tree.0 {
            Body::Grown(grown) => &grown.record(self.number).name,
            Body::Packed(packed) => packed.name(self.number),
        }
    }

    /// Returns the node's merged data. If the tree is packed, the data stays in memory from then on.
    pub fn data(self) -> &'t Map {
        match &self.tree.0 {
            Body::Grown(grown) => grown.data(self.number),
            Body::Packed(packed) => packed.data(self.number),
        }
    }

    /// Returns the node's merged data, for callers that keep it longer than the tree, or only for a moment.
    pub fn shared_data(self) -> Arc<Map> {
        match &self.tree.0 {
            Body::Grown(grown) => Arc::clone(grown.data(self.number)),
            Body::Packed(packed) => packed.load(self.number),
        }
    }

    /// Returns whether the node's data has a key.
    pub fn has_key(self, key: &str) -> bool {
        match &self.tree.0 {
            Body::Grown(grown) => grown.data(self.number).contains_key(key),
            Body::Packed(packed) => packed.has_key(self.number, key),
        }
    }

    /// Returns the value of one of the node's keys.
    pub fn value(self, key: &str) -> Option<Value> {
        match &self.tree.0 {
            Body::Grown(grown) => grown.data(self.number).get(key).cloned(),
            Body::Packed(packed) => packed.value(self.number, key),
        }
    }

    /// Appends the node's data as JSON, as [`Map::write_json`] does.
    pub fn write_data(self, out: &mut String) {
        match &self.tree.0 {
            Body::Grown(grown) => grown.data(self.number).write_json(out),
            Body::Packed(packed) => packed.write_data(self.number, out),
        }
    }

    /// Returns the files that define the node, relative to the root, in fmf's order.
    pub fn sources(self) -> Vec<&'t Path> {
        let files = self.tree.metadata_files();
        let path = |&file: &u32| files.get(file as usize).map(|file| file.path.as_path());
        match &self.tree.0 {
            Body::Grown(grown) => grown.record(self.number).sources.iter().filter_map(path).collect(),
            Body::Packed(packed) => packed.sources(self.number).iter().filter_map(path).collect(),
        }
    }

    /// Returns the directory of the file that defines the node, relative to the root.
    pub fn dir(self) -> &'t Path {
        let file = match &self.tree.0 {
            Body::Grown(grown) => {
                let file = grown.record(self.number).file;
                file.map(|file| &grown.shape.files[file as usize])
            }
            Body::Packed(packed) => packed.file(self.number),
        };
        file.and_then(|file| file.path.parent()).unwrap_or(Path::new(""))
    }

    /// Returns whether the node has children.
    pub fn is_branch(self) -> bool {
        match &self.tree.0 {
            Body::Grown(grown) => !grown.record(self.number).children.is_empty(),
            Body::Packed(packed) => packed.is_branch(self.number),
        }
    }

    /// Returns what the caller of [`Metadata::pack`] wanted to know of the node's data before it was adjusted, or `None` if the
    /// tree is not packed.
    pub fn mark(self) -> Option<bool> {
        match &self.tree.0 {
            Body::Grown(_) => None,
            Body::Packed(packed) => Some(packed.is_marked(self.number)),
        }
    }

    /// Returns the last place that made or changed the value of a top-level key.
    pub fn origin(self, key: &str) -> Option<Origin> {
        self.origins(key).pop()
    }

    /// Returns everything that made the value of a top-level key, from first to last: definition, merges, adjust rules. Values
    /// that an adjust rule replaced are included; values that a child's own definition replaced are not.
    pub fn origins(self, key: &str) -> Vec<Origin> {
        match &self.tree.0 {
            Body::Grown(grown) => {
                let mark = grown.data(self.number).entry(key).map(|entry| entry.mark);
                mark.map_or_else(Vec::new, |mark| grown.history.chain(mark, &grown.shape.files))
            }
            Body::Packed(packed) => packed.origins(self.number, key),
        }
    }

    /// Returns the places of the entries of a mapping that several places made, which is the value of a top-level key. There are
    /// none for other values.
    pub fn parts(self, key: &str) -> Vec<(&'t Value, Origin)> {
        let map = self.data().get(key).and_then(Value::as_map);
        let Some(map) = map.filter(|_| self.origins(key).len() > 1) else {
            return Vec::new();
        };
        let files = self.tree.metadata_files();
        let part = |entry: &'t Entry| {
            let (file, line) = entry.mark.as_place()?;
            let file = files.get(file as usize)?.path.clone();
            let location = Location { file, line };
            Some((&entry.key, Origin { location, adjust: None }))
        };
        map.entries().iter().filter_map(part).collect()
    }

    fn is_selected(self) -> bool {
        match &self.tree.0 {
            Body::Grown(grown) => grown.record(self.number).selected,
            Body::Packed(packed) => packed.is_selected(self.number),
        }
    }
}

impl Grown {
    fn record(&self, number: u32) -> &Record {
        &self.shape.nodes[number as usize]
    }

    fn data(&self, number: u32) -> &Arc<Map> {
        &self.data[number as usize]
    }
}
