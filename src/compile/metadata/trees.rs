//! The metadata trees of a request: the one that it starts in, and those that discover sections name. Each is loaded once for each
//! context in which a plan looks for tests in it. Its files are the same in all contexts.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compile::error::CompileError;
use crate::compile::fetch::{fetch, fetch_files};
use crate::compile::metadata::read::truthy;
use crate::compile::plan::context::{self, Dimensions};
use crate::compile::plan::inline_tests;
use crate::compile::plan::sections::{Repository, Section, Source};
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
    by_source: HashMap<Source, TreeId>,
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

/// The metadata of a tree, adjusted with a context.
#[derive(Debug)]
struct Adjusted {
    context: Dimensions,
    tree: Tree,
    failed: Failures,
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
    fn inline(&self, section: &Section, context: &Dimensions, repository: Option<PathBuf>) -> Self {
        let owners = match repository {
            None => self.owners.clone(),
            Some(_) => BTreeSet::new(),
        };
        Self {
            first: Adjusted {
                context: context.clone(),
                tree: inline_tests::tree(self.tree(), &section.inline),
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

    /// Returns the metadata in a context, and the number of the context.
    fn adjusted(&self, context: &Dimensions) -> Option<(usize, &Adjusted)> {
        let mut all = std::iter::once(&self.first).chain(&self.others).enumerate();
        all.find(|(_, adjusted)| adjusted.context == *context)
    }
}

impl Trees {
    /// Loads the tree that contains the directory `start`.
    pub(crate) fn open(start: &Path, context: &Dimensions, cache: Option<&Path>) -> Result<Self, CompileError> {
        let own = load(start, context, cache)?;
        Ok(Self {
            cache: cache.map(Path::to_owned),
            loaded: vec![own],
            by_source: HashMap::from([(Source::Own, TreeId::OWN)]),
        })
    }

    /// Loads the tree of a section in a context, and fetches it first if it is remote.
    pub(crate) fn add(
        &mut self,
        section: &Section,
        context: &Dimensions,
        fetch_cache: &Path,
    ) -> Result<(), CompileError> {
        let (cache, source) = (self.cache.as_deref(), &section.source);
        if let Some(TreeId(id)) = self.by_source.get(source) {
            return self.loaded[*id].add(context, cache);
        }
        let root = match source {
            Source::Own => return Ok(()),
            Source::Path(path) => self.own().root().join(path),
            Source::Url { url, reference, path } => fetch(url, reference.as_deref(), path.as_deref(), fetch_cache)?,
            Source::Inline { repository, .. } => {
                let fetched =
                    |Repository { url, reference }: &Repository| fetch_files(url, reference.as_deref(), fetch_cache);
                let fetched = repository.as_ref().map(fetched).transpose()?;
                self.by_source.insert(source.clone(), TreeId(self.loaded.len()));
                self.loaded.push(self.own().inline(section, context, fetched));
                return Ok(());
            }
        };
        let root = Metadata::find(&root)?.root().to_owned();
        let id = match self
            .loaded
            .iter()
            .position(|other| !other.is_inline && other.root() == root)
        {
            Some(same) => {
                self.loaded[same].add(context, cache)?;
                same
            }
            None => {
                self.loaded.push(load(&root, context, cache)?);
                self.loaded.len() - 1
            }
        };
        self.by_source.insert(source.clone(), TreeId(id));
        Ok(())
    }

    /// Returns the tree of a section that was added before.
    pub(crate) fn of(&self, source: &Source) -> TreeId {
        self.by_source.get(source).copied().unwrap_or(TreeId::OWN)
    }

    /// Returns the metadata of a section's tree in a context, with which it was added before.
    pub(crate) fn adjusted(&self, source: &Source, context: &Dimensions) -> AdjustedTree<'_> {
        let id = self.of(source);
        let loaded = self.get(id);
        let (number, adjusted) = loaded.adjusted(context).unwrap_or((0, &loaded.first));
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
    /// Makes sure that the metadata are there in a context.
    fn add(&mut self, context: &Dimensions, cache: Option<&Path>) -> Result<(), CompileError> {
        if !self.is_inline && self.adjusted(context).is_none() {
            let other = load(self.root(), context, cache)?;
            self.others.push(other.first);
        }
        Ok(())
    }
}

fn load(start: &Path, dimensions: &Dimensions, cache: Option<&Path>) -> Result<LoadedTree, CompileError> {
    let metadata = Metadata::find(start)?;
    let context = context::for_rules(dimensions);
    let found = cache.and_then(|cache| packed_tree::tree(&metadata, &context, may_be_test, cache));
    let (tree, owners, failed) = if let Some(tree) = found {
        let owners = owners(&tree, |node| node.mark() == Some(true));
        (tree, owners, Failures::new())
    } else {
        let tree = metadata.grow()?;
        let owners = owners(&tree, |node| may_be_test(node.data()));
        let (tree, failed) = tree.into_adjusted_as_far_as_possible(&context)?;
        let failed = failures(&tree, failed)?;
        (tree, owners, failed)
    };
    Ok(LoadedTree {
        first: Adjusted {
            context: dimensions.clone(),
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
    const DECIDING: [&str; 4] = ["discover", "execute", "story", "test"];
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
