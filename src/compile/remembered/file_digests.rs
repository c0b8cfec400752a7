//! Remembers the digests of file contents between runs, so that an unchanged tree is not read again.
//!
//! There is one file of entries for each kind of files of a tree. An entry holds what `stat` said about a file; it is trusted
//! only if all of that is unchanged. Invariant: no entry is written for a file that changed shortly before it was looked at,
//! because a second change within the same tick of the clock could leave its size and times as they are (git calls such an entry
//! racy).
//!
//! A file of entries that is damaged, unreadable or of another version counts as an empty one.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use atex_cache::binary::{BinaryReader, BinaryWriter};
use atex_cache::{CacheError, Derived};

/// Times younger than this are not trusted. The coarsest clock of a file system in use (FAT) ticks every two seconds. However, a
/// page that is written through a mapping changes the times only once, and then not before the kernel has written the page back:
/// by default after 30 seconds, which it checks every five.
const RACY_NS: i128 = 60_000_000_000;
/// The files in which the kernel says after how long it writes pages back, and how often it checks, in hundredths of a second; 0
/// means never.
const WRITEBACK: [&str; 2] = [
    "/proc/sys/vm/dirty_expire_centisecs",
    "/proc/sys/vm/dirty_writeback_centisecs",
];

/// What `stat` says that changes with a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    mtime_ns: i128,
    ctime_ns: i128,
}

/// Returns how long times are not trusted. It is `None`, for ever, if the kernel never writes back by itself. If the kernel does
/// not tell, its defaults count.
fn racy_ns([expire, look]: [Option<i128>; 2]) -> Option<i128> {
    const CENTISECOND: i128 = 10_000_000;
    let (expire, look) = (expire.unwrap_or(3000), look.unwrap_or(500));
    (look > 0).then(|| RACY_NS.max((expire + 2 * look) * CENTISECOND))
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.len(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns whether any later change must show in the stamp, which was taken at `now`.
    fn settled(&self, now: i128) -> bool {
        static RACY: OnceLock<Option<i128>> = OnceLock::new();
        let racy =
            RACY.get_or_init(|| racy_ns(WRITEBACK.map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok())));
        racy.is_some_and(|racy| self.mtime_ns.max(self.ctime_ns) + racy < now)
    }

    fn encode(&self, out: &mut BinaryWriter) {
        for number in [self.dev, self.ino, self.size] {
            out.number(number);
        }
        for time in [self.mtime_ns, self.ctime_ns] {
            out.array(&time.to_le_bytes());
        }
    }

    fn decode(bytes: &mut BinaryReader<'_>) -> Option<Self> {
        Some(Self {
            dev: bytes.number()?,
            ino: bytes.number()?,
            size: bytes.number()?,
            mtime_ns: i128::from_le_bytes(bytes.array()?),
            ctime_ns: i128::from_le_bytes(bytes.array()?),
        })
    }
}

/// A kind of files of a tree. Each run looks at all files of the kind, and forgets those that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// All files that the walk of the tree finds, by git's rules.
    Inputs,
    /// The metadata files that fmf finds, which also follows symbolic links.
    Metadata,
}

/// What is remembered of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) digest: [u8; 32],
    /// Whether it mentions the variable of the control stream, see [`interface`](crate::compile::test::interface).
    pub(crate) speaks: bool,
}

impl Content {
    /// A content of which only the digest matters.
    pub(crate) fn of_digest(digest: [u8; 32]) -> Self {
        Self { digest, speaks: false }
    }
}

impl Of {
    /// Returns the name of the file of entries.
    fn name(self) -> blake3::Hash {
        blake3::hash(match self {
            Self::Inputs => b"inputs",
            Self::Metadata => b"metadata",
        })
    }
}

/// The remembered digests of one tree.
pub(crate) struct DigestCache {
    /// The file of the entries, and its name; `None` if nothing is kept.
    file: Option<(Derived, blake3::Hash)>,
    known: HashMap<PathBuf, (Stamp, Content)>,
    /// What this run saw. Only this is kept, so that files that are gone are forgotten.
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    entries: Vec<(PathBuf, Stamp, Content)>,
    new: bool,
}

impl DigestCache {
    /// Opens the entries of the tree at `root`, which are kept in the cache directory `cache`.
    pub(crate) fn open(cache: Option<&Path>, root: &Path, of: Of) -> Self {
        let file = cache.map(|cache| (Derived::digests(cache, root), of.name()));
        let known = file.as_ref().and_then(|(files, name)| {
            let known = decode(&files.read(name)?)?;
            files.mark_used(name);
            Some(known)
        });
        Self {
            file,
            known: known.unwrap_or_default(),
            seen: Mutex::default(),
        }
    }

    /// Returns the digest of the file at `path` (relative to the root) whose stat is `stamp`. If it is not known, `read` computes
    /// it.
    pub(crate) fn digest(
        &self,
        path: &Path,
        stamp: Stamp,
        read: impl FnOnce() -> io::Result<Content>,
    ) -> io::Result<Content> {
        if self.file.is_none() {
            return read();
        }
        if let Some((known, content)) = self.known.get(path)
            && *known == stamp
        {
            self.see(path, stamp, *content, false);
            return Ok(*content);
        }
        self.learn(path, stamp, read)
    }

    /// As [`digest`](Self::digest), but without looking at what is known.
    pub(crate) fn learn(
        &self,
        path: &Path,
        stamp: Stamp,
        read: impl FnOnce() -> io::Result<Content>,
    ) -> io::Result<Content> {
        let now = now_ns();
        let content = read()?;
        if stamp.settled(now) {
            self.see(path, stamp, content, true);
        }
        Ok(content)
    }

    /// Returns whether there are no entries from earlier runs.
    pub(crate) fn knows_nothing(&self) -> bool {
        self.known.is_empty()
    }

    fn see(&self, path: &Path, stamp: Stamp, content: Content, new: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entries.push((path.to_owned(), stamp, content));
        seen.new |= new;
    }

    /// Writes what this run saw, if it differs from before. If another process does the same at once, the last one wins and
    /// nothing is lost.
    pub(crate) fn save(self) -> Result<(), CacheError> {
        let Some((files, name)) = self.file else { return Ok(()) };
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !seen.new && seen.entries.len() == self.known.len() {
            return Ok(());
        }
        files.write(&name, &encode(&seen.entries))
    }
}

fn now_ns() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(0)
}

fn encode(entries: &[(PathBuf, Stamp, Content)]) -> Vec<u8> {
    let mut out = BinaryWriter::with_capacity(entries.len() * 160);
    for (path, stamp, content) in entries {
        out.bytes(path.as_os_str().as_bytes());
        stamp.encode(&mut out);
        out.array(&content.digest);
        out.array(&[u8::from(content.speaks)]);
    }
    out.seal()
}

fn decode(bytes: &[u8]) -> Option<HashMap<PathBuf, (Stamp, Content)>> {
    let mut entries = BinaryReader::open(bytes)?;
    let mut known = HashMap::new();
    while !entries.is_at_end() {
        let path = PathBuf::from(OsStr::from_bytes(entries.bytes()?));
        let stamp = Stamp::decode(&mut entries)?;
        let content = Content {
            digest: entries.array()?,
            speaks: entries.array::<1>()? != [0],
        };
        known.insert(path, (stamp, content));
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};
    use std::time::{Duration, SystemTime};

    use super::{Content, DigestCache, Of, Stamp, now_ns, racy_ns};

    fn stamp(path: &Path) -> Stamp {
        Stamp::of(&fs::symlink_metadata(path).expect("the file is there"))
    }

    /// Digests `path` through a cache, and returns whether the file was read.
    fn was_read(cache: &DigestCache, path: &Path, stamp: Stamp) -> bool {
        let mut read = false;
        let content = Content {
            digest: [7; 32],
            speaks: true,
        };
        let known = cache.digest(path, stamp, || {
            read = true;
            Ok(content)
        });
        assert_eq!(known.expect("reading cannot fail"), content);
        read
    }

    fn only_file_below(directory: &Path) -> PathBuf {
        let entries: Vec<_> = fs::read_dir(directory).expect("a directory").flatten().collect();
        let [entry] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        match entry.path() {
            path if path.is_dir() => only_file_below(&path),
            path => path,
        }
    }

    fn settled(stamp: Stamp) -> Stamp {
        Stamp {
            mtime_ns: stamp.mtime_ns - 100_000_000_000,
            ctime_ns: stamp.ctime_ns - 100_000_000_000,
            ..stamp
        }
    }

    #[test]
    fn a_file_that_is_known_is_not_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, "text").expect("written");
        let old = settled(stamp(&file));
        let cache = DigestCache::open(Some(dir.path()), Path::new("/root"), Of::Inputs);
        assert!(was_read(&cache, &file, old));
        cache.save().expect("saved");

        let cache = DigestCache::open(Some(dir.path()), Path::new("/root"), Of::Inputs);
        assert!(!was_read(&cache, &file, old));
        assert!(was_read(&cache, &file, Stamp { size: 5, ..old }), "another size");
        assert!(
            was_read(
                &cache,
                &file,
                Stamp {
                    ino: old.ino + 1,
                    ..old
                }
            ),
            "another inode"
        );
        assert!(
            was_read(
                &cache,
                &file,
                Stamp {
                    ctime_ns: old.ctime_ns + 1,
                    ..old
                }
            ),
            "another ctime"
        );
        let other = DigestCache::open(Some(dir.path()), Path::new("/other"), Of::Inputs);
        assert!(was_read(&other, &file, old), "another root");
    }

    #[test]
    fn a_file_that_has_just_changed_is_not_remembered() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, "text").expect("written");
        // Setting back the mtime does not hide the change, because the ctime cannot be set back.
        let opened = File::options().write(true).open(&file).expect("opened");
        opened
            .set_modified(SystemTime::now() - Duration::from_hours(1))
            .expect("set");
        let fresh = stamp(&file);
        assert!(!fresh.settled(now_ns()));
        let cache = DigestCache::open(Some(dir.path()), Path::new("/root"), Of::Inputs);
        assert!(was_read(&cache, &file, fresh));
        cache.save().expect("saved");
        assert!(was_read(
            &DigestCache::open(Some(dir.path()), Path::new("/root"), Of::Inputs),
            &file,
            fresh
        ));
    }

    #[test]
    fn times_are_trusted_when_the_kernel_has_written_back_what_a_mapping_changed() {
        assert_eq!(racy_ns([Some(3000), Some(500)]), Some(60_000_000_000));
        assert_eq!(racy_ns([Some(60_000), Some(1500)]), Some(630_000_000_000));
        assert_eq!(racy_ns([Some(3000), Some(0)]), None, "it never does so by itself");
        assert_eq!(racy_ns([None, None]), Some(60_000_000_000));
    }

    #[test]
    fn a_damaged_file_of_entries_is_an_empty_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, "text").expect("written");
        let old = settled(stamp(&file));
        let cache = DigestCache::open(Some(dir.path()), Path::new("/root"), Of::Inputs);
        was_read(&cache, &file, old);
        cache.save().expect("saved");
        let kept = only_file_below(&dir.path().join("digests-v4"));
        let whole = fs::read(&kept).expect("read");
        for damage in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[damage] ^= 1;
            fs::write(&kept, &bytes).expect("written");
            assert!(was_read(
                &DigestCache::open(Some(dir.path()), Path::new("/root"), Of::Inputs),
                &file,
                old
            ));
            fs::write(&kept, &whole[..damage]).expect("written");
            assert!(was_read(
                &DigestCache::open(Some(dir.path()), Path::new("/root"), Of::Inputs),
                &file,
                old
            ));
        }
    }
}
