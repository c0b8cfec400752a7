//! Garbage collection: removes what was not used for long, and what exceeds the size that may be kept.
//!
//! Approach, under the exclusive lock, so that nobody else reads, writes or holds a claim:
//!
//! 1. remove what dead processes left in the buckets (temporary files, claims); here and below, a file that no store makes stays;
//! 2. read every record, with the blobs that it needs, and remove bad records;
//! 3. remove the records that were not used for longer than `keep`, then the longest unused ones until the rest is at most
//!    `max_size`;
//! 4. remove the blobs that no remaining record needs;
//! 5. remove what can be made or fetched again and was not used for as long as its [bucket](crate::bucket) says.
//!
//! Records are removed before blobs, so a crash in between leaves blobs that nobody needs, but never a record without its blobs.

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

/// What a collection keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcPolicy {
    /// Records that were used within this time stay; without it, all do. It is also how long unused files stay that can be made
    /// or fetched again; without it, their buckets say how long.
    pub keep: Option<Duration>,
    /// The total size of records and their blobs, in bytes. Beyond it, the longest unused ones are removed first.
    pub max_size: Option<u64>,
    /// How long to wait for other processes that use the store.
    pub wait: Duration,
}

/// The result of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// The number of removed records.
    pub records_removed: u64,
    /// The number of kept records.
    pub records_kept: u64,
    /// The number of removed blobs.
    pub blobs_removed: u64,
    /// The number of kept blobs.
    pub blobs_kept: u64,
    /// The number of removed files that dead processes had left.
    pub leftovers_removed: u64,
    /// The number of removed files that can be made again, such as packed trees and digests of files.
    pub derived_removed: u64,
    /// The size of these files in bytes.
    pub derived_bytes_removed: u64,
    /// The removed commits of fetched trees.
    pub fetched: Pruned,
    /// The size of all removed records, blobs and leftovers in bytes. Content that a run's directory shares stays on the disk
    /// until that is removed, too.
    pub bytes_removed: u64,
    /// The size of the kept records and blobs in bytes.
    pub bytes_kept: u64,
    /// Why blobs were not collected, if they were not.
    pub blobs_spared: Option<String>,
    /// The records that were removed because they were bad.
    pub bad: Vec<BadFile>,
}

/// A good record, and the blobs that it needs.
struct Good {
    found: StoredFile,
    /// Indices into [`Collection::blobs`].
    needs: Vec<usize>,
}

#[derive(Default)]
struct Blob {
    size: u64,
    /// How many records need the blob.
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
    /// Collects as `policy` says, with ages counted up to `now`. A record's last use is known to within ten minutes. This
    /// consumes the store, because nothing of it may be in use.
    ///
    /// Fails with [`CacheError::InUse`] if this or another process uses the store and does not finish within the policy's `wait`,
    /// and with [`CacheError::Mounted`] if something is mounted below the store.
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

    /// Returns the blobs that a record needs. A bad record is reported, and gives `None`.
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
    /// Does steps 1 and 2.
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
            // A process that writes derived files holds no lock, so a temporary file may be complete in a moment.
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

    /// Does step 3.
    fn remove_records(&mut self, policy: &GcPolicy, now: SystemTime) -> Result<(), CacheError> {
        let mut good = std::mem::take(&mut self.good);
        good.sort_by(|a, b| (a.found.modified, &a.found.path).cmp(&(b.found.modified, &b.found.path)));
        for Good { found, needs } in good {
            // A time in the future, from a clock that was wrong, counts as now.
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

    /// Does step 5.
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

    /// Does step 4.
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
