//! Lists the files of a tree: in a git work tree, those that belong to git (see [`repository`](crate::compile::git)), and
//! elsewhere all.
//!
//! Each repository in the tree, as a submodule or otherwise, is read by its own rules, and no rule applies in another repository.
//! A tree that its repository ignores as a whole is treated as if it were in no repository, because somebody put it there to be
//! used. Nothing that the tree names is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compile::git::{GIT, IgnoreRules, IgnoreVerdict, Repository};

/// The result of a walk; all paths are relative to the root.
#[derive(Debug, Default)]
pub(crate) struct TreeWalk {
    /// Everything that is not a directory, sorted.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Directories that contain nothing at all.
    pub(crate) empty: BTreeSet<PathBuf>,
    /// What git ignores, with the place of the rule: files, and directories, which are not entered.
    pub(crate) ignored: BTreeMap<PathBuf, Arc<str>>,
    /// What could not be read or is not taken, as texts that name the path.
    pub(crate) unreadable: Vec<String>,
}

/// Walks the tree at `root`.
pub(crate) fn walk(root: &Path) -> TreeWalk {
    let mut walk = TreeWalk::default();
    let place = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    match Repository::around(&place) {
        Ok(Some((top, repository))) => walk.within(&top, &repository, &place),
        Ok(None) => walk.all(&place, Path::new("")),
        Err(error) => {
            walk.unreadable
                .push(format!("cannot read git's index, so all files are taken: {error}"));
            walk.all(&place, Path::new(""));
        }
    }
    walk
}

/// The files by which a directory is recognised as the directory of a run.
const RUN: [&str; 2] = ["run.json", "events.jsonl"];

impl TreeWalk {
    /// Removes what belongs to atex itself: the files and directories of this process, and the directories of earlier runs.
    pub(crate) fn leave_out(&mut self, root: &Path, own: &[PathBuf]) {
        let place = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let within = |own: &PathBuf| {
            let own = own.canonicalize().ok()?;
            let path = own.strip_prefix(&place).ok()?;
            (!path.as_os_str().is_empty()).then(|| path.to_owned())
        };
        let mut out: BTreeSet<PathBuf> = own.iter().filter_map(within).collect();
        for log in &self.files {
            if log.file_name().is_some_and(|name| name == RUN[1])
                && let Some(run) = log.parent().filter(|run| !run.as_os_str().is_empty())
                && self.files.contains(&run.join(RUN[0]))
                && !out.contains(run)
            {
                let text = format!("`{}` is the directory of a run of atex, and is left out", run.display());
                self.unreadable.push(text);
                out.insert(run.to_owned());
            }
        }
        if out.is_empty() {
            return;
        }
        let is_own = |path: &PathBuf| path.ancestors().any(|path| out.contains(path));
        self.files.retain(|path| !is_own(path));
        self.empty.retain(|path| !is_own(path));
    }
}

/// The state of a walk in a repository.
struct StepKind<'r> {
    repository: &'r Repository,
    /// The ignore rules of the directories above, the topmost first.
    rules: Vec<IgnoreRules>,
}

impl TreeWalk {
    /// Walks a tree that lies in a repository.
    fn within(&mut self, top: &Path, repository: &Repository, place: &Path) {
        let mut step = StepKind {
            repository,
            rules: Vec::new(),
        };
        let (mut directory, mut path, mut ignored) = (top.to_owned(), Vec::new(), None);
        let parts = place.strip_prefix(top).unwrap_or(Path::new(""));
        for part in parts {
            step.rules.push(Repository::rules_of(&directory, &path));
            directory.push(part);
            path = joined(&path, part.as_bytes());
            match repository.verdict(&path, true, &step.rules, ignored.as_ref()) {
                IgnoreVerdict::Taken => {}
                IgnoreVerdict::Ignored(rule) | IgnoreVerdict::OnlyTracked(rule) => ignored = Some(rule),
                IgnoreVerdict::Foreign => return self.all(place, Path::new("")),
            }
        }
        if ignored.is_some() && !repository.tracks(&path) {
            return self.all(place, Path::new(""));
        }
        self.directory((&directory, Path::new("")), &path, &mut step, ignored.as_ref());
    }

    /// Takes the files of one directory that belong to git. `place` is the directory on the host and in the tree.
    fn directory(
        &mut self,
        (place, within): (&Path, &Path),
        path: &[u8],
        step: &mut StepKind<'_>,
        ignored: Option<&Arc<str>>,
    ) {
        step.rules.push(Repository::rules_of(place, path));
        for (name, directory) in self.entries(place, within) {
            let (place, within) = (place.join(&name), within.join(&name));
            let path = joined(path, name.as_bytes());
            match step.repository.verdict(&path, directory, &step.rules, ignored) {
                IgnoreVerdict::Ignored(rule) => {
                    self.ignored.insert(within, rule);
                }
                _ if !directory => {
                    self.files.insert(within);
                }
                IgnoreVerdict::Taken if step.repository.tracks(&path) => {
                    self.directory((&place, &within), &path, step, ignored);
                }
                IgnoreVerdict::Taken if self.nested(&place, &within) => {}
                IgnoreVerdict::Taken => self.directory((&place, &within), &path, step, ignored),
                IgnoreVerdict::OnlyTracked(rule) => self.directory((&place, &within), &path, step, Some(&rule)),
                IgnoreVerdict::Foreign => {
                    if !self.nested(&place, &within) {
                        self.all(&place, &within);
                    }
                }
            }
        }
        step.rules.pop();
    }

    /// Takes everything below a directory that is in no repository.
    fn all(&mut self, place: &Path, within: &Path) {
        for (name, directory) in self.entries(place, within) {
            let (place, within) = (place.join(&name), within.join(&name));
            if !directory {
                self.files.insert(within);
            } else if !self.nested(&place, &within) {
                self.all(&place, &within);
            }
        }
    }

    /// Walks a directory if it is the top of a repository of its own, and returns whether it is.
    fn nested(&mut self, place: &Path, within: &Path) -> bool {
        match Repository::open(place) {
            Ok(None) => return false,
            Ok(Some(repository)) => {
                let mut step = StepKind {
                    repository: &repository,
                    rules: Vec::new(),
                };
                self.directory((place, within), b"", &mut step, None);
            }
            Err(error) => {
                let text = format!(
                    "cannot read git's index in `{}`, so all files there are taken: {error}",
                    within.display()
                );
                self.unreadable.push(text);
                self.all(place, within);
            }
        }
        true
    }

    /// Returns the names in a directory and whether each is a directory, without the name that git reserves for itself.
    fn entries(&mut self, place: &Path, within: &Path) -> Vec<(std::ffi::OsString, bool)> {
        let read = || -> io::Result<Vec<_>> {
            let entry = |entry: io::Result<fs::DirEntry>| {
                let entry = entry?;
                Ok((entry.file_name(), entry.file_type()?.is_dir()))
            };
            fs::read_dir(place)?.map(entry).collect()
        };
        match read() {
            Ok(mut entries) => {
                if entries.is_empty() && !within.as_os_str().is_empty() {
                    self.empty.insert(within.to_owned());
                }
                entries.retain(|(name, _)| name != GIT);
                entries
            }
            // A directory that disappeared during the walk is not an error.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !within.as_os_str().is_empty() => Vec::new(),
            Err(error) => {
                let text = format!(
                    "cannot read the directory `{}`, which is left out: {error}",
                    within.display()
                );
                self.unreadable.push(text);
                Vec::new()
            }
        }
    }
}

fn joined(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return name.to_owned();
    }
    [path, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use proptest::prelude::*;

    use super::walk;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for file in files {
            write(dir.path(), file, "");
        }
        dir
    }

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn found(root: &Path) -> Vec<String> {
        walk(root).files.iter().map(|path| path.display().to_string()).collect()
    }

    fn git(root: &Path, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args([
                "-c",
                "user.name=n",
                "-c",
                "user.email=n@example",
                "-c",
                "protocol.file.allow=always",
            ])
            .args(arguments)
            .env_remove("GIT_DIR")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output.stdout
    }

    #[test]
    fn outside_of_a_repository_all_files_are_there() {
        let dir = tree(&["a.sh", "a.o", "sub/b.o", "sub/.hidden", ".git/config"]);
        fs::write(dir.path().join(".gitignore"), "*.o\n").expect("written");
        assert_eq!(
            found(dir.path()),
            [".gitignore", "a.o", "a.sh", "sub/.hidden", "sub/b.o"]
        );
    }

    #[test]
    fn rules_above_the_tree_hold_only_in_a_repository() {
        let dir = tree(&["tree/a.o", "tree/b"]);
        fs::write(dir.path().join(".gitignore"), "*.o\n").expect("written");
        let root = dir.path().join("tree");
        assert_eq!(found(&root), ["a.o", "b"]);
        git(dir.path(), &["init", "-q"]);
        assert_eq!(found(&root), ["b"]);
    }

    #[test]
    fn a_tracked_file_is_there_though_a_rule_ignores_it() {
        let dir = tree(&["data/x.rpm", "data/y.rpm"]);
        git(dir.path(), &["init", "-q"]);
        fs::write(dir.path().join(".gitignore"), "*.rpm\n").expect("written");
        git(dir.path(), &["add", "-f", "data/x.rpm"]);
        assert_eq!(found(dir.path()), [".gitignore", "data/x.rpm"]);
        assert_eq!(found(&dir.path().join("data")), ["x.rpm"]);
    }

    #[test]
    fn no_rule_reaches_into_a_repository_within() {
        let dir = tree(&["x.o", "inner/x.o", "inner/y.log", "outer.log"]);
        git(dir.path(), &["init", "-q"]);
        git(dir.path(), &["init", "-q", "inner"]);
        write(dir.path(), ".gitignore", "*.o\n");
        write(dir.path(), "inner/.gitignore", "*.log\n");
        assert_eq!(
            found(dir.path()),
            [".gitignore", "inner/.gitignore", "inner/x.o", "outer.log"]
        );
        assert_eq!(found(&dir.path().join("inner")), [".gitignore", "x.o"]);
    }

    #[test]
    fn a_tree_that_is_ignored_as_a_whole_has_all_its_files() {
        let dir = tree(&["build/tree/a", "build/tree/b.o"]);
        git(dir.path(), &["init", "-q"]);
        write(dir.path(), ".gitignore", "*\n");
        assert_eq!(found(&dir.path().join("build/tree")), ["a", "b.o"]);
    }

    #[test]
    fn a_linked_list_of_rules_counts_for_nothing_and_a_file_leads_to_a_repository() {
        let dir = tree(&["one/a", "one/x.o"]);
        write(dir.path(), "rules", "*.o\n");
        let one = dir.path().join("one");
        git(&one, &["init", "-q"]);
        std::os::unix::fs::symlink("../rules", one.join(".gitignore")).expect("linked");
        assert_eq!(found(&one), [".gitignore", "a", "x.o"]);
        fs::remove_file(one.join(".gitignore")).expect("removed");
        write(&one, ".git/info/exclude", "*.o\n");
        git(&one, &["add", "."]);
        git(&one, &["commit", "-qm", "x"]);
        git(&one, &["worktree", "add", "-q", "../two"]);
        write(dir.path(), "two/y.o", "");
        assert_eq!(found(&dir.path().join("two")), ["a"]);
    }

    #[test]
    fn an_index_that_is_split_sparse_or_of_any_version_is_read() {
        let files = ["a/1", "a/2", "b/deep/1", "c"];
        for version in ["2", "3", "4"] {
            let dir = tree(&files);
            write(dir.path(), ".git-rules", "*\n");
            git(dir.path(), &["init", "-q"]);
            git(dir.path(), &["config", "core.excludesFile", "../.git-rules"]);
            write(dir.path(), ".git/info/exclude", "*\n");
            git(dir.path(), &["update-index", "--index-version", version]);
            git(dir.path(), &["add", "-f", "a", "b", "c"]);
            git(dir.path(), &["update-index", "--split-index"]);
            write(dir.path(), "d", "");
            git(dir.path(), &["add", "-f", "d"]);
            git(dir.path(), &["rm", "-q", "--cached", "a/1"]);
            assert_eq!(found(dir.path()), ["a/2", "b/deep/1", "c", "d"], "{version}");
            git(dir.path(), &["update-index", "--no-split-index"]);
            git(dir.path(), &["commit", "-qm", "x"]);
            git(dir.path(), &["sparse-checkout", "init", "--cone", "--sparse-index"]);
            git(dir.path(), &["sparse-checkout", "set", "a"]);
            assert_eq!(found(dir.path()), ["a/2", "c", "d"], "{version}");
        }
    }

    /// Collects what git itself lists for each repository.
    fn of_git(root: &Path, within: &str, found: &mut BTreeSet<String>) {
        let listed = git(root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        for name in String::from_utf8(listed)
            .expect("text")
            .split('\0')
            .filter(|name| !name.is_empty())
        {
            let path = root.join(name);
            if path.is_dir() && !path.is_symlink() {
                if path.join(".git").exists() {
                    of_git(&path, &format!("{within}{}/", name.trim_end_matches('/')), found);
                }
            } else if path.symlink_metadata().is_ok() {
                found.insert(format!("{within}{name}"));
            }
        }
    }

    fn part() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["a", "b", "A", "ab", "x.o", "{a,b}", "a b", "[a]", "c"])
    }

    fn path() -> impl Strategy<Value = String> {
        prop::collection::vec(part(), 1..4).prop_map(|parts| parts.join("/"))
    }

    fn rule() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a",
            "b",
            "*",
            "**",
            "?",
            "/",
            "/",
            "/",
            "[ab]",
            "[!a]",
            "{a,b}",
            "*.o",
            "!",
            "\\",
            " ",
            "#",
            "x",
            "[[:alpha:]]",
            "\\ ",
            "[]-a]",
            "c",
        ]);
        prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn the_files_are_those_that_git_names(
            files in prop::collection::vec(path(), 1..14),
            lists in prop::collection::vec((prop::option::of(path()), prop::collection::vec(rule(), 1..5)), 0..4),
            inner in prop::collection::vec(path(), 0..3),
            tracked in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            fold in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let root = dir.path();
            git(root, &["init", "-q"]);
            git(root, &["config", "core.ignoreCase", if fold { "true" } else { "false" }]);
            let put = |file: &str, text: &str| {
                let path = root.join(file);
                path.parent().is_some_and(|above| fs::create_dir_all(above).is_ok()) && fs::write(path, text).is_ok()
            };
            for file in &files {
                put(file, "");
            }
            for (at, rules) in &lists {
                let at = at.as_ref().map(|at| format!("{at}/")).unwrap_or_default();
                put(&format!("{at}.gitignore"), &rules.join("\n"));
            }
            for repository in &inner {
                if root.join(repository).is_dir() {
                    git(root, &["init", "-q", repository]);
                }
            }
            // If case is folded, git does not list a file whose name differs from a tracked one only by case; this walk takes it.
            for index in tracked.iter().filter(|_| !fold) {
                let file = &files[index.index(files.len())];
                // This fails for a file in a nested repository, which cannot be added.
                let _ = Command::new("git").arg("-C").arg(root).args(["add", "-f", "--", file]).output();
            }
            let mut expected = BTreeSet::new();
            of_git(root, "", &mut expected);
            let found: BTreeSet<String> = found(root).into_iter().collect();
            prop_assert_eq!(found, expected, "{:?}", lists);
        }
    }
}
