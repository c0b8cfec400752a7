//! Disk usage: counts the files and bytes in the store.

use crate::bucket::Bucket;
use crate::error::CacheError;
use crate::store::Store;
use crate::store::walk;

/// The disk usage of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The usage of each bucket.
    pub buckets: Vec<BucketUsage>,
}

/// The disk usage of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUsage {
    /// The name of the bucket without its version, such as `records`.
    pub name: &'static str,
    /// The number of files.
    pub files: u64,
    /// The total size in bytes. A blob that shares its inode with a run's directory is counted in full.
    pub bytes: u64,
}

impl Usage {
    /// Returns the size of everything, in bytes.
    pub fn bytes(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.bytes).sum()
    }
}

impl Store {
    /// Counts the files of the store without reading them.
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
