//! The lock of the whole store: shared while it is used, exclusive while it is collected.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::CacheError;
use crate::records::claim::ClaimPatience;

/// How long opening a store waits for a collection to end.
const OPEN_PATIENCE: Duration = Duration::from_mins(1);

/// A lock on the store. It ends when it is dropped, or when its process dies.
#[derive(Debug)]
pub(crate) struct StoreLock {
    file: File,
    dir: PathBuf,
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // A child that is being started also has the open file until it runs its program, so closing the file here would not end
        // the lock.
        let _ends_with_the_file = flock(&self.file, FlockOperation::Unlock);
    }
}

impl StoreLock {
    /// Takes the shared lock of the store in `dir`.
    pub(crate) fn shared(file: File, dir: &Path) -> Result<Self, CacheError> {
        let lock = Self {
            file,
            dir: dir.to_owned(),
        };
        lock.take(
            FlockOperation::NonBlockingLockShared,
            OPEN_PATIENCE,
            "its records are being collected",
        )?;
        Ok(lock)
    }

    /// Turns the shared lock into the exclusive one, and waits until the other users are gone.
    ///
    /// The system gives up the shared lock first, so what was read under it may be gone when this returns. If two processes want
    /// this at once, one gets it first, and then the other.
    pub(crate) fn into_exclusive(self, wait: Duration) -> Result<Self, CacheError> {
        self.take(
            FlockOperation::NonBlockingLockExclusive,
            wait,
            "other atex processes are at work",
        )?;
        Ok(self)
    }

    fn take(&self, operation: FlockOperation, limit: Duration, in_the_way: &'static str) -> Result<(), CacheError> {
        let patience = ClaimPatience {
            limit: Some(limit),
            cancel: None,
        };
        let mut wait = patience.start();
        loop {
            match flock(&self.file, operation) {
                Ok(()) => return Ok(()),
                Err(Errno::WOULDBLOCK | Errno::INTR) if wait.pause() => {}
                Err(Errno::WOULDBLOCK | Errno::INTR) => {
                    return Err(CacheError::InUse {
                        path: self.dir.clone(),
                        what: in_the_way,
                    });
                }
                Err(error) => return Err(CacheError::io("lock", self.dir.join("lock"), error.into())),
            }
        }
    }
}
