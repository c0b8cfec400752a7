//! Files a node depends on: sets that many nodes share, hashed once.
//!
//! A [`FileSet`] is immutable, sorted by path, and knows its digest from birth. The [`InputFiles`] of a node are the union of a few
//! such sets: ten thousand tests that share five thousand library files hold one pointer each, and hash 32 bytes each.
//!
//! What enters the key is the digests of the sets: sorted, each once, without the empty set. So the order in which sets are
//! given, and sets given twice, change nothing. How the files are cut into sets does: whoever makes the sets must
//! cut by a rule of the content alone (the files that belong to no test; the files below one directory), never by chance.
//! A different cut costs a needless run, and can never be a false hit.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::{BlobDigest, FileSetDigest};
use crate::encode::Encoder;

/// Version of the encoding of a file set.
const VERSION: u64 = 1;

/// What of a file's mode matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileMode {
    /// A file that cannot be executed.
    Regular,
    /// A file that its owner can execute.
    Executable,
    /// A symbolic link; its digest is that of the target's text.
    Symlink,
    /// A directory; its digest is that of the names in it.
    Directory,
}

impl FileMode {
    /// The number that stands for the mode in a digest; fixed for ever.
    const fn ordinal(self) -> u64 {
        match self {
            Self::Regular => 1,
            Self::Executable => 2,
            Self::Symlink => 3,
            Self::Directory => 4,
        }
    }

    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Executable => "executable",
            Self::Symlink => "symlink",
            Self::Directory => "directory",
        }
    }
}

/// A file a node depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputFile {
    /// Relative to the tree's root, with `/`; bytes that are not UTF-8 are escaped by whoever fills this in.
    pub path: String,
    /// Of its content.
    pub digest: BlobDigest,
    /// What of its mode matters.
    pub mode: FileMode,
}

/// An immutable set of files that knows its digest. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileSet(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    files: Box<[InputFile]>,
    digest: FileSetDigest,
}

impl FileSet {
    /// Sorts the files, drops what is there twice, and digests the set.
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

    /// The files, sorted by path.
    pub fn files(&self) -> &[InputFile] {
        &self.0.files
    }

    /// Digest of paths, modes and contents.
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

/// All files a node depends on: the union of some [`FileSet`]s. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputFiles(Arc<[FileSet]>);

impl InputFiles {
    /// The union of the sets; their order does not matter, and the empty set adds nothing.
    pub fn union(sets: impl IntoIterator<Item = FileSet>) -> Self {
        let mut sets: Vec<_> = sets.into_iter().filter(|set| !set.files().is_empty()).collect();
        sets.sort_unstable_by_key(FileSet::digest);
        sets.dedup();
        Self(sets.into())
    }

    /// The sets, sorted by digest.
    pub fn sets(&self) -> &[FileSet] {
        &self.0
    }

    /// All files, sorted by path, each once.
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
