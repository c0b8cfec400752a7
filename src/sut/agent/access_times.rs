//! What a job has read of its tree, as the times of last access on the machine tell.
//!
//! Most file systems note only the first read since a file was changed or its time set back (`relatime`, the default of mounts), so the
//! agent sets the times back before a job whose reads will be asked for, those of directories too: what lists them reads them. What
//! only `stat` asks for, and names that are not there, are no reads; nor is, on file systems that can share blocks, what `cp` or
//! `copy_file_range` copies. Where times do not move at all (`noatime`), a canary tells.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::sut::agent::reply::{Reply, RequestError};

/// What a job has read; paths lie below its slot.
#[derive(Debug, Default)]
pub struct Reads {
    /// Files and links.
    pub files: Vec<PathBuf>,
    /// Directories whose names it has asked for; nothing where the machine does not tell that (`nodiratime`).
    pub listed: Option<Vec<PathBuf>>,
    /// Whether a file that is copied is always read.
    pub sees_copies: bool,
    /// The machine sees reads, but could not tell these: then what the job depends on is not known.
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

/// The request for it. `check_follows`: a question about the same slot comes right behind it.
pub(crate) fn question(slot: &str, check_follows: bool) -> String {
    format!("reads {slot}{}\n", if check_follows { " next" } else { "" })
}

/// Reads the answer; nothing where the machine never can tell.
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

/// The request for whether reads can be seen.
pub(crate) const SIGHT: &[u8] = b"sees\n";

/// Reads the answer: why they cannot, or nothing where they can.
pub(crate) fn read_sight(reply: Reply) -> Result<Option<String>, RequestError> {
    let reply = reply.accept()?;
    Ok((reply.text(0) != "yes").then(|| reply.text(1)))
}
