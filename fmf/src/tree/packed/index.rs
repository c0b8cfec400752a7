//! The index of a packed tree: the part that is in memory while the tree is open, with files, keys, names and nodes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::bytes::{Reader, put, put_bytes};
use super::{Index, Packet};
use crate::MetadataFile;

/// The magic bytes, which contain the version of the format.
const MAGIC: [u8; 8] = *b"atexfmf2";

/// The length of the end: the position of the index, and the digest of everything before the digest.
const END: u64 = 8 + 32;

/// How many bytes are read at once.
const CHUNK: usize = 32 << 10;

pub(super) fn write(out: &mut dyn Write, files: &[MetadataFile], index: &Index, about: &[u8; 32]) -> io::Result<()> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(about);
    put(&mut bytes, files.len() as u64);
    for file in files {
        put_bytes(&mut bytes, file.path.as_os_str().as_bytes());
        bytes.extend_from_slice(file.digest.as_bytes());
    }
    put(&mut bytes, index.keys.len() as u64);
    for key in &index.keys {
        put_bytes(&mut bytes, key.as_bytes());
    }
    put(&mut bytes, index.shapes.len() as u64);
    for shape in &index.shapes {
        put(&mut bytes, shape.len() as u64);
        for key in shape {
            put(&mut bytes, u64::from(*key));
        }
    }
    put(&mut bytes, index.names.len() as u64);
    out.write_all(&bytes)?;
    out.write_all(index.names.as_bytes())?;
    bytes.clear();
    put(&mut bytes, index.nodes.len() as u64);
    let mut before = Packet {
        name: 0,
        record: 0,
        parent: 0,
        file: 0,
        shape: 0,
        flags: 0,
    };
    for node in &index.nodes {
        put(&mut bytes, u64::from(node.name - before.name));
        put(&mut bytes, u64::from(node.record - before.record));
        put(&mut bytes, u64::from(node.parent));
        put(&mut bytes, u64::from(node.file));
        put(&mut bytes, u64::from(node.shape));
        bytes.push(node.flags);
        before = *node;
        if bytes.len() > CHUNK {
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    out.write_all(&bytes)
}

/// Verifies a whole file and reads its index. Returns `None` if anything is not as it was written.
pub(super) fn read(file: &mut File, about: &[u8; 32]) -> Option<(Vec<MetadataFile>, Index)> {
    let length = file.metadata().ok()?.len();
    let end = length.checked_sub(END)?;
    let mut tail = [0; 40];
    file.seek(SeekFrom::Start(end)).ok()?;
    file.read_exact(&mut tail).ok()?;
    let mut tail = Reader(&tail);
    let start = u64::from_le_bytes(tail.array()?);
    let digest: [u8; 32] = tail.array()?;
    file.rewind().ok()?;
    let mut hasher = blake3::Hasher::new();
    let mut bytes = vec![0; usize::try_from(end.checked_sub(start)?).ok()?];
    let mut chunk = vec![0; CHUNK];
    let mut left = start;
    while left > 0 {
        let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        file.read_exact(&mut chunk[..size]).ok()?;
        hasher.update(&chunk[..size]);
        left -= size as u64;
    }
    file.read_exact(&mut bytes).ok()?;
    hasher.update(&bytes);
    hasher.update(&start.to_le_bytes());
    if *hasher.finalize().as_bytes() != digest {
        return None;
    }
    parse(Reader(&bytes), about)
}

fn parse(mut reader: Reader<'_>, about: &[u8; 32]) -> Option<(Vec<MetadataFile>, Index)> {
    if reader.array()? != MAGIC || reader.array()? != *about {
        return None;
    }
    let mut files = Vec::new();
    for _ in 0..reader.size()? {
        let path = Path::new(std::ffi::OsStr::from_bytes(reader.bytes()?)).to_owned();
        let digest = blake3::Hash::from_bytes(reader.array()?);
        files.push(MetadataFile { path, digest });
    }
    let mut index = Index::default();
    for _ in 0..reader.size()? {
        index.keys.push(reader.text()?.into());
    }
    for _ in 0..reader.size()? {
        let count = reader.size()?;
        let keys: Option<_> = (0..count).map(|_| reader.small()).collect();
        index.shapes.push(keys?);
    }
    reader.text()?.clone_into(&mut index.names);
    let count = reader.size()?;
    // A node takes at least six bytes.
    index.nodes.reserve_exact(count.min(reader.0.len() / 6));
    let (mut name, mut record) = (0_u32, 0_u32);
    for at in 0..count {
        name = name.checked_add(reader.small()?)?;
        record = record.checked_add(reader.small()?)?;
        let (parent, file, shape) = (reader.small()?, reader.small()?, reader.small()?);
        let is_sound = index.names.is_char_boundary(name as usize)
            && (at == 0 || (parent as usize) < at)
            && (shape as usize) < index.shapes.len();
        index.nodes.push(is_sound.then_some(Packet {
            name,
            record,
            parent,
            file,
            shape,
            flags: reader.byte()?,
        })?);
    }
    Some((files, index))
}
