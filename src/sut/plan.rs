//! What a sync must do: a pure function from what the host has, what was brought, and what is seen on the machine.
//!
//! Invariants: nothing is written or removed through a symlink (whatever must be a directory is listed in [`Plan::dirs`], and
//! what stands there and is none goes first); a path that is sent does not exist any more when it arrives; what prepare steps
//! made is never removed in [`SyncMode::KeepPrepared`], unless the host has a new version for that very path.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;

use crate::sut::SyncMode;
use crate::sut::files::{FileEntry, FileKind, FileSet};
use crate::sut::manifest::{Manifest, RelPath, remembered};

/// A listing of a tree by the agent: path to a fingerprint that changes whenever the path's content or mode does. The content of a
/// directory are the names in it.
#[derive(Debug, Default)]
pub(crate) struct Listing<'a>(HashMap<&'a [u8], &'a [u8]>);

impl<'a> Listing<'a> {
    /// Reads records of the form `word TAB word TAB ./path NUL`; others, and the root, are left out. Of several for a path the last counts.
    pub(crate) fn parse(bytes: &'a [u8]) -> Self {
        let entries = bytes.split(|byte| *byte == 0).filter_map(|record| {
            let tab = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\t');
            let first = tab(record)?;
            let second = first + 1 + tab(&record[first + 1..])?;
            let path = record[second + 1..].strip_prefix(b"./")?;
            Some((path, &record[..second]))
        });
        Self(entries.collect())
    }

    fn has(&self, path: &[u8]) -> bool {
        self.0.contains_key(path)
    }
}

/// What is known of a slot on the machine.
#[derive(Debug, Default)]
pub(crate) struct Seen<'a> {
    /// What was brought there.
    pub manifest: Manifest,
    /// The tree after that.
    pub before: Listing<'a>,
    /// The tree now.
    pub now: Listing<'a>,
    /// Paths that an interrupted sync may have written to: nothing is believed of them.
    pub touched: HashSet<&'a [u8]>,
}

impl Seen<'_> {
    fn changed(&self, path: &[u8]) -> bool {
        self.touched.contains(path) || self.before.0.get(path) != self.now.0.get(path)
    }

    /// Whether what a prepare step left at a path is not there as it was. A directory that still holds something is: what tests
    /// did below it is found there.
    fn lost(&self, path: &[u8]) -> bool {
        let (before, now) = (self.before.0.get(path), self.now.0.get(path));
        let below = |other: &&[u8]| other.len() > path.len() && other.starts_with(path) && other[path.len()] == b'/';
        before.is_some() && before != now && !(now.is_some() && self.now.0.keys().any(below))
    }

    /// The manifest after a prepare step: what changed since the last sync is its work.
    pub(crate) fn adopt(mut self) -> Manifest {
        for path in &self.touched {
            self.manifest.files.remove(*path);
        }
        let paths: HashSet<&[u8]> = self.before.0.keys().chain(self.now.0.keys()).copied().collect();
        let work = paths
            .into_iter()
            .filter(|path| self.before.0.get(path) != self.now.0.get(path));
        let work: Vec<RelPath> = work.map(<[u8]>::to_vec).collect();
        self.manifest.adopted.extend(work);
        self.manifest
    }
}

/// What to do, in this order: remove `gone`, make way for `dirs`, extract `dirs` and `send`.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    /// Paths to remove, with all below them; no path lies below another one.
    pub gone: Vec<&'a [u8]>,
    /// Paths that must be directories, parents first.
    pub dirs: Vec<&'a [u8]>,
    /// Files and symlinks to bring.
    pub send: Vec<&'a FileEntry>,
    /// How many of the paths there are removed and do not come back.
    pub removed: u64,
    /// What is known of the tree afterwards.
    pub manifest: Manifest,
    /// See [`Synced::lost_prepared`](crate::sut::Synced::lost_prepared).
    pub lost_prepared: bool,
}

impl Plan<'_> {
    /// Whether the tree is as it should be.
    pub(crate) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.dirs.is_empty() && self.send.is_empty()
    }
}

/// Finds what must be done so that the tree holds `set`.
///
/// Approach: first which paths stay as prepare steps left them; then which files must be sent; from both follows which
/// directories must be there; and what is there and is none of these, goes.
pub(crate) fn plan<'a>(set: &'a FileSet, seen: &'a Seen<'a>, mode: SyncMode) -> Plan<'a> {
    let leaves: HashMap<&[u8], &FileEntry> = set.files.iter().map(|entry| (bytes(entry), entry)).collect();
    let kept = kept(&leaves, seen, mode);
    let send: Vec<&FileEntry> = set.files.iter().filter(|entry| must_send(entry, seen, &kept)).collect();

    let mut wanted: BTreeSet<&[u8]> = leaves.keys().flat_map(|path| ancestors(path)).collect();
    wanted.extend(
        set.files
            .iter()
            .filter(|entry| entry.kind == FileKind::Directory)
            .map(bytes),
    );
    // Where the last sync left a directory, and nothing changed since, there is one.
    let was_none = |dir: &[u8]| {
        let file = matches!(
            seen.manifest.files.get(dir),
            Some(FileKind::File { .. } | FileKind::Symlink(_))
        );
        file || seen.manifest.adopted.contains(dir)
    };
    let stale = |dir: &[u8]| !kept.contains(dir) && (was_none(dir) || !seen.now.has(dir) || seen.changed(dir));
    let mut dirs: BTreeSet<&[u8]> = wanted.iter().copied().filter(|dir| stale(dir)).collect();
    let below: Vec<&[u8]> = dirs
        .iter()
        .copied()
        .chain(send.iter().map(|entry| bytes(entry)))
        .collect();
    dirs.extend(below.into_iter().flat_map(ancestors));

    let sent: HashSet<&[u8]> = send.iter().map(|entry| bytes(entry)).collect();
    // What a prepare step left absent, and is there now, came from a test.
    let standing: HashSet<&[u8]> = kept.iter().copied().filter(|path| seen.before.has(path)).collect();
    let shelter: HashSet<&[u8]> = standing.iter().flat_map(|path| ancestors(path)).collect();
    let stays = |path: &[u8]| {
        let brought = leaves.contains_key(path) && !sent.contains(path) || wanted.contains(path);
        standing.contains(path) || shelter.contains(path) || brought && !kept.contains(path)
    };
    let doomed: HashSet<&[u8]> = seen.now.0.keys().copied().filter(|path| !stays(path)).collect();
    let removed = doomed.difference(&sent).count() as u64;
    let covered = |path: &[u8]| ancestors(path).any(|parent| doomed.contains(parent));
    let gone = doomed.iter().copied().filter(|path| !covered(path)).collect();

    let lost_prepared = kept.iter().any(|path| seen.lost(path));
    let mut manifest = Manifest::of(set);
    manifest.adopted = kept.into_iter().map(<[u8]>::to_vec).collect();
    Plan {
        gone,
        dirs: dirs.into_iter().collect(),
        send,
        removed,
        manifest,
        lost_prepared,
    }
}

/// The paths that stay as prepare steps left them: adopted, not half overwritten since, and the host's version is still the one
/// that was there then. What lies below a file of the host stays only if the file's place does.
fn kept<'a>(leaves: &HashMap<&[u8], &FileEntry>, seen: &'a Seen<'_>, mode: SyncMode) -> BTreeSet<&'a [u8]> {
    let mut kept: BTreeSet<&[u8]> = BTreeSet::new();
    if !mode.keeps_prepared() {
        return kept;
    }
    // In the set's order, parents come before what lies below them.
    for path in seen.manifest.adopted.iter().map(Vec::as_slice) {
        let host = leaves.get(path).map(|entry| remembered(&entry.kind));
        let same = host.as_ref() == seen.manifest.files.get(path);
        let free = |parent: &[u8]| match leaves.get(parent) {
            Some(entry) if entry.kind != FileKind::Directory => kept.contains(parent),
            _ => true,
        };
        if same && !seen.touched.contains(path) && ancestors(path).all(free) {
            kept.insert(path);
        }
    }
    kept
}

fn must_send(entry: &FileEntry, seen: &Seen<'_>, kept: &BTreeSet<&[u8]>) -> bool {
    let path = bytes(entry);
    if entry.kind == FileKind::Directory || kept.contains(path) {
        return false;
    }
    let brought =
        seen.manifest.files.get(path) == Some(&remembered(&entry.kind)) && !seen.manifest.adopted.contains(path);
    !brought || !seen.now.has(path) || seen.changed(path)
}

fn bytes(entry: &FileEntry) -> &[u8] {
    entry.path.as_os_str().as_bytes()
}

/// The directories above a relative path, nearest first, without the root.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &path[..at])
}

#[cfg(test)]
#[path = "plan_model.rs"]
mod plan_model;
