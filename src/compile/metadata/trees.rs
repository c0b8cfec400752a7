//! The metadata trees of a request: the one that it starts in, and those that discover sections name. Each is loaded and read
//! once.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::compile::error::CompileError;
use crate::compile::fetch::fetch;
use crate::compile::metadata::read::truthy;
use crate::compile::plan::sections::Source;
use crate::compile::remembered::packed_tree;

use atex_fmf::context::Context;
use atex_fmf::{Map, Metadata, Node, Tree, Value};

/// Index of a tree in [`Trees`]; the first one is the request's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TreeId(usize);

impl TreeId {
    /// The tree that the request starts in.
    pub(crate) const OWN: Self = Self(0);
}

/// All loaded trees of a request.
#[derive(Debug)]
pub(crate) struct Trees {
    loaded: Vec<LoadedTree>,
    by_source: HashMap<Source, TreeId>,
    /// The directory of the cache in which packed trees are remembered.
    cache: Option<PathBuf>,
}

/// A tree, adjusted with the context.
#[derive(Debug)]
pub(crate) struct LoadedTree {
    pub(crate) tree: Tree,
    /// The directories of tests except the root. What lies below one belongs to a test. They are the same in every context.
    pub(crate) owners: BTreeSet<PathBuf>,
}

impl Trees {
    /// Loads the tree that contains the directory `start`.
    pub(crate) fn open(start: &Path, context: &Context, cache: Option<&Path>) -> Result<Self, CompileError> {
        let own = load(start, context, cache)?;
        Ok(Self {
            cache: cache.map(Path::to_owned),
            loaded: vec![own],
            by_source: HashMap::from([(Source::Own, TreeId::OWN)]),
        })
    }

    /// Loads the tree of a section, and fetches it first if it is remote.
    pub(crate) fn add(&mut self, source: &Source, context: &Context, fetch_cache: &Path) -> Result<(), CompileError> {
        if self.by_source.contains_key(source) {
            return Ok(());
        }
        let root = match source {
            Source::Own => return Ok(()),
            Source::Path(path) => self.own().tree.root().join(path),
            Source::Url { url, reference, path } => fetch(url, reference.as_deref(), path.as_deref(), fetch_cache)?,
        };
        let loaded = load(&root, context, self.cache.as_deref())?;
        let same = self
            .loaded
            .iter()
            .position(|other| other.tree.root() == loaded.tree.root());
        let id = same.unwrap_or(self.loaded.len());
        if same.is_none() {
            self.loaded.push(loaded);
        }
        self.by_source.insert(source.clone(), TreeId(id));
        Ok(())
    }

    /// Returns the tree of a section that was added before.
    pub(crate) fn of(&self, source: &Source) -> TreeId {
        self.by_source.get(source).copied().unwrap_or(TreeId::OWN)
    }

    /// Returns the tree that the request starts in.
    pub(crate) fn own(&self) -> &LoadedTree {
        &self.loaded[0]
    }

    pub(crate) fn get(&self, id: TreeId) -> &LoadedTree {
        &self.loaded[id.0]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = TreeId> + use<> {
        (0..self.loaded.len()).map(TreeId)
    }
}

fn load(start: &Path, context: &Context, cache: Option<&Path>) -> Result<LoadedTree, CompileError> {
    let metadata = Metadata::find(start)?;
    let found = cache.and_then(|cache| packed_tree::tree(&metadata, context, may_be_test, cache));
    if let Some(tree) = found {
        let owners = owners(&tree, |node| node.mark() == Some(true));
        return Ok(LoadedTree { tree, owners });
    }
    let tree = metadata.grow()?;
    let owners = owners(&tree, |node| may_be_test(node.data()));
    Ok(LoadedTree {
        tree: tree.into_adjusted(context)?,
        owners,
    })
}

fn owners(tree: &Tree, may_be_test: impl Fn(Node<'_>) -> bool) -> BTreeSet<PathBuf> {
    let mut owners = BTreeSet::new();
    let mut last = Path::new("");
    for node in tree.climb(false).filter(|node| may_be_test(*node)) {
        let directory = node.dir();
        // Most nodes are defined in the same file as the node before, and comparing paths would take longer than all the rest.
        if !std::ptr::eq(directory, last) && !directory.as_os_str().is_empty() {
            owners.insert(directory.to_owned());
        }
        last = directory;
    }
    owners
}

/// Returns whether a node with these data is a test in some context.
fn may_be_test(data: &Map) -> bool {
    let rules = data
        .get("adjust")
        .map(|rules| rules.as_list().unwrap_or(std::slice::from_ref(rules)));
    let sets_test = |rule: &Value| rule.as_map().is_some_and(|map| map.keys().any(is_test_key));
    data.contains_key("test") || rules.unwrap_or_default().iter().any(sets_test)
}

/// Returns whether the key is `test`, with or without a merge suffix.
fn is_test_key(key: &Value) -> bool {
    key.as_str()
        .is_some_and(|key| key.trim_end_matches(['+', '<', '>', '-', '~']) == "test")
}

/// Returns whether a node is a test that can run: it is enabled, not manual, and no story.
pub(crate) fn is_test(node: Node<'_>) -> bool {
    let flag = |key: &str, default: bool| match node.value(key) {
        None | Some(Value::Null) => default,
        Some(value) => truthy(&value),
    };
    node.value("test").is_some_and(|test| !test.is_null())
        && flag("enabled", true)
        && !flag("manual", false)
        && !flag("story", false)
}
