//! The files of a tree with their digests. They are read in parallel, and each is read at most once.
//!
//! A tree is read once per compilation; the inputs of nodes and the uploads are both made from that reading.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use atex_graph::{BlobDigest, FileMode, InputFile};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::compile::inputs::links_outside;
use crate::compile::inputs::walk;
use crate::compile::remembered::file_digests::{Content, DigestCache, Of, Stamp};
use crate::compile::script::read_files::Named;
use crate::compile::spec::{UploadKind, Warning};
use crate::compile::test::interface;

/// All files of one tree.
#[derive(Debug)]
pub(crate) struct TreeFiles {
    /// The root of the tree on the host.
    pub(crate) root: PathBuf,
    /// The files, sorted by path, component by component, so that the files below a directory form one range.
    pub(crate) files: Vec<TreeFile>,
    /// The contents that mention the variable of the control stream; see [`interface`].
    pub(crate) speaking: HashSet<BlobDigest>,
    /// The paths that git ignores; see [`TreeWalk`](crate::compile::inputs::walk::TreeWalk).
    pub(crate) ignored: BTreeMap<PathBuf, Arc<str>>,
}

/// One file of a tree.
#[derive(Clone, Debug)]
pub(crate) struct TreeFile {
    /// The path relative to the root.
    pub(crate) path: PathBuf,
    /// The path as text; see [`escaped`].
    pub(crate) text: String,
    /// The kind of the file, with its content.
    pub(crate) kind: UploadKind,
    /// The digest of what a symlink leads to on this host, if that is outside the tree.
    pub(crate) beyond: Option<BlobDigest>,
}

/// Why a path leads to nothing in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The path leads out of the tree by `..`.
    Outside,
    /// A symlink on the path names a place on this host that is not in the tree.
    Absolute,
    /// The symlinks on the path form a circle.
    Circle,
}

impl TreeFiles {
    /// Reads the tree at `root`, except atex's `own` files. A file that cannot be read, or that is neither file, symlink nor
    /// directory, is left out with a warning.
    pub(crate) fn read(
        (root, own): (&Path, &[PathBuf]),
        cache_dir: Option<&Path>,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let mut found = walk::walk(root);
        found.leave_out(root, own);
        let cache = DigestCache::open(cache_dir, root, Of::Inputs);
        let looked: Vec<_> = found
            .files
            .into_par_iter()
            .map(|path| look(root, path, Some(&cache)))
            .collect();
        let mut files = Vec::with_capacity(looked.len() + found.empty.len());
        let mut speaking = HashSet::new();
        for result in looked {
            match result {
                Ok(file) => files.extend(file.map(|(file, speaks)| {
                    if let (UploadKind::File { digest, .. }, true) = (&file.kind, speaks) {
                        speaking.insert(*digest);
                    }
                    file
                })),
                Err(problem) => found.unreadable.push(problem),
            }
        }
        files.extend(found.empty.into_iter().map(|path| TreeFile {
            text: escaped(&path),
            path,
            kind: UploadKind::Directory,
            beyond: None,
        }));
        files.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        warnings.extend(found.unreadable.into_iter().map(|text| Warning {
            text,
            file: None,
            line: None,
        }));
        // If the cache cannot be written, the next run only takes more time.
        let _ = cache.save();
        Self {
            root: root.to_owned(),
            files,
            speaking,
            ignored: found.ignored,
        }
    }

    /// Reads only the names and the symlinks of the tree, and the content of no file.
    pub(crate) fn names(root: &Path) -> Self {
        let found = walk::walk(root);
        let paths = found.files.into_iter();
        let looked = paths.map(|path| look(root, path, None));
        let mut files: Vec<TreeFile> = looked.filter_map(|file| Some(file.ok()??.0)).collect();
        files.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        Self {
            root: root.to_owned(),
            files,
            speaking: HashSet::new(),
            ignored: found.ignored,
        }
    }

    /// Returns the symlinks that lead out of the tree, with their targets.
    pub(crate) fn links_out(&self) -> impl Iterator<Item = (&TreeFile, &Path, Lost)> {
        let links = self.files.iter().filter_map(|file| Some((file, file.link()?)));
        links.filter_map(|(file, target)| match self.resolved(&file.path).0 {
            Err(lost @ (Lost::Outside | Lost::Absolute)) => Some((file, target, lost)),
            Err(Lost::Circle) | Ok(_) => None,
        })
    }

    /// If something exists at a path and git's rules keep it from being uploaded, returns the place of that rule.
    pub(crate) fn left_out(&self, path: &Path) -> Option<&Arc<str>> {
        let above = path.ancestors().find_map(|above| self.ignored.get(above));
        let within = || {
            let (first, rule) = self.ignored.range(path.to_owned()..).next()?;
            (first.starts_with(path) && self.below(path).is_empty()).then_some(rule)
        };
        let rule = above.or_else(within)?;
        self.root.join(path).symlink_metadata().is_ok().then_some(rule)
    }

    /// Of what a word names in a directory that contains the tree below `prefix`, returns the first path that is left out, with
    /// the place of git's rule.
    pub(crate) fn left_out_of(&self, named: &Named, prefix: &str) -> Option<(PathBuf, &Arc<str>)> {
        match named {
            Named::Path(path) => {
                let path = path.strip_prefix(prefix).ok()?;
                Some((path.to_owned(), self.left_out(path)?))
            }
            Named::Glob(glob) => {
                let mut ignored = self.ignored.iter();
                let (path, rule) = ignored.find(|(path, _)| glob.is_match(Path::new(prefix).join(path)))?;
                Some((path.clone(), rule))
            }
        }
    }

    /// Returns the size of a file of the tree that is not a symlink.
    pub(crate) fn size(&self, path: &Path) -> Option<u64> {
        match self.get(path)?.kind {
            UploadKind::File { size, .. } => Some(size),
            _ => None,
        }
    }

    /// Returns the files below a directory; for the empty path, all files.
    pub(crate) fn below(&self, directory: &Path) -> &[TreeFile] {
        let start = self.files.partition_point(|file| file.path.as_path() < directory);
        let length = self.files[start..].partition_point(|file| file.path.starts_with(directory));
        &self.files[start..start + length]
    }

    /// Returns a file and, if it is a symlink, what it leads to.
    pub(crate) fn with_target<'f>(&'f self, file: &'f TreeFile) -> Vec<&'f TreeFile> {
        match file.kind {
            UploadKind::Symlink(_) => self.reachable(&file.path),
            _ => vec![file],
        }
    }

    /// Returns everything below a directory, and everything in the tree that the symlinks there lead to.
    pub(crate) fn reachable(&self, directory: &Path) -> Vec<&TreeFile> {
        let (mut found, mut next) = (Vec::new(), vec![directory.to_owned()]);
        let mut seen = HashSet::new();
        while let Some(path) = next.pop() {
            let (path, passed) = self.resolved(&path);
            // Symlinks on the way count as well, because another symlink in the same place would lead elsewhere.
            found.extend(passed);
            let Ok(path) = path else { continue };
            if !seen.insert(path.clone()) {
                continue;
            }
            for file in self.below(&path) {
                if matches!(file.kind, UploadKind::Symlink(_)) {
                    next.push(file.path.clone());
                }
                found.push(file);
            }
        }
        found.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        found.dedup_by(|left, right| left.path == right.path);
        found
    }

    /// Follows a path as the kernel does, part by part, including symlinks in the last part. Returns the path without symlinks,
    /// or why it leads to nothing in the tree, and the symlinks on the way.
    pub(crate) fn resolved(&self, path: &Path) -> (Result<PathBuf, Lost>, Vec<&TreeFile>) {
        /// The kernel's limit on the symlinks in a path.
        const LINKS: usize = 40;
        let (mut at, mut passed) = (PathBuf::new(), Vec::new());
        let mut left: Vec<OsString> = parts(path).collect();
        while let Some(part) = left.pop() {
            if part == ".." {
                if !at.pop() {
                    return (Err(Lost::Outside), passed);
                }
                continue;
            }
            at.push(&part);
            let Some((file, target)) = self.get(&at).and_then(|file| Some((file, file.link()?))) else {
                continue;
            };
            passed.push(file);
            if passed.len() > LINKS {
                return (Err(Lost::Circle), passed);
            }
            at.pop();
            if target.is_absolute() {
                let Ok(within) = target.strip_prefix(&self.root) else {
                    return (Err(Lost::Absolute), passed);
                };
                at = PathBuf::new();
                left.extend(parts(within));
            } else {
                left.extend(parts(target));
            }
        }
        (Ok(at), passed)
    }

    fn get(&self, path: &Path) -> Option<&TreeFile> {
        let at = self.files.binary_search_by(|file| file.path.as_path().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Returns the digest of the paths, modes and contents of all files, .fmf files included.
    pub(crate) fn digest(&self) -> BlobDigest {
        let mut hasher = blake3::Hasher::new();
        for input in self.files.iter().map(|file| file.input("")) {
            hasher.update(&(input.path.len() as u64).to_le_bytes());
            hasher.update(input.path.as_bytes());
            hasher.update(input.mode.word().as_bytes());
            hasher.update(input.digest.as_bytes());
        }
        BlobDigest::from_bytes(hasher.finalize().into())
    }
}

/// Returns the parts of a path, the last one first, without those that stay in place (`.`).
fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(named)
}

impl TreeFile {
    /// Returns the file as an input of a node. An empty directory is one, too: it is brought to the machine, where a test sees it.
    /// `prefix` is the section's directory in the slot, with its slash.
    pub(crate) fn input(&self, prefix: &str) -> InputFile {
        let (digest, mode) = match &self.kind {
            UploadKind::File {
                digest,
                executable: false,
                ..
            } => (*digest, FileMode::Regular),
            UploadKind::File {
                digest,
                executable: true,
                ..
            } => (*digest, FileMode::Executable),
            UploadKind::Symlink(target) => {
                let mut text = target.as_os_str().as_bytes().to_vec();
                if let Some(beyond) = self.beyond {
                    text.push(0);
                    text.extend(beyond.as_bytes());
                }
                (BlobDigest::of(&text), FileMode::Symlink)
            }
            UploadKind::Directory => (BlobDigest::of(b""), FileMode::Directory),
        };
        InputFile {
            path: format!("{prefix}{}", self.text),
            digest,
            mode,
        }
    }

    fn link(&self) -> Option<&Path> {
        match &self.kind {
            UploadKind::Symlink(target) => Some(target),
            _ => None,
        }
    }

    /// Returns whether the file is metadata. What matters of a metadata file is in the nodes already.
    pub(crate) fn is_metadata(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "fmf")
            || self.path.components().any(|part| part.as_os_str() == ".fmf")
            || self.text == "atex.toml"
    }
}

/// Returns a path as text, with different texts for different paths: bytes that are not UTF-8 become `\xNN`, and a backslash
/// becomes `\\`.
pub(crate) fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            // Writing to memory cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Finds the kind and the digest of a file, and what it leads to; without a cache, only its name and kind. `Ok(None)` means that
/// the file is gone, such as a temporary file of an editor.
fn look(root: &Path, path: PathBuf, cache: Option<&DigestCache>) -> Result<Option<(TreeFile, bool)>, String> {
    match kind(&root.join(&path), &path, cache) {
        Ok(Some((kind, speaks))) => {
            let file = TreeFile {
                text: escaped(&path),
                beyond: cache.and_then(|_| links_outside::digest(root, &kind)),
                path,
                kind,
            };
            Ok(Some((file, speaks)))
        }
        Ok(None) => Err(format!(
            "`{}` is neither file, symlink nor directory and is left out",
            path.display()
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read `{}`, which is left out: {error}", path.display())),
    }
}

/// Reads one file again, without any cache. Returns `None` if it is gone, unreadable, or of a kind that is not uploaded.
pub(crate) fn kind_now(place: &Path) -> Option<UploadKind> {
    let cache = DigestCache::open(None, Path::new("/"), Of::Inputs);
    Some(kind(place, Path::new(""), Some(&cache)).ok()??.0)
}

/// What a file is, and whether its content mentions the control stream.
fn kind(place: &Path, path: &Path, cache: Option<&DigestCache>) -> io::Result<Option<(UploadKind, bool)>> {
    let metadata = fs::symlink_metadata(place)?;
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return Ok(Some((UploadKind::Symlink(fs::read_link(place)?), false)));
    }
    if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        return Ok(None);
    }
    if kind.is_dir() {
        return Ok(Some((UploadKind::Directory, false)));
    }
    let content = match cache {
        Some(cache) => cache.digest(path, Stamp::of(&metadata), || content_of(place))?,
        None => Content::of_digest([0; 32]),
    };
    let kind = UploadKind::File {
        digest: BlobDigest::from_bytes(content.digest),
        executable: metadata.permissions().mode() & 0o100 != 0,
        size: metadata.len(),
    };
    Ok(Some((kind, content.speaks)))
}

fn content_of(place: &Path) -> io::Result<Content> {
    let mut hasher = blake3::Hasher::new();
    let mut file = interface::Listening::new(fs::File::open(place)?);
    hasher.update_reader(&mut file)?;
    Ok(Content {
        digest: hasher.finalize().into(),
        speaks: file.heard(),
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::{fs, io};

    use super::{TreeFiles, escaped};
    use crate::compile::spec::UploadKind;

    fn read(root: &Path) -> (TreeFiles, Vec<String>) {
        let mut warnings = Vec::new();
        let files = TreeFiles::read((root, &[]), None, &mut warnings);
        (files, warnings.into_iter().map(|warning| warning.text).collect())
    }

    #[test]
    fn files_links_and_empty_directories_are_kept_and_the_rest_is_reported() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let root = dir.path();
        fs::create_dir_all(root.join("empty/below"))?;
        fs::write(root.join("file"), "text")?;
        symlink("/nowhere", root.join("link"))?;
        symlink("empty", root.join("to-dir"))?;
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("fifo"),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )?;
        let (files, warnings) = read(root);
        let kinds: Vec<_> = files
            .files
            .iter()
            .map(|file| (file.text.as_str(), file.kind.clone()))
            .collect();
        assert_eq!(kinds.len(), 4, "{kinds:?}");
        assert_eq!(kinds[0], ("empty/below", UploadKind::Directory));
        assert!(matches!(
            kinds[1],
            (
                "file",
                UploadKind::File {
                    size: 4,
                    executable: false,
                    ..
                }
            )
        ));
        assert_eq!(kinds[2], ("link", UploadKind::Symlink("/nowhere".into())));
        assert_eq!(kinds[3], ("to-dir", UploadKind::Symlink("empty".into())));
        assert_eq!(
            warnings,
            ["`fifo` is neither file, symlink nor directory and is left out"]
        );
        let out: Vec<_> = files
            .links_out()
            .map(|(file, target, _)| (file.text.as_str(), target))
            .collect();
        assert_eq!(out, [("link", Path::new("/nowhere"))]);
        Ok(())
    }

    #[test]
    fn what_lies_below_a_directory_is_a_range_by_components() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        for file in ["a/x", "a-b/x", "a.b", "a/y/z", "b"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent"))?;
            fs::write(path, "")?;
        }
        let (files, _) = read(dir.path());
        let below = |directory: &str| -> Vec<String> {
            files
                .below(Path::new(directory))
                .iter()
                .map(|file| file.text.clone())
                .collect()
        };
        assert_eq!(below("a"), ["a/x", "a/y/z"]);
        assert_eq!(below("a/y"), ["a/y/z"]);
        assert_eq!(below("c"), [""; 0]);
        assert_eq!(below("").len(), 5);
        Ok(())
    }

    #[test]
    fn what_links_lead_to_is_reachable() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        for file in ["t/a/run", "t/b/data", "lib/d/x", "other/y"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent"))?;
            fs::write(path, "")?;
        }
        symlink("../b/data", dir.path().join("t/a/data"))?;
        symlink("../../lib", dir.path().join("t/a/lib"))?;
        symlink("../../../outside", dir.path().join("t/a/out"))?;
        symlink("../t/a", dir.path().join("lib/back"))?;
        symlink("t", dir.path().join("alias"))?;
        symlink("circle", dir.path().join("circle"))?;
        let (files, _) = read(dir.path());
        let reachable = |directory: &str| {
            let mut paths: Vec<_> = files
                .reachable(Path::new(directory))
                .iter()
                .map(|file| file.text.clone())
                .collect();
            paths.sort();
            paths
        };
        let expected = [
            "lib/back", "lib/d/x", "t/a/data", "t/a/lib", "t/a/out", "t/a/run", "t/b/data",
        ];
        assert_eq!(reachable("t/a"), expected);
        assert_eq!(reachable("alias/a"), [&["alias"][..], &expected].concat());
        assert_eq!(reachable("circle/x"), ["circle"]);
        Ok(())
    }

    #[test]
    fn links_are_followed_as_the_kernel_does() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        fs::create_dir_all(dir.path().join("b/deep/dir"))?;
        fs::create_dir_all(dir.path().join("a"))?;
        fs::write(dir.path().join("b/deep/x"), "")?;
        symlink("../b/deep/dir", dir.path().join("a/alias"))?;
        symlink("alias/../x", dir.path().join("a/link"))?;
        symlink(dir.path().join("b/deep/x"), dir.path().join("a/absolute"))?;
        symlink("/nowhere", dir.path().join("a/out"))?;
        let (files, _) = read(dir.path());
        let target = |path: &str| files.resolved(Path::new(path)).0;
        assert_eq!(target("a/link"), Ok("b/deep/x".into()));
        assert_eq!(target("a/absolute"), Ok("b/deep/x".into()));
        assert_eq!(target("a/out"), Err(super::Lost::Absolute));
        assert_eq!(target("a/alias/../../../../x"), Err(super::Lost::Outside));
        Ok(())
    }

    #[test]
    fn paths_that_are_not_text_stay_apart() {
        let raw = |bytes: &[u8]| escaped(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(raw(b"a/\xff"), r"a/\xff");
        assert_ne!(raw(b"a/\xff"), raw(br"a/\xff"));
        assert_eq!(raw("ä b".as_bytes()), "ä b");
    }
}
