//! Looks up the record of a node, and gives the permission to record it.
//!
//! Approach: to look up a node, read its record; a good record is the answer. Otherwise, take the claim of the key. The process
//! that gets the claim looks again, because another process may have committed just before; if it still finds nothing, it has the
//! ticket. A process that does not get the claim learns who has it and waits: the claim ends when its holder commits or dies, and
//! then the lookup starts anew.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use atex_graph::{ActionKey, BlobDigest};

use crate::error::CacheError;
use crate::records::claim::{Claim, ClaimHolder, ClaimPatience};
use crate::records::document::Document;
use crate::records::record::{OutputFile, Record, RecordOutput};
use crate::report::{FileProblem, judge};
use crate::store::Store;

/// A record that was marked as used within this time is not marked again.
const USE_GRAIN: Duration = Duration::from_mins(10);

/// The answer of the store to a process that wants a node's output.
#[derive(Debug)]
pub enum Lookup {
    /// The node is recorded, and its outputs exist.
    Hit(Box<Record>),
    /// The node is not recorded. Only the holder of the ticket may run it.
    Miss(Ticket),
    /// Another process is running the node.
    Busy(ClaimHolder),
}

/// The permission to record a node. Dropping it gives up the claim.
#[derive(Debug)]
pub struct Ticket {
    store: Store,
    key: ActionKey,
    claim: Option<Claim>,
}

impl Store {
    /// Returns the record of `key`, if there is one and its outputs exist. It takes no claim.
    ///
    /// Outputs are only checked by size here, and verified when they are read.
    pub fn peek(&self, key: ActionKey) -> Result<Option<Record>, CacheError> {
        let Some(record) = self.inspect(key)? else {
            return Ok(None);
        };
        Ok(self.holds(key, &record.files).then_some(record))
    }

    /// As [`Store::inspect`], but without the inputs, which are most of a record: for taking the record instead of running its
    /// node. [`Store::holds`] says whether its outputs still exist; whoever takes them finds it out anyway.
    pub fn output(&self, key: ActionKey) -> Result<Option<RecordOutput>, CacheError> {
        let path = self.layout().record(key);
        let output = match read_record(&path)? {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => Document::decode_output(&bytes, key, self)?,
            Err(problem) => Err(problem),
        };
        match output {
            Ok(output) => Ok(Some(output)),
            Err(problem) => {
                self.report(path, problem);
                Ok(None)
            }
        }
    }

    /// Returns whether all files of a record exist, judged by size. Missing files are reported.
    pub fn holds(&self, key: ActionKey, files: &[OutputFile]) -> bool {
        let missing = self.missing_output(files);
        if let Some(digest) = missing {
            self.report(self.layout().record(key), FileProblem::MissingBlob(digest));
        }
        missing.is_none()
    }

    /// Returns the record of `key`, if there is one, to show or explain it. It does not check whether the outputs still exist.
    pub fn inspect(&self, key: ActionKey) -> Result<Option<Record>, CacheError> {
        let path = self.layout().record(key);
        match self.load(key, &path)? {
            Ok(record) => Ok(record),
            Err(problem) => {
                self.report(path, problem);
                Ok(None)
            }
        }
    }

    fn load(&self, key: ActionKey, path: &Path) -> Result<Result<Option<Record>, FileProblem>, CacheError> {
        let bytes = match read_record(path)? {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Ok(None)),
            Err(problem) => return Ok(Err(problem)),
        };
        match Document::decode(&bytes, key) {
            Ok(document) => Ok(document.into_record(self)?.map(Some)),
            Err(problem) => Ok(Err(problem)),
        }
    }

    fn missing_output(&self, files: &[OutputFile]) -> Option<BlobDigest> {
        let blobs = self.blobs();
        files
            .iter()
            .find(|file| !blobs.contains(file.digest, file.size))
            .map(|file| file.digest)
    }

    /// Looks up `key` and accepts any record of it. It never waits. See [`Store::claim_if`].
    pub fn claim(&self, key: ActionKey) -> Result<Lookup, CacheError> {
        self.claim_if(key, |_| true)
    }

    /// Looks up `key`. A record that is not `acceptable` (failed, too old) counts as a miss, and stays until [`Ticket::begin`].
    /// It never waits.
    pub fn claim_if(&self, key: ActionKey, acceptable: impl Fn(&Record) -> bool) -> Result<Lookup, CacheError> {
        if let Some(record) = self.hit(key, &acceptable)? {
            return Ok(record);
        }
        match Claim::take(self.disk()?, &self.layout().claim(key))? {
            Err(holder) => Ok(Lookup::Busy(holder)),
            Ok(claim) => match self.hit(key, &acceptable)? {
                Some(hit) => Ok(hit),
                None => Ok(Lookup::Miss(Ticket {
                    store: self.clone(),
                    key,
                    claim: Some(claim),
                })),
            },
        }
    }

    /// As [`Store::claim_if`], but waits for another process until that has committed or died, or until `patience` is over, for
    /// which the answer is `Busy`.
    pub fn claim_waiting(
        &self,
        key: ActionKey,
        acceptable: impl Fn(&Record) -> bool,
        patience: ClaimPatience<'_>,
    ) -> Result<Lookup, CacheError> {
        let mut wait = patience.start();
        loop {
            match self.claim_if(key, &acceptable)? {
                Lookup::Busy(_) if wait.pause() => {}
                lookup => return Ok(lookup),
            }
        }
    }

    /// Returns the ticket of a node that runs in any case, and removes its record. It never waits: if another process runs the
    /// same node, both do, and the later record is kept.
    pub fn claim_to_run(&self, key: ActionKey) -> Result<Ticket, CacheError> {
        let claim = Claim::take(self.disk()?, &self.layout().claim(key));
        // The record is removed even if there is no ticket, because the claim cannot be made (no space, no rights): the node will
        // run anyway.
        self.remove(key)?;
        Ok(Ticket {
            store: self.clone(),
            key,
            claim: claim?.ok(),
        })
    }

    fn hit(&self, key: ActionKey, acceptable: impl Fn(&Record) -> bool) -> Result<Option<Lookup>, CacheError> {
        let Some(record) = self.peek(key)?.filter(acceptable) else {
            return Ok(None);
        };
        self.mark_used(&self.layout().record(key));
        Ok(Some(Lookup::Hit(Box::new(record))))
    }

    /// Records that a record was used, for the collection. If this fails, only the order in which records are collected changes.
    fn mark_used(&self, path: &Path) {
        let (Ok(disk), Ok(file)) = (self.disk(), File::open(path)) else {
            return;
        };
        let marked = file.metadata().and_then(|metadata| metadata.modified());
        let fresh = marked.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age < USE_GRAIN));
        if !fresh {
            let _goes_earlier = disk.touch(&file, path);
        }
    }

    /// Removes the record of `key`, and returns whether there was one. Its blobs stay until they are collected.
    pub fn remove(&self, key: ActionKey) -> Result<bool, CacheError> {
        let path = self.layout().record(key);
        let disk = self.disk()?;
        let removed = disk.remove(&path)?;
        if removed {
            disk.sync_dir(path.parent().unwrap_or(Path::new("/")))?;
        }
        Ok(removed)
    }
}

/// Reads a record's file. Returns `None` if there is none.
fn read_record(path: &Path) -> Result<Result<Option<Vec<u8>>, FileProblem>, CacheError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Ok(Some(bytes))),
        Err(error) => {
            let problem = judge(error).map_err(|error| CacheError::io("read", path, error))?;
            Ok(problem.map_or(Ok(None), Err))
        }
    }
}

impl Ticket {
    /// Returns the key that may be recorded.
    pub fn key(&self) -> ActionKey {
        self.key
    }

    /// Returns whether nobody else runs the node meanwhile, which is not certain for some tickets of [`Store::claim_to_run`].
    pub fn is_exclusive(&self) -> bool {
        self.claim.is_some()
    }

    /// Removes the old record durably. This must be called before the node runs, so that a crash during the run leaves no record.
    pub fn begin(&self) -> Result<(), CacheError> {
        self.store.remove(self.key).map(drop)
    }

    /// Records the node durably, and gives up the claim.
    ///
    /// Fails with [`CacheError::WrongKey`], [`CacheError::BadOutputPath`] or [`CacheError::MissingBlob`] if the record belongs to
    /// another node or names content that was not stored before, and with [`CacheError::Io`] if it cannot be written. Nothing is
    /// recorded then.
    pub fn commit(self, record: Record) -> Result<(), CacheError> {
        if record.key != self.key {
            return Err(CacheError::WrongKey {
                ticket: self.key,
                record: record.key,
            });
        }
        let blobs = self.store.blobs();
        for file in &record.files {
            let (name, output) = (&record.name, &file.path);
            if !file.has_plain_path() {
                return Err(CacheError::BadOutputPath {
                    name: name.clone(),
                    output: output.clone(),
                });
            }
            if !blobs.contains(file.digest, file.size) {
                let digest = file.digest;
                return Err(CacheError::MissingBlob {
                    name: name.clone(),
                    output: output.clone(),
                    digest,
                });
            }
        }
        let mut batch = blobs.batch();
        let bytes = Document::encode(record, &mut batch)?;
        batch.finish()?;
        self.store
            .disk()?
            .replace(&self.store.layout().record(self.key), &bytes)
    }
}
