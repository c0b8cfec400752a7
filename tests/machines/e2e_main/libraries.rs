//! Libraries of tests are found or fetched, and lie where beakerlib's `rlImport` looks for them.
//!
//! The stand-in for beakerlib has an `rlImport` that searches as beakerlib 1.32 does, and reads what a library requires from its
//! `main.fmf`.

use std::path::PathBuf;

use crate::e2e_main::scene::{Scene, git};

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

/// `rlImport COMPONENT/PATH…` of beakerlib, as far as it looks for libraries and their own.
const IMPORT: &str = r#"
rlImport() {
    local work=("$@") done=' ' next line root found
    while ((${#work[@]})); do
        next=${work[-1]}; unset 'work[-1]'
        [[ $done != *" $next "* ]] || continue
        done+="$next "
        found=
        root=$(dirname "$(readlink -f "$0")")
        while [[ $root != / && ! $found ]]; do
            for found in "$root"/${next%/*}/{Library/,}${next##*/} "$root"/libs/${next%/*}/${next##*/} \
                "$root"/*/${next%/*}/{Library/,}${next##*/}; do
                [[ -f $found/lib.sh ]] && break
                found=
            done
            root=$(dirname "$root")
        done
        [[ $found ]] || { echo "rlImport: Could not find library $next"; return 1; }
        while read -r line; do
            [[ $line =~ library\((.*)\) ]] && work+=("${BASH_REMATCH[1]}")
            [[ $line =~ ^(-\ )?url:\ .*/([a-z]*)$ ]] && component=${BASH_REMATCH[2]}
            [[ $line =~ ^name:\ /(.*)$ ]] && work+=("$component/${BASH_REMATCH[1]}")
        done <"$found/main.fmf"
        . "$found/lib.sh"
    done
}
"#;

/// A scene whose test `/t` runs the script, with repositories of libraries beside it.
struct Libraries {
    scene: Scene,
}

impl Libraries {
    fn new(metadata: &str, script: &str) -> Self {
        let scene = Scene::new([
            ("plan.fmf".to_owned(), PLAN.to_owned()),
            ("t/deep/main.fmf".to_owned(), format!("test: bash ./run.sh\n{metadata}")),
            (
                "other.fmf".to_owned(),
                "test: echo 'test other' >>\"$COUNTER\"\n".to_owned(),
            ),
        ]);
        let libraries = Self { scene };
        libraries.script(script);
        let config = format!(
            "[url \"{}\"]\n    insteadOf = https://github.com/beakerlib/\n",
            libraries.url("")
        );
        libraries.scene.world.write("home/.gitconfig", config);
        libraries
    }

    fn script(&self, script: &str) {
        let text = format!("#!/bin/bash\n{IMPORT}\necho 'test t' >>\"$COUNTER\"\n{script}\n");
        self.scene.write("t/deep/run.sh", text);
    }

    fn repository(&self, name: &str) -> PathBuf {
        self.scene.world.path(format!("repositories/{name}"))
    }

    fn url(&self, name: &str) -> String {
        format!("file://{}", self.repository(name).display())
    }

    /// Commits files to a repository, which is made at first.
    fn commit(&self, name: &str, files: &[(&str, &str)]) {
        let path = self.repository(name);
        for (file, text) in files.iter().chain(&[(".fmf/version", "1\n")]) {
            self.scene.world.write(format!("repositories/{name}/{file}"), text);
        }
        git(["init", "--quiet"], &path);
        git(["add", "--all"], &path);
        git(["commit", "--quiet", "-m", "more"], &path);
    }
}

#[test]
fn libraries_and_theirs_lie_where_they_are_imported_from_and_are_in_the_key() {
    let libraries = Libraries::new(
        "",
        "set -e\nrlImport tool/one\none; two\n\
         [ ! -e $TMT_TREE/libs/tool/unrelated ] && [ -f $TMT_TREE/libs/tool/.fmf/version ]\n\
         grep -q 'contact: me' $TMT_TREE/libs/tool/one/main.fmf && [ ! -e $TMT_TREE/libs/tool/one/more.fmf ]\n\
         [ -f $TMT_TREE/libs/tool/data/file ]",
    );
    let scene = &libraries.scene;
    let url = libraries.url("other");
    libraries.commit(
        "tool",
        &[
            ("main.fmf", "contact: me\n"),
            ("one/lib.sh", "one() { echo 'one 1'; }\n"),
            (
                "one/more.fmf",
                &format!("require: [{{url: '{url}', name: /two}}, {{type: file, pattern: /data/}}]\n"),
            ),
            (
                "one/main.fmf",
                &format!("require: [{{url: '{url}', name: /two}}, {{type: file, pattern: /data/}}]\n"),
            ),
            ("data/file", "x"),
            ("unrelated/file", "x"),
        ],
    );
    libraries.commit(
        "other",
        &[
            ("two/main.fmf", "require: library(tool/one)\n"),
            ("two/lib.sh", "two() { echo 'two 1'; }\n"),
        ],
    );
    scene.edit(
        "t/deep/main.fmf",
        "test: bash ./run.sh\n",
        "test: bash ./run.sh\nrequire: [library(tool/one)]\n",
    );
    let ran = scene.run(0, ["build"]);
    assert!(!ran.said("not obeyed"), "{ran:?}");
    assert_eq!(scene.output("/t/deep"), "one 1\ntwo 1\n");
    assert_eq!(scene.ran(), ["test other", "test t"]);
    assert!(scene.run(0, ["build"]).said("2 cached"));
    let listed = scene.atex(["ls", "--json", "--name", "/t/deep"]).run().expect(0).json();
    assert_eq!(listed[0]["libraries"], serde_json::json!(["libs/tool/one"]));

    libraries.commit("other", &[("two/lib.sh", "two() { echo 'two 2'; }\n")]);
    let why = scene.why(["/t/deep"]);
    assert!(
        why.contains("libs/other/two/lib.sh") && why.contains("(libraries)"),
        "{why}"
    );
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["test t"], "only the test that needs it runs again");
    assert_eq!(scene.output("/t/deep"), "one 1\ntwo 2\n");
}

#[test]
fn what_cannot_be_had_is_a_setup_failure_of_the_tests_that_need_it_alone() {
    let libraries = Libraries::new("", "true");
    let scene = &libraries.scene;
    libraries.commit("tool", &[("one/main.fmf", "test: x\n"), ("one/lib.sh", "")]);
    let url = libraries.url("tool");
    for (require, word) in [
        (format!("{{url: '{url}', name: /none}}"), "there is no library `/none`"),
        (
            format!("{{url: '{url}', name: /one, ref: nothing}}"),
            "no branch, tag or commit `nothing`",
        ),
        (
            format!("{{url: '{url}', name: /one, path: /none}}"),
            "no fmf tree at `/none`",
        ),
        (
            format!("{{url: '{}', name: /one}}", libraries.url("none")),
            "cannot fetch",
        ),
        ("{url: 'ext::sh -c id', nick: n, name: /one}".to_owned(), "run commands"),
        ("{path: none, name: /one}".to_owned(), "there is no directory `none`"),
        (format!("{{url: '{url}', name: /one, ref: '@f'}}"), "not supported"),
        ("{type: file, pattern: /none/}".to_owned(), "no file matches `/none/`"),
        ("{type: file, pattern: '('}".to_owned(), "cannot be used as a pattern"),
    ] {
        scene.write(
            "t/deep/main.fmf",
            format!("test: bash ./run.sh\nrecommend: [{require}]\n"),
        );
        let ran = scene.run(3, ["build"]);
        assert!(ran.said("setup: ") && ran.said(word), "{require}: {ran:?}");
        assert!(!scene.ran().contains(&"test t".to_owned()), "it did not run");
        scene.run(0, ["ls"]);
        let is_said = require.contains("@f");
        scene.world.atex().args(["lint"]).run().expect(is_said.into());
        scene.why(["/t/deep"]);
    }
    scene.write("t/deep/main.fmf", "test: bash ./run.sh\n");
    assert!(
        scene.run(0, ["build"]).said("1 cached"),
        "the other test was not disturbed"
    );
}

#[test]
fn a_library_of_beakerlib_that_cannot_be_had_is_a_package() {
    let libraries = Libraries::new("require: [library(none/one)]\n", "true");
    let ran = libraries.scene.run(3, ["build"]);
    assert!(
        ran.said("`library(none/one)` is taken for a package, because the library cannot be had: cannot fetch"),
        "{ran:?}"
    );
    assert!(
        ran.said("setup: the packages it requires cannot be installed"),
        "{ran:?}"
    );
    assert_eq!(libraries.scene.ran(), ["test other"]);
}

#[test]
fn what_the_metadata_must_not_say_is_an_error_at_its_place() {
    let libraries = Libraries::new("", "true");
    let scene = &libraries.scene;
    for (require, word) in [
        ("{name: /x}", "needs a `url`, a `path` or a `nick`"),
        ("{nick: ../x, name: /x}", "cannot lie in a directory called `../x`"),
        ("{nick: x, name: /../x}", "cannot be the `name` of a library"),
        ("{nick: x, name: /t/deep, destination: ../x}", "leads out of the tree"),
        (
            "{nick: x, name: /t/deep, destination: t/deep/run.sh}",
            "where the tree has `t/deep/run.sh`",
        ),
    ] {
        scene.write(
            "t/deep/main.fmf",
            format!("test: bash ./run.sh\nrequire:\n- {require}\n"),
        );
        let ran = scene.run(2, ["build"]);
        assert!(ran.said(word) && ran.said("t/deep/main.fmf:2"), "{require}: {ran:?}");
    }
    scene.write("libs/x/t/deep/lib.sh", "");
    scene.write(
        "t/deep/main.fmf",
        "test: bash ./run.sh\nrequire: {nick: x, name: /t/deep}\n",
    );
    let ran = scene.run(2, ["build"]);
    assert!(
        ran.said("a library would lie at `libs/x/t/deep") && ran.said("another `nick`"),
        "{ran:?}"
    );
}

#[test]
fn a_library_of_the_tree_itself_or_of_another_one_on_the_host_is_copied() {
    let libraries = Libraries::new(
        "require: [{nick: own, name: /lib/a}, {path: ../near, name: /b}]\n",
        "set -e; rlImport own/lib/a near/b; a; b",
    );
    let scene = &libraries.scene;
    scene.write("lib/a/main.fmf", "summary: a\n");
    scene.write("lib/a/lib.sh", "a() { echo a; }\n");
    scene.world.write("near/.fmf/version", "1\n");
    scene.world.write("near/b/main.fmf", "summary: b\n");
    scene.world.write("near/b/lib.sh", "b() { echo b; }\n");
    scene.run(0, ["build"]);
    assert_eq!(scene.output("/t/deep"), "a\nb\n");
    scene.world.write("near/b/lib.sh", "b() { echo c; }\n");
    scene.run(0, ["build"]);
    assert_eq!(scene.output("/t/deep"), "a\nc\n");
}

#[test]
fn plans_that_want_different_libraries_in_one_place_get_each_its_own() {
    let libraries = Libraries::new("", "rlImport tool/one && one");
    let scene = &libraries.scene;
    let commit = |text: &str| libraries.commit("tool", &[("one/main.fmf", "summary: x\n"), ("one/lib.sh", text)]);
    commit("one() { echo old; }\n");
    git(["tag", "old"], &libraries.repository("tool"));
    commit("one() { echo new; }\n");
    let url = libraries.url("tool");
    let library = |reference: &str| format!("require: [{{url: '{url}', name: /one, ref: {reference}}}]\n");
    scene.write(
        "t/deep/main.fmf",
        "test: bash ./run.sh\n/old:\n    ".to_owned() + &library("old") + "/new:\n    " + &library("main"),
    );
    scene.write(
        "plan.fmf",
        format!("{PLAN}/one: {{discover+: {{test: [/old]}}}}\n/two: {{discover+: {{test: [/new]}}}}\n"),
    );
    scene.run(0, ["build"]);
    assert_eq!(scene.output("/t/deep/old"), "old\n");
    assert_eq!(scene.output("/t/deep/new"), "new\n");
    // In one plan the first is taken, as in tmt.
    scene.write("plan.fmf", PLAN);
    scene.run(0, ["build", "--name", "/t/deep"]);
    assert_eq!(scene.output("/t/deep/old"), scene.output("/t/deep/new"));
}

#[test]
fn a_repository_cannot_bring_files_of_this_host() {
    let libraries = Libraries::new("", "true");
    let scene = &libraries.scene;
    libraries.commit(
        "tool",
        &[("one/main.fmf", "summary: x\n"), ("two/main.fmf", "summary: x\n")],
    );
    let path = libraries.repository("tool");
    std::fs::remove_dir_all(path.join("one")).expect("it goes");
    std::os::unix::fs::symlink("/etc", path.join("one")).expect("a link");
    scene
        .world
        .write("repositories/tool/main.fmf", "/one:\n    summary: x\n");
    std::os::unix::fs::symlink("/etc/passwd", path.join("two/link")).expect("a link");
    libraries.commit("tool", &[]);
    let url = libraries.url("tool");
    scene.write(
        "t/deep/main.fmf",
        format!("test: bash ./run.sh\nrequire: [{{url: '{url}', name: /one}}]\n"),
    );
    let ran = scene.run(3, ["build"]);
    assert!(ran.said("`/one` leads out of the repository"), "{ran:?}");
    scene.write(
        "t/deep/main.fmf",
        format!("test: bash ./run.sh\nrequire: [{{url: '{url}', name: /two}}]\n"),
    );
    libraries.script("[ \"$(readlink $TMT_TREE/libs/tool/two/link)\" = /etc/passwd ]");
    scene.run(0, ["build"]);
}
