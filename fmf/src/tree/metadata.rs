//! Metadata files that were found but not read yet, and the ways to make a tree from them.

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

/// Reads a file, given its path relative to the root and its absolute path, and returns its content and the digest of that.
pub type ReadFile<'r> = dyn Fn(&Path, &Path) -> io::Result<(Vec<u8>, blake3::Hash)> + Sync + 'r;

/// The parameters of [`Metadata::pack`].
pub struct Packing<'p> {
    /// The context to which the nodes are adjusted.
    pub context: &'p Context,
    /// Computes what has to be known of each node's data before it is adjusted, see [`Node::mark`](super::Node::mark).
    pub mark: fn(&Map) -> bool,
    /// Reads the files. Several threads call it at once.
    pub read: &'p ReadFile<'p>,
    /// A digest of everything that the tree depends on besides the files. A file that was packed with another digest is not
    /// opened.
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

    /// Returns the other files, relative to the root, in fmf's order. The tree depends on their paths, order and contents, and on
    /// the settings, and on nothing else.
    pub fn paths(&self) -> &[PathBuf] {
        &self.0.files
    }

    /// Reads the files and makes a tree in memory.
    pub fn grow(self) -> Result<Tree, Error> {
        let growth = grow::grow(&self.0)?;
        inherit::inherit(self.0, growth)
    }

    /// Reads the files and makes an adjusted tree in `file`, which must be empty, open for reading and writing, and used by
    /// nobody else. Returns `None` if that is not possible; then [`Metadata::grow`] and [`Tree::adjusted`] return the tree, or
    /// the error.
    pub fn pack(&self, packing: &Packing<'_>, file: File) -> Option<Tree> {
        let packed = stream::pack(&self.0, packing, file)?;
        Some(Tree(Body::Packed(Arc::new(packed))))
    }

    /// Opens a packed tree. Returns `None` if the file is damaged, or was packed for something else or from files other than
    /// those with these digests.
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
