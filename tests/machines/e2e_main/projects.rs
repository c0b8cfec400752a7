//! Tests of two projects that use one machine in turn: their trees and finishes are separate, but what is prepared belongs to the
//! machine.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::e2e_main::running::Running;
use crate::e2e_main::scene::Scene;
use crate::support::Ran;

/// A prepare step that leaves something in the tree and in the environment file, and a finish that needs both.
fn plan(whose: &str) -> String {
    format!(
        "discover: {{how: fmf}}
execute: {{how: tmt}}
prepare:
  script: |
    echo 'prepare {whose}' >> \"$COUNTER\"; echo {whose} > made
    echo WHOSE={whose} >> \"$TMT_PLAN_ENVIRONMENT_FILE\"
finish:
  script: |
    echo \"finish {whose} with $(cat own) $WHOSE\" >> \"$COUNTER\"
"
    )
}

/// Two trees with plans and tests of the same names.
fn scene() -> Scene {
    let scene = Scene::new([("own", "a")]);
    for (dir, whose) in [("tree", "a"), ("other", "b")] {
        let test = format!(
            "test: |\n  echo 'test {whose}' >> \"$COUNTER\"; [ \"$(cat own)\" = {whose} ] && [ \"$(cat made)\" = {whose} ]\n"
        );
        for (file, text) in [
            (".fmf/version", "1\n"),
            ("plan.fmf", &plan(whose)),
            ("own", whose),
            ("ok.fmf", &test),
        ] {
            scene.world.write(format!("{dir}/{file}"), text);
        }
    }
    scene
}

#[track_caller]
fn run_in<const N: usize>(scene: &Scene, dir: &str, args: [&str; N]) -> Ran {
    scene.atex(args).cwd(dir).run().expect(0)
}

/// Where a file of the given content lies on the machine.
#[track_caller]
fn place_of(scene: &Scene, content: &str) -> PathBuf {
    let trees = fs::read_dir(scene.world.path("sut/v1/tree")).expect("trees");
    let mut files = trees.map(|tree| tree.expect("a tree").path().join("own"));
    files
        .find(|file| fs::read_to_string(file).is_ok_and(|text| text == content))
        .expect("the tree is there")
}

#[test]
fn trees_of_two_projects_lie_beside_each_other_and_neither_starts_what_the_other_has() {
    let scene = scene();
    run_in(&scene, "tree", ["build"]);
    let inode = || fs::metadata(place_of(&scene, "a")).expect("a file").ino();
    let before = inode();
    run_in(&scene, "other", ["build"]);
    assert_eq!(
        scene.ran_in_order(),
        [
            "prepare a",
            "test a",
            "finish a with a a",
            "prepare b",
            "test b",
            "finish b with b b"
        ]
    );
    let last = scene.world.read("sut/v1/tree/main/own");
    assert_eq!(last, "b", "the last used is found by its name");
    for dir in ["tree", "other"] {
        run_in(&scene, dir, ["build"]);
    }
    assert_eq!(scene.ran_in_order(), [""; 0]);
    run_in(&scene, "tree", ["build", "--rerun"]);
    assert_eq!(scene.ran_in_order(), ["prepare a", "test a", "finish a with a a"]);
    assert_eq!(inode(), before, "what is there is not brought again");
}

#[test]
fn what_one_project_prepared_is_not_prepared_for_the_other_nor_for_itself_after_the_other() {
    let scene = scene();
    for (dir, ran) in [
        ("tree", &["prepare a", "test a"][..]),
        ("tree", &["test a"]),
        ("other", &["prepare b", "test b"]),
        ("tree", &["prepare a", "test a"]),
        ("tree", &["test a"]),
    ] {
        run_in(&scene, dir, ["test", "/ok"]);
        assert_eq!(scene.ran_in_order(), ran, "{dir}");
    }
    let listed = run_in(&scene, "tree", ["sut", "ls"]);
    assert!(listed.said("for [TMP]/tree"), "{listed:?}");
}

#[test]
fn the_same_files_at_another_path_are_another_project_that_is_prepared_anew() {
    let scene = scene();
    for file in ["plan.fmf", "own", "ok.fmf"] {
        let text = scene.world.read(format!("tree/{file}"));
        scene.world.write(format!("other/{file}"), text);
    }
    run_in(&scene, "tree", ["test", "/ok"]);
    run_in(&scene, "other", ["test", "/ok"]);
    assert_eq!(scene.ran_in_order(), ["prepare a", "test a", "prepare a", "test a"]);
    let named = |dir: &str| {
        let call = scene.atex(["test", "/ok"]).cwd(dir).env("ATEX_PROJECT", "both");
        call.run().expect(0);
    };
    named("tree");
    assert_eq!(scene.ran_in_order(), ["prepare a", "test a"]);
    named("other");
    assert_eq!(scene.ran_in_order(), ["test a"], "they are called the same");
}

/// Kills a build of a tree in the middle of its test.
fn killed(scene: &Scene, dir: &str) {
    let test = scene.world.read(format!("{dir}/ok.fmf"));
    scene.world.write(
        format!("{dir}/ok.fmf"),
        format!("{test}  until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done\n"),
    );
    let build = scene.atex(["build"]).cwd(dir);
    let run = Running::start(build, "killed");
    scene.kill(run, |ran| ran.contains("test a"));
}

#[test]
fn a_finish_is_paid_by_the_project_that_owes_it_with_its_own_tree_and_the_other_one_says_who_owes() {
    let scene = scene();
    killed(&scene, "tree");
    let ran = run_in(&scene, "other", ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare b", "test b", "finish b with b b"]);
    assert!(
        ran.said("finish is due for another project, which pays: `/plan` of [TMP]/tree"),
        "{ran:?}"
    );
    run_in(&scene, "other", ["finish"]);
    run_in(&scene, "other", ["build"]);
    assert_eq!(scene.ran_in_order(), [""; 0]);
    let listed = run_in(&scene, "other", ["sut", "ls"]);
    assert!(listed.said("finish owed: /plan ([TMP]/tree"), "{listed:?}");

    run_in(&scene, "tree", ["finish"]);
    assert_eq!(scene.ran_in_order(), ["finish a with a a"]);
    let listed = run_in(&scene, "other", ["sut", "ls"]);
    assert!(!listed.said("owed"), "{listed:?}");
}

#[test]
fn a_finish_that_is_owed_is_paid_by_the_next_build_of_its_project_though_all_its_tests_stand() {
    let scene = scene();
    run_in(&scene, "tree", ["build"]);
    run_in(&scene, "tree", ["test", "/ok"]);
    run_in(&scene, "other", ["build"]);
    scene.ran();
    run_in(&scene, "other", ["build"]);
    assert_eq!(scene.ran_in_order(), [""; 0]);
    run_in(&scene, "tree", ["build"]);
    assert_eq!(scene.ran_in_order(), ["finish a with a a"]);
}

#[test]
fn a_machine_shows_the_trees_with_their_projects() {
    let scene = scene();
    run_in(&scene, "tree", ["build"]);
    run_in(&scene, "other", ["build"]);
    let shown = run_in(&scene, "tree", ["sut", "show", "--json"]).json();
    let trees = shown[0]["trees"].as_array().expect("trees");
    assert_eq!(trees.len(), 2);
    for (tree, dir) in trees.iter().zip(["other", "tree"]) {
        let project = tree["project"].as_str().expect("a name");
        assert!(
            project.starts_with(&format!("[TMP]/{dir}")),
            "the last used first: {trees:?}"
        );
    }
    let shown = run_in(&scene, "tree", ["sut", "show"]);
    assert!(shown.said(" ago: [TMP]/tree"), "{shown:?}");
}
