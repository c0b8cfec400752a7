//! The layout of the store: the paths of the files in the [buckets](Bucket), and the marker with the version of the layout.

use std::fs;
use std::path::{Path, PathBuf};

use atex_graph::{ActionKey, BlobDigest};

use crate::bucket::Bucket;

/// The version of the layout as a whole, in the file `format`. It changes only if an older atex would do harm in the directory.
pub(crate) const FORMAT: u32 = 1;

/// The signature that <https://bford.info/cachedir/> requires.
pub(crate) const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This directory holds what atex can make again; see https://bford.info/cachedir/\n";

/// The state of the marker in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// There is no marker: the store is new.
    Absent,
    /// The marker has this version.
    Known,
    /// The marker has another number, most likely of a newer atex, or cannot be read.
    Unknown(String),
    /// The marker is not a number, or is a number that no version had. Damage leaves such a marker.
    Damaged,
}

/// The paths of a store.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn tag(&self) -> PathBuf {
        self.dir.join("CACHEDIR.TAG")
    }

    pub(crate) fn format(&self) -> PathBuf {
        self.dir.join("format")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(crate) fn bucket(&self, bucket: Bucket) -> PathBuf {
        bucket.below(&self.dir)
    }

    pub(crate) fn record(&self, key: ActionKey) -> PathBuf {
        self.bucket(Bucket::Records).join(Self::record_in_bucket(key))
    }

    /// Returns the path of a record below its bucket.
    pub(crate) fn record_in_bucket(key: ActionKey) -> String {
        fanned_out(key.as_bytes(), ".json")
    }

    pub(crate) fn blob(&self, digest: BlobDigest) -> PathBuf {
        self.bucket(Bucket::Blobs).join(Self::blob_in_bucket(digest))
    }

    /// Returns the path of a blob below its bucket.
    pub(crate) fn blob_in_bucket(digest: BlobDigest) -> String {
        fanned_out(digest.as_bytes(), "")
    }

    pub(crate) fn claim(&self, key: ActionKey) -> PathBuf {
        self.bucket(Bucket::Claims).join(key.to_string())
    }

    pub(crate) fn facts(&self, name: &str) -> PathBuf {
        let hex = blake3::hash(name.as_bytes()).to_hex();
        self.bucket(Bucket::Facts).join(format!("{hex}.json"))
    }

    pub(crate) fn index(&self, name: &str) -> PathBuf {
        let hex = blake3::hash(name.as_bytes()).to_hex();
        self.bucket(Bucket::Index).join(hex.as_str())
    }

    /// Reads the marker. A marker that cannot be read counts as unknown.
    pub(crate) fn read_format(&self) -> Format {
        match fs::read(self.format()) {
            Ok(bytes) if bytes == format!("{FORMAT}\n").as_bytes() => Format::Known,
            Ok(bytes) => {
                let text = std::str::from_utf8(&bytes).ok();
                match text.and_then(|text| text.trim().parse::<u32>().ok()) {
                    Some(number) if number > FORMAT => Format::Unknown(number.to_string()),
                    _ => Format::Damaged,
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Format::Absent,
            Err(_) => Format::Unknown("unreadable".to_owned()),
        }
    }

    /// Returns the buckets of other versions that lie beside `bucket`.
    pub(crate) fn other_versions(&self, bucket: Bucket) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| bucket.is_other_version(name))
            .collect()
    }

    /// Returns whether the directory contains files that no store makes. It then belongs to somebody else and must not be tagged.
    pub(crate) fn holds_foreign_files(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return false;
        };
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let ours = ["CACHEDIR.TAG", "format", "lock"].iter().any(|known| name == *known) || is_temporary(&name);
            !ours && entry.file_type().is_ok_and(|kind| kind.is_file())
        })
    }
}

/// Returns a path such as `3f/3f9a…`, which distributes the files over 256 directories by their first byte.
fn fanned_out(digest: &[u8; 32], suffix: &str) -> String {
    let hex = blake3::Hash::from_bytes(*digest).to_hex();
    [&hex[..2], "/", hex.as_str(), suffix].concat()
}

/// The prefix and the suffix of the names that files have while they are written.
pub(crate) const TEMPORARY: (&str, &str) = (".", ".tmp");

/// The number of letters and digits between them.
pub(crate) const RANDOM: usize = 6;

/// Returns whether a file of this name is being written, or was when its writer died.
pub(crate) fn is_temporary(name: &std::ffi::OsStr) -> bool {
    let name = name
        .to_str()
        .and_then(|name| name.strip_prefix(TEMPORARY.0)?.strip_suffix(TEMPORARY.1));
    name.is_some_and(|name| name.len() == RANDOM && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
