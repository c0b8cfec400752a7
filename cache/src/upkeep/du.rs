//! How much the store holds.

use crate::bucket::Bucket;
use crate::error::CacheError;
use crate::store::Store;
use crate::store::walk;

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Each of its buckets.
    pub buckets: Vec<BucketUsage>,
}

/// What one bucket holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUsage {
    /// Its name without a version, such as `records`.
    pub name: &'static str,
    /// Number of files.
    pub files: u64,
    /// Their sizes together, in bytes. A blob that shares its inode with a run's directory is counted whole.
    pub bytes: u64,
}

impl Usage {
    /// Returns the size of everything, in bytes.
    pub fn bytes(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.bytes).sum()
    }
}

impl Store {
    /// Counts what the store holds, without reading any of it.
    pub fn du(&self) -> Result<Usage, CacheError> {
        let count = |bucket: Bucket| {
            let sizes: Vec<u64> = if bucket == Bucket::Fetched {
                walk::sizes_below(&self.layout().bucket(bucket))?
            } else {
                let files = walk::files(self.layout(), bucket)?;
                files.iter().map(|file| file.size).collect()
            };
            Ok(BucketUsage {
                name: bucket.name(),
                files: sizes.len() as u64,
                bytes: sizes.iter().sum(),
            })
        };
        Ok(Usage {
            buckets: Bucket::ALL.into_iter().map(count).collect::<Result<_, _>>()?,
        })
    }
}
