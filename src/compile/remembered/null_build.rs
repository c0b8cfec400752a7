//! Remembers null builds between runs: if nothing has changed and nothing has to run, the tree is not compiled again.
//!
//! The result of compiling depends on the request, on the metadata files and all other files of its trees, on which section means
//! which of these trees, and on the atex that compiles. Before a null build is looked for, all of that is read, or known to be
//! unchanged by what `stat` says (see [`digests`](crate::compile::remembered::file_digests)); the digest of it all is the name of
//! the file. If something cannot be known in advance, there is no such file: a probe asks the world anew in each run, and a file
//! that could not be read may be readable next time.
//!
//! Invariant: the values of secret variables enter the name only through a keyed hash, and the content never. [`Derived`]
//! describes how the files lie in the cache.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use atex_cache::binary::{BinaryReader, BinaryWriter};
use atex_cache::{CacheError, Derived};
use atex_graph::{ActionKey, BlobDigest};

use crate::compile::ResolvedRequest;
use crate::compile::how;
use crate::compile::inputs::files::{TreeFile, TreeFiles};
use crate::compile::metadata::trees::TreeId;
use crate::compile::plan::context;
use crate::compile::remembered::packed_tree;
use crate::compile::spec::{Interface, Narrowing, NullBuild, NullBuildTest, Request, UploadKind, Warning};

/// The file that keeps the null build of a request.
#[derive(Debug)]
pub struct NullBuildFile {
    files: Derived,
    name: blake3::Hash,
}

impl ResolvedRequest {
    /// Returns the file of the null build of the request that this was loaded for, or `None` if there cannot be one.
    pub fn null_build_file(&self, request: &Request) -> Option<NullBuildFile> {
        let cache = request.digest_cache.as_deref()?;
        let (files, unread) = self.files(request);
        if !unread.is_empty() || !self.unusable.is_empty() || self.plans.iter().any(|plan| plan.probe.is_some()) {
            return None;
        }
        // The key is set whenever there are secrets.
        let mut inputs = Inputs(blake3::Hasher::new_keyed(&request.secrets.key));
        inputs.part(&packed_tree::about(&context::for_rules(&self.context))?);
        inputs.request(request);
        let own = files.get(&TreeId::OWN)?;
        // Tests that are written in a plan are in the metadata, and run among the files, of the plan's tree.
        let is_new = |id: &TreeId| *id == TreeId::OWN || files.get(id).is_none_or(|files| !Arc::ptr_eq(files, own));
        for id in self.trees.ids().filter(is_new) {
            let metadata = self.trees.get(id).metadata_files();
            inputs.count(metadata.len());
            for file in metadata {
                inputs.part(file.path.as_os_str().as_bytes());
                inputs.part(file.digest.as_bytes());
            }
            inputs.files(files.get(&id)?);
        }
        for plan in &self.plans {
            // Environment files may be among the files that git ignores, which are not hashed with the tree.
            inputs.count(plan.environment.len());
            for (name, variable) in &plan.environment {
                inputs.part(name.as_bytes());
                inputs.part(variable.value.as_bytes());
            }
            // What was modified depends on the history, which is not hashed with the tree.
            inputs.parts(plan.modified().iter());
            let places = plan.places(&self.trees);
            inputs.count(places.len());
            for (id, prefix) in places {
                inputs.count(self.trees.ids().position(|other| other == id)?);
                inputs.part(prefix.as_bytes());
            }
            for phase in plan.prepare.iter().chain(&plan.finish) {
                inputs.parts(how::fetched(&phase.action).iter());
            }
        }
        Some(NullBuildFile {
            files: Derived::null_builds(cache, self.trees.own().root()),
            name: inputs.0.finalize(),
        })
    }
}

impl NullBuildFile {
    /// Returns the null build that was kept, if there is one.
    pub fn find(&self) -> Option<NullBuild> {
        let build = decode(&self.files.read(&self.name)?)?;
        self.files.mark_used(&self.name);
        Some(build)
    }

    /// Keeps a null build, which must be that of a workload compiled for the request.
    pub fn keep(&self, build: &NullBuild) -> Result<(), CacheError> {
        self.files.write(&self.name, &encode(build))
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

    /// Hashes all of the request except where its tree and the caches lie.
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
            interface,
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
        self.part(interface.map_or("", Interface::word).as_bytes());
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
        // The warnings about ignored files are part of the null build.
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
    let mut out = BinaryWriter::with_capacity(1024 + tests.len() * 200);
    out.array(tree_digest.as_bytes());
    out.count(plans.len());
    for plan in plans {
        out.text(plan);
    }
    out.count(warnings.len());
    for Warning { text, file, line } in warnings {
        out.text(text);
        out.maybe_text(file.as_deref());
        out.number(line.unwrap_or(0).into());
    }
    out.count(tests.len());
    for test in tests {
        out.array(test.key.as_bytes());
        out.text(&test.name);
        out.text(&test.label);
        out.maybe_text(test.distinct_in.as_deref());
    }
    out.seal()
}

fn decode(bytes: &[u8]) -> Option<NullBuild> {
    let mut decoder = BinaryReader::open(bytes)?;
    let build = NullBuild {
        tree_digest: BlobDigest::from_bytes(decoder.array()?),
        plans: decoder.list(BinaryReader::text)?,
        warnings: decoder.list(|decoder| {
            Some(Warning {
                text: decoder.text()?,
                file: decoder.maybe_text()?,
                line: Some(u32::try_from(decoder.number()?).ok()?).filter(|&line| line > 0),
            })
        })?,
        tests: decoder.list(|decoder| {
            Some(NullBuildTest {
                key: ActionKey::from_bytes(decoder.array()?),
                name: decoder.text()?,
                label: decoder.text()?,
                distinct_in: decoder.maybe_text()?,
            })
        })?,
    };
    decoder.is_at_end().then_some(build)
}
