//! Remembers packed metadata trees between runs: an unchanged tree is neither parsed, merged nor adjusted again.
//!
//! A packed tree depends on the paths of the metadata files, their order and their contents, on the context, and on the atex that
//! packed it. Contents enter by their digests, which [`digests`](crate::compile::remembered::file_digests) remembers by what
//! `stat` says, if that can be trusted. So the cached tree is the one that packing would make now. What follows from the tree
//! (plans, selection, warnings, errors) is computed anew in each run, and an error of the tree itself is never remembered.
//!
//! [`Derived`] describes how the files lie in the cache. Their content has [`Tree`]'s own format, which, like all such files,
//! ends with the digest of all that comes before it; the digest is verified when a file is opened. A bad file is a miss and is
//! replaced. No lock is held: two processes that write the same tree write the same bytes.

use std::fs::{self, File, Metadata as Stat};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use atex_cache::Derived;
use atex_fmf::context::Context;
use atex_fmf::{Map, Metadata, Packing, Tree};
use rayon::prelude::*;

use crate::compile::remembered::file_digests::{Content, DigestCache, Of, Stamp};

/// Returns the adjusted tree of metadata files, read from the cache or made and put there. Returns `None` if it must be made in
/// memory.
pub(crate) fn tree(metadata: &Metadata, context: &Context, mark: fn(&Map) -> bool, cache: &Path) -> Option<Tree> {
    let about = about(context)?;
    let files = Derived::packed(cache, metadata.root());
    find(metadata, &about, cache, &files).or_else(|| make(metadata, context, mark, about, cache, &files))
}

/// Looks for the packed tree of the files as they are now.
fn find(metadata: &Metadata, about: &[u8; 32], cache: &Path, files: &Derived) -> Option<Tree> {
    let known = DigestCache::open(Some(cache), metadata.root(), Of::Metadata);
    if known.knows_nothing() && !files.exists() {
        return None;
    }
    let digest = |path: &PathBuf| {
        let place = metadata.root().join(path);
        let stamp = Stamp::of(&fs::metadata(&place).ok()?);
        let content = known.digest(path, stamp, || Ok(Content::of_digest(read(&place)?.1.into())));
        Some(blake3::Hash::from_bytes(content.ok()?.digest))
    };
    let digests: Vec<blake3::Hash> = metadata.paths().par_iter().map(digest).collect::<Option<_>>()?;
    let name = name(metadata, about, digests.iter());
    let tree = metadata.unpack(files.open(&name)?, about, &digests)?;
    files.mark_used(&name);
    // If the cache cannot be written, the next run only takes more time.
    let _ = known.save();
    Some(tree)
}

/// Makes the packed tree, and keeps it if possible.
fn make(
    metadata: &Metadata,
    context: &Context,
    mark: fn(&Map) -> bool,
    about: [u8; 32],
    cache: &Path,
    files: &Derived,
) -> Option<Tree> {
    let temporary = files.create().ok()?;
    let known = DigestCache::open(Some(cache), metadata.root(), Of::Metadata);
    let read = |path: &Path, place: &Path| {
        let mut found = None;
        let stamp = Stamp::of(&fs::metadata(place)?);
        known.learn(path, stamp, || {
            let (bytes, digest) = read(place)?;
            found = Some((bytes, digest));
            Ok(Content::of_digest(digest.into()))
        })?;
        found.ok_or_else(|| io::ErrorKind::Other.into())
    };
    let packing = Packing {
        context,
        mark,
        read: &read,
        about,
    };
    let tree = metadata.pack(&packing, temporary.as_file().try_clone().ok()?)?;
    let digests = tree.metadata_files().iter().skip(metadata.settings().len());
    let name = name(metadata, &about, digests.map(|file| &file.digest));
    // If the file gets no name, it is deleted with the tree.
    let _is_made_again = files.keep(temporary, &name);
    let _ = known.save();
    Some(tree)
}

/// Reads a file and digests the bytes that were read.
fn read(place: &Path) -> io::Result<(Vec<u8>, blake3::Hash)> {
    let mut file = File::open(place)?;
    let size = file.metadata().as_ref().map_or(0, Stat::size);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(1 << 20) + 1);
    file.read_to_end(&mut bytes)?;
    let digest = blake3::hash(&bytes);
    Ok((bytes, digest))
}

/// Returns the digest of what a tree depends on besides its files. Another build of atex may make another tree of the same files.
pub(crate) fn about(context: &Context) -> Option<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &[u8]| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    let program = std::env::current_exe().ok()?;
    let stat = fs::metadata(&program).ok()?;
    text(env!("CARGO_PKG_VERSION").as_bytes());
    text(program.as_os_str().as_bytes());
    for number in [stat.dev(), stat.ino(), stat.size()] {
        text(&number.to_le_bytes());
    }
    for number in [stat.mtime(), stat.mtime_nsec()] {
        text(&number.to_le_bytes());
    }
    for (dimension, values) in context.dimensions() {
        let values: Vec<&str> = values.collect();
        text(dimension.as_bytes());
        text(&(values.len() as u64).to_le_bytes());
        for value in values {
            text(value.as_bytes());
        }
    }
    Some(hasher.finalize().into())
}

/// Returns the name of a packed tree's file.
fn name<'d>(metadata: &'d Metadata, about: &[u8; 32], digests: impl Iterator<Item = &'d blake3::Hash>) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(about);
    let settings = metadata.settings().iter().map(|file| (&file.path, &file.digest));
    for (path, digest) in settings.chain(metadata.paths().iter().zip(digests)) {
        let path = path.as_os_str().as_bytes();
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path);
        hasher.update(digest.as_bytes());
    }
    hasher.finalize()
}
