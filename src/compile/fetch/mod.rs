//! Fetches trees from git repositories, for the keys `url`, `ref` and `path` of discover sections.
//!
//! A plain `git` process does the work, and it never asks for a password. [`atex_cache::fetched`] describes how the trees lie in
//! the cache: each commit has files of its own.
//!
//! A process that reads the files of a commit is therefore not disturbed by another process that fetches a newer commit. A `ref`
//! means what it means in fmf: a branch of the remote, or else a tag or a commit. Without `ref`, it is the remote's default
//! branch.

pub(crate) mod page;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::SystemTime;

use atex_cache::fetched::{LOCK, NO_LINK, REPOSITORY, UNFINISHED, used_file};

use crate::host::program;

/// Whether something may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// What is needed is fetched.
    Used,
    /// Nothing is fetched, and what would be needed is left out.
    Unused,
}

/// Why a remote tree cannot be fetched.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch `{url}`: {problem}")]
pub struct FetchError {
    /// The URL of the repository, without its password.
    url: String,
    /// What went wrong.
    problem: FetchProblem,
}

/// What can go wrong when a tree is fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchProblem {
    /// Git would not take the value as a URL or a name, but as something else, such as an option.
    #[error("`{text}` cannot be used as `{key}`")]
    Unusable {
        /// The key of the section.
        key: &'static str,
        /// Its value.
        text: String,
    },
    /// A key has an empty value.
    #[error("`url` and `ref` cannot be empty")]
    Empty,
    /// The URL names a transport in which git runs a program of the URL's choice.
    #[error("transports that run commands cannot be used")]
    RunsCommands,
    /// `path` leads out of the repository.
    #[error("`{}` leads out of the repository", .0.display())]
    Outside(PathBuf),
    /// There is no tree at `path`.
    #[error("there is no fmf tree at `{}`", .0.display())]
    NoTree(PathBuf),
    /// The remote has no default branch.
    #[error("the repository has no default branch")]
    NoDefaultBranch,
    /// The remote has no branch, tag or commit of this name.
    #[error("there is no branch, tag or commit `{0}`")]
    UnknownReference(String),
    /// A system call on the cache directory failed.
    #[error("cannot {action} `{}`: {source}", directory.display())]
    Io {
        /// The operation that failed.
        action: &'static str,
        /// The directory that the operation was about.
        directory: PathBuf,
        /// The reason of the failure.
        source: io::Error,
    },
    /// Git could not be started, or its output could not be read.
    #[error("cannot run `git`: {0}")]
    Start(#[source] io::Error),
    /// `curl`, which fetches pages, could not be run.
    #[error("cannot run `curl`: {0}")]
    NoCurl(#[source] io::Error),
    /// `curl` failed and printed no message.
    #[error("curl failed ({0})")]
    CurlFailed(ExitStatus),
    /// A page is too large, or too slow.
    #[error("the page is larger than 4 MiB, or did not come within two minutes")]
    TooMuch,
    /// Git failed and printed no message.
    #[error("git failed ({0})")]
    Failed(ExitStatus),
    /// Git or curl failed; this is its message, without the password.
    #[error("{0}")]
    Said(String),
}

impl FetchError {
    /// Returns advice for the user.
    pub fn hint(&self) -> &'static str {
        match self.problem {
            FetchProblem::NoCurl(_) => "pages are fetched with `curl`, which is to be installed on this host",
            FetchProblem::CurlFailed(_) | FetchProblem::TooMuch => "check the address with `curl`",
            _ => "check `url` and `ref`, and that git can reach it without asking for a password",
        }
    }

    /// Returns the URL, without its password.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The transports that may be used. Those that run commands are left out.
const PROTOCOLS: &str = "file:git:http:https:ssh";

/// The ref of the repository that holds the fetched default branch.
const DEFAULT: &str = "refs/atex/default";

/// Makes a directory and its parents, with a mode that lets nobody else write to them, whatever the umask is.
fn make_dirs(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// One repository at one `ref`, in the cache.
struct Fetcher<'a> {
    url: &'a str,
    reference: Option<&'a str>,
    directory: PathBuf,
}

/// Fetches a repository and returns the directory of the tree at `path` in it. The files in that directory never change.
///
/// A `reference` that is a full commit id needs no network if the commit was fetched before. Anything else is fetched anew.
pub fn fetch(url: &str, reference: Option<&str>, path: Option<&str>, directory: &Path) -> Result<PathBuf, FetchError> {
    let fetcher = Fetcher::new(url, reference, directory)?;
    let within = fetcher.path_within(path)?;
    let files = fetcher.checked_out()?.files;
    let tree = files.join(&within);
    let rooted = tree
        .ancestors()
        .take_while(|above| above.starts_with(&files))
        .any(|above| above.join(".fmf").is_dir());
    if !rooted {
        return Err(fetcher.error(FetchProblem::NoTree(Path::new("/").join(within))));
    }
    Ok(tree)
}

/// Fetches a repository as [`fetch`] does, and returns the directory of its files, among which there need not be a tree.
pub(crate) fn fetch_files(url: &str, reference: Option<&str>, directory: &Path) -> Result<PathBuf, FetchError> {
    fetch_commit(url, reference, directory).map(|fetched| fetched.files)
}

/// A commit of a repository, checked out.
#[derive(Clone, Debug)]
pub(crate) struct FetchedCommit {
    /// Its full id.
    pub(crate) commit: String,
    /// The directory with its files, which never change.
    pub(crate) files: PathBuf,
}

/// Fetches a repository as [`fetch`] does, and returns the commit, whatever is in it.
pub(crate) fn fetch_commit(url: &str, reference: Option<&str>, directory: &Path) -> Result<FetchedCommit, FetchError> {
    Fetcher::new(url, reference, directory)?.checked_out()
}

/// Fetches the history of a branch, a tag or a commit, and returns a repository that has it, and the id of the commit.
pub(crate) fn commit(url: &str, reference: &str, directory: &Path) -> Result<(PathBuf, String), FetchError> {
    let fetcher = Fetcher::new(url, Some(reference), directory)?;
    let commit = fetcher.locked(|| fetcher.commit())?;
    Ok((fetcher.repository(), commit))
}

/// Returns git without what the caller's environment says of other repositories, and without hooks and questions.
pub(crate) fn git() -> Command {
    let mut git = Command::new("git");
    git.args(["-c", "core.hooksPath=/dev/null"]).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("GIT_") && !KEPT.contains(&&*name) {
            git.env_remove(&*name);
        }
    }
    git.env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
        // The configuration of a repository on this host may name programs that git would run to get missing objects.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C");
    git
}

/// Returns a directory name in which people recognise the repository, and which differs for each URL and `ref`.
fn directory_name(url: &str, reference: Option<&str>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(url.as_bytes())
        .update(b"\0")
        .update(reference.unwrap_or_default().as_bytes());
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let name: String = last
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .take(40)
        .collect();
    format!("{name}-{}", &hasher.finalize().to_hex()[..24])
}

/// Returns the suffix of a name that starts from the remote's default branch, such as `~2` of `HEAD~2`, and `None` for any other
/// name.
fn in_default_branch(reference: &str) -> Option<&str> {
    let rest = ["HEAD", "@", "origin/HEAD", "refs/remotes/origin/HEAD", "origin"]
        .iter()
        .find_map(|name| {
            reference
                .strip_prefix(name)
                .filter(|rest| rest.is_empty() || rest.starts_with(['~', '^']))
        })?;
    Some(rest)
}

impl<'a> Fetcher<'a> {
    fn new(url: &'a str, reference: Option<&'a str>, directory: &Path) -> Result<Self, FetchError> {
        let fetcher = Self {
            url,
            reference,
            directory: directory.join(directory_name(url, reference)),
        };
        fetcher.check()?;
        Ok(fetcher)
    }

    fn checked_out(&self) -> Result<FetchedCommit, FetchError> {
        self.locked(|| {
            let commit = self.commit()?;
            let files = self.files_of(&commit)?;
            Ok(FetchedCommit { commit, files })
        })
    }

    /// Refuses values that git would not take as a URL or a name.
    fn check(&self) -> Result<(), FetchError> {
        let reference = self.reference.unwrap_or_default();
        for (key, text) in [("url", self.url), ("ref", reference)] {
            if text.starts_with('-') || text.contains(|c: char| c.is_control()) {
                return Err(self.error(FetchProblem::Unusable {
                    key,
                    text: text.to_owned(),
                }));
            }
        }
        let transport = self.url.split_once("::").map(|(transport, _)| transport);
        if transport.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')) {
            return Err(self.error(FetchProblem::RunsCommands));
        }
        if self.url.is_empty() || self.reference == Some("") {
            return Err(self.error(FetchProblem::Empty));
        }
        Ok(())
    }

    /// Returns the path of the tree, relative to the top of the repository.
    fn path_within(&self, path: Option<&str>) -> Result<PathBuf, FetchError> {
        let path = Path::new(path.unwrap_or(".").trim_start_matches('/'));
        let mut within = PathBuf::new();
        for part in path.components() {
            match part {
                Component::Normal(name) => within.push(name),
                Component::CurDir => {}
                _ => return Err(self.error(FetchProblem::Outside(path.to_owned()))),
            }
        }
        Ok(within)
    }

    /// Does the work while no other process changes this repository.
    fn locked<T>(&self, work: impl FnOnce() -> Result<T, FetchError>) -> Result<T, FetchError> {
        let lock = make_dirs(&self.directory).and_then(|()| {
            let file = File::options()
                .create(true)
                .append(true)
                .custom_flags(NO_LINK)
                .open(self.directory.join(LOCK))?;
            file.lock()?;
            Ok(file)
        });
        // The lock is released when the file is closed.
        let _lock = lock.map_err(|error| self.io_error("lock", error))?;
        work()
    }

    /// Makes sure that the wanted commit is in the cache, and returns its full id.
    fn commit(&self) -> Result<String, FetchError> {
        if let Some(reference) = self.reference
            && matches!(reference.len(), 40 | 64)
            && reference.bytes().all(|digit| digit.is_ascii_hexdigit())
            && let Some(commit) = self.resolve(reference)?
        {
            return Ok(commit);
        }
        self.git(["init", "--quiet", "--bare", "."])?;
        let Some(reference) = self.reference else {
            let refspec = format!("+HEAD:{DEFAULT}");
            // Some servers do not support shallow fetches.
            self.fetch(&["--depth=1"], &refspec)
                .or_else(|_| self.fetch(&[], &refspec))?;
            let commit = self.resolve(DEFAULT)?;
            return commit.ok_or_else(|| self.error(FetchProblem::NoDefaultBranch));
        };
        self.fetch(&["--prune", "--tags"], "+refs/heads/*:refs/remotes/origin/*")?;
        if let Some(within) = in_default_branch(reference) {
            let head = format!("+HEAD:{DEFAULT}");
            // Without a default branch, there is no commit to find relative to it.
            if self.fetch(&[], &head).is_ok()
                && let Some(commit) = self.resolve(&format!("{DEFAULT}{within}"))?
            {
                return Ok(commit);
            }
        }
        let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        let branch = branch.strip_prefix("heads/").unwrap_or(branch);
        for name in [
            format!("refs/remotes/origin/{reference}"),
            reference.to_owned(),
            format!("refs/remotes/origin/{branch}"),
        ] {
            if let Some(commit) = self.resolve(&name)? {
                return Ok(commit);
            }
        }
        Err(self.error(FetchProblem::UnknownReference(reference.to_owned())))
    }

    fn fetch(&self, options: &[&str], refspec: &str) -> Result<(), FetchError> {
        let fixed = ["fetch", "--quiet", "--force", "--no-write-fetch-head"];
        self.git(fixed.iter().chain(options).chain(&["--", self.url, refspec]))
            .map(drop)
    }

    /// Returns the full id of the commit that a name stands for in the fetched repository.
    fn resolve(&self, name: &str) -> Result<Option<String>, FetchError> {
        if !self.repository().is_dir() {
            return Ok(None);
        }
        let name = format!("{name}^{{commit}}");
        let output = self.run(["rev-parse", "--quiet", "--verify", "--end-of-options", &name], None)?;
        let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Some(commit).filter(|commit| output.status.success() && !commit.is_empty()))
    }

    /// Returns the directory with the files of a commit, and makes it first if it does not exist.
    fn files_of(&self, commit: &str) -> Result<PathBuf, FetchError> {
        let files = self.directory.join(commit);
        File::options()
            .create(true)
            .append(true)
            .custom_flags(NO_LINK)
            .open(used_file(&self.directory, commit))
            .and_then(|used| used.set_modified(SystemTime::now()))
            .map_err(|error| self.io_error("write to", error))?;
        if files.is_dir() {
            return Ok(files);
        }
        let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.directory);
        let unfinished = unfinished.map_err(|error| self.io_error("create a directory in", error))?;
        let checkout = Checkout {
            files: unfinished.path().join("files"),
            index: unfinished.path().join("index"),
        };
        fs::create_dir(&checkout.files).map_err(|error| self.io_error("create a directory in", error))?;
        for arguments in [
            &["read-tree", commit][..],
            &["checkout-index", "--all", "--force", "--quiet"],
        ] {
            let output = self.run(arguments, Some(&checkout))?;
            self.succeeded(&output)?;
        }
        fs::rename(&checkout.files, &files).map_err(|error| self.io_error("rename a directory in", error))?;
        Ok(files)
    }

    fn repository(&self) -> PathBuf {
        self.directory.join(REPOSITORY)
    }

    fn git(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<(), FetchError> {
        make_dirs(&self.repository()).map_err(|error| self.io_error("create a directory in", error))?;
        let output = self.run(arguments, None)?;
        self.succeeded(&output)
    }

    fn run(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        checkout: Option<&Checkout>,
    ) -> Result<Output, FetchError> {
        let mut git = git();
        git.current_dir(self.repository()).env("GIT_DIR", self.repository());
        if std::env::var_os("GIT_SSH_COMMAND").is_none() && std::env::var_os("GIT_SSH").is_none() {
            git.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        if let Some(checkout) = checkout {
            git.env("GIT_WORK_TREE", &checkout.files)
                .env("GIT_INDEX_FILE", &checkout.index);
        }
        git.args(arguments);
        let what = format!("git for `{}`", self.without_secrets(self.url));
        let output = program::output(&mut git, &what);
        output.map_err(|error| self.error(FetchProblem::Start(error)))
    }

    fn succeeded(&self, output: &Output) -> Result<(), FetchError> {
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        Err(self.error(if said.is_empty() {
            FetchProblem::Failed(output.status)
        } else {
            FetchProblem::Said(self.without_secrets(said))
        }))
    }

    fn io_error(&self, action: &'static str, source: io::Error) -> FetchError {
        self.error(FetchProblem::Io {
            action,
            directory: self.directory.clone(),
            source,
        })
    }

    fn error(&self, problem: FetchProblem) -> FetchError {
        FetchError {
            url: self.without_secrets(self.url),
            problem,
        }
    }

    /// Removes the password of the URL from a text.
    fn without_secrets(&self, text: &str) -> String {
        without_secrets(self.url, text)
    }
}

/// Removes the password of a URL from a text.
pub(crate) fn without_secrets(url: &str, text: &str) -> String {
    let authority = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .unwrap_or_default();
    match authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
        Some((_, password)) if !password.is_empty() => text.replace(password, "***"),
        _ => text.to_owned(),
    }
}

/// The variables of git that are kept, because they are the user's way to reach repositories.
const KEPT: [&str; 7] = [
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_SSL_CAINFO",
    "GIT_SSL_NO_VERIFY",
];

/// The paths to which a commit is checked out: its files, and git's index of them.
struct Checkout {
    files: PathBuf,
    index: PathBuf,
}
