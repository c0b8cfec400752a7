//! The buckets of the cache directory: the one list of everything that atex keeps there.
//!
//! Everything that atex keeps below that directory is in one of the buckets. For each of them, this file says what it holds,
//! which version its format has, how its files are named, how they are checked and how long they stay. `du`, `gc` and `verify`
//! use this list; so what is added here is counted, collected and checked.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atex_graph::BlobDigest;

use crate::store::layout::is_temporary;

/// A directory of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bucket {
    /// Records of what nodes did, by action key: a checksum and a JSON document.
    Records,
    /// Content, by its digest.
    Blobs,
    /// The files that processes lock while they run a node, by action key.
    Claims,
    /// Small documents that cannot be made again, such as answers of probes: a checksum and a JSON document, by the digest of the name.
    Facts,
    /// Summaries of many records as of their last reading, by the digest of the name under which they were asked for.
    Index,
    /// The digests of the files of a tree, each with what `stat` said of the file.
    Digests,
    /// Metadata trees that are adjusted with a context.
    Packed,
    /// The names and keys of the tests of a tree, for a build in which nothing has changed and nothing has to run.
    NullBuilds,
    /// Trees that were fetched from git repositories.
    Fetched,
}

/// How the files of a bucket are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// `<digest>` and a suffix.
    Flat(&'static str),
    /// `<first byte of the digest>/<digest>` and a suffix.
    Fanned(&'static str),
    /// `<digest of the name of the group>/<digest>`.
    Grouped,
    /// Names that [`fetched`](crate::fetched) describes.
    Repositories,
}

/// How a file is checked to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The file is a document of [`json`](crate::format::json).
    Document,
    /// The name of the file is the digest of its content.
    Digest,
    /// The file ends with the digest of everything before it; see [`binary`](crate::format::binary).
    Sealed,
    /// There is nothing to check: only its existence or its lock counts, or git checks it.
    Nothing,
}

/// When a file of a bucket is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// When the policy of a collection says so: by its last use, or by the size of what may be kept.
    Policy,
    /// When no record needs it.
    WhileNeeded,
    /// When its process is gone.
    Process,
    /// Never; a newer file replaces it.
    Forever,
    /// When it was not used for as long as the policy says or, if the policy is silent, for this time. It can be made again.
    Unused(Option<Duration>),
}

/// The lifetime of what can be made or fetched again: 30 days, unless the policy says otherwise.
const UNUSED: Lifetime = Lifetime::Unused(Some(Duration::from_hours(720)));

/// The properties of a bucket.
struct Entry {
    name: &'static str,
    version: u32,
    naming: Naming,
    check: Check,
    lifetime: Lifetime,
}

impl Bucket {
    /// All buckets, in the order in which they are shown.
    pub(crate) const ALL: [Self; 9] = [
        Self::Records,
        Self::Blobs,
        Self::Claims,
        Self::Facts,
        Self::Index,
        Self::Digests,
        Self::Packed,
        Self::NullBuilds,
        Self::Fetched,
    ];

    /// Returns the properties of the bucket.
    const fn entry(self) -> Entry {
        use Naming::{Fanned, Flat, Grouped, Repositories};
        let (name, version, naming, check, lifetime) = match self {
            Self::Records => ("records", 1, Fanned(".json"), Check::Document, Lifetime::Policy),
            Self::Blobs => ("blobs", 1, Fanned(""), Check::Digest, Lifetime::WhileNeeded),
            Self::Claims => ("claims", 1, Flat(""), Check::Nothing, Lifetime::Process),
            Self::Facts => ("facts", 1, Flat(".json"), Check::Document, Lifetime::Forever),
            // An index also tells when its records were last used, so it is removed only if the policy gives a time.
            Self::Index => ("index", 2, Flat(""), Check::Sealed, Lifetime::Unused(None)),
            Self::Digests => ("digests", 4, Grouped, Check::Sealed, UNUSED),
            Self::Packed => ("packed", 1, Grouped, Check::Sealed, UNUSED),
            Self::NullBuilds => ("null-builds", 1, Grouped, Check::Sealed, UNUSED),
            Self::Fetched => ("fetched", 1, Repositories, Check::Nothing, UNUSED),
        };
        Entry {
            name,
            version,
            naming,
            check,
            lifetime,
        }
    }

    /// Returns the name without its version.
    pub(crate) const fn name(self) -> &'static str {
        self.entry().name
    }

    /// Returns the bucket's directory below the cache directory. A bucket of another version lies beside it and is left alone.
    pub(crate) fn below(self, cache: &Path) -> PathBuf {
        let Entry { name, version, .. } = self.entry();
        cache.join(format!("{name}-v{version}"))
    }

    /// Returns whether `name` is that of a directory with another version of this bucket.
    pub(crate) fn is_other_version(self, name: &str) -> bool {
        let Entry { name: own, version, .. } = self.entry();
        let found = name.strip_prefix(own).and_then(|rest| rest.strip_prefix("-v"));
        found.is_some_and(|found| found.parse() != Ok(version))
    }

    pub(crate) const fn check(self) -> Check {
        self.entry().check
    }

    pub(crate) const fn lifetime(self) -> Lifetime {
        self.entry().lifetime
    }

    /// Returns whether atex makes files of this name in the bucket, directly or in a directory of it. Any other file there
    /// belongs to somebody else and is left alone.
    pub(crate) fn owns(self, name: &OsStr) -> bool {
        let Some(text) = name.to_str() else { return false };
        let digest = match self.entry().naming {
            Naming::Flat(suffix) | Naming::Fanned(suffix) => text.strip_suffix(suffix),
            Naming::Grouped => Some(text),
            Naming::Repositories => None,
        };
        is_temporary(name) || digest.is_some_and(is_digest)
    }

    /// Returns whether atex makes directories of this name in the bucket.
    pub(crate) fn owns_dir(self, name: &OsStr) -> bool {
        match self.entry().naming {
            Naming::Flat(_) | Naming::Repositories => false,
            Naming::Fanned(_) => is_fan(name),
            Naming::Grouped => name.to_str().is_some_and(is_digest),
        }
    }
}

fn is_digest(name: &str) -> bool {
    name.parse::<BlobDigest>().is_ok()
}

/// Returns whether a name is that of one of the 256 directories into which files are fanned out.
fn is_fan(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.len() == 2 && name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_bucket_is_listed_once_under_a_name_of_its_own() {
        let names: BTreeSet<_> = Bucket::ALL.iter().map(|bucket| bucket.name()).collect();
        assert_eq!(names.len(), Bucket::ALL.len());
        for (place, bucket) in Bucket::ALL.into_iter().enumerate() {
            assert_eq!(bucket as usize, place, "{bucket:?}");
        }
        assert_eq!(
            Bucket::ALL.len(),
            Bucket::Fetched as usize + 1,
            "the last one ends the list"
        );
    }

    #[test]
    fn the_picture_of_the_layout_has_every_bucket_with_its_version() {
        let text = include_str!("lib.rs");
        let line = |line: &str| {
            Some(
                line.strip_prefix("//! ")?
                    .trim_start_matches(['├', '└', '─', ' '])
                    .to_owned(),
            )
        };
        let pictured: BTreeSet<String> = text
            .lines()
            .filter_map(line)
            .filter_map(|line| Some(line.split_once('/')?.0.to_owned()))
            .filter(|name| name.contains("-v"))
            .collect();
        let made = Bucket::ALL.map(|bucket| bucket.below(Path::new("")).display().to_string());
        assert_eq!(pictured, BTreeSet::from(made));
    }

    #[test]
    fn a_bucket_of_another_version_is_told_apart() {
        let records = Bucket::Records.below(Path::new("/cache"));
        assert_eq!(records, Path::new("/cache/records-v1"));
        assert!(Bucket::Records.is_other_version("records-v2"));
        assert!(!Bucket::Records.is_other_version("records-v1"));
        assert!(!Bucket::Records.is_other_version("record-v2"));
    }

    #[test]
    fn only_names_that_atex_makes_are_its_own() {
        let digest = "3f".repeat(32);
        let json = format!("{digest}.json");
        for bucket in Bucket::ALL {
            assert!(!bucket.owns(OsStr::new("notes.txt")), "{bucket:?}");
            assert!(!bucket.owns_dir(OsStr::new("notes")), "{bucket:?}");
        }
        assert!(Bucket::Records.owns(OsStr::new(&json)) && !Bucket::Blobs.owns(OsStr::new(&json)));
        assert!(Bucket::Packed.owns_dir(OsStr::new(&digest)) && !Bucket::Packed.owns_dir(OsStr::new("3f")));
        assert!(Bucket::Blobs.owns_dir(OsStr::new("3f")) && !Bucket::Index.owns_dir(OsStr::new("3f")));
    }
}
