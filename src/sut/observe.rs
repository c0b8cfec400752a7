//! What a job has read of its tree, as the times of last access on the machine tell.
//!
//! Most file systems note only the first read since a file was changed or its time set back (`relatime`, the default of mounts), so the
//! agent sets the times back before a job whose reads will be asked for. What only `stat` asks for, and names that are not there, are
//! no reads; nor is, on xfs and btrfs, what `cp` or `copy_file_range` copies. Where times do not move at all (`noatime`), a canary tells.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::sut::exchange::Reply;
use crate::sut::upload::{NotSynced, accept};

/// The request for it.
pub(crate) fn question(slot: &str) -> String {
    format!("reads {slot}\n")
}

/// Reads the answer: paths below the slot, or nothing where the machine cannot tell.
pub(crate) fn read(reply: Reply) -> Result<Option<Vec<PathBuf>>, NotSynced> {
    let reply = accept(reply)?;
    let Some(paths) = reply.blobs.first().filter(|_| reply.word == "reads") else {
        return Ok(None);
    };
    let paths = paths.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    Ok(Some(paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect()))
}

/// The request for whether reads can be seen.
pub(crate) const SIGHT: &[u8] = b"sees\n";

/// Reads the answer: why they cannot, or nothing where they can.
pub(crate) fn read_sight(reply: Reply) -> Result<Option<String>, NotSynced> {
    let reply = accept(reply)?;
    Ok((reply.text(0) != "yes").then(|| reply.text(1)))
}
