//! A cursor in a packed tree: one node, with the nodes above it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::Index;
use super::bytes::Reader;

/// How much of the file is read at once, in bytes.
const WINDOW: usize = 32 << 10;

/// The cursor, with what was read of the file to get there.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// The levels from the root to this node.
    levels: Vec<Level>,
    /// Levels that were left, kept to reuse their memory.
    spare: Vec<Level>,
    window: Vec<u8>,
    /// The place in the file at which the window starts.
    start: usize,
}

/// A node on the way from the root.
#[derive(Debug, Default)]
struct Level {
    number: u32,
    /// Its record.
    bytes: Vec<u8>,
    /// The level whose record has the node's sources, and where they are in it.
    sources: (usize, Range<usize>),
    slots: Vec<Slot>,
}

/// A key of a node, and where its value is.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Number of the key.
    pub(super) key: u32,
    /// The level whose record has the value.
    level: usize,
    mark: Range<usize>,
    value: Range<usize>,
}

impl Cursor {
    /// Returns the node's number. Before the first move, this is the root's number.
    pub(super) fn number(&self) -> u32 {
        self.levels.last().map_or(0, |level| level.number)
    }

    /// Goes to a node.
    pub(super) fn go_to(&mut self, file: &File, index: &Index, number: u32) -> io::Result<()> {
        let mut missing = Vec::new();
        let mut next = number;
        while !self.levels.iter().rev().any(|level| level.number == next) {
            missing.push(next);
            if next == 0 {
                break;
            }
            next = index.packet(next).parent;
        }
        let keep = match missing.last() {
            Some(0) => 0,
            _ => 1 + self.levels.iter().rposition(|level| level.number == next).unwrap_or(0),
        };
        self.spare.extend(self.levels.drain(keep.min(self.levels.len())..));
        while let Some(number) = missing.pop() {
            let mut level = self.spare.pop().unwrap_or_default();
            level.number = number;
            self.read(file, index.record(number), &mut level.bytes)?;
            let parent = self.levels.last();
            parse(&mut level, self.levels.len(), parent).ok_or(io::ErrorKind::InvalidData)?;
            self.levels.push(level);
        }
        Ok(())
    }

    /// Returns the keys of the node.
    pub(super) fn slots(&self) -> &[Slot] {
        self.levels.last().map_or(&[], |level| &level.slots)
    }

    /// Returns the bytes of a key's value.
    pub(super) fn value(&self, slot: &Slot) -> &[u8] {
        &self.levels[slot.level].bytes[slot.value.clone()]
    }

    /// Returns the bytes that say where a key's value came from.
    pub(super) fn mark(&self, slot: &Slot) -> &[u8] {
        &self.levels[slot.level].bytes[slot.mark.clone()]
    }

    /// Returns the bytes of the numbers of the node's files.
    pub(super) fn sources(&self) -> &[u8] {
        self.levels.last().map_or(&[], |level| {
            let (at, range) = &level.sources;
            &self.levels[*at].bytes[range.clone()]
        })
    }

    fn read(&mut self, file: &File, (from, to): (u32, u32), into: &mut Vec<u8>) -> io::Result<()> {
        let (from, to) = (from as usize, to as usize);
        into.clear();
        if from < self.start || to > self.start + self.window.len() {
            self.window.resize(WINDOW.max(to - from), 0);
            let mut filled = 0;
            while filled < self.window.len() {
                match file.read_at(&mut self.window[filled..], (from + filled) as u64) {
                    Ok(0) => break,
                    Ok(more) => filled += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            self.window.truncate(filled);
            self.start = from;
        }
        let bytes = self.window.get(from - self.start..to - self.start);
        into.extend_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Finds the parts of a record. `depth` is the depth of the level.
fn parse(level: &mut Level, depth: usize, parent: Option<&Level>) -> Option<()> {
    let bytes = std::mem::take(&mut level.bytes);
    let mut reader = Reader(&bytes);
    let at = |reader: &Reader<'_>| bytes.len() - reader.0.len();
    level.sources = match reader.size()? {
        0 => parent.map_or((depth, 0..0), |parent| parent.sources.clone()),
        length => {
            let start = at(&reader);
            reader.take(length - 1)?;
            (depth, start..at(&reader))
        }
    };
    level.slots.clear();
    while !reader.0.is_empty() {
        let head = reader.size()?;
        if head & 1 == 1 {
            level.slots.push(parent?.slots.get(head >> 1)?.clone());
            continue;
        }
        let mut range = || {
            let length = reader.size()?;
            let start = at(&reader);
            reader.take(length)?;
            Some(start..start + length)
        };
        level.slots.push(Slot {
            key: u32::try_from(head >> 1).ok()?,
            level: depth,
            mark: range()?,
            value: range()?,
        });
    }
    level.bytes = bytes;
    Some(())
}
