//! How much the store holds.

use crate::error::CacheError;
use crate::store::Store;
use crate::store::layout::Bucket;
use crate::store::walk;

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Each of its directories.
    pub buckets: Vec<BucketUsage>,
}

/// What one directory of a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUsage {
    /// `records`, `blobs`, `claims`, `facts`, `index`.
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
            let files = walk::files(self.layout(), bucket)?;
            let bytes = files.iter().map(|file| file.size).sum();
            Ok(BucketUsage {
                name: bucket.name(),
                files: files.len() as u64,
                bytes,
            })
        };
        Ok(Usage {
            buckets: Bucket::ALL.into_iter().map(count).collect::<Result<_, _>>()?,
        })
    }
}
