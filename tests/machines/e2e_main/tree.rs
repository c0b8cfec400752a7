//! What a test finds in the tree: the files of the host and what prepare steps made, whatever the tests before it did there.

use crate::e2e_main::scene::Scene;

const PREPARED: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare:
  - script: echo made > made; mkdir -p logs; echo 'prepare' >> \"$COUNTER\"
";

/// Returns the metadata of a test that runs early or late.
fn test(order: u32, script: &str) -> String {
    format!("order: {order}\ntest: |\n  {script}\n")
}

#[test]
fn a_test_finds_the_files_of_the_host_whatever_the_one_before_did_to_them() {
    let scene = Scene::new([
        ("lib/check", "exit 1\n".to_owned()),
        ("lib/gone", "x\n".to_owned()),
        ("t/own", "x\n".to_owned()),
        (
            "a/main.fmf",
            test(
                1,
                "echo exit 0 >../lib/check; rm ../lib/gone; chmod 777 ../t/own; touch ../new; mkdir ../t/d",
            ),
        ),
        (
            "t/main.fmf",
            test(
                2,
                "[ -e ../lib/gone ] && [ ! -x own ] && [ ! -e ../new ] && [ ! -e d ] && bash ../lib/check",
            ),
        ),
    ]);
    scene.run(1, ["build"]);
    scene.run(1, ["build"]);
    scene.edit("lib/check", "1", "0");
    let told = scene.run(0, ["build", "--rerun"]);
    assert!(told.stdout.contains("2 passed"), "{told:?}");
}

#[test]
fn a_second_attempt_starts_from_the_tree_that_the_first_one_had() {
    let script = "[ -e ran ] || { touch ran; exit 1; }";
    let scene = Scene::new([("a/main.fmf", test(1, script))]);
    scene.run(1, ["build", "--retries", "2"]);
    scene.run(1, ["build"]);
}

#[test]
fn what_prepare_made_and_a_test_destroyed_is_made_again_before_the_next_test() {
    for harm in ["rm made", "echo other > made", "chmod 600 made", "rm -r logs"] {
        let scene = Scene::new([
            ("plan.fmf", PREPARED.to_owned()),
            ("a.fmf", test(1, harm)),
            ("b.fmf", test(2, "[ \"$(cat made)\" = made ] && [ -d logs ]")),
        ]);
        scene.run(0, ["build"]);
        assert_eq!(scene.ran(), ["prepare", "prepare"], "{harm}");
        scene.run(0, ["test", "/a"]);
        assert_eq!(scene.ran(), [""; 0], "{harm}: it was prepared");
        scene.run(0, ["test", "/b"]);
        assert_eq!(scene.ran(), ["prepare"], "{harm}: it was found by the next run");
    }
}

#[test]
fn what_a_test_leaves_in_a_directory_that_prepare_made_costs_no_preparing() {
    let scene = Scene::new([
        ("plan.fmf", PREPARED.to_owned()),
        ("a.fmf", test(1, "echo x > logs/x")),
        ("b.fmf", test(2, "[ \"$(cat made)\" = made ] && [ ! -e logs/x ]")),
    ]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["prepare"]);
}

#[test]
fn a_plan_without_prepare_does_not_see_what_another_plan_prepared() {
    let scene = Scene::new([
        ("with.fmf", PREPARED.to_owned()),
        ("without.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\n".to_owned()),
        ("t.fmf", "test: ls made\n".to_owned()),
    ]);
    scene.run(0, ["test", "/t", "--plan", "/with"]);
    scene.run(1, ["test", "/t", "--plan", "/without"]);
    scene.run(0, ["test", "/t", "--plan", "/with"]);
    assert_eq!(scene.ran(), ["prepare", "prepare"], "what was taken away is made again");
}

#[test]
fn directories_that_lie_very_deep_in_each_other_cost_nobody_else() {
    // Each round puts what is there into 1,900 more, since no path may be longer than 4,096 bytes.
    let dig = "path=$(printf 'd/%.0s' {1..1900}); mkdir x; for i in {1..7}; do mkdir -p new/$path; mv x new/$path; mv new x; done";
    let scene = Scene::new([
        ("plan.fmf", PREPARED.to_owned()),
        ("a.fmf", test(1, dig)),
        (
            "b.fmf",
            test(2, "[ \"$(cat made)\" = made ] && [ ! -e x ] && cat b.fmf"),
        ),
    ]);
    scene.run(0, ["build"]);
    let prepared = scene.ran();
    assert!(
        prepared.iter().all(|line| line == "prepare") && prepared.len() <= 2,
        "{prepared:?}"
    );
}
