//! Makes a packed tree in one pass, in the order of `climb(whole=True)`: each node is grown, merged, adjusted, written and
//! forgotten.
//!
//! The result is the same as that of [`grow`](super::grow), [`inherit`](super::inherit) and [`adjust`](super::adjust) one after
//! the other, and it uses their parts. What needs the whole tree at once is not done here: a mapping that several places share
//! (each of them may change its content later), text in place of a node, names that are not UTF-8, and anything that is an error
//! (which error is reported first depends on the order of the passes). In these cases there is no packed tree.
//!
//! Invariant: a node's own data is complete when its file and its directory's `main.fmf` were read. The names of its children are
//! known then, because only the parent's file, `NAME.fmf` and the directory `NAME` can define the child `NAME`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use super::adjust::{Adjuster, Subject};
use super::ahead::{self, Ahead};
use super::grow::{Grower, stem};
use super::heap::Heap;
use super::inherit::{Obstacle, merge_own};
use super::metadata::Packing;
use super::origin::History;
use super::packed::{Above, Leaf, Packed, Packer};
use super::walk::{Directory, MAIN, Walk};
use super::{Aliases, MetadataFile};
use crate::Error;
use crate::value::{Map, Value};
use crate::yaml::MAX_DEPTH;

/// The error for a tree that cannot be made in this way.
#[derive(Debug)]
struct Unfit;

impl From<Error> for Unfit {
    fn from(_: Error) -> Self {
        Self
    }
}

impl From<Obstacle> for Unfit {
    fn from(_: Obstacle) -> Self {
        Self
    }
}

impl From<io::Error> for Unfit {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// The file and directory that may define a child.
#[derive(Clone, Copy, Debug, Default)]
struct Place<'w> {
    /// The file `NAME.fmf`.
    file: Option<usize>,
    /// The directory `NAME/`.
    directory: Option<&'w Directory>,
}

/// A node whose children are being made.
struct Frame {
    /// The merged data, before it is adjusted.
    data: Arc<Map>,
    aliases: Aliases,
    sources: Arc<[u32]>,
    file: Option<u32>,
    above: Above,
}

struct Streamer<'s> {
    walk: &'s Walk,
    packing: &'s Packing<'s>,
    ahead: &'s Ahead<'s>,
    digests: Vec<Option<blake3::Hash>>,
    grower: Grower<'s>,
    heap: Heap,
    history: History,
    adjuster: Adjuster<'s>,
    packer: Packer,
}

/// Makes the tree. Returns `None` if it must be made in memory.
pub(super) fn pack(walk: &Walk, packing: &Packing<'_>, file: File) -> Option<Packed> {
    let mut order = Vec::with_capacity(walk.files.len());
    plan(walk, &walk.top, 0, &mut order).ok()?;
    ahead::reading(walk, &order, packing.read, |ahead| {
        let mut streamer = Streamer {
            walk,
            packing,
            ahead,
            digests: vec![None; walk.files.len()],
            grower: Grower::new(walk, Vec::new()),
            heap: Heap::default(),
            history: History::default(),
            adjuster: Adjuster::new(packing.context),
            packer: Packer::new(file),
        };
        let top = Place {
            file: None,
            directory: Some(&walk.top),
        };
        streamer.node(0, top, None).ok()?;
        let read = walk.files.iter().zip(streamer.digests).map(|(path, digest)| {
            let path = path.clone();
            digest.map(|digest| MetadataFile { path, digest })
        });
        let files = walk
            .settings
            .iter()
            .cloned()
            .map(Some)
            .chain(read)
            .collect::<Option<_>>()?;
        let root = walk.root.clone();
        streamer.packer.finish(root, files, &packing.about).ok()
    })
}

/// Lists the files of a directory in the order in which they will be needed.
fn plan(walk: &Walk, directory: &Directory, depth: usize, order: &mut Vec<usize>) -> Result<(), Unfit> {
    // A node that is too deep is an error even if its directory is empty.
    if depth >= MAX_DEPTH {
        return Err(Unfit);
    }
    order.extend(main_of(walk, directory));
    for place in places(walk, directory)?.values() {
        order.extend(place.file);
        if let Some(inside) = place.directory {
            plan(walk, inside, depth + 1, order)?;
        }
    }
    Ok(())
}

fn main_of(walk: &Walk, directory: &Directory) -> Option<usize> {
    directory.files.first().copied().filter(|&file| walk.name(file) == MAIN)
}

/// Returns what a directory has for its children, by their names. A directory without metadata makes no node.
fn places<'w>(walk: &'w Walk, directory: &'w Directory) -> Result<BTreeMap<String, Place<'w>>, Unfit> {
    let mut places: BTreeMap<String, Place<'w>> = BTreeMap::new();
    let main = main_of(walk, directory);
    for &file in directory.files.iter().filter(|&&file| Some(file) != main) {
        let name = walk.name(file);
        walk.files[file].to_str().ok_or(Unfit)?;
        let place = places.entry(stem(&name).to_owned()).or_default();
        if place.file.replace(file).is_some() {
            return Err(Unfit);
        }
    }
    for (name, inside) in &directory.directories {
        if name.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Unfit);
        }
        // An empty directory counts for the depth of the tree.
        let place = places.entry(name.clone()).or_default();
        if place.directory.replace(inside).is_some() {
            return Err(Unfit);
        }
    }
    Ok(places)
}

fn holds_files(directory: &Directory) -> bool {
    !directory.files.is_empty() || directory.directories.iter().any(|(_, inside)| holds_files(inside))
}

impl Streamer<'_> {
    /// Makes a node of the grower and all nodes below it.
    fn node(&mut self, node: u32, place: Place<'_>, parent: Option<&Frame>) -> Result<(), Unfit> {
        if let Some(file) = place.file {
            self.read(node, file)?;
        }
        let mut places = BTreeMap::new();
        if let Some(directory) = place.directory {
            if let Some(main) = main_of(self.walk, directory) {
                self.read(node, main)?;
            }
            places = self::places(self.walk, directory)?;
            places.retain(|_, place| place.file.is_some() || place.directory.is_some_and(holds_files));
            for name in places.keys() {
                self.grower.child_node(node, name)?;
            }
        }
        let before = self.history.length();
        let frame = self.write(node, parent)?;
        if let Some(frame) = frame {
            let children = std::mem::take(&mut self.grower.sprouts[node as usize].by_name);
            let mut children: Vec<_> = children.into_iter().collect();
            children.sort_unstable();
            for (name, child) in children {
                let grown = self.grower.sprouts.len();
                let place = places.get(&*name).copied().unwrap_or_default();
                self.node(child, place, Some(&frame))?;
                self.grower.sprouts.truncate(grown);
            }
        }
        self.history.forget(before);
        Ok(())
    }

    /// Reads a file into its node.
    fn read(&mut self, node: u32, file: usize) -> Result<(), Unfit> {
        let parsed = self.ahead.take(file).ok_or(Unfit)?;
        if parsed.shared || !matches!(parsed.value, Value::Map(_) | Value::Null) {
            return Err(Unfit);
        }
        self.digests[file] = Some(parsed.digest);
        self.grower.update(node, &parsed.value)?;
        if self.grower.saw_text {
            return Err(Unfit);
        }
        let number = self.walk.number(file);
        self.grower.sprouts[node as usize].sources.push(number);
        Ok(())
    }

    /// Merges, adjusts and writes a node whose own data is complete. Returns what its children need, if it has any.
    fn write(&mut self, node: u32, parent: Option<&Frame>) -> Result<Option<Frame>, Unfit> {
        let sprout = &mut self.grower.sprouts[node as usize];
        let (own, branch) = (std::mem::take(&mut sprout.data), !sprout.children.is_empty());
        let inherits = sprout.directives.inherit != Some(false);
        let heir = parent.filter(|_| inherits);
        let above = heir.map(|frame| (&frame.data, frame.aliases));
        let (data, repeated) = merge_own(above, &own, &mut self.heap, &mut self.history)?;
        let lasting = self.history.length();
        let subject = Subject {
            name: &sprout.name,
            repeated,
            root: &self.walk.root,
            files: &[],
        };
        let adjusted = self.adjuster.node(subject, &mut self.history, &data)?;
        let inherited = heir.map(|frame| &frame.sources);
        let shared = inherited.filter(|_| sprout.sources.is_empty());
        let sources: Arc<[u32]> = match shared {
            Some(sources) => Arc::clone(sources),
            None => inherited
                .map_or(&[][..], |sources| sources)
                .iter()
                .chain(&sprout.sources)
                .copied()
                .collect(),
        };
        let file = sprout.sources.last().copied().or(parent.and_then(|parent| parent.file));
        let leaf = Leaf {
            name: &sprout.name,
            sources: shared.is_none().then_some(&*sources),
            file,
            branch,
            selected: sprout.directives.select.unwrap_or(!branch),
            marked: (self.packing.mark)(&data),
            data: adjusted.as_deref().unwrap_or(&data),
        };
        let above = parent.map(|parent| &parent.above);
        let written = self.packer.node(&leaf, (&self.history, lasting), above)?;
        self.history.forget(lasting);
        self.adjuster.forget_rules();
        let aliases = Aliases {
            identities: false,
            repeated,
        };
        Ok(written.map(|above| Frame {
            data,
            aliases,
            sources,
            file,
            above,
        }))
    }
}
