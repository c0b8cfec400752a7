//! The nodes of a tree by their kinds, and what checks of one node need to know of all others.

use std::collections::{BTreeSet, HashSet};

use atex_fmf::value::Entry;
use atex_fmf::{Location, Map, Node, Tree, Value};

use crate::compile::metadata::read::{NodeReader, Scope};
use crate::compile::metadata::schema::{COMMON, DIMENSIONS, NodeKind, bare, has};
use crate::compile::metadata::trees::is_test;

/// All leaves, by kind.
#[derive(Debug)]
pub(super) struct NodesByKind<'t> {
    /// In fmf's order.
    pub(super) all: Vec<(NodeKind, Node<'t>)>,
    /// Tests that run in some context.
    pub(super) tests: Vec<Node<'t>>,
    /// Dimensions that somebody sets.
    pub(super) dimensions: BTreeSet<String>,
    /// Keys at places where they have a meaning for some node.
    used: HashSet<(String, Option<Location>)>,
}

impl<'t> NodesByKind<'t> {
    pub(super) fn of(tree: &'t Tree, mut dimensions: BTreeSet<String>) -> Self {
        let all: Vec<_> = tree.climb(false).map(|node| (kind(node), node)).collect();
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

    /// Whether a key at a place has a meaning for another node that has it from there.
    pub(super) fn uses(&self, key: &str, location: Option<Location>) -> bool {
        self.used.contains(&(key.to_owned(), location))
    }
}

/// Notes the keys of a mapping that have a meaning for a kind.
fn use_keys(used: &mut HashSet<(String, Option<Location>)>, scope: &Scope<'_>, kind: NodeKind) {
    for key in scope.map.keys().filter_map(Value::as_str) {
        if has(kind.keys(), bare(key)) && !COMMON.contains(&bare(key)) {
            used.insert((bare(key).to_owned(), scope.location(key)));
        }
    }
}

/// The node's data as they are read.
pub(super) fn scope<'t>(tree: &'t Tree, kind: NodeKind, node: Node<'t>) -> Scope<'t> {
    NodeReader::new(tree, node).scope(kind.word())
}

/// The tests of a tree that run in some context.
pub(super) fn tests(tree: &Tree) -> Vec<Node<'_>> {
    tree.climb(false).filter(|node| may_run(*node)).collect()
}

fn kind(node: Node<'_>) -> NodeKind {
    let has = |key: &str| node.data().contains_key(key) || adjusts(node.data(), key);
    if has("test") {
        NodeKind::Test
    } else if has("execute") || has("discover") || has("plan") {
        NodeKind::Plan
    } else if has("story") {
        NodeKind::Story
    } else {
        NodeKind::Other
    }
}

/// Whether a test runs in some context.
pub(super) fn may_run(node: Node<'_>) -> bool {
    const DECIDING: [&str; 4] = ["enabled", "manual", "story", "test"];
    let data = node.data();
    let may_be = data.contains_key("test") || adjusts(data, "test");
    may_be && (is_test(node) || DECIDING.iter().any(|key| adjusts(data, key)))
}

/// Whether an adjust rule may change a key.
pub(super) fn adjusts(data: &Map, key: &str) -> bool {
    adjusted_keys(data).any(|adjusted| adjusted == key)
}

/// The keys that adjust rules may change.
pub(super) fn adjusted_keys(data: &Map) -> impl Iterator<Item = &str> {
    let keys = rules(data)
        .filter_map(Value::as_map)
        .flat_map(|rule| rule.entries().iter());
    keys.filter_map(|entry: &Entry| entry.key.as_str()).map(bare)
}

/// The adjust rules of a node.
pub(super) fn rules(data: &Map) -> impl Iterator<Item = &Value> {
    let rules = data.get("adjust");
    rules
        .map(|rules| rules.as_list().unwrap_or(std::slice::from_ref(rules)))
        .unwrap_or_default()
        .iter()
}
