//! Claims: the right of one process to run one node, while the other processes wait.
//!
//! A claim is an flock on a file that is named by the key. It ends with the process, however that dies. When a claim ends in good
//! order, its file is removed. A lock on a file that has lost its name meanwhile is worthless, and must be taken again on the new
//! file.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::CacheError;
use crate::store::disk::Disk;

/// The holder of a claim, as text: `process 4711 on build1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimHolder(String);

impl ClaimHolder {
    /// How many bytes of a claim's file are read at most.
    const LONGEST: u64 = 200;

    fn this_process() -> String {
        let host = rustix::system::uname();
        format!(
            "process {} on {}",
            std::process::id(),
            host.nodename().to_string_lossy()
        )
    }

    /// Reads the holder of a claim. Just after a claim is taken, the text is still empty.
    fn read(file: &File) -> Self {
        let mut bytes = Vec::new();
        let _unreadable_is_unknown = file.take(Self::LONGEST).read_to_end(&mut bytes);
        let text: String = String::from_utf8_lossy(&bytes)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        Self(if text.is_empty() {
            "another process".to_owned()
        } else {
            text
        })
    }
}

impl fmt::Display for ClaimHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A claim that this process holds.
#[derive(Debug)]
pub(crate) struct Claim {
    file: File,
    path: PathBuf,
}

impl Claim {
    /// Takes the claim whose file is `path`, or returns its holder. It never waits.
    pub(crate) fn take(disk: &Disk, path: &Path) -> Result<Result<Self, ClaimHolder>, CacheError> {
        disk.make_dirs(path.parent().unwrap_or(Path::new("/")))?;
        loop {
            let file = disk.open_lock(path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(Err(ClaimHolder::read(&file))),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(CacheError::io("lock", path, error.into())),
            }
            if !is_named(&file, path) {
                continue;
            }
            let claim = Self {
                file,
                path: path.to_owned(),
            };
            disk.truncate(&claim.file, path)?;
            disk.write(&claim.file, path, ClaimHolder::this_process().as_bytes())?;
            return Ok(Ok(claim));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The name is removed before the lock: a process that waits on the nameless file sees that and starts anew. A file that
        // cannot be removed does no harm.
        let _stays = fs::remove_file(&self.path);
        let _ends_with_the_file = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Returns whether `path` still names the open `file`.
fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// How long to wait for another process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimPatience<'a> {
    /// The longest time to wait; without it, there is no limit.
    pub limit: Option<Duration>,
    /// A descriptor, for example an eventfd, that ends the wait when it becomes readable.
    pub cancel: Option<BorrowedFd<'a>>,
}

impl<'a> ClaimPatience<'a> {
    pub(crate) fn start(self) -> Wait<'a> {
        Wait {
            until: self.limit.and_then(|limit| Instant::now().checked_add(limit)),
            cancel: self.cancel,
            pause: Wait::SHORTEST,
        }
    }
}

/// A wait in progress, with short pauses at first and longer ones later.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    until: Option<Instant>,
    cancel: Option<BorrowedFd<'a>>,
    pause: Duration,
}

impl Wait<'_> {
    const SHORTEST: Duration = Duration::from_millis(2);
    const LONGEST: Duration = Duration::from_millis(80);

    /// Pauses for a moment; returns whether to try again.
    pub(crate) fn pause(&mut self) -> bool {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return false;
        }
        let pause = left.map_or(self.pause, |left| left.min(self.pause));
        self.pause = (self.pause * 2).min(Self::LONGEST);
        let Some(cancel) = self.cancel else {
            thread::sleep(pause);
            return true;
        };
        let mut fds = [PollFd::from_borrowed_fd(cancel, PollFlags::IN)];
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: pause.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(readable) => readable == 0,
            Err(Errno::INTR) => true,
            Err(_) => {
                thread::sleep(pause);
                true
            }
        }
    }
}
