//! The metadata tree: nodes in fmf's order, their merged data, and where it came from.
//!
//! A tree is immutable once loaded. [`Tree::adjusted`] makes another one that shares shape, files and all data that stays
//! the same. Invariants: a node's parent comes before it in the node table; `order` is fmf's `climb(whole=True)`.
//!
//! There are two ways to have a tree. One that [has grown](grow) is in memory, as it must be where something can still change it. One that
//! is [packed] is adjusted and lies in a file: for large trees, and for the next process. [`Metadata`] makes both.

mod adjust;
mod ahead;
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
    /// The same, by the last part of their names.
    by_name: HashMap<Box<str>, u32>,
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
        Metadata::find(start)?.grow()
    }

    /// Returns the directory that holds the tree's `.fmf`, as an absolute path.
    pub fn root(&self) -> &Path {
        match &self.0 {
            Body::Grown(grown) => &grown.shape.root,
            Body::Packed(packed) => &packed.root,
        }
    }

    /// Returns every file that was read to make the tree: `.fmf/version` and `.fmf/config` too.
    pub fn metadata_files(&self) -> &[MetadataFile] {
        match &self.0 {
            Body::Grown(grown) => &grown.shape.files,
            Body::Packed(packed) => &packed.files,
        }
    }

    /// Iterates over the nodes as fmf's `climb()` does, children sorted by name: all of them, or those that are leaves or
    /// have the `select` directive.
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

    /// Returns the first node with the given name, or nothing.
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

    /// Returns the node's merged data. Of a packed tree they stay in memory from then on.
    pub fn data(self) -> &'t Map {
        match &self.tree.0 {
            Body::Grown(grown) => grown.data(self.number),
            Body::Packed(packed) => packed.data(self.number),
        }
    }

    /// Returns the node's merged data, to keep beyond the tree, or for a moment.
    pub fn shared_data(self) -> Arc<Map> {
        match &self.tree.0 {
            Body::Grown(grown) => Arc::clone(grown.data(self.number)),
            Body::Packed(packed) => packed.load(self.number),
        }
    }

    /// Tells whether the node's data have a key.
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

    /// Tells whether the node has children.
    pub fn is_branch(self) -> bool {
        match &self.tree.0 {
            Body::Grown(grown) => !grown.record(self.number).children.is_empty(),
            Body::Packed(packed) => packed.is_branch(self.number),
        }
    }

    /// Tells what the caller of [`Metadata::pack`] wanted to know of the node's data before they were adjusted; nothing is known of
    /// a tree that is not packed.
    pub fn mark(self) -> Option<bool> {
        match &self.tree.0 {
            Body::Grown(_) => None,
            Body::Packed(packed) => Some(packed.is_marked(self.number)),
        }
    }

    /// Returns where the value of a top-level key came from, finally.
    pub fn origin(self, key: &str) -> Option<Origin> {
        self.origins(key).pop()
    }

    /// Returns all that made the value of a top-level key, first to last: definition, merges, adjust rules. What an
    /// adjust rule replaced is part of it; what a child's own definition replaced is not.
    pub fn origins(self, key: &str) -> Vec<Origin> {
        match &self.tree.0 {
            Body::Grown(grown) => {
                let mark = grown.data(self.number).entry(key).map(|entry| entry.mark);
                mark.map_or_else(Vec::new, |mark| grown.history.chain(mark, &grown.shape.files))
            }
            Body::Packed(packed) => packed.origins(self.number, key),
        }
    }

    /// Returns where the entries stand of a mapping that several places made, the value of a top-level key; nothing for other values.
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
