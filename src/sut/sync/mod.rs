//! Syncing a tree to a machine: the requests to the agent, and the one tar stream that carries what differs.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::sut::agent::connection::{Connection, ConnectionError};
use crate::sut::agent::reply::{MAX_LISTING, Reply, RequestError};
use crate::sut::agent::timeouts::WaitLimits;
use crate::sut::{SyncMode, Synced, Upload};
use files::{FileEntry, FileKind, SlotFiles};
use manifest::TreeManifest;
use plan::{SlotContents, SyncPlan, TreeListing, plan};
use tar::Member;

pub mod files;
mod manifest;
mod plan;
mod tar;

/// The contents of files are sent in pieces of this size.
const CHUNK: usize = 128 * 1024;

/// A `check` of a slot that was sent ahead, with the request that opens the machine or after a job.
pub(crate) struct EarlyCheck {
    question: String,
    /// Whether the question about what the last job has read was sent before it.
    reads: Asked,
    /// The reply; `None` as long as it was not read.
    answer: Option<Reply>,
}

/// The state of a question that may have been sent.
enum Asked {
    Not,
    Waiting,
    Answered(Reply),
}

impl EarlyCheck {
    /// Makes it from a [`question`] that was sent.
    pub(crate) fn sent(question: String) -> Self {
        Self {
            question,
            reads: Asked::Not,
            answer: None,
        }
    }

    /// Says that the question about what the last job has read was sent before it.
    pub(crate) fn behind_reads(self) -> Self {
        Self {
            reads: Asked::Waiting,
            ..self
        }
    }

    /// Takes the reply to the question about what the last job has read, if it was sent.
    pub(crate) fn take_reads(
        &mut self,
        connection: &mut Connection,
        limits: &WaitLimits<'_>,
    ) -> Result<Option<Reply>, ConnectionError> {
        self.hear_reads(connection, limits)?;
        Ok(match std::mem::replace(&mut self.reads, Asked::Not) {
            Asked::Answered(reply) => Some(reply),
            Asked::Not | Asked::Waiting => None,
        })
    }

    fn hear_reads(&mut self, connection: &mut Connection, limits: &WaitLimits<'_>) -> Result<(), ConnectionError> {
        if matches!(self.reads, Asked::Waiting) {
            self.reads = Asked::Answered(connection.read_reply(MAX_LISTING, limits)?);
        }
        Ok(())
    }

    /// Reads the replies, unless that was done before. They come before all others.
    pub(crate) fn hear(&mut self, connection: &mut Connection, limits: &WaitLimits<'_>) -> Result<(), ConnectionError> {
        self.hear_reads(connection, limits)?;
        if self.answer.is_none() {
            self.answer = Some(connection.read_reply(MAX_LISTING, limits)?);
        }
        Ok(())
    }
}

/// Returns the request with which a sync begins.
pub(crate) fn question(upload: &Upload, mode: SyncMode) -> String {
    let id = manifest::id(&upload.files);
    // These modes need all that is known of the tree wherever steps have left something in it.
    let steps = match mode {
        SyncMode::KeepPrepared(steps) => steps,
        SyncMode::KeepRest | SyncMode::ExactIfUnprepared | SyncMode::Exact => 0,
    };
    let heads: Vec<String> = (0..=steps).map(|steps| manifest::head(&id, steps)).collect();
    let see = if upload.observed { "see" } else { "-" };
    format!("check {} {see} {}\n", upload.slot, heads.join(" "))
}

/// Makes the slot hold the files. `ahead` is the question that was sent ahead, if nothing has happened on the machine since
/// then.
pub(crate) fn sync(
    connection: &mut Connection,
    (upload, mode): (&Upload, SyncMode),
    mut ahead: Option<EarlyCheck>,
    limits: &WaitLimits<'_>,
) -> Result<Synced, RequestError> {
    if let Some(ahead) = &mut ahead {
        ahead.hear(connection, limits)?;
    }
    check_paths(&upload.files)?;
    let id = manifest::id(&upload.files);
    let question = question(upload, mode);
    let known = ahead.filter(|ahead| ahead.question == question);
    let reply = if let Some(answer) = known.and_then(|ahead| ahead.answer) {
        answer
    } else {
        connection.send(question.as_bytes(), limits)?;
        connection.read_reply(MAX_LISTING, limits)?
    };
    let reply = reply.accept()?;
    if reply.word == "clean" {
        return Ok(Synced::default());
    }
    let seen = seen(&reply)?;
    let plan = plan(&upload.files, &seen, mode);
    // The machine must say that it is not prepared before anything of that is touched. Where the manifest is that of another
    // version of atex, it is not known what steps made: it may be anything.
    let unknown = reply
        .blobs
        .first()
        .is_some_and(|list| !list.is_empty() && TreeManifest::decode(list).is_none());
    let refused = Synced {
        lost_prepared: match mode {
            SyncMode::KeepPrepared(_) if unknown => Some(0),
            SyncMode::KeepPrepared(_) => plan.lost_prepared,
            SyncMode::KeepRest | SyncMode::ExactIfUnprepared | SyncMode::Exact => None,
        },
        has_prepared: mode == SyncMode::ExactIfUnprepared && (unknown || !seen.manifest.adopted.is_empty()),
        ..Synced::default()
    };
    if refused.lost_prepared.is_some() || refused.has_prepared {
        return Ok(refused);
    }
    if plan.is_empty() && seen.touched.is_empty() {
        rebase(connection, &upload.slot, &plan.manifest, &id, limits)?;
        return Ok(Synced::default());
    }
    let synced = apply(connection, &upload.slot, &plan, &id, limits)?;
    Ok(synced.unwrap_or_else(|path| Synced {
        changed: upload.files.files.iter().position(|entry| entry.path == path),
        ..Synced::default()
    }))
}

/// Takes what changed in the slot since its last sync as the work of the prepare step at position `step` of a chain.
pub(crate) fn adopt(
    connection: &mut Connection,
    (slot, step): (&str, usize),
    limits: &WaitLimits<'_>,
) -> Result<(), RequestError> {
    connection.send(format!("look {slot} {step}\n").as_bytes(), limits)?;
    let reply = connection.read_reply(MAX_LISTING, limits)?.accept()?;
    if reply.word != "changed" {
        return Ok(());
    }
    let Some((_, id)) = reply.blobs.first().and_then(|blob| TreeManifest::decode(blob)) else {
        return Err(RequestError::Refused(format!(
            "the manifest of `{slot}` there is unreadable"
        )));
    };
    let manifest = seen(&reply)?.adopt(step);
    rebase(connection, slot, &manifest, &id, limits)
}

/// Reads the four blobs of a reply: the manifest, the tree then, the tree now, and the touched paths.
fn seen(reply: &Reply) -> Result<SlotContents<'_>, RequestError> {
    let [list, before, now, touched] = reply.blobs.as_slice() else {
        return Err(reply.unexpected().into());
    };
    let before = if reply.word == "differs" { now } else { before };
    Ok(SlotContents {
        // Without a manifest it is not known what is there, so none of it stays.
        manifest: TreeManifest::decode(list)
            .map(|(manifest, _)| manifest)
            .unwrap_or_default(),
        before: TreeListing::parse(before),
        now: TreeListing::parse(now),
        touched: touched
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty())
            .collect(),
    })
}

fn rebase(
    connection: &mut Connection,
    slot: &str,
    manifest: &TreeManifest,
    id: &str,
    limits: &WaitLimits<'_>,
) -> Result<(), RequestError> {
    let list = tar::archive(&[(&format!("{slot}.list.new"), &manifest.encode(id))]);
    connection.send(format!("rebase {slot} {}\n", list.len()).as_bytes(), limits)?;
    connection.send(&list, limits)?;
    connection.read_reply(MAX_LISTING, limits)?.accept().map(drop)
}

/// Carries out a plan. Returns the path of the file that had changed on the host, if there was one.
fn apply(
    connection: &mut Connection,
    slot: &str,
    plan: &SyncPlan<'_>,
    id: &str,
    limits: &WaitLimits<'_>,
) -> Result<Result<Synced, PathBuf>, RequestError> {
    let sent = plan.send.iter().map(|entry| entry.path.as_os_str().as_bytes());
    let sent = listed(sent);
    // A removal that is interrupted needs no note: what is left is still too much, and the next sync finds it.
    let touched = [listed(plan.dirs.iter().copied()), sent.clone()].concat();
    let lists = tar::archive(&[
        (&format!("{slot}.touched.new"), &touched),
        (&format!("{slot}.sent"), &sent),
        (&format!("{slot}.gone"), &listed(plan.gone.iter().copied())),
        (&format!("{slot}.dirs"), &listed(plan.dirs.iter().copied())),
    ]);
    let dirs = plan
        .dirs
        .iter()
        .map(|dir| tar::member_size(Path::new(OsStr::from_bytes(dir)), Member::Directory));
    let files = plan
        .send
        .iter()
        .map(|entry| tar::member_size(&entry.path, member(&entry.kind)));
    let stream = dirs.chain(files).sum::<u64>() + tar::END.len() as u64;
    connection.send(format!("apply {slot} {} {stream}\n", lists.len()).as_bytes(), limits)?;
    connection.send(&lists, limits)?;

    let streamed = stream_files(connection, plan, limits)?;
    match &streamed {
        Ok(_) => {
            let list = tar::archive(&[(&format!("{slot}.list.new"), &plan.manifest.encode(id))]);
            connection.send(format!("commit {}\n", list.len()).as_bytes(), limits)?;
            connection.send(&list, limits)?;
        }
        Err(_) => connection.send(b"abort 0\n", limits)?,
    }
    let reply = connection.read_reply(MAX_LISTING, limits)?;
    let bytes = match streamed {
        Ok(bytes) => bytes,
        Err(NotSent::Changed(path)) => return Ok(Err(path)),
        Err(NotSent::Unreadable(why)) => return Err(RequestError::Host(why)),
    };
    reply.accept()?;
    Ok(Ok(Synced {
        sent: plan.send.len() as u64,
        bytes,
        removed: plan.removed,
        ..Synced::default()
    }))
}

/// Why a file was not sent as the list describes it.
enum NotSent {
    /// It has changed or is gone; this is its path below the slot.
    Changed(PathBuf),
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// Sends directories and files; the promised number of bytes is sent in any case. Returns how many bytes of content were
/// sent, or which file has changed.
fn stream_files(
    connection: &mut Connection,
    plan: &SyncPlan<'_>,
    limits: &WaitLimits<'_>,
) -> Result<Result<u64, NotSent>, ConnectionError> {
    let mut outcome = Ok(0);
    let mut out = Vec::with_capacity(2 * CHUNK);
    for dir in &plan.dirs {
        tar::header(&mut out, Path::new(OsStr::from_bytes(dir)), Member::Directory);
        flush(connection, &mut out, CHUNK, limits)?;
    }
    for entry in &plan.send {
        tar::header(&mut out, &entry.path, member(&entry.kind));
        if let FileKind::File { digest, size, .. } = &entry.kind {
            let sent = stream_file(connection, &mut out, opened(entry), *size, limits)?;
            let verdict = match sent {
                Ok(found) if found == *digest => Ok(*size),
                Ok(_) => Err(NotSent::Changed(entry.path.clone())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NotSent::Changed(entry.path.clone())),
                Err(error) => {
                    let place = entry.source.display();
                    Err(NotSent::Unreadable(format!("cannot read `{place}`: {error}")))
                }
            };
            outcome = outcome.and_then(|total| verdict.map(|size| total + size));
        }
        flush(connection, &mut out, CHUNK, limits)?;
    }
    out.extend_from_slice(&tar::END);
    flush(connection, &mut out, 0, limits)?;
    Ok(outcome)
}

/// Opens the file of the host that an entry is read from, or its own content.
fn opened(entry: &FileEntry) -> io::Result<Box<dyn Read + '_>> {
    Ok(match &entry.content {
        Some(content) => Box::new(&content[..]),
        None => Box::new(crate::host::file::open(&entry.source)?),
    })
}

/// Sends the content of one file, cut or filled up with zeros to `size`. Returns the digest of what the file really held.
fn stream_file(
    connection: &mut Connection,
    out: &mut Vec<u8>,
    mut file: io::Result<Box<dyn Read + '_>>,
    size: u64,
    limits: &WaitLimits<'_>,
) -> Result<io::Result<[u8; 32]>, ConnectionError> {
    let mut hasher = blake3::Hasher::new();
    let mut left = size;
    let mut failure = None;
    while left > 0 {
        let start = out.len();
        let piece = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        out.resize(start + piece, 0);
        let read = match &mut file {
            Ok(file) if failure.is_none() => read_full(file, &mut out[start..]),
            _ => Ok(0),
        };
        match read {
            Ok(count) => drop(hasher.update(&out[start..start + count])),
            Err(error) => failure = Some(error),
        }
        left -= piece as u64;
        flush(connection, out, CHUNK, limits)?;
    }
    out.resize(out.len() + usize::try_from(tar::padding(size)).unwrap_or_default(), 0);
    let rest = match &mut file {
        Ok(file) => read_full(file, &mut [0; 1]),
        Err(_) => Ok(0),
    };
    Ok(match (file, failure, rest) {
        (Err(error), ..) | (_, Some(error), _) | (_, _, Err(error)) => Err(error),
        (.., Ok(0)) => Ok(*hasher.finalize().as_bytes()),
        // The file is longer than it was. No file of the list has this digest.
        _ => Ok([0; 32]),
    })
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Sends `out` if it holds at least `enough` bytes.
fn flush(
    connection: &mut Connection,
    out: &mut Vec<u8>,
    enough: usize,
    limits: &WaitLimits<'_>,
) -> Result<(), ConnectionError> {
    if out.len() >= enough {
        connection.send(out, limits)?;
        out.clear();
    }
    Ok(())
}

fn member(kind: &FileKind) -> Member<'_> {
    match kind {
        FileKind::File { executable, size, .. } => Member::File {
            size: *size,
            executable: *executable,
        },
        FileKind::Symlink(target) => Member::Symlink(target),
        FileKind::Directory => Member::Directory,
    }
}

/// Joins paths, each ended by NUL.
fn listed<'a>(paths: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for path in paths {
        out.extend_from_slice(path);
        out.push(0);
    }
    out
}

/// Refuses paths that lead out of the slot, before anything happens. They are a defect of the caller.
fn check_paths(set: &SlotFiles) -> Result<(), RequestError> {
    let inside = |entry: &FileEntry| {
        let bytes = entry.path.as_os_str().as_bytes();
        let plain = bytes
            .split(|byte| *byte == b'/')
            .all(|part| !matches!(part, b"" | b"." | b".."));
        plain && !bytes.contains(&0)
    };
    match set.files.iter().find(|entry| !inside(entry)) {
        Some(entry) => Err(RequestError::Host(format!(
            "`{}` is not a path below the tree",
            entry.path.display()
        ))),
        None => Ok(()),
    }
}
