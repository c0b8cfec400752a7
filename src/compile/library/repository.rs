//! The trees that libraries come from: the test's own, one on the host, or a commit of a git repository.
//!
//! Each is loaded once for all plans. What could not be loaded is not tried again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_fmf::Tree;

use super::requirement::LibrarySource;
use crate::compile::FilesOfTrees;
use crate::compile::fetch::fetch_commit;
use crate::compile::inputs::files::TreeFiles;
use crate::compile::metadata::trees::{TreeId, Trees};
use crate::compile::spec::Request;

/// A tree with libraries.
#[derive(Debug)]
pub(crate) struct Repository {
    /// The metadata as they are written: tmt does not adjust those of libraries.
    pub(crate) tree: Tree,
    pub(crate) files: Arc<TreeFiles>,
    /// The root of the metadata, relative to that of the files.
    pub(crate) root: PathBuf,
    /// The commit, or another text that says for people which tree it is.
    pub(crate) revision: String,
}

/// All trees with libraries of a request.
#[derive(Debug)]
pub(crate) struct Repositories<'r> {
    request: &'r Request,
    trees: &'r Trees,
    files: FilesOfTrees,
    loaded: HashMap<(LibrarySource, Option<TreeId>), Result<Arc<Repository>, String>>,
}

impl<'r> Repositories<'r> {
    /// Returns the trees of a request, before any is loaded. `files` are those of the trees that its sections name.
    pub(crate) fn new(request: &'r Request, trees: &'r Trees, files: FilesOfTrees) -> Self {
        Self {
            request,
            trees,
            files,
            loaded: HashMap::new(),
        }
    }

    /// Returns the files of the tree of a test.
    pub(crate) fn files_of(&self, test: TreeId) -> &TreeFiles {
        &self.files[&test]
    }

    /// Returns a tree for a test, or why it cannot be had.
    pub(crate) fn get(&mut self, source: &LibrarySource, test: TreeId) -> Result<Arc<Repository>, String> {
        let known = (source.clone(), (*source == LibrarySource::OfTest).then_some(test));
        if let Some(loaded) = self.loaded.get(&known) {
            return loaded.clone();
        }
        let loaded = self.load(source, test).map(Arc::new);
        self.loaded.insert(known, loaded.clone());
        loaded
    }

    fn load(&self, source: &LibrarySource, test: TreeId) -> Result<Repository, String> {
        match source {
            LibrarySource::OfTest => {
                let (files, root) = (Arc::clone(&self.files[&test]), self.trees.get(test).root());
                let top = files.root.clone();
                let root = root.strip_prefix(&top).map(Path::to_owned);
                let root = root.map_err(|_elsewhere| "the tests have no fmf tree of their own".to_owned())?;
                repository(&top, files, root, "the tree of the test".to_owned())
            }
            LibrarySource::Path(path) => {
                let root = self.trees.own().root().join(path);
                if !root.is_dir() {
                    return Err(format!("there is no directory `{}`", path.display()));
                }
                let files = Arc::new(self.read(&root)?);
                repository(&root, files, PathBuf::new(), format!("`{}`", path.display()))
            }
            LibrarySource::Url { url, reference, path } => {
                if reference.as_ref().is_some_and(|reference| reference.starts_with('@')) {
                    return Err("a `ref` that names a file (`@…`) is not supported".to_owned());
                }
                let fetched = fetch_commit(url, reference.as_deref(), &self.request.fetch_cache);
                let fetched = fetched.map_err(|error| error.to_string())?;
                let files = Arc::new(self.read(&fetched.files)?);
                let within = Path::new(path.as_deref().unwrap_or_default());
                let within = within.strip_prefix("/").unwrap_or(within);
                let root = files
                    .resolved(within)
                    .0
                    .map_err(|_lost| format!("`{}` leads out of the repository", within.display()))?;
                repository(&fetched.files, files, root, fetched.commit)
            }
        }
    }

    /// Reads the files of a tree. One that cannot be read could be missed by a test.
    fn read(&self, root: &Path) -> Result<TreeFiles, String> {
        let mut unread = Vec::new();
        let files = TreeFiles::read(
            (root, &self.request.own),
            self.request.digest_cache.as_deref(),
            &mut unread,
        );
        match unread.first() {
            Some(first) => Err(first.text.clone()),
            None => Ok(files),
        }
    }
}

fn repository(top: &Path, files: Arc<TreeFiles>, root: PathBuf, revision: String) -> Result<Repository, String> {
    if files.below(&root.join(".fmf")).is_empty() {
        return Err(format!(
            "there is no fmf tree at `{}`",
            Path::new("/").join(root).display()
        ));
    }
    let tree = Tree::load(&top.join(&root)).map_err(|error| error.to_string())?;
    Ok(Repository {
        tree,
        files,
        root,
        revision,
    })
}
