//! Null builds, remembered between runs: where nothing has changed and nothing has to run, the tree is not compiled again.
//!
//! ```text
//! outlines-v3/
//! └── 3f9a…/               one tree root, by the digest of its path
//!     └── c0ff….outline    the names and keys of its tests, by the digest of all that they depend on
//! ```
//!
//! What compiling gives depends on the request, on the metadata files and all other files of the trees that it is about, on which section means
//! which of these trees, and on the atex that compiles. Before a null build is looked for, all of that is read, or known to be unchanged
//! by what `stat` says (see [`digests`](crate::compile::remembered::file_digests)); its digest is the name of the file. Where something cannot be known in advance there
//! is no such file: a probe asks the world anew in each run, and a file that could not be read may be readable next time.
//!
//! Invariant: values of secret variables enter the name only through a keyed hash, and never enter the content. Files are written aside
//! and renamed, and are verified when they are read; a damaged file counts as absent.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::SystemTime;

use atex_graph::{ActionKey, BlobDigest};

use crate::compile::Resolved;
use crate::compile::inputs::files::{TreeFile, TreeFiles};
use crate::compile::remembered::packed_tree;
use crate::compile::spec::{Narrowing, NullBuild, NullBuildTest, Request, UploadKind, Warning};

/// The directory's name carries the version of the format, and of what enters the names.
pub(super) const BUCKET: &str = "outlines-v3";

const CHECKSUM: usize = 32;

/// The file in which the null build of a request is kept.
#[derive(Debug)]
pub struct NullBuildFile {
    directory: PathBuf,
    name: String,
}

impl Resolved {
    /// Returns the file of the null build of the request that this was loaded for, or `None` where there cannot be one.
    pub fn null_build_file(&self, request: &Request) -> Option<NullBuildFile> {
        let cache = request.digest_cache.as_deref()?;
        let (files, unread) = self.files(request);
        if !unread.is_empty() || self.plans.iter().any(|plan| plan.probe.is_some()) {
            return None;
        }
        // The key is there wherever there are secrets.
        let mut inputs = Inputs(blake3::Hasher::new_keyed(&request.secrets.key));
        inputs.part(&packed_tree::about(&self.context)?);
        inputs.request(request);
        for id in self.trees.ids() {
            let metadata = self.trees.get(id).tree.metadata_files();
            inputs.count(metadata.len());
            for file in metadata {
                inputs.part(file.path.as_os_str().as_bytes());
                inputs.part(file.digest.as_bytes());
            }
            inputs.files(files.get(&id)?);
        }
        for plan in &self.plans {
            let places = plan.places(&self.trees);
            inputs.count(places.len());
            for (id, prefix) in places {
                inputs.count(self.trees.ids().position(|other| other == id)?);
                inputs.part(prefix.as_bytes());
            }
        }
        Some(NullBuildFile {
            directory: packed_tree::directory_of(cache, BUCKET, self.trees.own().tree.root()),
            name: format!("{}.outline", inputs.0.finalize().to_hex()),
        })
    }
}

impl NullBuildFile {
    /// Returns the null build that was kept, if there is one.
    pub fn find(&self) -> Option<NullBuild> {
        let mut file = File::open(self.directory.join(&self.name)).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let build = decode(&bytes)?;
        // So that it is not among the first to go; that it cannot be noted costs time only.
        let _goes_earlier = file.set_modified(SystemTime::now());
        Some(build)
    }

    /// Keeps a null build, which must be that of a workload compiled for the request.
    pub fn keep(&self, build: &NullBuild) -> io::Result<()> {
        // As the rest of the cache: how tests are called may be nobody else's business.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let mut temporary = tempfile::Builder::new()
            .prefix(".")
            .suffix(".tmp")
            .tempfile_in(&self.directory)?;
        temporary.write_all(&encode(build))?;
        // No fsync: the checksum finds a torn file, and all that is lost is time.
        temporary.persist(self.directory.join(&self.name))?;
        packed_tree::prune(&self.directory);
        Ok(())
    }
}

/// Hashes what a null build depends on: counts and lengths go before what they count, so that different inputs differ.
struct Inputs(blake3::Hasher);

impl Inputs {
    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    fn part(&mut self, part: &[u8]) {
        self.count(part.len());
        self.0.update(part);
    }

    fn parts<'p>(&mut self, parts: impl ExactSizeIterator<Item = &'p String>) {
        self.count(parts.len());
        for part in parts {
            self.part(part.as_bytes());
        }
    }

    fn map(&mut self, map: &BTreeMap<String, Vec<String>>) {
        self.parts(map.keys());
        for values in map.values() {
            self.parts(values.iter());
        }
    }

    /// All of the request but where its tree and the caches lie.
    fn request(&mut self, request: &Request) {
        let Request {
            start: _,
            plans,
            tests,
            narrowing,
            environment,
            default_context,
            context,
            base,
            strict,
            secrets,
            fetch_cache: _,
            digest_cache: _,
            own: _,
        } = request;
        let Narrowing {
            names,
            filters,
            conditions,
            exclude,
        } = narrowing;
        for list in [plans, tests, names, filters, conditions, exclude] {
            self.parts(list.iter());
        }
        self.count(environment.len());
        for (name, value) in environment {
            self.part(name.as_bytes());
            self.part(value.as_bytes());
        }
        self.map(default_context);
        self.map(context);
        self.parts([&base.os, &base.version, &base.arch, &base.base, &base.user].into_iter());
        self.parts(base.digest.iter());
        self.parts(base.environment.keys());
        self.parts(base.environment.values());
        self.count(usize::from(*strict));
        self.parts(secrets.names.iter());
    }

    fn files(&mut self, files: &TreeFiles) {
        self.count(files.files.len());
        for TreeFile {
            path,
            kind,
            beyond,
            text: _,
        } in &files.files
        {
            self.part(path.as_os_str().as_bytes());
            match kind {
                UploadKind::File {
                    digest,
                    executable,
                    size: _,
                } => {
                    self.count(usize::from(*executable));
                    self.part(digest.as_bytes());
                }
                UploadKind::Symlink(target) => {
                    self.count(2);
                    self.part(target.as_os_str().as_bytes());
                    self.part(beyond.as_ref().map_or(&[], |beyond| beyond.as_bytes()));
                }
                UploadKind::Directory => self.count(3),
            }
        }
        // The warnings about them are part of the null build.
        self.count(files.ignored.len());
        for (path, rule) in &files.ignored {
            self.part(path.as_os_str().as_bytes());
            self.part(rule.as_bytes());
        }
    }
}

fn encode(build: &NullBuild) -> Vec<u8> {
    let NullBuild {
        tree_digest,
        plans,
        tests,
        warnings,
    } = build;
    let mut out = Vec::with_capacity(1024 + tests.len() * 160);
    out.extend(tree_digest.as_bytes());
    put_count(&mut out, plans.len());
    for plan in plans {
        put(&mut out, plan);
    }
    put_count(&mut out, warnings.len());
    for Warning { text, file, line } in warnings {
        put(&mut out, text);
        put_maybe(&mut out, file.as_deref());
        out.extend(line.unwrap_or(0).to_le_bytes());
    }
    put_count(&mut out, tests.len());
    for test in tests {
        out.extend(test.key.as_bytes());
        put(&mut out, &test.name);
        put(&mut out, &test.label);
        put_maybe(&mut out, test.distinct_in.as_deref());
    }
    let checksum = blake3::hash(&out);
    out.extend(checksum.as_bytes());
    out
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend((count as u64).to_le_bytes());
}

fn put(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len());
    out.extend(text.as_bytes());
}

/// A text that may not be there: a list of one or none.
fn put_maybe(out: &mut Vec<u8>, text: Option<&str>) {
    put_count(out, usize::from(text.is_some()));
    if let Some(text) = text {
        put(out, text);
    }
}

fn decode(bytes: &[u8]) -> Option<NullBuild> {
    let (rest, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    if blake3::hash(rest).as_bytes() != checksum {
        return None;
    }
    let mut reading = Reading(rest);
    let build = NullBuild {
        tree_digest: BlobDigest::from_bytes(reading.take()?),
        plans: reading.list(Reading::text)?,
        warnings: reading.list(|reading| {
            Some(Warning {
                text: reading.text()?,
                file: reading.list(Reading::text)?.pop(),
                line: Some(u32::from_le_bytes(reading.take()?)).filter(|&line| line > 0),
            })
        })?,
        tests: reading.list(|reading| {
            Some(NullBuildTest {
                key: ActionKey::from_bytes(reading.take()?),
                name: reading.text()?,
                label: reading.text()?,
                distinct_in: reading.list(Reading::text)?.pop(),
            })
        })?,
    };
    reading.0.is_empty().then_some(build)
}

/// What is left of a file's bytes.
struct Reading<'b>(&'b [u8]);

impl Reading<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.take()?)).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_owned()).ok()
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        (0..count).map(|_| item(self)).collect()
    }
}
