//! The index of records: remembers the content of many records together, so that unchanged ones are not read one by one again.
//!
//! There is one file for each name under which somebody asks. An entry holds what `stat` said of the record's file before it was
//! read, and is trusted only if all of that is the same now. Invariant: no entry is trusted whose file changed shortly before it
//! was looked at, because a second change within the same tick of the clock could leave its size and times as they are (git calls
//! such an entry racy). Blobs are not part of the index: whoever takes them verifies them.
//!
//! The time of the last look at an index counts as a use of all its records. The collection heeds it, so that records need not be
//! marked one by one.
//!
//! The file has the [`binary`](crate::format::binary) format, with one entry, as bytes, after the other:
//!
//! ```text
//! entry:  key · stamp, zeros where it must not be believed · started · duration · bits · prepared? · file*
//! file:   path · digest · size
//! ```
//!
//! The lowest bit says that the node passed, and the next one that `prepared` follows. A damaged file counts as an empty one.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use atex_graph::{ActionKey, BlobDigest};
use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags, Stat};

use crate::bucket::Bucket;
use crate::error::CacheError;
use crate::format::binary::{BinaryReader, BinaryWriter};
use crate::records::record::{OutputFile, RecordOutcome, RecordOutput};
use crate::report::judge;
use crate::store::Store;
use crate::store::layout::Layout;
use crate::store::walk;

/// Times younger than this are not trusted: the coarsest clock of a file system in use (FAT) ticks every two seconds.
const RACY_NS: i128 = 2_000_000_000;

/// The bits of an entry.
const PASSED: u8 = 1;
const PREPARED: u8 = 2;

/// The length of a digest in bytes.
const DIGEST: usize = 32;

/// What `stat` says that changes with a file's content: device, inode, size, and both times in nanoseconds.
type Stamp = [u8; 56];

/// The stamp of an entry that must not be trusted; no file has it.
const NEVER: Stamp = [0; 56];

/// The result of looking for one record.
enum Look<'i> {
    Absent,
    /// The index knows the record, by these bytes of its entry.
    Known(&'i [u8], RecordOutput),
    /// The record was read, and had this stamp.
    Read(Stamp, RecordOutput),
}

impl Store {
    /// Returns the outputs of many records, as [`Store::output`] does for one, in the order of `keys`. An unreadable record
    /// counts as missing. The result is remembered under `name`, in place of what was there before.
    pub fn outputs(&self, name: &str, keys: &[ActionKey]) -> Vec<Option<RecordOutput>> {
        self.outputs_at(name, keys, now_ns())
    }

    /// As [`Store::outputs`], at a given time in nanoseconds since the epoch.
    pub(crate) fn outputs_at(&self, name: &str, keys: &[ActionKey], now: i128) -> Vec<Option<RecordOutput>> {
        let path = self.layout().index(name);
        let bytes = fs::read(&path).unwrap_or_default();
        let known = decode(&bytes).unwrap_or_default();
        let records = rustix::fs::open(
            self.layout().bucket(Bucket::Records),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let records = match records {
            Ok(records) => records,
            Err(error) => {
                if let Ok(Some(problem)) = judge(error.into()) {
                    self.report(self.layout().bucket(Bucket::Records), problem);
                }
                return keys.iter().map(|_| None).collect();
            }
        };
        let looks: Vec<Look<'_>> = keys
            .par_iter()
            .map(|&key| self.look(key, &records, known.get(&key).copied(), now))
            .collect();
        let news = looks.iter().filter(|look| !matches!(look, Look::Absent)).count() != known.len()
            || looks
                .iter()
                .any(|look| matches!(look, Look::Read(stamp, _) if *stamp != NEVER));
        if news {
            // If the index cannot be written, only the next reader loses time.
            let _is_read_again = self.save_index(name, keys, &looks);
        } else if let (Ok(disk), Ok(file)) = (self.disk(), File::open(&path)) {
            let _goes_earlier = disk.touch(&file, &path);
        }
        let output = |look| match look {
            Look::Absent => None,
            Look::Known(_, output) | Look::Read(_, output) => Some(output),
        };
        looks.into_iter().map(output).collect()
    }

    /// Returns when records were last looked for, as far as an index tells.
    pub(crate) fn looked_for(&self) -> Result<HashMap<ActionKey, SystemTime>, CacheError> {
        let mut uses = HashMap::new();
        for found in walk::files(self.layout(), Bucket::Index)? {
            let bytes = fs::read(&found.path).unwrap_or_default();
            for &key in decode(&bytes).unwrap_or_default().keys() {
                let last = uses.entry(key).or_insert(found.modified);
                *last = found.modified.max(*last);
            }
        }
        Ok(uses)
    }

    fn look<'i>(&self, key: ActionKey, records: &OwnedFd, known: Option<&'i [u8]>, now: i128) -> Look<'i> {
        let stat = rustix::fs::statat(records, Layout::record_in_bucket(key), AtFlags::empty());
        let stamp = match stat {
            Ok(stat) => stamp(&stat, now),
            Err(rustix::io::Errno::NOENT) => return Look::Absent,
            Err(_) => NEVER,
        };
        if let Some(entry) = known
            && stamp != NEVER
            && let Some(output) = known_output(entry, &stamp)
        {
            return Look::Known(entry, output);
        }
        match self.output(key) {
            Ok(Some(output)) => Look::Read(stamp, output),
            Ok(None) | Err(_) => Look::Absent,
        }
    }

    fn save_index(&self, name: &str, keys: &[ActionKey], looks: &[Look<'_>]) -> Result<(), CacheError> {
        let disk = self.disk()?;
        let mut out = BinaryWriter::with_capacity(looks.len() * 360);
        for (key, look) in keys.iter().zip(looks) {
            match look {
                Look::Absent => {}
                Look::Known(entry, _) => out.bytes(entry),
                Look::Read(stamp, output) => out.bytes(&encode(*key, stamp, output)),
            }
        }
        let bucket = self.layout().bucket(Bucket::Index);
        disk.make_dirs(&bucket)?;
        let temporary = disk.temporary(&bucket)?;
        disk.write(temporary.as_file(), temporary.path(), &out.seal())?;
        // The index is not synced: the checksum reveals a torn file, and only time is lost.
        disk.rename(temporary, &self.layout().index(name))
    }
}

/// Returns the stamp of what `stat` says, or [`NEVER`] if a later change might not show in it.
fn stamp(stat: &Stat, now: i128) -> Stamp {
    let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let (modified, changed) = (
        ns(stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
        ns(stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
    );
    if modified.max(changed) + RACY_NS >= now {
        return NEVER;
    }
    let mut stamp = NEVER;
    let numbers = [stat.st_dev, stat.st_ino, stat.st_size.cast_unsigned()];
    for (place, number) in stamp.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    for (place, time) in stamp[24..].chunks_exact_mut(16).zip([modified, changed]) {
        place.copy_from_slice(&time.to_le_bytes());
    }
    stamp
}

pub(crate) fn now_ns() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(0)
}

fn encode(key: ActionKey, stamp: &Stamp, output: &RecordOutput) -> Vec<u8> {
    let mut out = BinaryWriter::with_capacity(320);
    out.array(key.as_bytes());
    out.array(stamp);
    out.number(output.started);
    out.number(output.duration_ms);
    let passed = if output.outcome == RecordOutcome::Passed {
        PASSED
    } else {
        0
    };
    let prepared = if output.prepared.is_some() { PREPARED } else { 0 };
    out.array(&[passed | prepared]);
    if let Some(prepared) = output.prepared {
        out.number(prepared);
    }
    for file in &output.files {
        out.text(&file.path);
        out.array(file.digest.as_bytes());
        out.number(file.size);
    }
    out.into_part()
}

/// Finds the entries in the bytes of a file.
fn decode(bytes: &[u8]) -> Option<HashMap<ActionKey, &[u8]>> {
    let mut entries = BinaryReader::open(bytes)?;
    let mut known = HashMap::with_capacity(entries.left() / 256);
    while !entries.is_at_end() {
        let entry = entries.bytes()?;
        known.insert(ActionKey::from_bytes(*entry.first_chunk()?), entry);
    }
    Some(known)
}

/// Reads an entry, if it has this stamp.
fn known_output(entry: &[u8], stamp: &Stamp) -> Option<RecordOutput> {
    let mut entry = BinaryReader::part(entry.get(DIGEST..)?);
    if entry.array()? != *stamp {
        return None;
    }
    let started = entry.number()?;
    let duration_ms = entry.number()?;
    let [bits] = entry.array()?;
    if bits & !(PASSED | PREPARED) != 0 {
        return None;
    }
    let outcome = if bits & PASSED == 0 {
        RecordOutcome::Failed
    } else {
        RecordOutcome::Passed
    };
    let prepared = match bits & PREPARED {
        0 => None,
        _ => Some(entry.number()?),
    };
    let mut files = Vec::new();
    while !entry.is_at_end() {
        files.push(OutputFile {
            path: entry.text()?,
            digest: BlobDigest::from_bytes(entry.array()?),
            size: entry.number()?,
        });
    }
    files.iter().all(OutputFile::has_plain_path).then_some(RecordOutput {
        started,
        duration_ms,
        prepared,
        outcome,
        files,
    })
}
