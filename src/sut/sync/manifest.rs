//! The manifest of a slot: what the runner remembers on the machine about the slot's tree, as bytes that the agent stores and
//! gives back.
//!
//! The format is a line `atex-files-2-ID-STEPS`, then records ended by NUL: `F hex path`, `X hex path` (executable), `L path`
//! followed by a record that is the target, `D path`, and `A first last path` for a path that prepare steps changed. ID
//! stands for the list of files, and STEPS is the number of steps of a chain up to the last one that left something in the
//! tree. So the machine finds out by one comparison that the same files are wanted again.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::sut::sync::files::{FileKind, SlotFiles};

const FORMAT: &str = "atex-files-2";

/// A path below a slot, as bytes.
pub(crate) type RelPath = Vec<u8>;

/// What was synced, and what prepare steps changed in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeManifest {
    /// What the runner synced. The sizes are not kept (they are 0).
    pub files: BTreeMap<RelPath, FileKind>,
    /// The paths whose present state belongs to the prepared state of the machine.
    pub adopted: BTreeMap<RelPath, Steps>,
}

/// Which steps of a prepare chain changed a path, by their positions in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The first step that changed the path.
    pub first: usize,
    /// The last step that changed the path.
    pub last: usize,
}

/// Returns the id of a list of files.
pub(crate) fn id(set: &SlotFiles) -> String {
    let mut hasher = blake3::Hasher::new();
    for entry in &set.files {
        let mut record = Vec::new();
        write_file(&mut record, entry.path.as_os_str().as_bytes(), &entry.kind);
        hasher.update(&record);
    }
    hasher.finalize().to_hex().to_string()
}

/// Returns the first line of a manifest with this id in which no step but the first `steps` has left anything. It is the only
/// part that the agent looks at.
pub(crate) fn head(id: &str, steps: usize) -> String {
    format!("{FORMAT}-{id}-{steps}")
}

impl TreeManifest {
    /// Makes the manifest of a list of files.
    pub(crate) fn of(set: &SlotFiles) -> Self {
        let pairs = set
            .files
            .iter()
            .map(|entry| (entry.path.as_os_str().as_bytes().to_vec(), remembered(&entry.kind)));
        Self {
            files: pairs.collect(),
            adopted: BTreeMap::new(),
        }
    }

    /// Encodes the manifest, under the id of the list that it was made from.
    pub(crate) fn encode(&self, id: &str) -> Vec<u8> {
        let steps = self.adopted.values().map(|steps| steps.last + 1).max();
        let mut out = head(id, steps.unwrap_or_default()).into_bytes();
        out.push(b'\n');
        for (path, kind) in &self.files {
            write_file(&mut out, path, kind);
        }
        for (path, Steps { first, last }) in &self.adopted {
            record(&mut out, &[format!("A {first} {last} ").as_bytes(), path]);
        }
        out
    }

    /// Decodes a manifest and its id; `None` if the bytes are not a manifest.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, String)> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let (id, _steps) = head.strip_prefix(FORMAT)?.strip_prefix('-')?.split_once('-')?;
        let mut manifest = Self::default();
        let body = &bytes[end + 1..];
        let mut records = body.strip_suffix(b"\0").unwrap_or(body).split(|byte| *byte == 0);
        if body.is_empty() {
            return Some((manifest, id.to_owned()));
        }
        while let Some(record) = records.next() {
            let (kind, rest) = record.split_at_checked(2)?;
            let (path, kind) = match kind {
                b"F " | b"X " => {
                    let (hex, path) = rest.split_at_checked(65)?;
                    let digest = *blake3::Hash::from_hex(&hex[..64]).ok()?.as_bytes();
                    let executable = kind == b"X ";
                    (
                        path,
                        FileKind::File {
                            digest,
                            executable,
                            size: 0,
                        },
                    )
                }
                b"L " => (
                    rest,
                    FileKind::Symlink(Path::new(OsStr::from_bytes(records.next()?)).to_owned()),
                ),
                b"D " => (rest, FileKind::Directory),
                b"A " => {
                    let (first, rest) = number(rest)?;
                    let (last, path) = number(rest)?;
                    manifest.adopted.insert(path.to_vec(), Steps { first, last });
                    continue;
                }
                _ => return None,
            };
            manifest.files.insert(path.to_vec(), kind);
        }
        Some((manifest, id.to_owned()))
    }
}

/// Reads a number and a space, and returns what follows too.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b' ')?;
    let number = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    Some((number, &bytes[end + 1..]))
}

/// Returns a kind in the form that a manifest keeps: without the size, because the digest says more.
pub(crate) fn remembered(kind: &FileKind) -> FileKind {
    match kind {
        FileKind::File { digest, executable, .. } => FileKind::File {
            digest: *digest,
            executable: *executable,
            size: 0,
        },
        other => other.clone(),
    }
}

fn write_file(out: &mut Vec<u8>, path: &[u8], kind: &FileKind) {
    match kind {
        FileKind::File { digest, executable, .. } => {
            let word = if *executable { b"X " } else { b"F " };
            let hex = blake3::Hash::from_bytes(*digest).to_hex();
            record(out, &[word, hex.as_bytes(), b" ", path]);
        }
        FileKind::Symlink(target) => {
            record(out, &[b"L ", path]);
            record(out, &[target.as_os_str().as_bytes()]);
        }
        FileKind::Directory => record(out, &[b"D ", path]),
    }
}

fn record(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.push(0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind() -> impl Strategy<Value = FileKind> {
        prop_oneof![
            (any::<[u8; 32]>(), any::<bool>()).prop_map(|(digest, executable)| FileKind::File {
                digest,
                executable,
                size: 0
            }),
            proptest::collection::vec(1_u8.., 1..20)
                .prop_map(|bytes| FileKind::Symlink(OsStr::from_bytes(&bytes).into())),
            Just(FileKind::Directory),
        ]
    }

    fn steps() -> impl Strategy<Value = Steps> {
        (0_usize..20, 0_usize..20).prop_map(|(first, more)| Steps {
            first,
            last: first + more,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            files in proptest::collection::btree_map(proptest::collection::vec(1_u8.., 1..9), kind(), 0..9),
            adopted in proptest::collection::btree_map(proptest::collection::vec(1_u8.., 1..9), steps(), 0..9),
        ) {
            let manifest = TreeManifest { files, adopted };
            let id = "0123abcd";
            prop_assert_eq!(TreeManifest::decode(&manifest.encode(id)), Some((manifest, id.to_owned())));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _anything = TreeManifest::decode(&[b"atex-files-2-00-0\n".as_slice(), &bytes].concat());
            let _anything = TreeManifest::decode(&bytes);
        }
    }
}
