//! Input files of nodes, as sets that many nodes share and that are hashed once.
//!
//! A [`FileSet`] is immutable, sorted by path, and has its digest from the beginning. The [`InputFiles`] of a node are the union
//! of a few such sets. Ten thousand tests that share five thousand library files hold one pointer each, and hash 32 bytes each.
//!
//! The digests of the sets enter the key: sorted, each one once, without the empty set. So neither the order of the sets nor a
//! set that is given twice changes the key. How the files are divided into sets does change it. Whoever makes the sets must
//! divide them by a rule that depends on the content alone (the files that belong to no test; the files below one directory),
//! never by chance. Another division causes a needless run, but never a false hit.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::{BlobDigest, FileSetDigest};
use crate::encode::Encoder;

/// The version of the encoding of a file set.
const VERSION: u64 = 1;

/// The part of a file's mode that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileMode {
    /// A file that cannot be executed.
    Regular,
    /// A file that its owner can execute.
    Executable,
    /// A symbolic link. Its digest is that of the target's text.
    Symlink,
    /// A directory. Its digest is that of the names in it.
    Directory,
}

impl FileMode {
    /// Returns the number that stands for the mode in a digest. It never changes.
    const fn ordinal(self) -> u64 {
        match self {
            Self::Regular => 1,
            Self::Executable => 2,
            Self::Symlink => 3,
            Self::Directory => 4,
        }
    }

    /// Returns the word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Executable => "executable",
            Self::Symlink => "symlink",
            Self::Directory => "directory",
        }
    }
}

/// A file that a node depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputFile {
    /// The path, relative to the tree's root, with `/`. Whoever fills this in escapes bytes that are not UTF-8.
    pub path: String,
    /// The digest of the content.
    pub digest: BlobDigest,
    /// The part of the file's mode that matters.
    pub mode: FileMode,
}

/// An immutable set of files that knows its digest. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct FileSet(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    files: Box<[InputFile]>,
    digest: FileSetDigest,
}

impl FileSet {
    /// Makes a set: sorts the files, drops duplicates, and digests the set.
    pub fn new(mut files: Vec<InputFile>) -> Self {
        files.sort_unstable();
        files.dedup();
        let mut encoder = Encoder::new("atex.files", VERSION);
        encoder.length(files.len());
        for file in &files {
            encoder.text(&file.path);
            encoder.integer(file.mode.ordinal());
            encoder.digest(file.digest.as_bytes());
        }
        Self(Arc::new(Contents {
            digest: encoder.finish(),
            files: files.into_boxed_slice(),
        }))
    }

    /// Returns the files, sorted by path.
    pub fn files(&self) -> &[InputFile] {
        &self.0.files
    }

    /// Returns the digest of paths, modes and contents.
    pub fn digest(&self) -> FileSetDigest {
        self.0.digest
    }
}

impl PartialEq for FileSet {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for FileSet {}

impl FromIterator<InputFile> for FileSet {
    fn from_iter<I: IntoIterator<Item = InputFile>>(files: I) -> Self {
        Self::new(files.into_iter().collect())
    }
}

/// All files that a node depends on, as the union of some [`FileSet`]s. It is cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputFiles(Arc<[FileSet]>);

impl InputFiles {
    /// Makes the union of the sets. Their order does not matter, and the empty set adds nothing.
    pub fn union(sets: impl IntoIterator<Item = FileSet>) -> Self {
        let mut sets: Vec<_> = sets.into_iter().filter(|set| !set.files().is_empty()).collect();
        sets.sort_unstable_by_key(FileSet::digest);
        sets.dedup();
        Self(sets.into())
    }

    /// Returns the sets, sorted by digest.
    pub fn sets(&self) -> &[FileSet] {
        &self.0
    }

    /// Iterates over all files, sorted by path, each one once.
    pub fn iter(&self) -> impl Iterator<Item = &InputFile> {
        let mut files: Vec<_> = self.sets().iter().flat_map(FileSet::files).collect();
        files.sort(); // the stable sort merges what is sorted already in linear time
        files.dedup();
        files.into_iter()
    }

    /// Returns whether the file at `path` is among them.
    pub fn holds(&self, path: &str) -> bool {
        let finds = |set: &FileSet| {
            set.files()
                .binary_search_by(|file| file.path.as_str().cmp(path))
                .is_ok()
        };
        self.sets().iter().any(finds)
    }

    /// Returns whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<FileSet> for InputFiles {
    fn from(set: FileSet) -> Self {
        Self::union([set])
    }
}

impl From<Vec<InputFile>> for InputFiles {
    fn from(files: Vec<InputFile>) -> Self {
        FileSet::new(files).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{FileMode, FileSet, InputFile, InputFiles};
    use crate::digest::BlobDigest;

    fn file(path: &str, content: &str) -> InputFile {
        InputFile {
            path: path.to_owned(),
            digest: BlobDigest::of(content.as_bytes()),
            mode: FileMode::Regular,
        }
    }

    #[test]
    fn order_and_repetition_of_files_and_sets_change_nothing() {
        let (a, b) = (file("a", "1"), file("b", "2"));
        let set = FileSet::new(vec![a.clone(), b.clone()]);
        assert_eq!(
            set.digest(),
            FileSet::new(vec![b.clone(), a.clone(), b.clone()]).digest()
        );
        let other = FileSet::new(vec![b.clone()]);
        let union = InputFiles::union([set.clone(), other.clone()]);
        assert_eq!(
            union,
            InputFiles::union([other, set.clone(), FileSet::new(vec![]), set])
        );
        assert_eq!(union.iter().collect::<Vec<_>>(), [&a, &b]);
    }

    #[test]
    fn path_content_and_mode_are_all_in_the_digest() {
        let one = FileSet::new(vec![file("a", "1")]);
        let executable = InputFile {
            mode: FileMode::Executable,
            ..file("a", "1")
        };
        for other in [file("b", "1"), file("a", "2"), executable] {
            assert_ne!(one.digest(), FileSet::new(vec![other]).digest());
        }
    }
}
