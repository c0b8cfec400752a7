//! The data of a plan and its source script live through prepare, tests and finish; what a test changes there costs the records of what
//! depends on it.

use crate::e2e_main::scene::Scene;

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

/// A test of this number that leaves a line with the witness, and runs a script.
fn test(order: u32, script: &str) -> String {
    format!("order: {order}\ntest: |\n    echo \"test $TMT_TEST_NAME\" >>\"$COUNTER\"\n    {script}\n")
}

#[test]
fn plan_data_lives_through_prepare_tests_and_finish() {
    let steps = r#"
prepare:
  - script: echo prepared >"$TMT_PLAN_DATA/file"; mkdir "$TMT_PLAN_DATA/dir"
  - script: '[ "$(cat $TMT_PLAN_DATA/file)" = prepared ]'
finish:
  - script: echo bye >$TMT_PLAN_DATA/of-finish; echo "finish $(cat $TMT_PLAN_DATA/file) $(cat $TMT_PLAN_DATA/dir/of-test)" >>"$COUNTER"
"#;
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}{steps}")),
        (
            "one.fmf",
            test(1, "echo one >$TMT_PLAN_DATA/dir/of-test; cat $TMT_PLAN_DATA/file"),
        ),
        ("two.fmf", test(2, "cat $TMT_PLAN_DATA/dir/of-test")),
        (
            "three.fmf",
            test(3, "[ -z \"$TMT_PLAN_DATA\" ]\nextra-atex-interface: atex"),
        ),
    ]);
    let ran = scene.run(0, ["build"]);
    assert_eq!(scene.output("/one"), "prepared\n");
    assert_eq!(scene.output("/two"), "one\n");
    let ended = ["test /one", "test /two", "test /three", "finish prepared one"];
    assert_eq!(scene.ran_in_order(), ended);
    let kept = scene.latest().join("tests/one/files/plan-data");
    assert_eq!(
        std::fs::read_to_string(kept.join("dir/of-test")).expect("it is kept"),
        "one\n"
    );
    assert!(
        !kept.join("file").exists(),
        "only what the test has made or changed is kept with it"
    );
    let hint = "extra-atex-shared-tree";
    assert!(ran.stdout.matches(hint).count() == 1, "it is said once: {ran:?}");
    let whole = scene.latest().join("plan-data/plan/local");
    for (file, text) in [("file", "prepared\n"), ("dir/of-test", "one\n"), ("of-finish", "bye\n")] {
        assert_eq!(
            std::fs::read_to_string(whole.join(file)).expect("it is kept"),
            text,
            "{file}"
        );
    }
    scene.run(0, ["build"]);
    let again = ["test /one", "test /two", "finish prepared one"];
    assert_eq!(
        scene.ran_in_order(),
        again,
        "nothing that depends on another test is taken from the cache"
    );
}

#[test]
fn each_run_and_each_plan_begins_with_what_prepare_left() {
    let prepare = "prepare: {script: 'echo prepared >$TMT_PLAN_DATA/file; echo prepare >>$COUNTER'}\n";
    let scene = Scene::new([
        (
            "plan.fmf",
            format!("{PLAN}{prepare}/a: {{environment: {{A: 1}}}}\n/b: {{environment: {{A: 2}}}}\n"),
        ),
        (
            "one.fmf",
            test(
                1,
                "cat $TMT_PLAN_DATA/file; echo changed >$TMT_PLAN_DATA/file; ls $TMT_PLAN_DATA",
            ),
        ),
    ]);
    for ran in [["prepare", "test /one", "test /one"], ["test /one", "test /one", ""]] {
        scene.run(0, ["build", "--until", "test"]);
        assert_eq!(scene.output("/one"), "prepared\nfile\n");
        assert_eq!(scene.output("/one/@plan:b"), "prepared\nfile\n");
        let seen = scene.ran_in_order();
        assert!(
            ran.iter()
                .filter(|line| !line.is_empty())
                .all(|line| seen.contains(&(*line).to_owned())),
            "{seen:?}"
        );
    }
}

#[test]
fn every_kind_of_change_is_seen_and_reading_is_none() {
    let prepare = "prepare: {script: 'cd $TMT_PLAN_DATA; echo one >a; mkdir d; echo two >d/b; ln -s a link'}\n";
    let cases = [
        ("read", "cat a d/b link; ls -R"),
        ("write", "echo one >a"),
        ("touch", "touch -d 2000-01-01 a"),
        ("mode", "chmod 600 d/b"),
        ("remove", "rm d/b"),
        ("move", "mv a c"),
        ("link", "ln -sfn d link"),
        ("directory", "mkdir e"),
        ("all", "cd ..; rm -rf $TMT_PLAN_DATA"),
        ("away", "cd /; rm -rf $TMT_PLAN_DATA; ln -s / $TMT_PLAN_DATA"),
    ];
    let plans = cases.map(|(name, _)| format!("/{name}: {{discover+: {{test: ['/{name}$']}}}}\n"));
    let tests = cases.map(|(name, script)| {
        (
            format!("t/{name}.fmf"),
            test(1, &format!("cd $TMT_PLAN_DATA; {script}")),
        )
    });
    let plan = ("plan.fmf".to_owned(), format!("{PLAN}{prepare}{}", plans.concat()));
    let scene = Scene::new([plan].into_iter().chain(tests));
    // A plan finds what its prepare step left, whatever became of it in the run before.
    for cached in [0, 1, 1] {
        let ran = scene.run(0, ["build"]);
        let kept: Vec<String> = cases
            .iter()
            .filter(|_| cached > 0)
            .map(|(name, _)| format!("/t/{name}"))
            .collect();
        let run: Vec<String> = scene.ran().iter().map(|line| line.replace("test ", "")).collect();
        let taken: Vec<&String> = kept.iter().filter(|name| !run.contains(name)).collect();
        assert_eq!(taken.len(), cached, "{ran:?}");
        assert!(taken.iter().all(|name| *name == "/t/read"), "{taken:?}");
    }
}

#[test]
fn a_machine_that_is_prepared_anew_has_new_plan_data_and_a_shorter_chain_its_own() {
    let steps = "prepare:\n- script: echo 1 >>$TMT_PLAN_DATA/file\n- script: echo 2 >>$TMT_PLAN_DATA/file\n";
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}{steps}")),
        ("one.fmf", test(1, "cat $TMT_PLAN_DATA/file")),
    ]);
    scene.run(0, ["test", "/one"]);
    assert_eq!(scene.output("/one"), "1\n2\n");
    scene.edit("plan.fmf", "- script: echo 2 >>$TMT_PLAN_DATA/file\n", "");
    scene.run(0, ["test", "/one"]);
    assert_eq!(scene.output("/one"), "1\n", "what the second step made is gone");
    scene.run(0, ["test", "/one", "--fresh"]);
    assert_eq!(scene.output("/one"), "1\n");
}

#[test]
fn tests_that_share_a_tree_share_plan_data_and_are_recorded_together() {
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}extra-atex-shared-tree: true\n")),
        (
            "one.fmf",
            test(1, "[ ! -e $TMT_PLAN_DATA/x ]; echo x >$TMT_PLAN_DATA/x"),
        ),
        ("two.fmf", test(2, "cat $TMT_PLAN_DATA/x")),
    ]);
    let ran = scene.run(0, ["build"]);
    assert!(!ran.said("changed the data"), "{ran:?}");
    assert!(scene.run(0, ["build"]).said("2 cached"));
}

#[test]
fn the_source_script_comes_before_every_script_and_test() {
    let steps = r#"
prepare:
  - script: echo 'export FOUND=prepared TMT_VERSION=mine' >"$TMT_PLAN_SOURCE_SCRIPT"
  - script: '[ "$FOUND" = prepared ]'
finish:
  - script: echo "finish $FOUND" >>"$COUNTER"
"#;
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}{steps}")),
        (
            "one.fmf",
            test(1, "echo \"$FOUND $TMT_VERSION\"\nenvironment: {FOUND: test}"),
        ),
        (
            "two.fmf",
            test(2, "echo 'export FOUND=later' >>$TMT_PLAN_SOURCE_SCRIPT"),
        ),
        ("three.fmf", test(3, "echo $FOUND")),
    ]);
    scene.run(0, ["build"]);
    assert_eq!(scene.output("/one"), "prepared mine\n");
    assert_eq!(scene.output("/three"), "later\n");
    assert!(scene.ran().contains(&"finish later".to_owned()));
}

#[test]
fn prepare_and_finish_find_what_tmt_promises_scripts() {
    let script = r#"
        . "$TMT_TOPOLOGY_BASH"; [ "${TMT_GUEST[name]}" = default-0 ] && grep -q default-0 "$TMT_TOPOLOGY_YAML"
        [ "$TMT_VERSION $TMT_REBOOT_COUNT $REBOOTCOUNT $RSTRNT_REBOOTCOUNT" = "1.78.0 0 0 0" ]
        type tmt-report-result rhts-submit-log tmt-abort >/dev/null
        if tmt-report-result x PASS; then exit 1; fi
        [ $# = 0 ] && ! type topology 2>/dev/null; echo "$0 here" >>"$COUNTER"
"#;
    let scene = Scene::new([
        (
            "plan.fmf",
            format!("{PLAN}prepare:\n- script: |{script}finish:\n- script: |{script}"),
        ),
        ("one.fmf", test(1, "true")),
    ]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran().len(), 3);
}
