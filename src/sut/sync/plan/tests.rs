//! Tests of the plan of a sync against a model: random trees, random hosts, and random changes by prepare steps and tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use super::{SlotContents, SyncPlan, TreeListing, ancestors, plan};
use crate::sut::SyncMode;
use crate::sut::sync::files::{FileEntry, FileKind, SlotFiles};
use crate::sut::sync::manifest::TreeManifest;

/// What is at a path of the model machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File(u8),
    Link(u8),
    Dir,
}

/// A node with its inode and its times of change: of its content (or the names in it), and of anything.
#[derive(Clone, Debug)]
struct Standing {
    node: Node,
    inode: u64,
    content: u64,
    any: u64,
}

/// A tree in which each node records when it was last changed.
#[derive(Clone, Debug, Default)]
struct Tree {
    nodes: BTreeMap<Vec<u8>, Standing>,
    clock: u64,
}

impl Tree {
    fn remove(&mut self, path: &[u8]) {
        let below = [path, b"/"].concat();
        let before = self.nodes.len();
        self.nodes
            .retain(|other, _| other != path && !other.starts_with(&below));
        if self.nodes.len() < before {
            self.age_parent(path);
        }
    }

    /// Records that the names in the directory of a path have changed.
    fn age_parent(&mut self, path: &[u8]) {
        self.clock += 1;
        if let Some(dir) = ancestors(path).next().and_then(|dir| self.nodes.get_mut(dir)) {
            (dir.content, dir.any) = (self.clock, self.clock);
        }
    }

    /// Puts a node at a path and directories above it, as a script would with `rm -rf` and `mkdir -p`.
    fn force(&mut self, path: &[u8], node: Node) {
        let above: Vec<Vec<u8>> = ancestors(path).map(<[u8]>::to_vec).collect();
        for dir in above.iter().rev() {
            if self.nodes.get(dir).is_none_or(|there| there.node != Node::Dir) {
                self.remove(dir);
                self.put(dir, Node::Dir);
            }
        }
        self.remove(path);
        self.put(path, node);
    }

    /// Creates a node as tar does: its parents must be directories, and nothing but a directory may be in its place.
    fn put(&mut self, path: &[u8], node: Node) {
        for dir in ancestors(path) {
            let above = self.nodes.get(dir).map(|there| &there.node);
            assert_eq!(
                above,
                Some(&Node::Dir),
                "{} is written through {}",
                path.escape_ascii(),
                dir.escape_ascii()
            );
        }
        let there = self.nodes.get(path).map(|there| there.node.clone());
        assert!(
            there.is_none() || node == Node::Dir && there == Some(Node::Dir),
            "{} is there",
            path.escape_ascii()
        );
        self.clock += 1;
        let now = self.clock;
        if let Some(dir) = self.nodes.get_mut(path) {
            // tar sets its mode.
            dir.any = now;
            return;
        }
        let new = Standing {
            node,
            inode: now,
            content: now,
            any: now,
        };
        self.nodes.insert(path.to_vec(), new);
        self.age_parent(path);
    }

    /// Returns a listing as the agent makes it: the directories, the root first, come after everything else.
    fn listing(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let (dirs, others): (Vec<_>, Vec<_>) = self.nodes.iter().partition(|(_, there)| there.node == Node::Dir);
        let mut write = |path: &[u8], there: &Standing| {
            let (inode, content, any) = (there.inode, there.content, there.any);
            out.extend_from_slice(format!("{inode}.1.755.{content}.0\t{any}.0\t").as_bytes());
            out.extend_from_slice(path);
            out.push(0);
        };
        let root = Standing {
            node: Node::Dir,
            inode: 0,
            content: self.clock,
            any: self.clock,
        };
        let below = |path: &[u8]| [b"./", path].concat();
        for (path, there) in others {
            write(&below(path), there);
        }
        write(b".", &root);
        for (path, there) in dirs {
            write(&below(path), there);
        }
        out
    }

    fn plain(&self) -> BTreeMap<Vec<u8>, Node> {
        self.nodes
            .iter()
            .map(|(path, there)| (path.clone(), there.node.clone()))
            .collect()
    }

    fn apply(&mut self, plan: &SyncPlan<'_>, limit: usize) {
        let gone = plan.gone.iter().map(|path| (*path, None));
        let dirs = plan.dirs.iter().map(|path| (*path, Some(Node::Dir)));
        let send = plan
            .send
            .iter()
            .map(|entry| (entry.path.as_os_str().as_bytes(), Some(node(&entry.kind))));
        for (path, node) in gone.chain(dirs).chain(send).take(limit) {
            match node {
                None => self.remove(path),
                Some(Node::Dir) => {
                    if self.nodes.get(path).is_some_and(|there| there.node != Node::Dir) {
                        self.remove(path);
                    }
                    self.put(path, Node::Dir);
                }
                Some(node) => self.put(path, node),
            }
        }
    }
}

fn node(kind: &FileKind) -> Node {
    match kind {
        FileKind::File { digest, .. } => Node::File(digest[0]),
        FileKind::Symlink(target) => Node::Link(target.as_os_str().as_bytes()[0]),
        FileKind::Directory => Node::Dir,
    }
}

/// Generates paths of a small world, so that they collide.
fn path() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just("a"), Just("b"), Just("a.x")], 1..4)
        .prop_map(|parts| parts.join("/").into_bytes())
}

fn a_node() -> impl Strategy<Value = Node> {
    prop_oneof![
        (0_u8..4).prop_map(Node::File),
        (b'a'..b'c').prop_map(Node::Link),
        Just(Node::Dir)
    ]
}

/// What a script does: it puts nodes at paths, or removes them.
type Doings = Vec<(Vec<u8>, Option<Node>)>;

fn doings() -> impl Strategy<Value = Doings> {
    proptest::collection::vec((path(), proptest::option::weighted(0.7, a_node())), 0..5)
}

/// Generates the tree of a host, as a list without conflicts: a directory is listed only if it is empty.
fn host() -> impl Strategy<Value = SlotFiles> {
    doings().prop_map(|doings| {
        let mut tree = Tree::default();
        for (path, node) in doings {
            tree.force(&path, node.unwrap_or(Node::File(9)));
        }
        let all = tree.plain();
        let leaf = |path: &Vec<u8>| {
            !all.keys()
                .any(|other| other.starts_with(&[path.as_slice(), b"/"].concat()))
        };
        let files = all.iter().filter(|(path, _)| leaf(path)).map(|(path, node)| FileEntry {
            path: OsStr::from_bytes(path).into(),
            source: OsStr::from_bytes(path).into(),
            content: None,
            kind: match node {
                Node::File(content) => FileKind::File {
                    digest: [*content; 32],
                    executable: false,
                    size: 1,
                },
                Node::Link(target) => FileKind::Symlink(OsStr::from_bytes(&[*target]).into()),
                Node::Dir => FileKind::Directory,
            },
        });
        SlotFiles { files: files.collect() }
    })
}

/// Returns the tree that the host's list describes.
fn ideal(set: &SlotFiles) -> BTreeMap<Vec<u8>, Node> {
    let mut tree = Tree::default();
    for entry in &set.files {
        tree.force(entry.path.as_os_str().as_bytes(), node(&entry.kind));
    }
    tree.plain()
}

/// A machine: its tree, and what the agent keeps.
#[derive(Default)]
struct Machine {
    tree: Tree,
    manifest: TreeManifest,
    baseline: Vec<u8>,
    touched: BTreeSet<Vec<u8>>,
}

impl Machine {
    fn run(&mut self, doings: &[(Vec<u8>, Option<Node>)]) {
        for (path, node) in doings {
            match node {
                Some(node) => self.tree.force(path, node.clone()),
                None => self.tree.remove(path),
            }
        }
    }

    /// Returns the first step that must run again, where a sync says that steps must.
    fn lost(&self, set: &SlotFiles, steps: usize) -> Option<usize> {
        let now = self.tree.listing();
        plan(set, &self.seen(&now), SyncMode::KeepPrepared(steps)).lost_prepared
    }

    /// Syncs, and breaks off after `limit` operations.
    fn sync(&mut self, set: &SlotFiles, mode: SyncMode, limit: usize) {
        let now = self.tree.listing();
        let mut tree = self.tree.clone();
        let (manifest, touched) = {
            let seen = self.seen(&now);
            let plan = plan(set, &seen, mode);
            let touched = plan.dirs.iter().map(|path| path.to_vec());
            let sent = plan.send.iter().map(|entry| entry.path.as_os_str().as_bytes().to_vec());
            let touched: BTreeSet<Vec<u8>> = touched.chain(sent).collect();
            let whole = plan.gone.len() + plan.dirs.len() + plan.send.len() <= limit;
            tree.apply(&plan, limit);
            (whole.then_some(plan.manifest), touched)
        };
        self.tree = tree;
        if let Some(manifest) = manifest {
            self.manifest = manifest;
            self.baseline = self.tree.listing();
            self.touched.clear();
        } else {
            self.touched = touched;
        }
    }

    /// Runs the steps of a chain beginning with step `from`. Returns the tree before each of them and after the last one.
    fn prepare(&mut self, steps: &[Doings], from: usize) -> Vec<BTreeMap<Vec<u8>, Node>> {
        let mut trees = vec![self.tree.plain()];
        for (place, step) in steps.iter().enumerate().skip(from) {
            self.run(step);
            self.adopt(place);
            trees.push(self.tree.plain());
        }
        trees
    }

    fn adopt(&mut self, step: usize) {
        let now = self.tree.listing();
        self.manifest = self.seen(&now).adopt(step);
        self.baseline = now;
    }

    fn seen<'a>(&'a self, now: &'a [u8]) -> SlotContents<'a> {
        SlotContents {
            manifest: self.manifest.clone(),
            before: TreeListing::parse(&self.baseline),
            now: TreeListing::parse(now),
            touched: self.touched.iter().map(Vec::as_slice).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn exact_sync_makes_the_tree_the_hosts_whatever_was_there(
        first in host(), prepare in doings(), other in host(), test in doings(), limit in 0_usize..12, last in host(),
    ) {
        let mut machine = Machine::default();
        machine.sync(&first, SyncMode::Exact, usize::MAX);
        prop_assert_eq!(machine.tree.plain(), ideal(&first));
        machine.run(&prepare);
        machine.adopt(0);
        machine.sync(&other, SyncMode::KeepPrepared(1), limit);
        machine.run(&test);
        machine.sync(&last, SyncMode::Exact, usize::MAX);
        prop_assert_eq!(machine.tree.plain(), ideal(&last));
    }

    #[test]
    fn without_prepare_steps_keeping_is_exact(first in host(), test in doings(), limit in 0_usize..12, last in host()) {
        let mut machine = Machine::default();
        machine.sync(&first, SyncMode::KeepPrepared(1), usize::MAX);
        machine.run(&test);
        machine.sync(&last, SyncMode::KeepPrepared(1), limit);
        machine.sync(&last, SyncMode::KeepPrepared(1), usize::MAX);
        prop_assert_eq!(machine.tree.plain(), ideal(&last));
    }

    #[test]
    fn same_host_keeps_what_prepare_steps_made_and_undoes_what_tests_added(
        host in host(), prepare in doings(), added in path(), limit in 0_usize..12,
    ) {
        let mut machine = Machine::default();
        machine.sync(&host, SyncMode::Exact, usize::MAX);
        machine.run(&prepare);
        machine.adopt(0);
        let prepared = machine.tree.plain();
        machine.sync(&host, SyncMode::KeepPrepared(1), usize::MAX);
        prop_assert_eq!(&machine.tree.plain(), &prepared);
        let free = !prepared.contains_key(&added) && ancestors(&added).all(|dir| prepared.get(dir).is_none_or(|node| *node == Node::Dir));
        if free && !ideal(&host).contains_key(&added) {
            machine.run(&[(added, Some(Node::File(7)))]);
            machine.sync(&host, SyncMode::KeepPrepared(1), limit);
            machine.sync(&host, SyncMode::KeepPrepared(1), usize::MAX);
            prop_assert_eq!(&machine.tree.plain(), &prepared);
        }
    }

    #[test]
    fn whatever_a_test_did_the_tree_is_as_prepared_or_as_before_the_first_step_that_is_said_to_run_again(
        host in host(), steps in proptest::collection::vec(doings(), 1..4), test in doings(), limit in 0_usize..12,
    ) {
        let mut machine = Machine::default();
        machine.sync(&host, SyncMode::Exact, usize::MAX);
        let trees = machine.prepare(&steps, 0);
        machine.run(&test);
        let from = machine.lost(&host, steps.len()).unwrap_or(steps.len());
        let back = SyncMode::KeepPrepared(from);
        machine.sync(&host, back, limit);
        // An interrupted sync does not change which steps must run again.
        let again = machine.lost(&host, from).unwrap_or(from);
        prop_assert_eq!(again, from);
        machine.sync(&host, back, usize::MAX);
        prop_assert_eq!(&machine.tree.plain(), &trees[from]);
        let rest = machine.prepare(&steps, from);
        prop_assert_eq!(&rest[..], &trees[from..]);
        prop_assert_eq!(machine.lost(&host, steps.len()), None);
    }

    #[test]
    fn only_steps_run_again_that_made_what_is_lost_or_stand_on_them(
        step in 0_usize..3, harm in proptest::option::of(a_node()),
    ) {
        // Each step makes a file of its own beside those of the others, in a directory of the host.
        let mut machine = Machine::default();
        let file = |path: &[u8]| FileEntry {
            path: OsStr::from_bytes(path).into(),
            source: OsStr::from_bytes(path).into(),
            content: None,
            kind: FileKind::File { digest: [1; 32], executable: false, size: 1 },
        };
        let host = SlotFiles { files: vec![file(b"a/host")] };
        let made = |step: usize| format!("a/{step}").into_bytes();
        let steps: Vec<Doings> = (0..3).map(|step| vec![(made(step), Some(Node::File(2)))]).collect();
        machine.sync(&host, SyncMode::Exact, usize::MAX);
        let trees = machine.prepare(&steps, 0);
        machine.run(&[(made(step), harm)]);
        prop_assert_eq!(machine.lost(&host, 3), Some(step));
        machine.sync(&host, SyncMode::KeepPrepared(step), usize::MAX);
        prop_assert_eq!(&machine.tree.plain(), &trees[step]);
    }
}
