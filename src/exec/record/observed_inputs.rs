//! Observed inputs: files that steps and tests were seen to read, in addition to the files that are inputs by the rules.
//!
//! The graph is compiled with static keys, which know the rules alone. Under a node's static key the cache remembers sets of paths,
//! one for each way in which the node was seen to read. The node's record lies under the key of such a set with the present contents
//! of its paths ([`Node::observing`]). As with the depfiles of ninja and the manifests of ccache, several records of one node can
//! exist beside each other. What a prepare chain read counts as read by everything that is made on it, so the keys of later nodes
//! need not change when the chain is seen to read more.
//!
//! A path that ends with a slash stands for the names in a directory that was listed. Some machines do not tell which directories
//! were listed. There, a directory counts as listed when a file in it was read that is no static input, or when files were read in
//! two of the directories below it; for the directories above the test's own one, only the second rule holds. Some machines do not
//! tell which files were copied. There, all files in a listed directory count as read. Observation only ever adds inputs; it never
//! takes one away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use atex_cache::{CacheError, Lookup, Record, RecordOutcome, Store};
use atex_graph::{ActionKey, BlobDigest, FileMode, InputFile, Kind, Node, NodeId};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::compile::spec::{StepId, UploadFile, UploadSpec, Workload};
use crate::sut::Reads;

/// The most files a tree can have for its reads to be observed. To check that many takes 50 ms.
pub const MOST_FILES: usize = 20_000;

/// How many sets of paths are remembered of one step or test.
const MOST_SETS: usize = 8;

/// Paths below a slot, spelled like those of input files. A slash at the end stands for the names in a directory.
pub type Paths = BTreeSet<String>;

/// The files of an upload by the names of input files. A directory has a name but no file.
#[derive(Debug, Default)]
pub(crate) struct InputTree(BTreeMap<String, Option<InputFile>>);

impl InputTree {
    pub(crate) fn of(upload: &UploadSpec) -> Self {
        Self(upload.files.iter().map(UploadFile::input).collect())
    }

    /// Returns the present contents of the paths, without those that are gone.
    pub(crate) fn now(&self, paths: &Paths) -> Vec<InputFile> {
        let found = |path: &String| match path.strip_suffix('/') {
            Some(dir) => self.listing(dir),
            None => self.0.get(path).cloned().flatten(),
        };
        paths.iter().filter_map(found).collect()
    }

    /// Returns the names in a directory as an input file, if there is such a directory.
    fn listing(&self, dir: &str) -> Option<InputFile> {
        let prefix = prefix(dir);
        let names: BTreeSet<&str> = self
            .below(&prefix)
            .filter_map(|path| path[prefix.len()..].split('/').next())
            .collect();
        let text: Vec<u8> = names
            .iter()
            .flat_map(|name| [name.as_bytes(), b"\0"].concat())
            .collect();
        (!names.is_empty()).then(|| InputFile {
            path: prefix,
            digest: BlobDigest::of(&text),
            mode: FileMode::Directory,
        })
    }

    /// Returns the files in a directory itself, without those in its subdirectories.
    fn files_in(&self, dir: &str) -> impl Iterator<Item = &String> {
        let prefix = prefix(dir);
        let start = prefix.len();
        self.below(&prefix)
            .filter(move |path| !path[start..].contains('/'))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn below(&self, prefix: &str) -> impl Iterator<Item = &String> {
        let all = self.0.range(prefix.to_owned()..).map(|(path, _)| path);
        all.take_while(move |path| path.starts_with(prefix))
    }
}

/// Returns what the names of all files below a directory begin with.
fn prefix(dir: &str) -> String {
    if dir.is_empty() {
        String::new()
    } else {
        format!("{dir}/")
    }
}

/// Adds the directories that may have been listed, judged by the files that were read. `own` is the directory of the reading test.
fn with_listings(read: Paths, own: &str) -> Paths {
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut listed = BTreeSet::new();
    let leads_to_own =
        |dir: &str| dir.is_empty() || own == dir || own.starts_with(dir) && own[dir.len()..].starts_with('/');
    for path in &read {
        let mut rest = path.as_str();
        while let Some((dir, name)) = rest.rsplit_once('/') {
            if rest.len() == path.len() && !leads_to_own(dir) {
                listed.insert(dir);
            }
            below.entry(dir).or_default().insert(name);
            rest = dir;
        }
        below.entry("").or_default().insert(rest);
    }
    let many = below.iter().filter(|(_, names)| names.len() > 1).map(|(dir, _)| *dir);
    let dirs: Paths = listed.into_iter().chain(many).map(|dir| format!("{dir}/")).collect();
    read.into_iter().chain(dirs).collect()
}

/// Returns the sets of paths that the cache remembers under a static key, newest first. What cannot be read counts as unknown.
fn known(store: &Store, key: ActionKey) -> Vec<Paths> {
    let document = store.facts(&document_name(key)).ok().flatten();
    document
        .and_then(|document| serde_json::from_value(document).ok())
        .unwrap_or_default()
}

pub(crate) fn remember(store: &Store, key: ActionKey, paths: &Paths) -> Result<(), CacheError> {
    let before = known(store, key);
    if before.first() == Some(paths) {
        return Ok(());
    }
    let others = before.into_iter().filter(|other| other != paths);
    let all: Vec<Paths> = std::iter::once(paths.clone()).chain(others).take(MOST_SETS).collect();
    store.remember_facts(&document_name(key), &serde_json::json!(all))
}

fn document_name(key: ActionKey) -> String {
    format!("reads of {key}")
}

/// Takes the files that tests were seen to read into their keys. Of several sets, the one with a passed record is used, or else the newest.
pub fn settle(work: &mut Workload, store: &Store) {
    let mut uploads: BTreeMap<NodeId, usize> = BTreeMap::new();
    for test in &work.tests {
        uploads
            .entry(test.node)
            .or_insert(work.plan(test.plan).upload.0 as usize);
    }
    let graph = &work.graph;
    let seen: Vec<(NodeId, usize, Vec<Paths>)> = uploads
        .into_par_iter()
        .map(|(id, upload)| (id, upload, known(store, graph.node(id).key())))
        .filter(|(_, _, sets)| !sets.is_empty())
        .collect();
    if seen.is_empty() {
        return;
    }
    let mut trees: BTreeMap<usize, InputTree> = BTreeMap::new();
    let mut settled = Vec::new();
    for (id, upload, sets) in seen {
        let tree = trees
            .entry(upload)
            .or_insert_with(|| InputTree::of(&work.uploads[upload]));
        let node = graph.node(id);
        let stands = |files: &Vec<InputFile>| passed(store, node.observing(files.iter().cloned()).key());
        let newest = tree.now(&sets[0]);
        let found = sets.iter().map(|paths| tree.now(paths)).find(stands);
        settled.push((id, found.unwrap_or(newest)));
    }
    let graph = Arc::make_mut(&mut work.graph);
    for (id, files) in settled {
        graph.observe(id, files);
    }
}

/// Returns whether there is a passed record under the key.
pub(crate) fn passed(store: &Store, key: ActionKey) -> bool {
    store
        .output(key)
        .ok()
        .flatten()
        .is_some_and(|output| output.outcome == RecordOutcome::Passed)
}

/// Returns the paths that the chain up to the step was seen to read, if a SUT that says it has done the step `last` has done this one.
pub(crate) fn stands_for(
    work: &Workload,
    store: &Store,
    tree: impl FnOnce() -> Arc<InputTree>,
    step: StepId,
    last: &str,
) -> Option<Paths> {
    let node = work.graph.node(work.step(step).node);
    if node.key().to_string() == last {
        return Some(Paths::new());
    }
    let sets = known(store, node.key());
    if sets.is_empty() {
        return None;
    }
    let tree = tree();
    sets.into_iter()
        .find(|paths| node.observing(tree.now(paths)).key().to_string() == last)
}

/// Returns whether a SUT that says it has done the step `last` has done this one.
pub fn is_in_state(work: &Workload, store: &Store, step: StepId, last: &str) -> bool {
    let tree = || Arc::new(InputTree::of(work.upload(work.step(step).upload)));
    stands_for(work, store, tree, step, last).is_some()
}

/// Claims a test to run it, unless it has a usable record. Another process may have seen it read other files meanwhile.
pub(crate) fn claim(
    store: &Store,
    node: &Node,
    tree: impl FnOnce() -> Arc<InputTree>,
    stands: impl Fn(&Record) -> bool,
) -> Result<Lookup, CacheError> {
    let lookup = store.claim_if(node.key(), &stands)?;
    let Lookup::Miss(ticket) = lookup else {
        return Ok(lookup);
    };
    let sets = known(store, node.observing([]).key());
    if sets.is_empty() {
        return Ok(Lookup::Miss(ticket));
    }
    let tree = tree();
    for paths in sets {
        let key = node.observing(tree.now(&paths)).key();
        if key == node.key() {
            continue;
        }
        if let Some(record) = store.peek(key)?.filter(&stands) {
            return Ok(Lookup::Hit(Box::new(record)));
        }
    }
    Ok(Lookup::Miss(ticket))
}

/// Returns the node with an input that nobody knows, so that its record is never found again.
pub(crate) fn unknown(node: &Node) -> Node {
    let mut nobody_knows = [0; 32];
    if getrandom::fill(&mut nobody_knows).is_err() {
        // Without randomness the input may repeat, but it is still the digest of no file.
        nobody_knows[..4].copy_from_slice(&std::process::id().to_ne_bytes());
    }
    node.observing([InputFile {
        path: "(unclear)".to_owned(),
        digest: BlobDigest::of(&nobody_knows),
        mode: FileMode::Regular,
    }])
}

/// Returns the paths of the tree that were read and are not inputs by the rules. `own` is the directory of the reading test.
pub(crate) fn beside(tree: &InputTree, node: &Node, read: &Reads, own: &str) -> Paths {
    let is_new = |name: &String| tree.0.get(name).is_some_and(Option::is_some) && !node.depends_on(name);
    let names = read.files.iter().map(|path| UploadFile::input_name(path));
    let mut paths: Paths = names.filter(is_new).collect();
    let Some(listed) = &read.listed else {
        return with_listings(paths, own);
    };
    for dir in listed.iter().map(|dir| UploadFile::input_name(dir)) {
        if !read.sees_copies {
            paths.extend(tree.files_in(&dir).filter(|name| is_new(name)).cloned());
        }
        if tree.listing(&dir).is_some() {
            paths.insert(format!("{dir}/"));
        }
    }
    paths
}

/// Returns whether the reads of a test have to be observed. If it passed with the same inputs, they were observed before.
pub(crate) fn is_unseen(work: &Workload, store: &Store, node: NodeId) -> bool {
    let node = work.graph.node(node);
    node.kind() == Kind::Test && !passed(store, node.key())
}

#[cfg(test)]
mod tests {
    use super::{Paths, with_listings};

    fn listed(read: &[&str], own: &str) -> Vec<String> {
        let read: Paths = read.iter().map(|path| (*path).to_owned()).collect();
        let all = with_listings(read.clone(), own);
        all.difference(&read).cloned().collect()
    }

    #[test]
    fn a_directory_counts_as_listed_where_a_glob_may_have_named_its_file() {
        assert_eq!(listed(&["tests/b/x.sh"], "tests/a"), ["tests/b/"]);
        assert_eq!(listed(&["tests/b/c/x.sh"], "tests/a"), ["tests/b/c/"]);
        assert_eq!(listed(&["tests/README", "README"], "tests/a"), ["/"]);
        assert_eq!(listed(&["tests/README"], "tests/a"), [""; 0]);
        assert_eq!(
            listed(&["tests/b/x", "tests/c/x"], "tests/a"),
            ["tests/", "tests/b/", "tests/c/"]
        );
        assert_eq!(listed(&["tests/ab/x"], "tests/a"), ["tests/ab/"]);
        assert_eq!(listed(&["tests/b/x"], ""), ["tests/b/"]);
        assert_eq!(listed(&[], "tests/a"), [""; 0]);
    }
}
