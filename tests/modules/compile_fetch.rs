//! Tests of fetching from local repositories: branches, tags, commits, concurrent processes, and refused references.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use atex::compile::fetch::{FetchError, fetch};
use atex_cache::fetched::{Pruned, prune};
use atex_fmf::Tree;
use tempfile::TempDir;

/// A repository with one tree, and a cache to fetch into.
struct Repository {
    directory: TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self {
            directory: TempDir::new().expect("a temporary directory"),
        };
        fs::create_dir(repository.work()).expect("can be made");
        repository.git(&["init", "--quiet", "--initial-branch", "trunk"]);
        repository.commit("first");
        repository
    }

    fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn url(&self) -> String {
        format!("file://{}", self.work().display())
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.work())
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.com",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .output()
            .expect("git can be run");
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commits a tree at the top, and one below `sub`, with the given summary.
    fn commit(&self, summary: &str) -> String {
        for directory in ["", "sub"] {
            let root = self.work().join(directory);
            fs::create_dir_all(root.join(".fmf")).expect("can be made");
            fs::write(root.join(".fmf/version"), "1\n").expect("can be written");
            fs::write(
                root.join("main.fmf"),
                format!("summary: {summary}\nat: '{directory}'\n"),
            )
            .expect("can be written");
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", summary]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn fetch(&self, reference: Option<&str>) -> Result<PathBuf, FetchError> {
        fetch(&self.url(), reference, None, &self.cache())
    }
}

fn summary(root: &Path) -> String {
    let tree = Tree::load(root).expect("a tree");
    let root = tree.find("/").expect("the root node");
    root.data().get("summary").expect("a summary").to_python_str()
}

#[test]
fn without_ref_the_default_branch_is_fetched_and_followed() {
    let repository = Repository::new();
    let first = repository.fetch(None).expect("fetched");
    assert_eq!(summary(&first), "first");
    repository.commit("second");
    assert_eq!(summary(&repository.fetch(None).expect("fetched")), "second");
    assert_eq!(summary(&first), "first", "what was fetched before stays as it was");
}

#[test]
fn branches_are_followed_and_tags_and_commits_stay() {
    let repository = Repository::new();
    let commit = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["tag", "v1"]);
    repository.git(&["checkout", "--quiet", "-b", "topic/one"]);
    repository.commit("topic");
    assert_eq!(summary(&repository.fetch(Some("topic/one")).expect("fetched")), "topic");
    repository.commit("topic again");
    assert_eq!(
        summary(&repository.fetch(Some("topic/one")).expect("fetched")),
        "topic again"
    );
    assert_eq!(summary(&repository.fetch(Some("trunk")).expect("fetched")), "first");
    for reference in ["v1", &commit, &commit[..12]] {
        assert_eq!(
            summary(&repository.fetch(Some(reference)).expect("fetched")),
            "first",
            "{reference}"
        );
    }
}

#[test]
fn commit_that_is_there_needs_no_network() {
    let repository = Repository::new();
    let commit = repository.git(&["rev-parse", "HEAD"]);
    repository.fetch(Some(&commit)).expect("fetched");
    fs::rename(repository.work(), repository.directory.path().join("gone")).expect("can be renamed");
    assert_eq!(
        summary(&repository.fetch(Some(&commit)).expect("in the cache")),
        "first"
    );
    assert!(repository.fetch(Some("trunk")).is_err());
}

#[test]
fn path_leads_to_a_tree_below_the_top_and_never_out() {
    let repository = Repository::new();
    let below = |path| fetch(&repository.url(), None, Some(path), &repository.cache());
    let tree = Tree::load(&below("/sub").expect("fetched")).expect("a tree");
    assert_eq!(
        tree.find("/").and_then(|node| node.data().get("at")?.as_str()),
        Some("sub")
    );
    assert!(below(".").is_ok());
    for path in ["../..", "sub/../../x"] {
        assert!(below(path).expect_err("leads out").to_string().contains("leads out"));
    }
}

#[test]
fn unknown_ref_and_repository_are_told_with_gits_words() {
    let repository = Repository::new();
    let unknown = repository.fetch(Some("nowhere")).expect_err("no such ref").to_string();
    assert!(unknown.contains("no branch, tag or commit `nowhere`"), "{unknown}");
    let missing = format!("file://{}/none", repository.directory.path().display());
    let missing = fetch(&missing, None, None, &repository.cache())
        .expect_err("no such repository")
        .to_string();
    assert!(
        missing.contains("does not appear to be a git repository") || missing.contains("does not exist"),
        "{missing}"
    );
}

#[test]
fn what_git_would_take_for_an_option_or_a_command_is_refused() {
    let repository = Repository::new();
    let marker = repository.directory.path().join("ran");
    let command = format!("ext::touch {}", marker.display());
    let option = format!("--upload-pack=touch {}", marker.display());
    let no_ref = None;
    for (url, reference) in [
        (command.as_str(), no_ref),
        (&option, no_ref),
        (&repository.url(), Some(option.as_str())),
        ("", no_ref),
        ("file:///x\ny", no_ref),
    ] {
        assert!(
            fetch(url, reference, None, &repository.cache()).is_err(),
            "{url} {reference:?}"
        );
    }
    assert!(!marker.exists());
}

#[test]
fn nothing_runs_that_the_configuration_of_a_repository_on_this_host_names() {
    let repository = Repository::new();
    let marker = repository.directory.path().join("ran");
    let command = format!("touch {}; false", marker.display());
    let hook = repository.work().join(".git/hooks/post-checkout");
    fs::create_dir_all(hook.parent().expect("a directory")).expect("can be made");
    fs::write(&hook, format!("#!/bin/sh\n{command}\n")).expect("can be written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("its owner may");
    fs::write(repository.work().join(".gitattributes"), "* filter=evil\n").expect("can be written");
    let head = repository.commit("evil");
    // What is missing is to be fetched from a remote, by a command.
    let blob = repository.git(&["rev-parse", &format!("{head}:main.fmf")]);
    fs::remove_file(repository.work().join(".git/objects").join(&blob[..2]).join(&blob[2..])).expect("it is there");
    for (name, value) in [
        ("core.repositoryformatversion", "1"),
        ("core.fsmonitor", &command),
        ("core.sshCommand", &command),
        ("core.gitProxy", &command),
        ("uploadpack.packObjectsHook", &command),
        ("filter.evil.smudge", &command),
        ("filter.evil.clean", &command),
        ("extensions.partialClone", "evil"),
        ("remote.evil.url", "."),
        ("remote.evil.promisor", "true"),
        ("remote.evil.uploadpack", &command),
    ] {
        repository.git(&["config", name, value]);
    }
    let plain = repository.work().display().to_string();
    for url in [&repository.url(), &plain] {
        let fetched = fetch(url, None, None, &repository.cache());
        assert!(fetched.is_err(), "an object is missing: {fetched:?}");
    }
    assert!(!marker.exists());
}

#[test]
fn password_of_a_url_is_not_shown() {
    let repository = Repository::new();
    let url = "https://user:secret@localhost:1/x.git";
    let error = fetch(url, None, None, &repository.cache())
        .expect_err("nobody listens")
        .to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn repository_without_a_tree_is_refused_even_below_another_tree() {
    let repository = Repository::new();
    repository.git(&["rm", "-r", "--quiet", ".fmf", "sub"]);
    repository.git(&["commit", "--quiet", "-m", "no tree"]);
    fs::create_dir_all(repository.cache().join(".fmf")).expect("can be made");
    let error = repository.fetch(None).expect_err("no tree").to_string();
    assert!(error.contains("no fmf tree"), "{error}");
}

#[test]
fn many_at_once_give_one_and_the_same_directory() {
    let repository = Repository::new();
    let fetched: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| repository.fetch(Some("trunk"))))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic").expect("fetched"))
            .collect()
    });
    assert!(
        fetched
            .iter()
            .all(|directory| *directory == fetched[0] && summary(directory) == "first")
    );
}

#[test]
fn commits_that_nobody_used_for_long_go_and_come_back_when_they_are_wanted() {
    let repository = Repository::new();
    let (url, cache) = (repository.url(), repository.cache());
    let first = fetch(&url, None, None, &cache).unwrap();
    repository.commit("second");
    let second = fetch(&url, None, None, &cache).unwrap();
    assert_ne!(first, second);
    let day = Duration::from_hours(24);
    let used = |tree: &Path| tree.with_extension("used");
    let ago = |days: u32| SystemTime::now() - day * days;
    File::options()
        .write(true)
        .open(used(&first))
        .unwrap()
        .set_modified(ago(9))
        .unwrap();
    let pruned = prune(&cache, 10 * day, SystemTime::now()).unwrap();
    assert_eq!(pruned, Pruned::default());
    let pruned = prune(&cache, 8 * day, SystemTime::now()).unwrap();
    assert!(pruned.commits == 1 && pruned.bytes > 0, "{pruned:?}");
    assert!(!first.exists() && !used(&first).exists() && second.exists());
    // What was just asked for may be about to be read.
    assert_eq!(prune(&cache, Duration::ZERO, SystemTime::now()).unwrap().commits, 0);
    assert_eq!(
        prune(&cache, Duration::ZERO, SystemTime::now() + day).unwrap().commits,
        1
    );
    assert!(!second.exists() && !second.with_file_name("repository").exists());
    assert_eq!(fetch(&url, None, None, &cache).unwrap(), second);
    assert!(second.join(".fmf").is_dir());
    assert_eq!(
        prune(&cache.join("nothing"), day, SystemTime::now()).unwrap(),
        Pruned::default()
    );
}
