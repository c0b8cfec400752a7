//! Symlinks that lead out of the tree: the digest of what they lead to, and the warning about them.
//!
//! On this host, a test reads the target through the link, so the target's content is part of the key. On another machine the
//! link leads to what that machine has there. A key that changes with this host's files costs one more run at most.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use atex_graph::BlobDigest;

use crate::compile::FilesOfTrees;
use crate::compile::inputs::files::{Lost, TreeFile, escaped};
use crate::compile::metadata::trees::{TreeId, Trees};
use crate::compile::plan::Plan;
use crate::compile::plan::test_selection::Selected;
use crate::compile::spec::{UploadKind, Warning};
use crate::compile::test::run_directory;

/// A larger file counts by its size, its inode and the inode's time of change, not by its content.
const LARGEST: u64 = 16 << 20;

/// The number of files behind one link that are read at most.
const MOST: usize = 2_000;

/// Returns the digest of what an absolute symlink leads to, if it leads out of the tree. A symlink that leaves the tree by `..`
/// leads to nothing on any machine.
pub(crate) fn digest(root: &Path, kind: &UploadKind) -> Option<BlobDigest> {
    let UploadKind::Symlink(target) = kind else {
        return None;
    };
    if !target.is_absolute() || target.starts_with(root) {
        return None;
    }
    let (mut hasher, mut left) = (blake3::Hasher::new(), vec![target.clone()]);
    let mut looked = 0;
    while let Some(path) = left.pop() {
        hasher.update(path.as_os_str().as_bytes()).update(&[0]);
        looked += 1;
        // Files beyond the limit still count by their names, which are hashed above.
        if looked <= MOST {
            look(&mut hasher, &path, looked == 1, &mut left);
        }
    }
    Some(BlobDigest::from_bytes(hasher.finalize().into()))
}

/// Returns the text about a symlink that leads out of the tree.
pub(crate) fn said(file: &TreeFile, target: &Path, lost: Lost) -> String {
    let what = match lost {
        Lost::Absolute => "a machine has there what it has itself",
        Lost::Outside | Lost::Circle => "what lies there is not brought to a machine",
    };
    let target = escaped(target);
    format!(
        "the symlink `{}` leads out of the tree, to `{target}`: {what}",
        file.text
    )
}

/// Returns one warning for all symlinks that lead out of the tree and belong to a selected test or to no test.
pub(crate) fn warning(
    selection: &[(&Plan, Vec<Selected<'_>>)],
    trees: &Trees,
    files: &FilesOfTrees,
) -> Option<Warning> {
    let mut places: BTreeSet<TreeId> = BTreeSet::new();
    places.extend(
        selection
            .iter()
            .flat_map(|(plan, _)| plan.places(trees))
            .map(|(id, _)| id),
    );
    let mut out = places.into_iter().flat_map(|id| {
        let links = files[&id].links_out();
        let owners = &trees.get(id).owners;
        links.map(move |link| (id, owners, link))
    });
    let mut selected = None;
    let mut concerns = |id: TreeId, owners: &BTreeSet<PathBuf>, path: &Path| {
        let Some(owner) = path.ancestors().skip(1).find(|above| owners.contains(*above)) else {
            return true;
        };
        let selected = selected.get_or_insert_with(|| directories(selection));
        let within = selected.range((id, owner.to_owned())..).next();
        within.is_some_and(|(of, below)| *of == id && below.starts_with(owner))
            || owner
                .ancestors()
                .any(|above| selected.contains(&(id, above.to_owned())))
    };
    let mut out = out
        .by_ref()
        .filter(|(id, owners, (file, ..))| concerns(*id, owners, &file.path));
    let (_, _, (file, target, lost)) = out.next()?;
    let more = match out.count() {
        0 => String::new(),
        more => format!(" ({more} more do)"),
    };
    Some(Warning {
        text: said(file, target, lost) + &more,
        file: None,
        line: None,
    })
}

/// Returns the directories in which selected tests are defined or run.
fn directories(selection: &[(&Plan, Vec<Selected<'_>>)]) -> BTreeSet<(TreeId, PathBuf)> {
    let tests = selection.iter().flat_map(|(_, tests)| tests);
    let both = tests.flat_map(|test| {
        let runs = run_directory(test.within.tree, test.node).ok();
        let defined = test.node.dir().to_owned();
        runs.into_iter()
            .chain([defined])
            .map(|directory| (test.tree(), directory))
    });
    both.collect()
}

/// Hashes what is at a path. The link itself is followed through further links; what lies below it is hashed without following
/// links.
fn look(hasher: &mut blake3::Hasher, path: &Path, follow: bool, left: &mut Vec<PathBuf>) {
    let metadata = if follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    let Ok(metadata) = metadata else { return };
    hasher.update(&metadata.mode().to_le_bytes());
    if metadata.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut below: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        below.sort_unstable();
        left.extend(below.into_iter().take(MOST + 1));
    } else if metadata.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        hasher.update(target.as_os_str().as_bytes());
    } else if metadata.is_file() {
        content(hasher, path, &metadata);
    }
}

fn content(hasher: &mut blake3::Hasher, path: &Path, metadata: &Metadata) {
    let read = (metadata.len() <= LARGEST).then(|| {
        let mut content = blake3::Hasher::new();
        content.update_reader(File::open(path)?)?;
        std::io::Result::Ok(content.finalize())
    });
    match read {
        Some(Ok(digest)) => hasher.update(digest.as_bytes()),
        // The file is too large, or this user cannot read it.
        _ => [
            metadata.len(),
            metadata.ino(),
            metadata.ctime().cast_unsigned(),
            metadata.ctime_nsec().cast_unsigned(),
        ]
        .iter()
        .fold(hasher, |hasher, number| hasher.update(&number.to_le_bytes())),
    };
}
