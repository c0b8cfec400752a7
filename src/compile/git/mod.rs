//! Decides which files of a directory belong to git: those that `git ls-files --cached --others --exclude-standard` would list,
//! each repository by its own rules.
//!
//! Git itself is not run: it would run programs that a configuration in the tree names, and it may not be installed. This module
//! reads only the index, the configuration and the ignore rules.

mod config;
mod index;
mod rules;
mod wildmatch;

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::GitConfig;
use index::Index;
pub(crate) use rules::IgnoreRules;

use crate::host;

/// The name that git reserves for itself.
pub(crate) const GIT: &str = ".git";

/// One repository with a work tree.
#[derive(Debug)]
pub(crate) struct Repository {
    index: Index,
    /// The user's rules, and above them in priority the repository's own `info/exclude`; neither is a file of the work tree.
    excludes: [IgnoreRules; 2],
    fold: bool,
}

/// What a repository says about a path below its top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IgnoreVerdict {
    Taken,
    /// The path is ignored; the text is the place of the rule.
    Ignored(Arc<str>),
    /// The directory is ignored, but it has tracked files: only these are taken.
    OnlyTracked(Arc<str>),
    /// Git does not list the content of the directory: it is a submodule, or a sparse index leaves it out.
    Foreign,
}

impl Repository {
    /// Opens the repository whose work tree has its top here, and returns `None` if there is none. An error means that its index
    /// cannot be read.
    pub(crate) fn open(top: &Path) -> io::Result<Option<Self>> {
        let Some(git) = directory_of(&top.join(GIT)) else {
            return Ok(None);
        };
        let common = match host::file::read_to_string(&git.join("commondir")) {
            Ok(text) => git.join(text.trim_end()),
            Err(_) => git.clone(),
        };
        let config = GitConfig::read(&git, &common);
        let same = |tree: &Path| tree.canonicalize().ok() == top.canonicalize().ok();
        if config.bare && config.work_tree.is_none() || config.work_tree.as_deref().is_some_and(|tree| !same(tree)) {
            return Ok(None);
        }
        let user = config
            .excludes()
            .map(|file| IgnoreRules::read(&file, &file.to_string_lossy(), b"", true))
            .unwrap_or_default();
        let own = IgnoreRules::read(&common.join("info/exclude"), ".git/info/exclude", b"", true);
        Ok(Some(Self {
            index: Index::read(&git, if config.sha256 { 32 } else { 20 })?,
            excludes: [user, own],
            fold: config.ignore_case,
        }))
    }

    /// Finds the repository that contains a directory, and its top. As git does, it does not cross into another file system.
    pub(crate) fn around(directory: &Path) -> io::Result<Option<(PathBuf, Self)>> {
        let device = directory.metadata()?.dev();
        for top in directory.ancestors() {
            if top.metadata()?.dev() != device {
                break;
            }
            if let Some(repository) = Self::open(top)? {
                return Ok(Some((top.to_owned(), repository)));
            }
        }
        Ok(None)
    }

    /// Reads the ignore rules of a directory. `path` is the path of the directory in the repository.
    pub(crate) fn rules_of(directory: &Path, path: &[u8]) -> IgnoreRules {
        let base = if path.is_empty() {
            Vec::new()
        } else {
            [path, b"/"].concat()
        };
        let shown = format!("{}.gitignore", String::from_utf8_lossy(&base));
        IgnoreRules::read(&directory.join(".gitignore"), &shown, &base, false)
    }

    /// Decides about a path. `above` are the rules of the directories above it, the topmost first. `ignored` is the rule that
    /// ignores one of these directories.
    pub(crate) fn verdict(
        &self,
        path: &[u8],
        directory: bool,
        above: &[IgnoreRules],
        ignored: Option<&Arc<str>>,
    ) -> IgnoreVerdict {
        if directory && (self.index.submodules.contains(path) || self.index.sparse.contains(path)) {
            return IgnoreVerdict::Foreign;
        }
        if !directory && self.index.files.contains(path) {
            return IgnoreVerdict::Taken;
        }
        let mut rules = above.iter().rev().chain(self.excludes.iter().rev());
        let mut said = || rules.find_map(|rules| rules.verdict(path, directory, self.fold));
        let ignored = ignored.or_else(|| said().flatten());
        match ignored.cloned() {
            None => IgnoreVerdict::Taken,
            Some(rule) if directory && self.index.directories.contains(path) => IgnoreVerdict::OnlyTracked(rule),
            Some(rule) => IgnoreVerdict::Ignored(rule),
        }
    }

    /// Returns whether anything below a directory is tracked.
    pub(crate) fn tracks(&self, directory: &[u8]) -> bool {
        self.index.directories.contains(directory)
    }
}

/// Returns the directory of the repository that a `.git` entry is, or that it refers to.
fn directory_of(entry: &Path) -> Option<PathBuf> {
    let found = entry.metadata().ok()?;
    let git = if found.is_dir() {
        entry.to_owned()
    } else {
        let bytes = host::file::read(entry).ok()?;
        let target = bytes.strip_prefix(b"gitdir: ")?;
        let target = target.strip_suffix(b"\n").unwrap_or(target);
        let target = target.strip_suffix(b"\r").unwrap_or(target);
        entry.parent()?.join(Path::new(std::ffi::OsStr::from_bytes(target)))
    };
    let common = host::file::read_to_string(&git.join("commondir"))
        .map_or_else(|_| git.clone(), |text| git.join(text.trim_end()));
    let whole = has_head(&git) && common.join("objects").is_dir() && common.join("refs").exists();
    whole.then_some(git)
}

fn has_head(git: &Path) -> bool {
    let head = git.join("HEAD");
    if let Ok(target) = fs::read_link(&head) {
        return target.starts_with("refs");
    }
    let text = host::file::read_to_string(&head).unwrap_or_default();
    match text.strip_prefix("ref:") {
        Some(name) => name.trim_start().starts_with("refs/"),
        None => text.len() >= 40 && text.bytes().take(40).all(|byte| byte.is_ascii_hexdigit()),
    }
}
