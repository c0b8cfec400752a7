//! Metadata files that were found and are not read yet, and the ways to make a tree of them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::packed::Packed;
use super::walk::{self, Walk};
use super::{Body, MetadataFile, Tree, grow, inherit, stream};
use crate::Error;
use crate::context::Context;
use crate::value::Map;

/// The metadata files of a tree.
#[derive(Debug)]
pub struct Metadata(Walk);

/// How a file is read: its path relative to the root and its place give its content and the digest of that.
pub type ReadFile<'r> = dyn Fn(&Path, &Path) -> io::Result<(Vec<u8>, blake3::Hash)> + Sync + 'r;

/// What [`Metadata::pack`] makes a tree with.
pub struct Packing<'p> {
    /// What the nodes are adjusted to.
    pub context: &'p Context,
    /// What is to be known of each node's data before they are adjusted, see [`Node::mark`](super::Node::mark).
    pub mark: fn(&Map) -> bool,
    /// Reads the files, several at once.
    pub read: &'p ReadFile<'p>,
    /// All that the tree depends on beside the files; a file that was packed with other words is another one.
    pub about: [u8; 32],
}

impl Metadata {
    /// Finds the files of the tree that a directory belongs to, and reads `.fmf/version` and `.fmf/config`.
    pub fn find(start: &Path) -> Result<Self, Error> {
        walk::walk(start).map(Self)
    }

    /// Returns the directory that holds the tree's `.fmf`, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Returns the files that were read already.
    pub fn settings(&self) -> &[MetadataFile] {
        &self.0.settings
    }

    /// Returns the other files, relative to the root, in fmf's order. The tree depends on their paths, order and contents, and on the
    /// settings, and on nothing else.
    pub fn paths(&self) -> &[PathBuf] {
        &self.0.files
    }

    /// Reads the files and makes a tree in memory.
    pub fn grow(self) -> Result<Tree, Error> {
        let growth = grow::grow(&self.0)?;
        inherit::inherit(self.0, growth)
    }

    /// Reads the files and makes an adjusted tree that lies in `file`, which must be empty, open for reading and writing, and nobody
    /// else's. Nothing where that is not possible: then [`Metadata::grow`] and [`Tree::adjusted`] give the tree, or the error.
    pub fn pack(&self, packing: &Packing<'_>, file: File) -> Option<Tree> {
        let packed = stream::pack(&self.0, packing, file)?;
        Some(Tree(Body::Packed(Arc::new(packed))))
    }

    /// Opens a tree that was packed. Nothing where the file is damaged, or was packed for something else or from other files than
    /// those of these digests.
    pub fn unpack(&self, file: File, about: &[u8; 32], digests: &[blake3::Hash]) -> Option<Tree> {
        let packed = Packed::open(&self.0.root, file, about)?;
        let (settings, files) = packed.files.split_at_checked(self.0.settings.len())?;
        let paths = self.0.files.iter().zip(digests);
        let same = settings == self.0.settings
            && files.len() == self.0.files.len()
            && files.len() == digests.len()
            && files
                .iter()
                .zip(paths)
                .all(|(file, (path, digest))| file.path == *path && file.digest == *digest);
        same.then(|| Tree(Body::Packed(Arc::new(packed))))
    }
}
