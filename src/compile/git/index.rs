//! Reads the index of a git repository, which lists the tracked paths (gitformat-index, versions 2 to 4, split and sparse).
//!
//! The file comes from whoever made the tree, so every length is checked, and a path that git itself would refuse is not taken.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::host;

/// The file types in the modes of entries.
const KIND: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const SUBMODULE: u32 = 0o160_000;
/// How many bytes of an entry come before the id of its object.
const STAT: usize = 40;
const MODE: usize = 24;
const EXTENDED: u16 = 0x4000;
const LENGTH: u16 = 0x0fff;

/// The tracked paths of a repository.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Files and symlinks, with paths relative to the work tree.
    pub(super) files: HashSet<Vec<u8>>,
    /// All directories above these files and above submodules.
    pub(super) directories: HashSet<Vec<u8>>,
    pub(super) submodules: HashSet<Vec<u8>>,
    /// Directories that a sparse index does not expand: only git's objects know which files they hold.
    pub(super) sparse: HashSet<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Entry {
    mode: u32,
    path: Vec<u8>,
}

/// The entries of one index file, and its link to a shared index, if it builds on one.
struct Part {
    entries: Vec<Entry>,
    link: Option<Link>,
}

struct Link {
    base: String,
    deleted: Vec<usize>,
    replaced: Vec<usize>,
}

impl Index {
    /// Reads the index in the directory of a repository. A missing index has no entries. `hash` is the length of an object's id
    /// in bytes.
    pub(super) fn read(repository: &Path, hash: usize) -> io::Result<Self> {
        let bytes = match host::file::read(&repository.join("index")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            other => other?,
        };
        let part = parse(&bytes, hash).ok_or_else(damaged)?;
        let entries = match part.link {
            None => part.entries,
            Some(link) => {
                let bytes = host::file::read(&repository.join(format!("sharedindex.{}", link.base)))?;
                let base = parse(&bytes, hash).ok_or_else(damaged)?;
                joined(base.entries, &link, part.entries).ok_or_else(damaged)?
            }
        };
        let mut index = Self::default();
        for entry in entries {
            index.add(entry);
        }
        Ok(index)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "an entry is read once, and is of no use afterwards"
    )]
    fn add(&mut self, entry: Entry) {
        let path = entry.path.strip_suffix(b"/").unwrap_or(&entry.path).to_owned();
        let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.eq_ignore_ascii_case(b".git");
        if !path.split(|byte| *byte == b'/').all(plain) {
            return;
        }
        let slashes: Vec<usize> = (0..path.len()).filter(|&at| path[at] == b'/').collect();
        for slash in slashes.into_iter().rev() {
            if !self.directories.insert(path[..slash].to_owned()) {
                break;
            }
        }
        match entry.mode & KIND {
            DIRECTORY => self.sparse.insert(path),
            SUBMODULE => self.submodules.insert(path),
            _ => self.files.insert(path),
        };
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is damaged, or of an unknown version")
}

fn parse(bytes: &[u8], hash: usize) -> Option<Part> {
    let content = bytes.get(..bytes.len().checked_sub(hash)?)?;
    let mut rest = content.strip_prefix(b"DIRC")?;
    let version = number(&mut rest)?;
    if !(2..=4).contains(&version) {
        return None;
    }
    let count = number(&mut rest)?;
    let (mut entries, mut previous) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let entry = entry(&mut rest, version, hash, &previous)?;
        previous.clone_from(&entry.path);
        entries.push(entry);
    }
    let mut link = None;
    while rest.len() >= 8 {
        let signature: [u8; 4] = take(&mut rest, 4)?.try_into().ok()?;
        let size = usize::try_from(number(&mut rest)?).ok()?;
        let body = take(&mut rest, size)?;
        match &signature {
            b"link" => link = read_link(body, hash)?,
            // A reader may skip extensions that begin with an upper-case letter; `sdir` only announces entries for directories.
            b"sdir" => {}
            [first, ..] if first.is_ascii_uppercase() => {}
            _ => return None,
        }
    }
    Some(Part { entries, link })
}

fn entry(rest: &mut &[u8], version: u32, hash: usize, previous: &[u8]) -> Option<Entry> {
    let whole = *rest;
    let mode = u32::from_be_bytes(take(rest, STAT)?[MODE..MODE + 4].try_into().ok()?);
    take(rest, hash)?;
    let flags = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
    if flags & EXTENDED != 0 {
        take(rest, 2)?;
    }
    let mut path = Vec::new();
    if version == 4 {
        let stripped = variable(rest)?;
        path.extend_from_slice(&previous[..previous.len().checked_sub(stripped)?]);
    }
    let length = rest.iter().position(|byte| *byte == 0)?;
    if version < 4 && flags & LENGTH != LENGTH && usize::from(flags & LENGTH) != length {
        return None;
    }
    path.extend_from_slice(take(rest, length)?);
    if version == 4 {
        take(rest, 1)?;
    } else {
        // An entry is padded with one to eight zero bytes, so that the next one begins at a multiple of eight.
        let used = whole.len() - rest.len();
        take(rest, 8 - used % 8)?;
    }
    Some(Entry { mode, path })
}

#[expect(clippy::option_option, reason = "unreadable, absent and there are three things")]
fn read_link(mut body: &[u8], hash: usize) -> Option<Option<Link>> {
    let base = take(&mut body, hash)?;
    if base.iter().all(|byte| *byte == 0) {
        return Some(None);
    }
    let base = base.iter().fold(String::new(), |mut hex, byte| {
        // Writing to memory cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let (deleted, replaced) = if body.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        (bitmap(&mut body)?, bitmap(&mut body)?)
    };
    Some(Some(Link {
        base,
        deleted,
        replaced,
    }))
}

/// Applies the changes of an index to the shared index that it builds on. The entries without a name come first; they replace
/// others.
fn joined(mut base: Vec<Entry>, link: &Link, changes: Vec<Entry>) -> Option<Vec<Entry>> {
    let mut changes = changes.into_iter();
    for &position in &link.replaced {
        base.get_mut(position)?.mode = changes.next()?.mode;
    }
    let deleted: HashSet<usize> = link.deleted.iter().copied().collect();
    let kept = base
        .into_iter()
        .enumerate()
        .filter(|(position, _)| !deleted.contains(position));
    let kept = kept.map(|(_, entry)| entry);
    Some(kept.chain(changes.filter(|entry| !entry.path.is_empty())).collect())
}

/// Returns the positions of the set bits of an EWAH bitmap.
fn bitmap(body: &mut &[u8]) -> Option<Vec<usize>> {
    /// A limit on the length of a run, longer than any real index.
    const MOST: u64 = 1 << 30;
    let bits = u64::from(number(body)?);
    let words = usize::try_from(number(body)?).ok()?;
    let mut data = take(body, words.checked_mul(8)?)?;
    number(body)?;
    let (mut set, mut position) = (Vec::new(), 0_u64);
    let word = |data: &mut &[u8]| take(data, 8)?.try_into().ok().map(u64::from_be_bytes);
    while !data.is_empty() {
        let marker = word(&mut data)?;
        let (ones, run, literal) = (marker & 1 == 1, marker >> 1 & 0xffff_ffff, marker >> 33);
        let end = position.checked_add(run.checked_mul(64)?).filter(|end| *end <= MOST)?;
        if ones {
            set.extend((position..end.min(bits)).map_while(|bit| usize::try_from(bit).ok()));
        }
        position = end;
        for _ in 0..literal {
            let word = word(&mut data)?;
            let found = (0..64).filter(|bit| word >> bit & 1 == 1).map(|bit| position + bit);
            set.extend(found.map_while(|bit| usize::try_from(bit).ok()));
            position += 64;
        }
    }
    Some(set)
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Reads a number in the variable-length encoding that pack files use for offsets.
fn variable(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0_usize;
    loop {
        let byte = take(rest, 1)?[0];
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        value = value.checked_add(1)?;
    }
}
