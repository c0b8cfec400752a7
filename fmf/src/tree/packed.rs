//! A packed tree: an adjusted tree whose data is in a file and not in memory, written once and read node by node.
//!
//! What a node has in common with its parent is written once. So to read a node, the nodes above it are read too. A [`Cursor`]
//! keeps the last ones, so going through a tree in its order is one pass over the file. Names, relations and files are in memory.
//!
//! ```text
//! records       one for each node in the order of `climb(whole=True)`, see `pack`
//! index         files, keys, names and nodes, see `index`
//! end           where the index starts, and the BLAKE3 of all before
//! ```
//!
//! Invariants: a parent comes before its children. Nobody writes to a file that is complete. The whole file is verified before
//! anything in it is believed.

mod bytes;
mod cursor;
mod index;
mod pack;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(super) use pack::{Above, Leaf, Packer};

use super::{AdjustRule, MetadataFile, Origin};
use crate::Location;
use crate::value::{Map, Mark, Value, write_text};
use bytes::Reader;
use cursor::{Cursor, Slot};

/// A packed tree.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) root: PathBuf,
    pub(super) files: Vec<MetadataFile>,
    index: Index,
    file: File,
    /// Cursors at nodes that were read. There are as many as threads that read at the same time.
    cursors: Mutex<Vec<Cursor>>,
    /// Data that stays in memory because a caller asked for that.
    kept: OnceLock<Box<[OnceLock<Arc<Map>>]>>,
}

/// The part of the tree that is in memory.
#[derive(Debug, Default)]
struct Index {
    /// All keys of nodes, each one once.
    keys: Vec<Arc<str>>,
    /// All names, concatenated.
    names: String,
    /// The sets of keys that nodes have, each one once, as sorted numbers of keys.
    shapes: Vec<Box<[u32]>>,
    nodes: Vec<Packet>,
}

/// A node.
#[derive(Clone, Copy, Debug)]
struct Packet {
    /// Where its name ends.
    name: u32,
    /// Where its record ends.
    record: u32,
    parent: u32,
    /// The number of the nearest file at or above it, from 1, or 0 if there is none.
    file: u32,
    /// The number of the set of its keys.
    shape: u32,
    flags: u8,
}

/// Flags of a [`Packet`].
mod flag {
    pub(super) const BRANCH: u8 = 1;
    pub(super) const SELECTED: u8 = 2;
    pub(super) const MARKED: u8 = 4;
}

impl Index {
    fn name(&self, number: u32) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.packet(before).name);
        &self.names[start as usize..self.packet(number).name as usize]
    }

    fn record(&self, number: u32) -> (u32, u32) {
        let start = number.checked_sub(1).map_or(0, |before| self.packet(before).record);
        (start, self.packet(number).record)
    }

    fn has_key(&self, number: u32, key: u32) -> bool {
        let shape = self.packet(number).shape;
        self.shapes[shape as usize].binary_search(&key).is_ok()
    }

    fn packet(&self, number: u32) -> &Packet {
        &self.nodes[number as usize]
    }
}

impl Packed {
    fn new(root: PathBuf, files: Vec<MetadataFile>, index: Index, file: File) -> Self {
        Self {
            root,
            files,
            index,
            file,
            cursors: Mutex::default(),
            kept: OnceLock::new(),
        }
    }

    /// Opens a packed tree. Returns `None` if the file is not what was written for this `about`.
    pub(super) fn open(root: &Path, mut file: File, about: &[u8; 32]) -> Option<Self> {
        let (files, index) = index::read(&mut file, about)?;
        Some(Self::new(root.to_owned(), files, index, file))
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.index.nodes.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn name(&self, number: u32) -> &str {
        self.index.name(number)
    }

    pub(super) fn file(&self, number: u32) -> Option<&MetadataFile> {
        let file = self.index.packet(number).file.checked_sub(1)?;
        self.files.get(file as usize)
    }

    pub(super) fn is_branch(&self, number: u32) -> bool {
        self.index.packet(number).flags & flag::BRANCH != 0
    }

    pub(super) fn is_selected(&self, number: u32) -> bool {
        self.index.packet(number).flags & flag::SELECTED != 0
    }

    pub(super) fn is_marked(&self, number: u32) -> bool {
        self.index.packet(number).flags & flag::MARKED != 0
    }

    /// Returns a node's data, which stays in memory from then on.
    pub(super) fn data(&self, number: u32) -> &Arc<Map> {
        let kept = self
            .kept
            .get_or_init(|| self.index.nodes.iter().map(|_| OnceLock::new()).collect());
        kept[number as usize].get_or_init(|| self.load(number))
    }

    /// Returns a node's data.
    pub(super) fn load(&self, number: u32) -> Arc<Map> {
        self.at(number, |cursor| {
            let mut map = Map::with_capacity(cursor.slots().len());
            for slot in cursor.slots() {
                let mark = single_place(cursor.mark(slot))?;
                let value = Reader(cursor.value(slot)).value()?;
                map.set(Value::Str(Arc::clone(self.key(slot)?)), value, mark);
            }
            Some(Arc::new(map))
        })
    }

    /// Returns the value of one key.
    pub(super) fn value(&self, number: u32, key: &str) -> Option<Value> {
        let id = self.id(key).filter(|&id| self.index.has_key(number, id))?;
        self.at(number, |cursor| {
            let Some(slot) = cursor.slots().iter().find(|slot| slot.key == id) else {
                return Some(None);
            };
            Reader(cursor.value(slot)).value().map(Some)
        })
    }

    pub(super) fn has_key(&self, number: u32, key: &str) -> bool {
        self.id(key).is_some_and(|id| self.index.has_key(number, id))
    }

    /// Appends a node's data as JSON.
    pub(super) fn write_data(&self, number: u32, out: &mut String) {
        self.at(number, |cursor| {
            out.push('{');
            for (at, slot) in cursor.slots().iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_text(self.key(slot)?, out);
                out.push_str(": ");
                Reader(cursor.value(slot)).write_json(out)?;
            }
            out.push('}');
            Some(())
        });
    }

    /// Returns the numbers of the files that define a node.
    pub(super) fn sources(&self, number: u32) -> Vec<u32> {
        self.at(number, |cursor| {
            let mut sources = Reader(cursor.sources());
            let mut files = Vec::new();
            while !sources.0.is_empty() {
                files.push(sources.small()?);
            }
            Some(files)
        })
    }

    /// Returns everything that made the value of a key, from first to last.
    pub(super) fn origins(&self, number: u32, key: &str) -> Vec<Origin> {
        let Some(id) = self.id(key) else { return Vec::new() };
        self.at(number, |cursor| {
            let Some(slot) = cursor.slots().iter().find(|slot| slot.key == id) else {
                return Some(Vec::new());
            };
            let mut mark = Reader(cursor.mark(slot));
            let mut chain = Vec::new();
            while !mark.0.is_empty() {
                chain.push(self.origin(&mut mark)?);
            }
            chain.reverse();
            Some(chain)
        })
    }

    fn origin(&self, mark: &mut Reader<'_>) -> Option<Origin> {
        let step = pack::Step::read(mark)?;
        let rule = step.rule.and_then(|(when, place)| {
            Some(AdjustRule {
                when: when.map(Arc::from),
                location: self.location(place)?,
            })
        });
        Some(Origin {
            location: self.location(step.place)?,
            adjust: rule,
        })
    }

    fn location(&self, place: Mark) -> Option<Location> {
        let (file, line) = place.as_place()?;
        let file = self.files.get(file as usize)?.path.clone();
        Some(Location { file, line })
    }

    fn id(&self, key: &str) -> Option<u32> {
        let at = self.index.keys.iter().position(|known| **known == *key)?;
        u32::try_from(at).ok()
    }

    fn key(&self, slot: &Slot) -> Option<&Arc<str>> {
        self.index.keys.get(slot.key as usize)
    }

    /// Takes the cursor that is nearest before a node.
    fn nearest(&self, number: u32) -> Cursor {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let distance = |at: &usize| number.wrapping_sub(cursors[*at].number());
        let nearest = (0..cursors.len()).min_by_key(distance);
        nearest.map_or_else(Cursor::default, |at| cursors.swap_remove(at))
    }

    /// Goes to a node and reads it with `look`.
    ///
    /// The file was verified as a whole, and nobody writes to it. If it still cannot be read, the disk is failing. Then this
    /// panics, because a wrong answer is worse than none.
    fn at<T>(&self, number: u32, look: impl FnOnce(&Cursor) -> Option<T>) -> T {
        let mut cursor = self.nearest(number);
        let found = cursor.go_to(&self.file, &self.index, number).map(|()| look(&cursor));
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).push(cursor);
        match found {
            Ok(Some(found)) => found,
            Ok(None) => panic!("the packed tree holds no sense at `{}`", self.name(number)),
            Err(error) => panic!("the packed tree cannot be read again: {error}"),
        }
    }
}

/// Returns the place of a mark that has one step and no rule. Longer chains have no short form, see [`Packed::origins`].
fn single_place(mark: &[u8]) -> Option<Mark> {
    let mut mark = Reader(mark);
    if mark.0.is_empty() {
        return Some(Mark::default());
    }
    let step = pack::Step::read(&mut mark)?;
    let single = mark.0.is_empty() && step.rule.is_none();
    Some(if single { step.place } else { Mark::default() })
}
