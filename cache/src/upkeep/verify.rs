//! Verifies all files of the store.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use serde::de::IgnoredAny;

use crate::bucket::{Bucket, Check};
use crate::error::CacheError;
use crate::format::binary::BinaryReader;
use crate::format::json;
use crate::report::{BadFile, FileProblem, judge};
use crate::store::Store;
use crate::store::walk::{self, StoredFile};

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many records were read.
    pub records: u64,
    /// How many blobs were read.
    pub blobs: u64,
    /// How many other files with a checksum were read: facts, and what can be made again.
    pub others: u64,
    /// Bytes of blobs that were read.
    pub bytes: u64,
    /// The files that did not pass, by path.
    pub bad: Vec<BadFile>,
}

impl Store {
    /// Reads and checks everything: the digest of each blob, the checksum and the type of each record and the existence of its
    /// outputs, and the checksum of every other file that has one.
    ///
    /// Removes the files that do not pass, unless the store is read-only; a file that no store makes is left alone. It may run
    /// while others use the store. The result also contains the broken files that were found before and not yet returned by
    /// [`Store::take_reports`].
    pub fn verify(&self) -> Result<VerifyReport, CacheError> {
        if self.read_only().is_none() {
            self.holds_no_mounts()?;
        }
        let bytes = AtomicU64::new(0);
        let blobs = self.complete(Bucket::Blobs)?;
        // Blobs are checked first, so that a record whose content turns out bad is then found to lack it.
        blobs.par_iter().try_for_each(|blob| {
            bytes.fetch_add(blob.size, Ordering::Relaxed);
            let digest = blob.digest();
            digest.map_or(Ok(()), |digest| self.blobs().open_verified(digest).map(drop))
        })?;
        let records = self.complete(Bucket::Records)?;
        records.par_iter().try_for_each(|record| match record.key() {
            None => Ok(()),
            Some(key) => match self.peek(key)? {
                None if self.read_only().is_none() => self.remove(key).map(drop),
                _ => Ok(()),
            },
        })?;
        let mut others = 0;
        for bucket in Bucket::ALL {
            if !matches!(bucket, Bucket::Records | Bucket::Blobs) && bucket.check() != Check::Nothing {
                let files = self.complete(bucket)?;
                others += files.len() as u64;
                files.par_iter().try_for_each(|file| self.verify_file(bucket, file))?;
            }
        }
        Ok(VerifyReport {
            others,
            records: records.len() as u64,
            blobs: blobs.len() as u64,
            bytes: bytes.into_inner(),
            bad: self.take_reports(),
        })
    }

    /// Checks a file that contains its own checksum, and removes it if it does not pass.
    fn verify_file(&self, bucket: Bucket, file: &StoredFile) -> Result<(), CacheError> {
        let problem = match fs::read(&file.path) {
            Ok(bytes) if bucket.check() == Check::Sealed => {
                BinaryReader::open(&bytes).is_none().then_some(FileProblem::Checksum)
            }
            Ok(bytes) => json::read::<IgnoredAny>(&bytes).err(),
            Err(error) => judge(error).map_err(|error| CacheError::io("read", &file.path, error))?,
        };
        if let Some(problem) = problem {
            self.report(file.path.clone(), problem);
            if self.read_only().is_none() {
                self.disk()?.remove(&file.path)?;
            }
        }
        Ok(())
    }

    /// Returns the files of a bucket that nobody is writing.
    fn complete(&self, bucket: Bucket) -> Result<Vec<StoredFile>, CacheError> {
        let mut files = walk::files(self.layout(), bucket)?;
        files.retain(|file| !file.is_temporary());
        Ok(files)
    }
}
