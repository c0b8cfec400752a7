//! Observes which files of its tree a job has read, by the times of last access on the machine.
//!
//! Most file systems note only the first read after a file was changed or its time was set back (`relatime`, the default of
//! mounts). So the agent sets the times back before a job whose reads will be asked for; those of directories too, since
//! listing a directory reads it. What is only asked for by `stat`, and names that do not exist, are not reads; nor, on file
//! systems that can share blocks, is what `cp` or `copy_file_range` copies. Where the times do not move at all (`noatime`), a
//! canary file tells.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::sut::agent::reply::{Reply, RequestError};

/// What a job has read. The paths are below its slot.
#[derive(Debug, Default)]
pub struct Reads {
    /// The files and symlinks that it read.
    pub files: Vec<PathBuf>,
    /// The directories that it listed; `None` where the machine does not tell that (`nodiratime`).
    pub listed: Option<Vec<PathBuf>>,
    /// Whether copying a file always counts as a read.
    pub sees_copies: bool,
    /// The machine can observe reads, but could not tell these, so it is not known what the job depends on.
    pub unclear: bool,
}

impl Reads {
    /// Adds what another job has read.
    pub fn join(&mut self, other: Self) {
        self.files.extend(other.files);
        self.listed = self.listed.take().zip(other.listed).map(|(mut own, other)| {
            own.extend(other);
            own
        });
        self.sees_copies &= other.sees_copies;
        self.unclear |= other.unclear;
    }
}

/// The request for the reads of the last job. `check_follows` means that a `check` of the same slot is sent right behind it.
pub(crate) fn question(slot: &str, check_follows: bool) -> String {
    format!("reads {slot}{}\n", if check_follows { " next" } else { "" })
}

/// Reads the reply; `None` where the machine can never tell.
pub(crate) fn read(reply: Reply) -> Result<Option<Reads>, RequestError> {
    let reply = reply.accept()?;
    if reply.word == "unclear" {
        return Ok(Some(Reads {
            unclear: true,
            ..Reads::default()
        }));
    }
    let ("reads", [paths, sees]) = (reply.word.as_str(), reply.blobs.as_slice()) else {
        return Ok(None);
    };
    let sees = |what: &[u8]| sees.split(|byte| *byte == b' ').any(|word| word == what);
    let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
    let paths = paths.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    let (dirs, files): (Vec<&[u8]>, _) = paths.partition(|path| path.ends_with(b"/"));
    let dirs = dirs.into_iter().map(|dir| path(&dir[..dir.len() - 1]));
    Ok(Some(Reads {
        files: files.into_iter().map(path).collect(),
        listed: sees(b"listed").then(|| dirs.collect()),
        sees_copies: sees(b"copied"),
        unclear: false,
    }))
}

/// The request that asks whether reads can be observed.
pub(crate) const SIGHT: &[u8] = b"sees\n";

/// Reads the reply: why reads cannot be observed, or `None` where they can.
pub(crate) fn read_sight(reply: Reply) -> Result<Option<String>, RequestError> {
    let reply = reply.accept()?;
    Ok((reply.text(0) != "yes").then(|| reply.text(1)))
}
