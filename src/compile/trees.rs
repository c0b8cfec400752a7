//! The trees of a request: the one it starts in, and those that discover sections name. Each is loaded and read once.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::error::CompileError;
use super::read::truthy;
use super::sections::Source;
use crate::fmf;
use crate::fmf::context::Context;
use crate::fmf::{Node, Tree, Value};

/// Index of a tree in [`Trees`]; the request's own is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TreeId(usize);

impl TreeId {
    /// The tree that the request starts in.
    pub(crate) const OWN: Self = Self(0);
}

/// Loaded trees.
#[derive(Debug)]
pub(crate) struct Trees {
    trees: Vec<LoadedTree>,
    by_source: HashMap<Source, TreeId>,
}

/// A tree as the context makes it.
#[derive(Debug)]
pub(crate) struct LoadedTree {
    pub(crate) tree: Tree,
    /// Directories of tests, apart from the root: what lies below one belongs to a test. The same in every context.
    pub(crate) owners: BTreeSet<PathBuf>,
}

impl Trees {
    /// Loads the tree that `start` lies in.
    pub(crate) fn open(start: &Path, context: &Context) -> Result<Self, CompileError> {
        let own = load(start, context)?;
        Ok(Self {
            trees: vec![own],
            by_source: HashMap::from([(Source::Own, TreeId::OWN)]),
        })
    }

    /// Loads the tree of a section, fetching what must be.
    pub(crate) fn add(&mut self, source: &Source, context: &Context, fetch_cache: &Path) -> Result<(), CompileError> {
        if self.by_source.contains_key(source) {
            return Ok(());
        }
        let root = match source {
            Source::Own => return Ok(()),
            Source::Path(path) => self.own().tree.root().join(path),
            Source::Url { url, reference, path } => {
                fmf::fetch(url, reference.as_deref(), path.as_deref(), fetch_cache)?
            }
        };
        let loaded = load(&root, context)?;
        let same = self
            .trees
            .iter()
            .position(|other| other.tree.root() == loaded.tree.root());
        let id = same.unwrap_or(self.trees.len());
        if same.is_none() {
            self.trees.push(loaded);
        }
        self.by_source.insert(source.clone(), TreeId(id));
        Ok(())
    }

    /// The tree of a section that was added.
    pub(crate) fn of(&self, source: &Source) -> TreeId {
        self.by_source.get(source).copied().unwrap_or(TreeId::OWN)
    }

    /// The tree that the request starts in.
    pub(crate) fn own(&self) -> &LoadedTree {
        &self.trees[0]
    }

    pub(crate) fn get(&self, id: TreeId) -> &LoadedTree {
        &self.trees[id.0]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = TreeId> + use<> {
        (0..self.trees.len()).map(TreeId)
    }
}

fn load(start: &Path, context: &Context) -> Result<LoadedTree, CompileError> {
    let raw = Tree::load(start)?;
    let owners = raw
        .climb(false)
        .filter(|node| may_be_test(*node))
        .map(|node| node.dir().to_owned());
    let owners = owners.filter(|directory| !directory.as_os_str().is_empty()).collect();
    Ok(LoadedTree {
        tree: raw.into_adjusted(context)?,
        owners,
    })
}

/// Whether the node is a test in some context.
fn may_be_test(node: Node<'_>) -> bool {
    let data = node.data();
    let rules = data
        .get("adjust")
        .map(|rules| rules.as_list().unwrap_or(std::slice::from_ref(rules)));
    let sets_test = |rule: &Value| rule.as_map().is_some_and(|map| map.keys().any(is_test_key));
    data.contains_key("test") || rules.unwrap_or_default().iter().any(sets_test)
}

/// `test`, also with a merge suffix.
fn is_test_key(key: &Value) -> bool {
    key.as_str()
        .is_some_and(|key| key.trim_end_matches(['+', '<', '>', '-', '~']) == "test")
}

/// Whether a node is a test that can run: enabled, not manual, no story.
pub(crate) fn is_test(node: Node<'_>) -> bool {
    let data = node.data();
    let flag = |key: &str, default: bool| match data.get(key) {
        None | Some(Value::Null) => default,
        Some(value) => truthy(value),
    };
    data.get("test").is_some_and(|test| !test.is_null())
        && flag("enabled", true)
        && !flag("manual", false)
        && !flag("story", false)
}
