//! Tests of tests that hand files to each other (`extra-atex-shared-tree`): they run in order, on one machine, and all or none
//! are recorded.

use std::fs;

use crate::e2e_main::promises::files_below;
use crate::e2e_main::running::{Running, events};
use crate::e2e_main::scene::Scene;

const PLAN: &str = "discover: {how: fmf, test: [^/g/]}
execute: {how: tmt}
extra-atex-shared-tree: true
extra-atex-inputs: [for-prepare]
prepare:
  script: echo made > made; echo prepare >> \"$COUNTER\"
";

/// Three tests, of which each needs what the one before it left; the last one is not where it could start anew.
fn suite() -> Scene {
    Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        (
            "g/one.fmf",
            test(
                1,
                "one",
                "[ ! -e ../left ] && cat made && cat ../h/of-*; echo 1 > ../left",
            ),
        ),
        ("g/two.fmf", test(2, "two", "[ $(cat ../left) = 1 ]; echo 2 > ../left")),
        (
            "g/three.fmf",
            test(
                3,
                "three",
                "[ $(cat ../left) = 2 ]; rm ../left; touch ../over; [ $(cat ../verdict) = good ]",
            ),
        ),
        ("h/other.fmf", test(1, "other", "true")),
        ("h/of-one", "x".to_owned()),
        ("h/more", "x".to_owned()),
        ("for-prepare", String::new()),
        ("verdict", "good".to_owned()),
    ])
}

fn test(order: u32, name: &str, script: &str) -> String {
    let script = script.replace("cat made", "[ -e ../made ]");
    format!("order: {order}\ntest: |\n  echo {name} >> \"$COUNTER\"\n  {script}\n")
}

const ALL: [&str; 3] = ["one", "two", "three"];

#[test]
fn they_find_what_the_ones_before_left_and_stand_together() {
    let scene = suite();
    let ran = scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "one", "two", "three"], "{ran:?}");
    let again = scene.run(0, ["build"]);
    assert!(again.said("3 cached"), "{again:?}");
    assert_eq!(scene.ran_in_order(), [""; 0]);
    for test in ["/g/one", "/g/two", "/g/three"] {
        assert_eq!(scene.results(test)[0]["status"], "pass");
    }
}

#[test]
fn what_one_of_them_depends_on_runs_all_from_the_tree_as_it_was_prepared() {
    let scene = suite();
    scene.run(0, ["build"]);
    scene.ran();
    let other = "echo three >> \"$COUNTER\"; [ $(cat ../left) = 2 ]";
    scene.write("g/three.fmf", format!("order: 3\ntest: |\n  {other}\n"));
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ALL, "the last one was changed");
    scene.write("h/of-one", "y");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ALL, "a file that the first one was seen to read");
    scene.write("h/more", "y");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), [""; 0], "what none of them reads");
}

#[test]
fn what_one_read_and_another_removed_is_an_input_of_all() {
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("g/one.fmf", test(1, "one", "cp ../h/fr* ../to")),
        ("g/two.fmf", test(2, "two", "rm ../h/fr*; grep -q good ../to")),
        ("h/other.fmf", test(1, "other", "true")),
        ("h/from", "good".to_owned()),
        ("for-prepare", String::new()),
    ]);
    scene.run(0, ["build"]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "one", "two"]);
    scene.write("h/from", "bad");
    scene.run(1, ["build"]);
    scene.run(1, ["build"]);
    scene.write("h/from", "good");
    scene.run(0, ["build"]);
    assert_eq!(
        scene.ran().iter().filter(|line| *line != "prepare").count(),
        4,
        "what was before stands again"
    );
}

#[test]
fn what_one_does_with_what_another_read_in_another_run_does_not_stand_for_this_one() {
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("g/one.fmf", test(1, "one", "cp ../h/fl* ../which")),
        ("g/two.fmf", test(2, "two", "grep -q good ../h/$(cat ../which)*")),
        ("h/other.fmf", test(1, "other", "true")),
        ("h/flag", "a".to_owned()),
        ("h/a-file", "good".to_owned()),
        ("h/b-file", "good".to_owned()),
        ("for-prepare", String::new()),
    ]);
    scene.run(0, ["build"]);
    scene.write("h/flag", "b");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "one", "two", "one", "two"]);
    scene.write("h/b-file", "bad");
    scene.run(1, ["build"]);
    scene.write("h/flag", "a");
    scene.ran();
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), [""; 0], "as in the first run");
}

#[test]
fn a_record_that_is_lost_costs_all_of_them() {
    let scene = suite();
    scene.run(0, ["build"]);
    scene.ran();
    let key = scene.atex(["why", "/g/two", "--json"]).run().expect(0).json()[0]["key"].clone();
    let key = key.as_str().expect("a key").to_owned();
    scene.world.atex().args(["cache", "rm", &key]).run().expect(0);
    let planned = scene.run(0, ["build", "--dry-run"]);
    assert!(!planned.said("cached  "), "{planned:?}");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ALL);
}

#[test]
fn a_file_of_a_record_that_is_lost_costs_all_of_them() {
    let scene = suite();
    scene.write("g/two.fmf", test(2, "two", "echo said by two; echo 2 > ../left"));
    scene.run(0, ["build"]);
    scene.ran();
    let blobs = files_below(&scene.world.path("home/.cache/atex/blobs-v1"));
    let said = |path: &&std::path::PathBuf| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"said by two"));
    let lost = blobs.iter().find(said).expect("the output is in the cache");
    fs::remove_file(lost).expect("removed");
    for ran in [&ALL[..], &[]] {
        scene.run(0, ["build"]);
        assert_eq!(scene.ran_in_order(), ran);
        for test in ALL {
            assert_eq!(scene.results(&format!("/g/{test}")).len(), 1, "one result of {test}");
        }
        assert_eq!(scene.output("/g/two"), "said by two\n");
    }
}

#[test]
fn none_of_them_is_recorded_where_one_fails_and_each_has_its_own_verdict() {
    let scene = suite();
    scene.write("verdict", "bad");
    let ran = scene.run(1, ["build"]);
    assert!(ran.said("2 passed") && ran.said("1 failed"), "{ran:?}");
    assert_eq!(scene.ran_in_order(), ["prepare", "one", "two", "three"]);
    scene.run(1, ["build"]);
    assert_eq!(scene.ran_in_order(), ALL);
    scene.write("verdict", "good");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ALL);
}

#[test]
fn one_that_fails_is_tried_again_with_all_the_others_and_is_flaky() {
    let scene = suite();
    scene.write(
        "g/three.fmf",
        test(
            3,
            "three",
            "[ -e \"$COUNTER.once\" ] || { touch \"$COUNTER.once\"; exit 1; }",
        ),
    );
    let ran = scene.run(0, ["build", "--retries", "1"]);
    assert_eq!(
        scene.ran_in_order(),
        ["prepare", "one", "two", "three", "one", "two", "three"]
    );
    assert!(ran.said("1 flaky") && ran.said("2 passed"), "{ran:?}");
    for test in ["one", "two", "three"] {
        assert!(
            scene.latest().join("tests/g").join(test).join("attempt-2").is_dir(),
            "{test}"
        );
    }
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), [""; 0]);
}

#[test]
fn a_selection_of_one_is_one_of_all() {
    for args in [
        &["test", "/g/two"][..],
        &["build", "--name", "/g/three"],
        &["build", "--exclude", "one"],
    ] {
        let scene = suite();
        scene.atex(args.iter().copied()).run().expect(0);
        assert_eq!(scene.ran_in_order(), ["prepare", "one", "two", "three"], "{args:?}");
    }
}

#[test]
fn they_are_in_one_part_and_on_one_machine_of_a_pool() {
    let scene = suite();
    scene.write(
        "h/plan.fmf",
        "discover: {how: fmf, test: [^/h/]}\nexecute: {how: tmt}\n",
    );
    for name in ["a", "b", "c"] {
        scene.write(format!("h/{name}.fmf"), test(1, name, "sleep 0.2"));
    }
    let mut parts = 0;
    for shard in ["1/3", "2/3", "3/3"] {
        let run = scene.atex(["build", "--rerun", "--shard", shard]).run();
        assert!([0, 4].contains(&run.code), "{run:?}");
        let ran = scene.ran_in_order();
        let shared = ran.iter().filter(|line| ALL.contains(&line.as_str())).count();
        assert!([0, 3].contains(&shared), "{ran:?}");
        parts += shared;
    }
    assert_eq!(parts, 3);
    let dir = scene.world.path("pool");
    let pool = format!("local*3?dir={}", dir.display());
    let out = scene.world.path("out");
    let call = scene
        .world
        .atex()
        .args(["build", "--rerun", "-s", &pool, "-o"])
        .args([&out]);
    call.run().expect(0);
    let started = events(&out)
        .into_iter()
        .filter(|event| event["event"] == "node-started");
    let suts: std::collections::BTreeSet<String> = started
        .filter(|event| event["node"].as_str().is_some_and(|node| node.starts_with("test /g/")))
        .map(|event| event["sut"].to_string())
        .collect();
    assert_eq!(suts.len(), 1, "{suts:?}");
}

#[test]
fn an_audit_of_one_runs_all_and_tells_which_disagreed() {
    let scene = suite();
    scene.run(0, ["build"]);
    scene.ran();
    let ran = scene.run(0, ["build", "--audit", "1%"]);
    assert_eq!(scene.ran_in_order(), ALL, "{ran:?}");
    assert!(ran.said("3 of 3 hits agreed") || ran.said("3 hits"), "{ran:?}");
}

#[test]
fn a_run_that_is_killed_among_them_leaves_no_record() {
    let scene = suite();
    let wait = "until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done; [ $(cat ../left) = 1 ]; echo 2 > ../left";
    scene.write("g/two.fmf", test(2, "two", wait));
    let run = Running::start(scene.atex(["build"]), "killed");
    scene.kill(run, |ran| ran.ends_with("two\n"));
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "one", "two", "three"]);
    assert!(fs::exists(scene.latest().join("tests/g/one/results.jsonl")).expect("a look"));
}

#[test]
fn one_that_runs_too_long_does_not_keep_the_others_from_running_and_taints_the_machine() {
    let scene = suite();
    scene.write(
        "g/one.fmf",
        format!("duration: 1s\n{}", test(1, "one", "echo 1 > ../left; sleep 60")),
    );
    let ran = scene.run(3, ["build"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "one", "two", "three"], "{ran:?}");
    let listed = scene.run(0, ["sut", "ls"]).stdout;
    assert!(listed.contains("tainted"), "{listed}");
}

#[test]
fn a_value_that_is_no_boolean_is_refused() {
    let scene = suite();
    scene.edit("plan.fmf", "shared-tree: true", "shared-tree: yes");
    let built = scene.run(2, ["build"]);
    assert!(built.said("extra-atex-shared-tree"), "{built:?}");
    let linted = scene.world.atex().args(["lint"]).run().expect(1);
    assert!(linted.said("extra-atex-shared-tree"), "{linted:?}");
}
