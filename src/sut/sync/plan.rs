//! The plan of a sync: a pure function from what the host has, what was synced before, and what the machine's tree holds now,
//! to what must be done.
//!
//! Invariants: nothing is written or removed through a symlink (whatever must be a directory is listed in [`SyncPlan::dirs`],
//! and anything else in its place is removed first); a path that is sent does not exist any more when it arrives; and in
//! [`SyncMode::KeepPrepared`] the work of those prepare steps that are to be kept is never removed, unless the host has a new
//! version of that very path.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;

use crate::sut::SyncMode;
use crate::sut::sync::files::{FileEntry, FileKind, SlotFiles};
use crate::sut::sync::manifest::{RelPath, Steps, TreeManifest, remembered};

/// The agent's listing of a tree: a map from each path to the entry there.
#[derive(Debug, Default)]
pub(crate) struct TreeListing<'a>(HashMap<&'a [u8], ListingEntry<'a>>);

/// The entry at a path of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ListingEntry<'a> {
    /// A text that changes whenever the content or the mode of the path does. The content of a directory is the names in it.
    fingerprint: &'a [u8],
    is_dir: bool,
}

impl ListingEntry<'_> {
    /// Splits the fingerprint into inode and mode, the time of the last change of the content, and that of any change; `None`
    /// if it has another form.
    fn parts(&self) -> Option<[&[u8]; 4]> {
        let tab = self.fingerprint.iter().position(|byte| *byte == b'\t')?;
        let mut words = self.fingerprint[..tab].splitn(4, |byte| *byte == b'.');
        let (inode, _size, mode) = (words.next()?, words.next()?, words.next()?);
        Some([inode, mode, words.next()?, &self.fingerprint[tab + 1..]])
    }

    /// Whether it is the same directory as before with nothing changed but the names in it. A change of names sets both
    /// times; any other change sets only the time of any change.
    fn is_same_dir(&self, before: &Self) -> bool {
        let (Some([inode, mode, changed, any]), Some([inode_then, mode_then, ..])) = (self.parts(), before.parts())
        else {
            return false;
        };
        self.is_dir && before.is_dir && (inode, mode) == (inode_then, mode_then) && changed == any
    }
}

impl<'a> TreeListing<'a> {
    /// Parses records of the form `INODE.SIZE.MODE.MTIME TAB CTIME TAB ./path NUL`; others are skipped. Where a path has
    /// several records, the last one counts. The root and the directories come after everything else.
    pub(crate) fn parse(bytes: &'a [u8]) -> Self {
        let mut entries: HashMap<&[u8], ListingEntry<'_>> = HashMap::new();
        let mut in_dirs = false;
        for record in bytes.split(|byte| *byte == 0) {
            let tab = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\t');
            let Some(first) = tab(record) else { continue };
            let Some(second) = tab(&record[first + 1..]).map(|at| first + 1 + at) else {
                continue;
            };
            in_dirs |= &record[second + 1..] == b".";
            let Some(path) = record[second + 1..].strip_prefix(b"./") else {
                continue;
            };
            let entry = ListingEntry {
                fingerprint: &record[..second],
                // A file whose times were set is listed again behind the directories. It stays what it was listed as before.
                is_dir: in_dirs && entries.get(path).is_none_or(|entry| entry.is_dir),
            };
            entries.insert(path, entry);
        }
        Self(entries)
    }

    fn has(&self, path: &[u8]) -> bool {
        self.0.contains_key(path)
    }
}

/// What is known of a slot on the machine.
#[derive(Debug, Default)]
pub(crate) struct SlotContents<'a> {
    /// What was synced there.
    pub manifest: TreeManifest,
    /// The tree after that sync.
    pub before: TreeListing<'a>,
    /// The tree now.
    pub now: TreeListing<'a>,
    /// The paths that an interrupted sync may have written to. Nothing that is known of them is believed.
    pub touched: HashSet<&'a [u8]>,
}

impl SlotContents<'_> {
    fn changed(&self, path: &[u8]) -> bool {
        self.touched.contains(path) || self.before.0.get(path) != self.now.0.get(path)
    }

    /// Whether the entry at a path differs from what it was. A directory in which only names changed does not: these are
    /// compared themselves.
    fn is_other(&self, path: &[u8]) -> bool {
        match (self.before.0.get(path), self.now.0.get(path)) {
            (Some(before), Some(now)) => before != now && !now.is_same_dir(before),
            (before, now) => before != now,
        }
    }

    /// Whether the work of a prepare step at a path is not there as the step left it. A path that the step removed cannot be
    /// lost.
    fn lost(&self, path: &[u8]) -> bool {
        self.before.has(path) && self.is_other(path)
    }

    /// Returns the manifest after the prepare step at position `step` of a chain: what changed since the last sync is the
    /// work of that step.
    pub(crate) fn adopt(mut self, step: usize) -> TreeManifest {
        for path in &self.touched {
            self.manifest.files.remove(*path);
        }
        let paths: HashSet<&[u8]> = self.before.0.keys().chain(self.now.0.keys()).copied().collect();
        let work: Vec<RelPath> = paths
            .into_iter()
            .filter(|path| self.is_other(path))
            .map(<[u8]>::to_vec)
            .collect();
        for path in work {
            let steps = self.manifest.adopted.entry(path).or_insert(Steps {
                first: step,
                last: step,
            });
            *steps = Steps {
                first: steps.first.min(step),
                last: steps.last.max(step),
            };
        }
        self.manifest
    }
}

/// What must be done, in this order: remove `gone`, make way for `dirs`, extract `dirs` and `send`.
#[derive(Debug, Default)]
pub(crate) struct SyncPlan<'a> {
    /// The paths to remove, each with everything below it. None of them lies below another one.
    pub gone: Vec<&'a [u8]>,
    /// The paths that must be directories, parents first.
    pub dirs: Vec<&'a [u8]>,
    /// The files and symlinks to send.
    pub send: Vec<&'a FileEntry>,
    /// How many existing paths are removed and not replaced.
    pub removed: u64,
    /// The manifest of the tree afterwards.
    pub manifest: TreeManifest,
    /// See [`Synced::lost_prepared`](crate::sut::Synced::lost_prepared).
    pub lost_prepared: Option<usize>,
}

impl SyncPlan<'_> {
    /// Whether the tree is as it should be already.
    pub(crate) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.dirs.is_empty() && self.send.is_empty()
    }
}

/// Finds out what must be done so that the tree holds `set`.
///
/// The steps are: find the paths that stay as prepare steps left them; find the files that must be sent; from both follow the
/// directories that must exist; everything else that is there is removed.
pub(crate) fn plan<'a>(set: &'a SlotFiles, seen: &'a SlotContents<'a>, mode: SyncMode) -> SyncPlan<'a> {
    let leaves: HashMap<&[u8], &FileEntry> = set.files.iter().map(|entry| (bytes(entry), entry)).collect();
    let all = kept(&leaves, seen, mode);
    let steps = match mode {
        SyncMode::KeepPrepared(steps) => steps,
        SyncMode::KeepRest | SyncMode::ExactIfUnprepared | SyncMode::Exact => usize::MAX,
    };
    let first_lost = first_lost(&all, seen, steps);
    let of_steps = all.iter().filter(|(_, made)| made.last < steps);
    let kept: BTreeMap<&[u8], Steps> = of_steps.map(|(path, made)| (*path, *made)).collect();
    let send: Vec<&FileEntry> = set.files.iter().filter(|entry| must_send(entry, seen, &kept)).collect();

    let mut wanted: BTreeSet<&[u8]> = leaves.keys().flat_map(|path| ancestors(path)).collect();
    wanted.extend(
        set.files
            .iter()
            .filter(|entry| entry.kind == FileKind::Directory)
            .map(bytes),
    );
    // Where the last sync left a directory, and nothing has changed since, there still is one.
    let was_none = |dir: &[u8]| {
        let file = matches!(
            seen.manifest.files.get(dir),
            Some(FileKind::File { .. } | FileKind::Symlink(_))
        );
        file || seen.manifest.adopted.contains_key(dir)
    };
    let stale = |dir: &[u8]| !kept.contains_key(dir) && (was_none(dir) || !seen.now.has(dir) || seen.changed(dir));
    let mut dirs: BTreeSet<&[u8]> = wanted.iter().copied().filter(|dir| stale(dir)).collect();
    let below: Vec<&[u8]> = dirs
        .iter()
        .copied()
        .chain(send.iter().map(|entry| bytes(entry)))
        .collect();
    dirs.extend(below.into_iter().flat_map(ancestors));

    let sent: HashSet<&[u8]> = send.iter().map(|entry| bytes(entry)).collect();
    // A path that a prepare step removed but that exists now came from a test.
    let standing: HashSet<&[u8]> = kept.keys().copied().filter(|path| seen.before.has(path)).collect();
    let shelter: HashSet<&[u8]> = standing.iter().flat_map(|path| ancestors(path)).collect();
    let stays = |path: &[u8]| {
        let brought = leaves.contains_key(path) && !sent.contains(path) || wanted.contains(path);
        standing.contains(path) || shelter.contains(path) || brought && !kept.contains_key(path)
    };
    let doomed: HashSet<&[u8]> = seen.now.0.keys().copied().filter(|path| !stays(path)).collect();
    let removed = doomed.difference(&sent).count() as u64;
    let covered = |path: &[u8]| ancestors(path).any(|parent| doomed.contains(parent));
    let gone = doomed.iter().copied().filter(|path| !covered(path)).collect();

    let mut manifest = TreeManifest::of(set);
    manifest.adopted = kept.into_iter().map(|(path, made)| (path.to_vec(), made)).collect();
    SyncPlan {
        gone,
        dirs: dirs.into_iter().collect(),
        send,
        removed,
        manifest,
        lost_prepared: (first_lost < steps).then_some(first_lost),
    }
}

/// Returns the paths that stay as prepare steps left them: they were adopted, an interrupted sync did not touch them, and the
/// host's version is the one that was there then. What lies below a file of the host stays only if the path of that file
/// does.
fn kept<'a>(
    leaves: &HashMap<&[u8], &FileEntry>,
    seen: &'a SlotContents<'_>,
    mode: SyncMode,
) -> BTreeMap<&'a [u8], Steps> {
    let mut kept: BTreeMap<&[u8], Steps> = BTreeMap::new();
    if !mode.keeps_prepared() {
        return kept;
    }
    // In this order, parents come before what lies below them.
    for (path, &made) in &seen.manifest.adopted {
        let path = path.as_slice();
        let host = leaves.get(path).map(|entry| remembered(&entry.kind));
        let same = host.as_ref() == seen.manifest.files.get(path);
        let free = |parent: &[u8]| match leaves.get(parent) {
            Some(entry) if entry.kind != FileKind::Directory => kept.contains_key(parent),
            _ => true,
        };
        if same && !seen.touched.contains(path) && ancestors(path).all(free) {
            kept.insert(path, made);
        }
    }
    kept
}

/// Returns the first step that must run again so that the tree is as the first `steps` steps left it; `steps` if none must.
///
/// What is lost must be made again by the first step that changed it and by all steps after that one. The work of these, and
/// of the steps that are not wanted, is removed. But where an earlier step had changed such a path too, it is not known how
/// the path was after that step, so that step must run again as well.
fn first_lost(kept: &BTreeMap<&[u8], Steps>, seen: &SlotContents<'_>, steps: usize) -> usize {
    let wanted = kept.iter().filter(|(_, made)| made.first < steps);
    let lost = wanted.filter(|(path, _)| seen.lost(path)).map(|(_, made)| made.first);
    let mut first = lost.min().unwrap_or(steps);
    loop {
        let mixed = kept.values().filter(|made| made.last >= first && made.first < first);
        let Some(before) = mixed.map(|made| made.first).min() else {
            return first;
        };
        first = before;
    }
}

fn must_send(entry: &FileEntry, seen: &SlotContents<'_>, kept: &BTreeMap<&[u8], Steps>) -> bool {
    let path = bytes(entry);
    if entry.kind == FileKind::Directory || kept.contains_key(path) {
        return false;
    }
    let brought =
        seen.manifest.files.get(path) == Some(&remembered(&entry.kind)) && !seen.manifest.adopted.contains_key(path);
    !brought || !seen.now.has(path) || seen.changed(path)
}

fn bytes(entry: &FileEntry) -> &[u8] {
    entry.path.as_os_str().as_bytes()
}

/// Returns the directories above a relative path, the nearest first, without the root.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests;
