//! The files of a tree as git sees them: everything but `.git` and what is ignored.
//!
//! The rules of `.gitignore` hold also where there is no repository (an exported tree must be the same as a clone); rules of
//! directories above the tree, of `info/exclude` and of the user's global file hold inside of a repository only. A file that is
//! tracked is there even if a rule ignores it: `git` itself is asked for those, where it is installed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ignore::WalkBuilder;

use crate::host::program;

/// What a walk found, relative to the root.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Everything that is not a directory. Sorted.
    pub(crate) files: BTreeSet<PathBuf>,
    /// All directories, without the root.
    pub(crate) directories: BTreeSet<PathBuf>,
    /// What could not be read: the error's text, which names the path.
    pub(crate) unreadable: Vec<String>,
}

/// Walks the tree at `root`.
pub(crate) fn walk(root: &Path) -> Walk {
    let repository = root.ancestors().any(|directory| directory.join(".git").exists());
    let mut walk = Walk::default();
    let entries = WalkBuilder::new(root)
        .standard_filters(false)
        .git_ignore(true)
        .require_git(false)
        .parents(repository)
        .git_exclude(repository)
        .git_global(repository)
        .follow_links(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    for entry in entries {
        match entry {
            Ok(entry) => {
                let Ok(path) = entry.path().strip_prefix(root) else {
                    continue;
                };
                if path.as_os_str().is_empty() {
                    continue;
                }
                let directory = entry.file_type().is_some_and(|kind| kind.is_dir());
                if directory {
                    &mut walk.directories
                } else {
                    &mut walk.files
                }
                .insert(path.to_owned());
            }
            Err(error) => walk.unreadable.push(error.to_string()),
        }
    }
    if repository {
        walk.files.extend(tracked_but_ignored(root));
    }
    walk
}

/// Asks git. An answer that cannot be had is none: then the rules alone decide.
fn tracked_but_ignored(root: &Path) -> Vec<PathBuf> {
    let mut git = Command::new("git");
    // Nothing that the repository's own configuration names may run; who owns it does not matter for reading its index.
    git.args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false"])
        .arg("-C")
        .arg(root)
        .args(["ls-files", "-z", "--cached", "--ignored", "--exclude-standard"])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_WORK_TREE")
        .stdin(Stdio::null());
    let output = program::output(&mut git, "git ls-files");
    let Ok(output) = output else { return Vec::new() };
    if !output.status.success() {
        return Vec::new();
    }
    output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(|path| PathBuf::from(OsStr::from_bytes(path)))
        .filter(|path| root.join(path).symlink_metadata().is_ok_and(|found| !found.is_dir()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::walk;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, "").expect("written");
        }
        dir
    }

    fn found(root: &Path) -> Vec<String> {
        walk(root).files.iter().map(|path| path.display().to_string()).collect()
    }

    fn git(root: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .status()
            .expect("git runs");
        assert!(status.success());
    }

    #[test]
    fn ignore_rules_hold_without_a_repository() {
        let dir = tree(&["a.sh", "a.o", "sub/b.o", "sub/.hidden", "keep/c.o", ".git/config"]);
        fs::write(dir.path().join(".gitignore"), "*.o\n").expect("written");
        fs::write(dir.path().join("keep/.gitignore"), "!*.o\n").expect("written");
        assert_eq!(
            found(dir.path()),
            [".gitignore", "a.sh", "keep/.gitignore", "keep/c.o", "sub/.hidden"]
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
}
