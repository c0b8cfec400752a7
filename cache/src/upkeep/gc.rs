//! Collecting: what was not of use for long, or is more than may be kept, goes.
//!
//! Approach, under the exclusive lock, so that nobody else reads, writes or holds a claim:
//!
//! 1. what dead processes left in the buckets (temporary files, claims) goes; here and below, a file that no store makes stays;
//! 2. every record is read, with the blobs it needs; a bad one goes;
//! 3. those not used for longer than `keep` go, then the longest unused ones until the rest is at most `max_size`;
//! 4. the blobs that no remaining record needs go;
//! 5. what can be made or fetched again and was not used for as long as its [bucket](crate::bucket) says goes.
//!
//! Records go before blobs, so a crash in between leaves blobs that nobody needs, never a record without its blobs.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, SystemTime};

use atex_graph::{ActionKey, BlobDigest};
use rayon::prelude::*;

use crate::bucket::{Bucket, Lifetime};
use crate::error::CacheError;
use crate::fetched::{self, Pruned};
use crate::records::document::Document;
use crate::report::{BadFile, FileProblem, judge};
use crate::store::disk::Disk;
use crate::store::walk::{self, StoredFile};
use crate::store::{Alone, Store};

/// What may stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcPolicy {
    /// Records used within this time stay; all do where absent. It is also how long unused files stay that can be made or fetched
    /// again; where absent, their buckets say how long.
    pub keep: Option<Duration>,
    /// Records and their blobs may be so many bytes together; the longest unused go first.
    pub max_size: Option<u64>,
    /// How long to wait for other processes that use the store.
    pub wait: Duration,
}

/// What a collection did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Records that went.
    pub records_removed: u64,
    /// Records that stayed.
    pub records_kept: u64,
    /// Blobs that went.
    pub blobs_removed: u64,
    /// Blobs that stayed.
    pub blobs_kept: u64,
    /// Leftovers of dead processes that went.
    pub leftovers_removed: u64,
    /// Files that went and can be made again, such as packed trees and digests of files.
    pub derived_removed: u64,
    /// Size of these files, in bytes.
    pub derived_bytes_removed: u64,
    /// Commits of fetched trees that went.
    pub fetched: Pruned,
    /// Size of all records, blobs and leftovers that went, in bytes. Content that a run's directory shares stays on the disk until that goes too.
    pub bytes_removed: u64,
    /// Size of the records and blobs that stayed, in bytes.
    pub bytes_kept: u64,
    /// Why blobs were not collected, if they were not.
    pub blobs_spared: Option<String>,
    /// Records that went because they were bad.
    pub bad: Vec<BadFile>,
}

/// A good record, and what it needs.
struct Good {
    found: StoredFile,
    /// Indices into [`Collection::blobs`].
    needs: Vec<usize>,
}

#[derive(Default)]
struct Blob {
    size: u64,
    /// How many records need it.
    users: usize,
}

/// The state of a collection.
struct Collection<'s> {
    store: &'s Store,
    disk: &'s Disk,
    good: Vec<Good>,
    ids: HashMap<BlobDigest, usize>,
    blobs: Vec<Blob>,
    report: GcReport,
}

impl Store {
    /// Collects as `policy` says, ages counted up to `now`. A record's last use counts, to within ten minutes. Takes the store, because
    /// nothing of it may be in use.
    ///
    /// Fails with [`CacheError::InUse`] where this or another process uses the store and does not end within the policy's `wait`, and with
    /// [`CacheError::Mounted`] where something is mounted below the store.
    pub fn gc(self, policy: &GcPolicy, now: SystemTime) -> Result<GcReport, CacheError> {
        let Alone { store, lock } = self.alone()?;
        let _exclusive = lock.into_exclusive(policy.wait)?;
        store.holds_no_mounts()?;
        let mut collection = Collection::survey(&store)?;
        collection.remove_records(policy, now)?;
        collection.remove_blobs()?;
        collection.remove_unused(policy, now)?;
        let mut report = collection.report;
        report.bad = store.take_reports();
        Ok(report)
    }

    /// Reads what a record needs; a bad record is reported, and `None`.
    fn needs(&self, found: &StoredFile) -> Result<Option<Vec<(BlobDigest, u64)>>, CacheError> {
        let read_error = |error| CacheError::io("read", &found.path, error);
        let problem = match (found.key(), fs::read(&found.path)) {
            (None, _) => FileProblem::Misplaced,
            (_, Err(error)) => judge(error).map_err(read_error)?.unwrap_or(FileProblem::Misplaced),
            (Some(key), Ok(bytes)) => match self.read_needs(&bytes, key)? {
                Ok(needs) => return Ok(Some(needs)),
                Err(problem) => problem,
            },
        };
        self.report(found.path.clone(), problem);
        Ok(None)
    }

    fn read_needs(
        &self,
        bytes: &[u8],
        key: ActionKey,
    ) -> Result<Result<Vec<(BlobDigest, u64)>, FileProblem>, CacheError> {
        let document = match Document::decode(bytes, key) {
            Ok(document) => document,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut needs: Vec<_> = document
            .inputs
            .blob()
            .into_iter()
            .chain(document.outputs.blob())
            .collect();
        match document.outputs.load(self)? {
            Ok(files) => needs.extend(files.into_iter().map(|file| (file.digest, file.size))),
            Err(problem) => return Ok(Err(problem)),
        }
        needs.sort_unstable();
        needs.dedup();
        let missing = needs
            .iter()
            .find(|(digest, size)| !self.blobs().contains(*digest, *size));
        Ok(match missing {
            Some((digest, _)) => Err(FileProblem::MissingBlob(*digest)),
            None => Ok(needs),
        })
    }
}

impl<'s> Collection<'s> {
    /// Steps 1 and 2.
    fn survey(store: &'s Store) -> Result<Self, CacheError> {
        let (disk, report) = (store.disk()?, GcReport::default());
        let mut collection = Self {
            store,
            disk,
            good: Vec::new(),
            ids: HashMap::new(),
            blobs: Vec::new(),
            report,
        };
        collection.remove_leftovers()?;
        let found = walk::files(store.layout(), Bucket::Records)?;
        let read: Vec<_> = found
            .par_iter()
            .map(|found| store.needs(found))
            .collect::<Result<_, _>>()?;
        let looked_for = store.looked_for()?;
        for (mut found, needs) in found.into_iter().zip(read) {
            let last = found.key().and_then(|key| looked_for.get(&key));
            found.modified = last.map_or(found.modified, |&last| last.max(found.modified));
            match needs {
                Some(needs) => collection.add(found, needs),
                None => collection.remove_record(&found)?,
            }
        }
        Ok(collection)
    }

    fn remove_leftovers(&mut self) -> Result<(), CacheError> {
        let layout = self.store.layout();
        for bucket in Bucket::ALL {
            // Who writes what can be made again holds no lock: a file may be complete in a moment.
            if matches!(bucket.lifetime(), Lifetime::Unused(Some(_))) {
                continue;
            }
            for found in walk::files(layout, bucket)? {
                if found.is_temporary() || bucket.lifetime() == Lifetime::Process {
                    self.disk.remove(&found.path)?;
                    self.report.leftovers_removed += 1;
                    self.report.bytes_removed += found.size;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, found: StoredFile, needs: Vec<(BlobDigest, u64)>) {
        self.report.records_kept += 1;
        self.report.bytes_kept += found.size;
        let mut ids = Vec::with_capacity(needs.len());
        for (digest, size) in needs {
            let next = self.blobs.len();
            let id = *self.ids.entry(digest).or_insert(next);
            if id == next {
                self.blobs.push(Blob { size, users: 0 });
                self.report.blobs_kept += 1;
                self.report.bytes_kept += size;
            }
            self.blobs[id].users += 1;
            ids.push(id);
        }
        self.good.push(Good { found, needs: ids });
    }

    fn remove_record(&mut self, found: &StoredFile) -> Result<(), CacheError> {
        self.disk.remove(&found.path)?;
        self.report.records_removed += 1;
        self.report.bytes_removed += found.size;
        Ok(())
    }

    /// Step 3.
    fn remove_records(&mut self, policy: &GcPolicy, now: SystemTime) -> Result<(), CacheError> {
        let mut good = std::mem::take(&mut self.good);
        good.sort_by(|a, b| (a.found.modified, &a.found.path).cmp(&(b.found.modified, &b.found.path)));
        for Good { found, needs } in good {
            // A time that is to come, by a clock that was wrong, counts as now.
            let age = now.duration_since(found.modified).unwrap_or_default();
            let too_old = policy.keep.is_some_and(|keep| age > keep);
            let too_much = policy.max_size.is_some_and(|most| self.report.bytes_kept > most);
            if !too_old && !too_much {
                continue;
            }
            self.remove_record(&found)?;
            self.report.records_kept -= 1;
            self.report.bytes_kept -= found.size;
            for id in needs {
                let blob = &mut self.blobs[id];
                blob.users -= 1;
                if blob.users == 0 {
                    self.report.blobs_kept -= 1;
                    self.report.bytes_kept -= blob.size;
                }
            }
        }
        Ok(())
    }

    /// Step 5.
    fn remove_unused(&mut self, policy: &GcPolicy, now: SystemTime) -> Result<(), CacheError> {
        let layout = self.store.layout();
        for bucket in Bucket::ALL {
            let Lifetime::Unused(default) = bucket.lifetime() else {
                continue;
            };
            let Some(keep) = policy.keep.or(default) else { continue };
            if bucket == Bucket::Fetched {
                let dir = layout.bucket(bucket);
                let pruned = fetched::prune(&dir, keep, now);
                self.report.fetched = pruned.map_err(|error| CacheError::io("prune", dir, error))?;
                continue;
            }
            for found in walk::files(layout, bucket)? {
                if now.duration_since(found.modified).is_ok_and(|age| age > keep) && self.disk.remove(&found.path)? {
                    self.report.derived_removed += 1;
                    self.report.derived_bytes_removed += found.size;
                }
            }
            for dir in walk::owned_dirs(layout, bucket)? {
                self.disk.remove_empty_dir(&dir)?;
            }
        }
        Ok(())
    }

    /// Step 4.
    fn remove_blobs(&mut self) -> Result<(), CacheError> {
        let others = self.store.layout().other_versions(Bucket::Records);
        if !others.is_empty() {
            let names = others.join("`, `");
            self.report.blobs_spared = Some(format!("records of another version may need them: `{names}`"));
            return Ok(());
        }
        for found in walk::files(self.store.layout(), Bucket::Blobs)? {
            let id = found.digest().and_then(|digest| self.ids.get(&digest));
            if id.is_none_or(|id| self.blobs[*id].users == 0) {
                self.disk.remove(&found.path)?;
                self.report.blobs_removed += 1;
                self.report.bytes_removed += found.size;
            }
        }
        Ok(())
    }
}
