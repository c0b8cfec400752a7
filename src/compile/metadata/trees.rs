//! The metadata trees of a request: the one that it starts in, and those that discover sections name. Each is loaded once for each
//! context in which a plan looks for tests in it. Its files are the same in all contexts.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compile::error::CompileError;
use crate::compile::fetch::{fetch, fetch_files};
use crate::compile::metadata::read::truthy;
use crate::compile::plan::context::{self, Dimensions};
use crate::compile::plan::inline_tests::{self, InlineTest};
use crate::compile::plan::sections::{Repository, Source};
use crate::compile::remembered::packed_tree;

use atex_fmf::{Map, Metadata, MetadataFile, Node, Tree, Value};

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
    /// The trees that plans of a tree name.
    by_source: HashMap<(TreeId, Source), TreeId>,
    /// The directory of the cache in which packed trees are remembered.
    cache: Option<PathBuf>,
}

/// A tree, with its metadata in each context that was needed.
#[derive(Debug)]
pub(crate) struct LoadedTree {
    /// The metadata in the context in which they were first needed; of the request's own tree, that is the request's.
    first: Adjusted,
    others: Vec<Adjusted>,
    /// The directories of tests except the root. What lies below one belongs to a test. They are the same in every context.
    pub(crate) owners: BTreeSet<PathBuf>,
    /// Where the files are among which the tests run, if not in the tree itself.
    elsewhere: Option<PathBuf>,
    /// Whether its tests are written in a plan.
    is_inline: bool,
}

/// The metadata of a tree, adjusted.
#[derive(Debug)]
struct Adjusted {
    adjustment: Adjustment,
    tree: Tree,
    failed: Failures,
}

/// By what the metadata of a tree are adjusted.
#[derive(Clone, Debug)]
pub(crate) struct Adjustment {
    context: Dimensions,
    /// Rules that come after those of each node.
    rules: Vec<Value>,
    /// The rules as text. Values that are equal in Python may give different tests.
    text: String,
}

impl Adjustment {
    pub(crate) fn new(context: Dimensions, rules: Vec<Value>) -> Self {
        let mut text = String::new();
        for rule in &rules {
            rule.write_json(&mut text);
            text.push('\n');
        }
        Self { context, rules, text }
    }
}

impl PartialEq for Adjustment {
    fn eq(&self, other: &Self) -> bool {
        self.context == other.context && self.text == other.text
    }
}

/// Returns a value without the marks of its tree, to be used in another one.
pub(crate) fn unmarked(value: &Value) -> Value {
    match value {
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), unmarked(value)))
            .collect::<Map>()
            .into(),
        Value::List(items) => items.iter().map(unmarked).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

/// The plans and tests whose adjust rules cannot be applied, by name.
type Failures = HashMap<String, Arc<CompileError>>;

/// The metadata of a tree in one context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdjustedTree<'t> {
    pub(crate) id: TreeId,
    /// Which of the contexts of the tree it is.
    pub(crate) number: usize,
    pub(crate) tree: &'t Tree,
    /// The directory of the files among which the tests run.
    pub(crate) root: &'t Path,
    failed: &'t Failures,
}

impl AdjustedTree<'_> {
    /// Returns why the adjust rules of a node cannot be applied, if they cannot.
    pub(crate) fn failure(&self, node: Node<'_>) -> Option<Arc<CompileError>> {
        self.failed.get(node.name()).cloned()
    }
}

impl LoadedTree {
    /// Returns the absolute path of the directory that holds the tree's `.fmf`.
    pub(crate) fn root(&self) -> &Path {
        self.first.tree.root()
    }

    /// Returns the absolute path of the directory of the files among which the tests run.
    pub(crate) fn files_root(&self) -> &Path {
        self.elsewhere.as_deref().unwrap_or(self.root())
    }

    /// Returns the tree of tests that are written in a plan of this one.
    fn inline(&self, tests: &[InlineTest], adjustment: &Adjustment, repository: Option<PathBuf>) -> Self {
        let owners = match repository {
            None => self.owners.clone(),
            Some(_) => BTreeSet::new(),
        };
        Self {
            first: Adjusted {
                adjustment: adjustment.clone(),
                tree: inline_tests::tree(self.tree(), tests),
                failed: Failures::new(),
            },
            others: Vec::new(),
            owners,
            elsewhere: repository,
            is_inline: true,
        }
    }

    /// Returns the files of the metadata, which are the same in every context.
    pub(crate) fn metadata_files(&self) -> &[MetadataFile] {
        self.first.tree.metadata_files()
    }

    /// Returns the metadata in the context in which they were first needed.
    pub(crate) fn tree(&self) -> &Tree {
        &self.first.tree
    }

    fn numbered<'t>(&'t self, id: TreeId, number: usize, adjusted: &'t Adjusted) -> AdjustedTree<'t> {
        AdjustedTree {
            id,
            number,
            tree: &adjusted.tree,
            root: self.files_root(),
            failed: &adjusted.failed,
        }
    }

    /// Returns the metadata with an adjustment, and the number of the adjustment.
    fn adjusted(&self, adjustment: &Adjustment) -> Option<(usize, &Adjusted)> {
        let mut all = std::iter::once(&self.first).chain(&self.others).enumerate();
        all.find(|(_, adjusted)| adjusted.adjustment == *adjustment)
    }
}

impl Trees {
    /// Loads the tree that contains the directory `start`.
    pub(crate) fn open(start: &Path, context: &Dimensions, cache: Option<&Path>) -> Result<Self, CompileError> {
        let own = load(start, &Adjustment::new(context.clone(), Vec::new()), cache)?;
        Ok(Self {
            cache: cache.map(Path::to_owned),
            loaded: vec![own],
            by_source: HashMap::new(),
        })
    }

    /// Loads the tree that a plan of the tree `home` names, and fetches it first if it is remote. `inline` are the tests that the
    /// plan itself has.
    pub(crate) fn add(
        &mut self,
        home: TreeId,
        (source, inline): (&Source, &[InlineTest]),
        adjustment: &Adjustment,
        fetch_cache: &Path,
    ) -> Result<(), CompileError> {
        let cache = self.cache.as_deref();
        let known = match source {
            Source::Own => Some(home),
            _ => self.by_source.get(&(home, source.clone())).copied(),
        };
        if let Some(TreeId(id)) = known {
            return self.loaded[id].add(adjustment, cache);
        }
        let root = match source {
            Source::Own => self.get(home).root().to_owned(),
            Source::Path(path) => self.get(home).root().join(path),
            Source::Url { url, reference, path } => fetch(url, reference.as_deref(), path.as_deref(), fetch_cache)?,
            Source::Inline { repository, .. } => {
                let fetched =
                    |Repository { url, reference }: &Repository| fetch_files(url, reference.as_deref(), fetch_cache);
                let fetched = repository.as_ref().map(fetched).transpose()?;
                self.by_source.insert((home, source.clone()), TreeId(self.loaded.len()));
                self.loaded.push(self.get(home).inline(inline, adjustment, fetched));
                return Ok(());
            }
        };
        let root = Metadata::find(&root)?.root().to_owned();
        let is_same = |other: &LoadedTree| !other.is_inline && other.root() == root;
        let id = if let Some(same) = self.loaded.iter().position(is_same) {
            self.loaded[same].add(adjustment, cache)?;
            same
        } else {
            self.loaded.push(load(&root, adjustment, cache)?);
            self.loaded.len() - 1
        };
        self.by_source.insert((home, source.clone()), TreeId(id));
        Ok(())
    }

    /// Returns the tree that a plan of the tree `home` names, which was added before.
    pub(crate) fn of(&self, home: TreeId, source: &Source) -> TreeId {
        self.by_source.get(&(home, source.clone())).copied().unwrap_or(home)
    }

    /// Returns the metadata of a tree with an adjustment, with which it was added before.
    pub(crate) fn adjusted(&self, home: TreeId, source: &Source, adjustment: &Adjustment) -> AdjustedTree<'_> {
        let id = self.of(home, source);
        let loaded = self.get(id);
        let (number, adjusted) = loaded.adjusted(adjustment).unwrap_or((0, &loaded.first));
        loaded.numbered(id, number, adjusted)
    }

    /// Returns the metadata of the tree that the request starts in, in the context of the request.
    pub(crate) fn of_request(&self) -> AdjustedTree<'_> {
        let own = self.own();
        own.numbered(TreeId::OWN, 0, &own.first)
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

impl LoadedTree {
    /// Makes sure that the metadata are there with an adjustment.
    fn add(&mut self, adjustment: &Adjustment, cache: Option<&Path>) -> Result<(), CompileError> {
        if !self.is_inline && self.adjusted(adjustment).is_none() {
            let other = load(self.root(), adjustment, cache)?;
            self.others.push(other.first);
        }
        Ok(())
    }
}

fn load(start: &Path, adjustment: &Adjustment, cache: Option<&Path>) -> Result<LoadedTree, CompileError> {
    let metadata = Metadata::find(start)?;
    let context = context::for_rules(&adjustment.context);
    // Trees with further rules are few, and made in memory.
    let cache = cache.filter(|_| adjustment.rules.is_empty());
    let found = cache.and_then(|cache| packed_tree::tree(&metadata, &context, may_be_test, cache));
    let (tree, owners, failed) = if let Some(tree) = found {
        let owners = owners(&tree, |node| node.mark() == Some(true));
        (tree, owners, Failures::new())
    } else {
        let tree = metadata.grow()?;
        let owners = owners(&tree, |node| may_be_test(node.data()));
        let (tree, failed) = tree.into_adjusted_as_far_as_possible(&context, &adjustment.rules)?;
        let failed = failures(&tree, failed)?;
        (tree, owners, failed)
    };
    Ok(LoadedTree {
        first: Adjusted {
            adjustment: adjustment.clone(),
            tree,
            failed,
        },
        others: Vec::new(),
        owners,
        elsewhere: None,
        is_inline: false,
    })
}

/// Returns the leaves whose adjust rules cannot be applied. One of which the rules could have made anything is an error.
fn failures(tree: &Tree, failed: Vec<(String, atex_fmf::Error)>) -> Result<Failures, CompileError> {
    const DECIDING: [&str; 5] = ["discover", "execute", "plan", "story", "test"];
    let mut failures = Failures::new();
    for (name, error) in failed {
        let Some(node) = tree.find(&name).filter(|node| !node.is_branch()) else {
            continue;
        };
        if !DECIDING.iter().any(|key| node.has_key(key)) {
            return Err(error.into());
        }
        failures.insert(name, Arc::new(error.into()));
    }
    Ok(failures)
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
