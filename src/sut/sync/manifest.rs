//! What the runner remembers on the machine about a slot's tree, as bytes that the agent stores and gives back.
//!
//! Shape: a line `atex-files-2-ID-STEPS`, then records ended by NUL: `F hex path`, `X hex path` (executable), `L path` followed by a
//! record that is the target, `D path`, and `A first last path` for a path that prepare steps changed. The id stands for the list of
//! files, and STEPS says how many steps of a chain have left something there, so that "the same files again" is one comparison on the
//! machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::sut::sync::files::{FileKind, SlotFiles};

const FORMAT: &str = "atex-files-2";

/// A path below a slot, as bytes.
pub(crate) type RelPath = Vec<u8>;

/// What was brought, and what prepare steps made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeManifest {
    /// What the runner brought; sizes are not kept (0).
    pub files: BTreeMap<RelPath, FileKind>,
    /// Paths whose present state belongs to the prepared state of the machine.
    pub adopted: BTreeMap<RelPath, Steps>,
}

/// Which steps of a prepare chain changed a path: their places in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The first of them.
    pub first: usize,
    /// The last of them.
    pub last: usize,
}

/// The id of a list of files.
pub(crate) fn id(set: &SlotFiles) -> String {
    let mut hasher = blake3::Hasher::new();
    for entry in &set.files {
        let mut record = Vec::new();
        write_file(&mut record, entry.path.as_os_str().as_bytes(), &entry.kind);
        hasher.update(&record);
    }
    hasher.finalize().to_hex().to_string()
}

/// The first line of a manifest with this id, where no step but the first so many has left anything: the only part that the agent
/// looks at.
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

    /// Writes it, under the id of the list that it was made of.
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

    /// Reads it, with its id; nothing if it is not one.
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

/// A number and a space, and what follows.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b' ')?;
    let number = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    Some((number, &bytes[end + 1..]))
}

/// A kind as a manifest keeps it: the digest says more than the size.
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
