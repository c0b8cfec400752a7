//! The nodes of a tree by kind, and what the checks of one node need to know of all others.

use std::collections::{BTreeSet, HashSet};

use atex_fmf::value::Entry;
use atex_fmf::{Location, Map, Node, Tree, Value};

use crate::compile::metadata::read::{NodeReader, Scope};
use crate::compile::metadata::schema::{COMMON, DIMENSIONS, NodeKind, bare, has};
use crate::compile::metadata::trees::is_test;
use crate::compile::plan::inline_tests;

/// All leaves of the tree, with their kinds.
#[derive(Debug)]
pub(super) struct NodesByKind<'t> {
    /// All leaves, in fmf's order, and then the tests that are written in plans. A leaf that is both a test and a plan is there
    /// twice.
    pub(super) all: Vec<(NodeKind, Node<'t>)>,
    /// The tests that run in some context.
    pub(super) tests: Vec<Node<'t>>,
    /// The known context dimensions: common ones, those of the request, and those that the `context` of a node sets.
    pub(super) dimensions: BTreeSet<String>,
    /// Keys, with their places, that have a meaning for some node.
    used: HashSet<(String, Option<Location>)>,
}

impl<'t> NodesByKind<'t> {
    /// Sorts the leaves of a tree; `inline` are the trees of the tests that are written in its plans.
    pub(super) fn of(tree: &'t Tree, inline: &'t [Tree], mut dimensions: BTreeSet<String>) -> Self {
        let of_node = |node| kinds(node).into_iter().map(move |kind| (kind, node));
        let mut all: Vec<_> = tree.climb(false).flat_map(of_node).collect();
        let inline = inline.iter().flat_map(|tree| tree.climb(false));
        all.extend(inline.map(|node| (NodeKind::Test, node)));
        dimensions.extend(DIMENSIONS.iter().map(|dimension| (*dimension).to_owned()));
        let mut used = HashSet::new();
        for (kind, node) in &all {
            let scope = scope(tree, *kind, *node);
            use_keys(&mut used, &scope, *kind);
            for rule in rules(node.data()).filter_map(Value::as_map) {
                use_keys(&mut used, &scope.inner("adjust", rule, String::new()), *kind);
            }
            if let Some(context) = node.data().get("context").and_then(Value::as_map) {
                dimensions.extend(context.keys().filter_map(Value::as_str).map(str::to_owned));
            }
        }
        let tests = tests(tree);
        Self {
            all,
            tests,
            dimensions,
            used,
        }
    }

    /// Returns whether a key at a place has a meaning for another node that inherits it.
    pub(super) fn uses(&self, key: &str, location: Option<Location>) -> bool {
        self.used.contains(&(key.to_owned(), location))
    }
}

/// Returns a tree of the tests that are written in a plan, for each plan that has such.
pub(super) fn inline_tests(tree: &Tree) -> Vec<Tree> {
    let plans = tree.climb(false).filter(|node| kinds(*node).contains(&NodeKind::Plan));
    let tests = plans.map(|plan| inline_tests::of_plan(&scope(tree, NodeKind::Plan, plan)));
    let tests = tests.filter(|tests| !tests.is_empty());
    tests.map(|tests| inline_tests::tree(tree, &tests)).collect()
}

/// Records the keys of a mapping that have a meaning for a kind of node.
fn use_keys(used: &mut HashSet<(String, Option<Location>)>, scope: &Scope<'_>, kind: NodeKind) {
    for key in scope.map.keys().filter_map(Value::as_str) {
        if has(kind.keys(), bare(key)) && !COMMON.contains(&bare(key)) {
            used.insert((bare(key).to_owned(), scope.location(key)));
        }
    }
}

/// Returns the scope of the node's data.
pub(super) fn scope<'t>(tree: &'t Tree, kind: NodeKind, node: Node<'t>) -> Scope<'t> {
    NodeReader::new(tree, node).scope(kind.word())
}

/// Returns the tests of a tree that run in some context.
pub(super) fn tests(tree: &Tree) -> Vec<Node<'_>> {
    tree.climb(false).filter(|node| may_run(*node)).collect()
}

fn kinds(node: Node<'_>) -> Vec<NodeKind> {
    let has = |key: &str| node.data().contains_key(key) || adjusts(node.data(), key);
    match (has("test"), has("execute")) {
        (true, true) => vec![NodeKind::Test, NodeKind::Plan],
        (true, false) => vec![NodeKind::Test],
        (false, true) => vec![NodeKind::Plan],
        (false, false) if has("discover") || has("plan") => vec![NodeKind::Plan],
        (false, false) if has("story") => vec![NodeKind::Story],
        (false, false) => vec![NodeKind::Other],
    }
}

/// Returns whether a test runs in some context.
pub(super) fn may_run(node: Node<'_>) -> bool {
    const DECIDING: [&str; 4] = ["enabled", "manual", "story", "test"];
    let data = node.data();
    let may_be = data.contains_key("test") || adjusts(data, "test");
    may_be && (is_test(node) || DECIDING.iter().any(|key| adjusts(data, key)))
}

/// Returns whether an adjust rule may change a key.
pub(super) fn adjusts(data: &Map, key: &str) -> bool {
    adjusted_keys(data).any(|adjusted| adjusted == key)
}

/// Returns the keys that adjust rules may change.
pub(super) fn adjusted_keys(data: &Map) -> impl Iterator<Item = &str> {
    let keys = rules(data)
        .filter_map(Value::as_map)
        .flat_map(|rule| rule.entries().iter());
    keys.filter_map(|entry: &Entry| entry.key.as_str()).map(bare)
}

/// Returns the adjust rules of a node.
pub(super) fn rules(data: &Map) -> impl Iterator<Item = &Value> {
    let rules = data.get("adjust");
    rules
        .map(|rules| rules.as_list().unwrap_or(std::slice::from_ref(rules)))
        .unwrap_or_default()
        .iter()
}
