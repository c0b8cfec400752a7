//! Tests of the selection by what was modified, and by links.

use atex::compile::compile;
use atex::compile::spec::{NullBuild, Request};
use atex_graph::BlobDigest;

use crate::compile_plans::imports::git;
use crate::compile_plans::trial::{Trial, refused};

/// A repository with a commit `base`, and tests in two directories and in the root.
fn repository(section: &str) -> Trial {
    let section = if section.is_empty() {
        String::new()
    } else {
        format!(", {section}")
    };
    let plan = format!("discover: {{how: fmf{section}}}\nexecute: {{how: tmt}}\n");
    let trial = Trial::new(&[
        ("plan.fmf", &plan),
        ("root.fmf", "test: x\n"),
        ("a/main.fmf", "test: x\n/b: {}\n"),
        ("ab.fmf", "test: x\n"),
        ("c/main.fmf", "test: x\n/x: {}\n/y: {}\n"),
    ]);
    git(&trial, &["init", "-q"]);
    commit(&trial, "first");
    git(&trial, &["tag", "base"]);
    trial
}

fn commit(trial: &Trial, message: &str) {
    git(trial, &["add", "."]);
    git(trial, &["commit", "-qm", message]);
}

fn request(trial: &Trial) -> Request {
    Request {
        fetch_cache: trial.dir.path().with_extension("fetched"),
        ..trial.request()
    }
}

fn tests(trial: &Trial) -> Vec<String> {
    let work = compile(&request(trial)).unwrap_or_else(|error| panic!("{error}"));
    assert!(work.unusable.is_empty(), "{:?}", work.unusable);
    work.tests.into_iter().map(|test| test.name).collect()
}

/// The table of tmt 1.78.
#[test]
fn tests_of_directories_that_commits_changed_are_selected_and_no_others() {
    let trial = repository("modified-only: true, modified-ref: base");
    assert!(tests(&trial).is_empty(), "nothing was modified");
    trial.write("a/run.sh", "1");
    assert!(tests(&trial).is_empty(), "what is not committed does not count");
    trial.write("more", "1");
    git(&trial, &["add", "more"]);
    git(&trial, &["commit", "-qm", "in the root"]);
    assert!(tests(&trial).is_empty(), "a file of the root belongs to no directory");
    commit(&trial, "a script");
    assert_eq!(tests(&trial), ["/a/b"]);
    trial.write("c/new", "1");
    commit(&trial, "another");
    assert_eq!(tests(&trial), ["/a/b", "/c/x", "/c/y"]);
    std::fs::remove_file(trial.dir.path().join("a/run.sh")).expect("removed");
    commit(&trial, "taken back");
    assert_eq!(
        tests(&trial),
        ["/a/b", "/c/x", "/c/y"],
        "the log counts, not the difference"
    );
}

#[test]
fn names_are_selected_beside_what_was_modified_and_exclude_wins() {
    let trial = repository("modified-only: true, modified-ref: base, test: [/root], exclude: [x]");
    assert_eq!(tests(&trial), ["/root"]);
    trial.write("c/new", "1");
    commit(&trial, "another");
    assert_eq!(tests(&trial), ["/root", "/c/y"]);
}

#[test]
fn without_something_to_compare_with_the_plan_is_refused() {
    let start = "plan.fmf:1: plan `/plan`, discover section 1: `modified-only`: ";
    for (section, problem) in [
        (
            "modified-only: true",
            "the repository has no remote with a default branch to compare with",
        ),
        (
            "modified-only: true, modified-ref: gone",
            "the repository has no branch, tag or commit `gone`",
        ),
        (
            "modified-only: true, modified-ref: '--all'",
            "the repository has no branch, tag or commit `--all`",
        ),
        (
            "modified-only: true, modified-ref: reference/main, modified-url: 'file:///nonexistent'",
            "cannot fetch `file:///nonexistent`",
        ),
    ] {
        let text = refused(&request(&repository(section)));
        assert!(text.starts_with(&format!("{start}{problem}")), "{text}");
    }
    let trial = Trial::new(&[(
        "plan.fmf",
        "discover: {how: fmf, modified-only: true}\nexecute: {how: tmt}\n",
    )]);
    let text = refused(&request(&trial));
    assert!(text.starts_with(&format!("{start}git says: ")), "{text}");
}

#[test]
fn another_repository_can_be_compared_with_and_this_one_is_left_as_it_is() {
    let theirs = repository("");
    let trial = repository("");
    let theirs_at = theirs.dir.path().display().to_string();
    git(&trial, &["fetch", "-q", &theirs_at, "main"]);
    git(&trial, &["reset", "-q", "--hard", "FETCH_HEAD"]);
    let plan = "discover: {how: fmf, modified-only: true, modified-ref: reference/main, modified-url: 'file://THEIRS'}\nexecute: {how: tmt}\n";
    trial.write("plan.fmf", &plan.replace("THEIRS", &theirs_at));
    trial.write("a/run.sh", "1");
    commit(&trial, "a script");
    let config = std::fs::read_to_string(trial.dir.path().join(".git/config")).expect("read");
    assert_eq!(tests(&trial), ["/a/b"]);
    assert_eq!(
        std::fs::read_to_string(trial.dir.path().join(".git/config")).expect("read"),
        config
    );
}

#[test]
fn a_null_build_depends_on_what_was_modified() {
    let trial = repository("modified-only: true, modified-ref: base");
    let cache = tempfile::tempdir().expect("a directory");
    let request = Request {
        digest_cache: Some(cache.path().to_owned()),
        ..request(&trial)
    };
    let file = || {
        let resolved = atex::compile::resolve(&request).unwrap_or_else(|error| panic!("{error}"));
        resolved.null_build_file(&request).expect("there can be one")
    };
    let build = NullBuild {
        tree_digest: BlobDigest::from_bytes([1; 32]),
        plans: Vec::new(),
        tests: Vec::new(),
        warnings: Vec::new(),
    };
    trial.write("a/run.sh", "1");
    file().keep(&build).expect("kept");
    assert_eq!(file().find(), Some(build));
    commit(&trial, "the same files, and another history");
    assert_eq!(file().find(), None);
}

#[test]
fn tests_are_selected_by_their_links() {
    let links = "test: x\n/none: {}\n/str: {link: 'https://x.org/1'}\n/ver: {link: {verifies: 'https://x.org/2'}}\n\
                 /list: {link: [{verifies: a, note: b}, {relates: c}]}\n/id: {link: {verifies: {url: 'https://r.org', name: /n}}}\n\
                 /bug: {link: {blocked-by: bug 7}}\n";
    let selected = |link: &str| {
        let plan = format!("discover: {{how: fmf, link: {link}}}\nexecute: {{how: tmt}}\n");
        let trial = Trial::new(&[("t.fmf", links), ("plan.fmf", &plan)]);
        tests(&trial).join(" ")
    };
    for (link, expected) in [
        ("'verif:'", "/t/id /t/list /t/ver"),
        ("'verifies:a'", "/t/list"),
        ("'relates:'", "/t/list /t/str"),
        ("'https://x'", ""),
        ("x.org", "/t/str /t/ver"),
        ("':x.org'", "/t/str /t/ver"),
        ("'verifies:https://x'", "/t/ver"),
        ("'.*:r.org'", ""),
        ("'.*:/n'", "/t/id"),
        ("[bug, 'verifies:a']", "/t/bug /t/list"),
    ] {
        assert_eq!(selected(link), expected, "{link}");
    }
}
