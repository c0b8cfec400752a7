//! `modified-only` of discover: selects the tests of directories in which commits since another one changed a file.
//!
//! Every commit counts, as `git log` lists them, also one whose change was taken back; what is not committed does not. Only git
//! knows the history, so it is run, with options that keep it from running what the configuration of the repository names. A key
//! never depends on what was modified. Which tests there are does, and so does a null build.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::compile::error::CompileError;
use crate::compile::fetch::{self, FetchError};
use crate::compile::metadata::read::Scope;
use crate::host::program;

/// The key that asks for it.
pub(crate) const KEY: &str = "modified-only";
/// The name that `modified-url` has in `modified-ref`, before a branch of it.
const REFERENCE: &str = "reference/";

/// What the commits of a tree are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModifiedOnly {
    reference: Option<String>,
    url: Option<String>,
}

/// Why it cannot be known what was modified.
#[derive(Debug, thiserror::Error)]
pub enum ModifiedError {
    /// The tree is fetched without its history.
    #[error("the history of a tree that is fetched is not there, so what was modified cannot be known")]
    Fetched,
    /// Nothing says what to compare with.
    #[error("the repository has no remote with a default branch to compare with: say one by `modified-ref`")]
    NoDefaultBranch,
    /// The commit to compare with is not there.
    #[error("the repository has no branch, tag or commit `{0}`")]
    UnknownReference(String),
    /// Git failed. This is its message.
    #[error("git says: {0}")]
    Git(String),
    /// Git could not be run.
    #[error("cannot run `git`: {0}")]
    Start(#[from] io::Error),
    /// The repository at `modified-url` cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Reads what a section says of it.
pub(crate) fn of_section(section: &Scope<'_>) -> Result<Option<ModifiedOnly>, CompileError> {
    let (reference, url) = (section.text("modified-ref")?, section.text("modified-url")?);
    Ok(section.boolean(KEY, false)?.then_some(ModifiedOnly { reference, url }))
}

impl ModifiedOnly {
    /// Returns whether something must be fetched to know it.
    pub(crate) fn is_remote(&self) -> bool {
        self.url.is_some()
    }

    /// Returns a regex that finds the names of the tests in modified directories, or `None` if no directory below the root of the
    /// tree was modified.
    pub(crate) fn pattern(&self, root: &Path, fetch_cache: &Path) -> Result<Option<String>, ModifiedError> {
        let git = Git { root };
        let above = git.line(&["rev-parse", "--show-prefix"])?;
        let head = git.commit("HEAD")?;
        let branch = self.reference.as_deref().and_then(|name| name.strip_prefix(REFERENCE));
        let files = match (&self.url, branch) {
            (Some(url), Some(branch)) => {
                let (repository, base) = fetch::commit(url, branch, fetch_cache)?;
                let objects = root.join(git.line(&["rev-parse", "--git-path", "objects"])?);
                let mut log = git.command(&log(&base, &head));
                log.env("GIT_DIR", repository)
                    .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects);
                Git::output(log)?
            }
            _ => Git::output(git.command(&log(&git.base(self.reference.as_deref())?, &head)))?,
        };
        let files = files.split('\0').map(|file| file.trim_start_matches('\n'));
        let files = files.filter_map(|file| file.strip_prefix(&above));
        Ok(pattern(files))
    }
}

fn log(base: &str, head: &str) -> Vec<String> {
    let options = [
        "log",
        "--format=",
        "--name-only",
        "-z",
        "--no-ext-diff",
        "--no-show-signature",
    ];
    let commits = format!("{base}..{head}");
    options
        .into_iter()
        .map(str::to_owned)
        .chain([commits, "--".to_owned()])
        .collect()
}

/// Returns a regex for the directories of files, but for the root.
fn pattern<'f>(files: impl Iterator<Item = &'f str>) -> Option<String> {
    let directory = |file: &'f str| file.rsplit_once('/').map(|(directory, _)| directory);
    let all: BTreeSet<&str> = files.filter_map(directory).collect();
    let has_above = |directory: &&&str| {
        let slashes = directory.match_indices('/');
        !slashes.into_iter().any(|(at, _)| all.contains(&directory[..at]))
    };
    let escaped: Vec<String> = all
        .iter()
        .filter(has_above)
        .map(|directory| escaped(directory))
        .collect();
    (!escaped.is_empty()).then(|| format!("^/(?:{})(?:$|/)", escaped.join("|")))
}

/// Returns a regex that matches a text, as Python's `re.escape` does.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() && !character.is_ascii_alphanumeric() && character != '_' {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Git in the tree at a root.
struct Git<'r> {
    root: &'r Path,
}

impl Git<'_> {
    fn command(&self, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Command {
        let mut git = fetch::git();
        git.current_dir(self.root).arg("--no-pager").args(arguments);
        git
    }

    fn output(mut git: Command) -> Result<String, ModifiedError> {
        let output = program::output(&mut git, "git for `modified-only`")?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(ModifiedError::Git(said.lines().next().unwrap_or_default().to_owned()))
    }

    fn line(&self, arguments: &[&str]) -> Result<String, ModifiedError> {
        Ok(Self::output(self.command(arguments))?.trim_end_matches('\n').to_owned())
    }

    /// Returns the id of the commit that a name stands for.
    fn commit(&self, name: &str) -> Result<String, ModifiedError> {
        let unknown = || ModifiedError::UnknownReference(name.to_owned());
        if name.contains(char::is_control) {
            return Err(unknown());
        }
        let commit = format!("{name}^{{commit}}");
        let found = self.line(&["rev-parse", "--quiet", "--verify", "--end-of-options", &commit]);
        found.map_err(|_| unknown())
    }

    /// Returns the commit to compare with: what is named, or else the default branch of the remote.
    fn base(&self, reference: Option<&str>) -> Result<String, ModifiedError> {
        if let Some(name) = reference {
            return self.commit(name);
        }
        let head = self.line(&["symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"]);
        let head = head.map_err(|_| ModifiedError::NoDefaultBranch)?;
        let branch = head.trim_start_matches("refs/remotes/origin/");
        self.commit(&format!("refs/heads/{branch}"))
            .or_else(|_| self.commit(&head))
    }
}

#[cfg(test)]
mod tests {
    use atex_fmf::regex::search;

    use super::pattern;

    #[test]
    fn the_directories_of_files_are_found_in_names_and_nothing_else_is() {
        let pattern = pattern(["a/run.sh", "a/x/y", "c.d/new+/f", "root"].into_iter()).expect("directories");
        assert_eq!(pattern, "^/(?:a|c\\.d\\/new\\+)(?:$|/)");
        for (name, expected) in [
            ("/a", true),
            ("/a/b", true),
            ("/ab", false),
            ("/x/a", false),
            ("/c.d/new+", true),
            ("/c.d/new+/z", true),
            ("/cxd/new+", false),
            ("/c.d", false),
            ("/root", false),
        ] {
            assert_eq!(search(&pattern, name), Ok(expected), "{name}");
        }
        assert_eq!(super::pattern(["root", "other"].into_iter()), None);
    }
}
