//! Tests of what a test finds in the tree: the host's files and what prepare steps made, whatever earlier tests did there.

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

/// Three steps, of which each needs what those before it made and sets a variable.
const CHAIN: &str = r#"discover: {how: fmf}
execute: {how: tmt}
prepare:
  - script: |
      echo one > one; mkdir -p dir; echo one > dir/one
      echo ONE=1$ONE >> "$TMT_PLAN_ENVIRONMENT_FILE"; echo one >> "$COUNTER"
  - script: |
      cat one > dir/two; echo changed > host; mkdir logs
      echo TWO=2$TWO >> "$TMT_PLAN_ENVIRONMENT_FILE"; echo two >> "$COUNTER"
  - script: |
      cat dir/two > three; [ "$(cat host)" = changed ]
      echo THREE=3$THREE >> "$TMT_PLAN_ENVIRONMENT_FILE"; echo three >> "$COUNTER"
"#;

/// A tree with these steps, a test that does harm, and one that looks whether all is as prepared.
fn chain_and_harm(harm: &str) -> Scene {
    let looks = "[ \"$(cat one dir/one dir/two three host)\" = \"$(printf '%s\\n' one one one one changed)\" ]
  [ -z \"$(ls logs)\" ]
  [ \"$(stat -c %a dir/two logs | sort -u | wc -l)\" = 2 ]; [ -x logs ]; [ $ONE$TWO$THREE = 123 ]";
    Scene::new([
        ("plan.fmf", CHAIN.to_owned()),
        ("host", "raw\n".to_owned()),
        ("a.fmf", test(1, harm)),
        ("b.fmf", test(2, looks)),
    ])
}

#[test]
fn steps_run_again_from_the_one_that_made_what_a_test_destroyed() {
    let all = ["one", "two", "three"];
    for (harm, from) in [
        ("rm dir/two", 1),
        ("echo other > dir/two", 1),
        ("chmod 600 dir/two", 1),
        ("chmod 700 logs", 1),
        ("rm dir/two; mkdir dir/two; touch dir/two/x", 1),
        ("rm three", 2),
        ("rm dir/one dir/two", 0),
        ("echo TWO=7 >> \"$TMT_PLAN_ENVIRONMENT_FILE\"; mv one two", 0),
        ("echo x > logs/x; touch dir/three", 3),
    ] {
        let scene = chain_and_harm(harm);
        scene.run(0, ["build"]);
        let expected: Vec<&str> = all.iter().chain(&all[from..]).copied().collect();
        assert_eq!(scene.ran_in_order(), expected, "{harm}");
        scene.run(0, ["test", "/a"]);
        assert_eq!(scene.ran(), [""; 0], "{harm}: it was prepared");
        scene.run(0, ["test", "/b"]);
        assert_eq!(scene.ran_in_order(), &all[from..], "{harm}: the next run found it");
    }
}

#[test]
fn a_step_that_changed_what_an_earlier_one_made_does_not_run_again_without_it() {
    let steps = [
        "echo one > grows",
        "echo two >> grows; echo two > two",
        "cat grows > three",
    ];
    let steps = steps.map(|script| format!("  - script: {script}; echo '{script}' >> \"$COUNTER\"\n"));
    let scene = Scene::new([
        (
            "plan.fmf",
            format!(
                "discover: {{how: fmf}}\nexecute: {{how: tmt}}\nprepare:\n{}",
                steps.concat()
            ),
        ),
        ("a.fmf", test(1, "rm two")),
        ("b.fmf", test(2, "[ $(cat grows two three | wc -l) = 5 ]")),
        ("c.fmf", test(3, "rm three")),
        ("d.fmf", test(4, "[ $(cat grows two three | wc -l) = 5 ]")),
    ]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order().len(), 3 + 3 + 1);
}

#[test]
fn where_the_variables_of_a_step_are_not_known_the_first_step_runs_again() {
    let scene = chain_and_harm("rm three");
    scene.run(0, ["test", "/a"]);
    scene.ran();
    let copies = std::fs::read_dir(scene.world.path("sut/v1/env")).unwrap();
    let copies = copies.map(|entry| entry.unwrap().path());
    let copies: Vec<_> = copies
        .filter(|path| path.extension().is_some_and(|end| end == "1"))
        .collect();
    assert_eq!(copies.len(), 1);
    std::fs::remove_file(&copies[0]).unwrap();
    scene.run(0, ["test", "/b"]);
    assert_eq!(scene.ran_in_order(), ["one", "two", "three"]);
}

#[test]
fn a_machine_whose_account_of_its_tree_is_of_another_atex_is_prepared_from_the_first_step() {
    let scene = chain_and_harm("true");
    scene.run(0, ["build"]);
    scene.ran();
    for entry in std::fs::read_dir(scene.world.path("sut/v1/manifest")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "list") {
            let list = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, list.replacen("-2-", "-1-", 1)).unwrap();
        }
    }
    scene.run(0, ["test", "/b"]);
    assert_eq!(scene.ran_in_order(), ["one", "two", "three"]);
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
    let ran = scene.run(0, ["build"]);
    assert!(
        ran.said("what it depends on could not be seen: not recorded"),
        "{ran:?}"
    );
    let prepared = scene.ran();
    assert!(
        prepared.iter().all(|line| line == "prepare") && prepared.len() <= 2,
        "{prepared:?}"
    );
    assert_eq!(scene.why(["/a"]), "test /a  runs: there is no record of it\n");
}
