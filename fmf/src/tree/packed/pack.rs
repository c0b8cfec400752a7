//! Writes a packed tree, node by node.
//!
//! A record starts with the numbers of the node's files as bytes, after their length plus one; or with zero if they are the
//! parent's files. For each key there follows either `2 * place + 1`, which stands for the parent's entry at that place, or `2 *
//! key`, the mark and the value, both after their length. A mark consists of its steps, from last to first.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::bytes::{Reader, put, put_bytes, put_place, put_value};
use super::{Index, Packed, Packet, flag, index};
use crate::MetadataFile;
use crate::tree::origin::{History, Length};
use crate::value::{Map, Mark, Value};

/// How many bytes are written at once.
const CHUNK: usize = 32 << 10;

/// Writes a packed tree.
#[derive(Debug)]
pub(in crate::tree) struct Packer {
    out: Digesting,
    index: Index,
    ids: HashMap<Arc<str>, u32>,
    shapes: HashMap<Box<[u32]>, u32>,
    /// The keys of the node that is being written.
    keys: Vec<u32>,
    record: Vec<u8>,
    mark: Vec<u8>,
    value: Vec<u8>,
}

/// A node that is to be written.
#[derive(Clone, Copy, Debug)]
pub(in crate::tree) struct Leaf<'l> {
    pub(in crate::tree) name: &'l str,
    /// The node's own files after the files that it inherits, or `None` if they are the parent's files.
    pub(in crate::tree) sources: Option<&'l [u32]>,
    pub(in crate::tree) file: Option<u32>,
    pub(in crate::tree) branch: bool,
    pub(in crate::tree) selected: bool,
    pub(in crate::tree) marked: bool,
    pub(in crate::tree) data: &'l Map,
}

/// What was written for a node, so that the nodes below it can refer to it.
#[derive(Debug)]
pub(in crate::tree) struct Above {
    number: u32,
    entries: Vec<Known>,
    marks: Vec<u8>,
}

#[derive(Debug)]
struct Known {
    id: u32,
    key: Arc<str>,
    value: Value,
    /// The mark, if it means the same as long as nodes below it are written.
    raw: Option<Mark>,
    /// The range of its bytes in [`Above::marks`].
    mark: Range<usize>,
}

/// A step of a mark.
#[derive(Debug)]
pub(super) struct Step<'b> {
    pub(super) place: Mark,
    /// The condition and place of the adjust rule.
    pub(super) rule: Option<(Option<&'b str>, Mark)>,
}

impl<'b> Step<'b> {
    pub(super) fn read(reader: &mut Reader<'b>) -> Option<Self> {
        let place = reader.place()?;
        let rule = match reader.byte()? {
            0 => None,
            1 => Some((None, reader.place()?)),
            _ => Some((Some(reader.text()?), reader.place()?)),
        };
        Some(Self { place, rule })
    }
}

fn put_steps(out: &mut Vec<u8>, history: &History, mark: Mark) {
    for (place, rule) in history.steps(mark) {
        if place.as_place().is_none() {
            continue;
        }
        put_place(out, place);
        let Some((when, place)) = rule.filter(|(_, place)| place.as_place().is_some()) else {
            out.push(0);
            continue;
        };
        match when {
            None => out.push(1),
            Some(when) => {
                out.push(2);
                put_bytes(out, when.as_bytes());
            }
        }
        put_place(out, place);
    }
}

impl Packer {
    /// Starts to write to an empty file.
    pub(in crate::tree) fn new(file: File) -> Self {
        Self {
            out: Digesting::new(file),
            index: Index::default(),
            ids: HashMap::new(),
            shapes: HashMap::new(),
            keys: Vec::new(),
            record: Vec::new(),
            mark: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Writes a node after the node above it. `lasting` is the length of the history that the nodes below it will see. Only if
    /// the node is a branch is there a result, for the nodes below it.
    pub(in crate::tree) fn node(
        &mut self,
        leaf: &Leaf<'_>,
        (history, lasting): (&History, Length),
        above: Option<&Above>,
    ) -> io::Result<Option<Above>> {
        let number = narrow(self.index.nodes.len())?;
        self.record.clear();
        self.keys.clear();
        self.put_sources(leaf);
        let mut below = leaf.branch.then(|| Above {
            number,
            entries: Vec::with_capacity(leaf.data.len()),
            marks: Vec::new(),
        });
        for (at, entry) in leaf.data.entries().iter().enumerate() {
            let Value::Str(key) = &entry.key else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let known = above.and_then(|above| above.find(at, key));
            self.mark.clear();
            let same = known.filter(|(_, known)| same_object(&known.value, &entry.value));
            // These are the bytes of a mark that the nodes below may need, or that decide whether the entry is the parent's.
            let certain = same.is_some_and(|(_, known)| known.raw == Some(entry.mark));
            if !certain || below.is_some() {
                put_steps(&mut self.mark, history, entry.mark);
            }
            let same = same
                .zip(above)
                .filter(|((_, known), above)| certain || above.marks[known.mark.clone()] == self.mark[..]);
            let id = match known {
                Some((_, known)) => known.id,
                None => self.id(key)?,
            };
            self.keys.push(id);
            if let Some(((place, _), _)) = same {
                put(&mut self.record, (place as u64) << 1 | 1);
            } else {
                put(&mut self.record, u64::from(id) << 1);
                put_bytes(&mut self.record, &self.mark);
                self.value.clear();
                put_value(&mut self.value, &entry.value);
                put_bytes(&mut self.record, &self.value);
            }
            if let Some(below) = &mut below {
                let start = below.marks.len();
                below.marks.extend_from_slice(&self.mark);
                below.entries.push(Known {
                    id,
                    key: Arc::clone(key),
                    value: entry.value.clone(),
                    raw: History::keeps(entry.mark, lasting).then_some(entry.mark),
                    mark: start..below.marks.len(),
                });
            }
        }
        self.out.write_all(&self.record)?;
        self.index.names.push_str(leaf.name);
        let shape = self.shape()?;
        let flags = [
            (leaf.branch, flag::BRANCH),
            (leaf.selected, flag::SELECTED),
            (leaf.marked, flag::MARKED),
        ];
        self.index.nodes.push(Packet {
            name: narrow(self.index.names.len())?,
            record: u32::try_from(self.out.written).map_err(io::Error::other)?,
            parent: above.map_or(0, |above| above.number),
            file: leaf.file.map_or(0, |file| file + 1),
            shape,
            flags: flags.iter().map(|(is, flag)| if *is { *flag } else { 0 }).sum(),
        });
        Ok(below)
    }

    /// Writes the index and the end, and returns the tree.
    pub(in crate::tree) fn finish(
        mut self,
        root: PathBuf,
        files: Vec<MetadataFile>,
        about: &[u8; 32],
    ) -> io::Result<Packed> {
        let start = self.out.written;
        index::write(&mut self.out, &files, &self.index, about)?;
        let file = self.out.finish(start)?;
        self.index.nodes.shrink_to_fit();
        self.index.names.shrink_to_fit();
        Ok(Packed::new(root, files, self.index, file))
    }

    fn put_sources(&mut self, leaf: &Leaf<'_>) {
        let Some(sources) = leaf.sources else {
            put(&mut self.record, 0);
            return;
        };
        self.value.clear();
        for source in sources {
            put(&mut self.value, u64::from(*source));
        }
        put(&mut self.record, self.value.len() as u64 + 1);
        self.record.extend_from_slice(&self.value);
    }

    /// Returns the number of the set of keys of the node that is being written.
    fn shape(&mut self) -> io::Result<u32> {
        self.keys.sort_unstable();
        if let Some(&shape) = self.shapes.get(&*self.keys) {
            return Ok(shape);
        }
        let shape = narrow(self.index.shapes.len())?;
        self.index.shapes.push(self.keys.as_slice().into());
        self.shapes.insert(self.keys.as_slice().into(), shape);
        Ok(shape)
    }

    fn id(&mut self, key: &Arc<str>) -> io::Result<u32> {
        if let Some(&id) = self.ids.get(key) {
            return Ok(id);
        }
        let id = narrow(self.index.keys.len())?;
        self.index.keys.push(Arc::clone(key));
        self.ids.insert(Arc::clone(key), id);
        Ok(id)
    }
}

impl Above {
    /// Finds a key, which is most likely at the same position.
    fn find(&self, at: usize, key: &Arc<str>) -> Option<(usize, &Known)> {
        let is = |known: &Known| Arc::ptr_eq(&known.key, key) || known.key == *key;
        if let Some(known) = self.entries.get(at).filter(|known| is(known)) {
            return Some((at, known));
        }
        self.entries.iter().enumerate().find(|(_, known)| is(known))
    }
}

/// Returns whether two values are certainly the same object.
fn same_object(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Str(a), Value::Str(b)) | (Value::Date(a), Value::Date(b)) | (Value::BigInt(a), Value::BigInt(b)) => {
            Arc::ptr_eq(a, b)
        }
        (Value::Bytes(a), Value::Bytes(b)) => Arc::ptr_eq(a, b),
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) | (Value::Set(a), Value::Set(b)) => {
            Arc::ptr_eq(a, b)
        }
        (Value::Map(a), Value::Map(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

/// Returns a number or a position in the file as 32 bits. A tree that is too large for that stays in memory.
fn narrow(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(io::Error::other)
}

/// A file that is written and digested in chunks.
#[derive(Debug)]
pub(super) struct Digesting {
    file: File,
    hasher: blake3::Hasher,
    chunk: Vec<u8>,
    written: u64,
}

impl Digesting {
    fn new(file: File) -> Self {
        Self {
            file,
            hasher: blake3::Hasher::new(),
            chunk: Vec::with_capacity(CHUNK),
            written: 0,
        }
    }

    /// Writes the end, and returns the file.
    fn finish(mut self, index: u64) -> io::Result<File> {
        self.write_all(&index.to_le_bytes())?;
        self.flush()?;
        let digest = self.hasher.finalize();
        self.file.write_all(digest.as_bytes())?;
        Ok(self.file)
    }
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() + bytes.len() > CHUNK {
            self.flush()?;
        }
        self.chunk.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hasher.update(&self.chunk);
        self.file.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}
