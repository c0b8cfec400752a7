//! Tests of what scripts and tests see: variables and their precedence, the plan environment file, directories.

use std::fs;

use crate::e2e_main::scene::Scene;

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

#[test]
fn what_prepare_writes_to_the_plan_environment_file_is_seen_by_a_later_invocation() {
    let prepare = r#"
prepare:
  - script: |
        echo prepare >> "$COUNTER"
        echo "STAMP=forged" >> "$TMT_PLAN_ENVIRONMENT_FILE"
        echo 'WORDS="two words"' >> "$TMT_PLAN_ENVIRONMENT_FILE"
  - script: '[ "$STAMP" = forged ] && echo "LATER=$STAMP too" | sed "s/ /_/" >> "$TMT_PLAN_ENVIRONMENT_FILE"'
"#;
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}{prepare}")),
        (
            "one.fmf",
            "test: env | grep -E '^(STAMP|WORDS|LATER)=' | sort\n".to_owned(),
        ),
    ]);
    for code in [0, 0] {
        scene.run(code, ["test", "/one"]);
        assert_eq!(
            scene.output("/one"),
            "LATER=forged_too\nSTAMP=forged\nWORDS=two words\n"
        );
    }
    assert_eq!(
        scene.ran(),
        ["prepare"],
        "the second invocation found the machine prepared"
    );
}

#[test]
fn a_machine_that_is_prepared_anew_forgets_the_old_environment_file() {
    let prepare = "prepare:\n    script: echo \"$NAME=1\" >> \"$TMT_PLAN_ENVIRONMENT_FILE\"\n";
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}{prepare}")),
        ("one.fmf", "test: env | grep -E '^(OLD|NEW)=' | sort\n".to_owned()),
    ]);
    scene.run(0, ["test", "/one", "-e", "NAME=OLD"]);
    scene.run(0, ["test", "/one", "-e", "NAME=NEW"]);
    assert_eq!(scene.output("/one"), "NEW=1\n");
}

#[test]
fn the_test_wins_over_the_plan_and_the_command_line_over_both() {
    let plan = r#"
environment: {A: plan, B: plan, C: plan, D: plan}
prepare:
  - script: |
        echo "$A $B $C $D" >> "$COUNTER"
        echo "B=file" >> "$TMT_PLAN_ENVIRONMENT_FILE"
        echo "C=file" >> "$TMT_PLAN_ENVIRONMENT_FILE"
        echo "D=file" >> "$TMT_PLAN_ENVIRONMENT_FILE"
        echo "E=file" >> "$TMT_PLAN_ENVIRONMENT_FILE"
  - script: echo "then $B $D $E" >> "$COUNTER"
finish:
    script: echo "finish $A $B $D $E" >> "$COUNTER"
"#;
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}{plan}")),
        (
            "one.fmf",
            "test: echo \"$A $B $C $D\"\nenvironment: [{C: test}, {D: test}]\nextra-atex-interface: atex\n".to_owned(),
        ),
    ]);
    scene.run(0, ["build", "-e", "D=line"]);
    assert_eq!(scene.output("/one"), "plan file test line\n");
    assert_eq!(
        scene.ran_in_order(),
        [
            "plan plan plan line",
            "then plan line file",
            "finish plan plan line file"
        ]
    );
}

#[test]
fn a_test_sees_what_it_is_promised_and_nothing_of_the_terminal() {
    let test = r#"test: |
    set | grep -E '^(TMT|ATEX)_' | sed 's/=.*//' | sort
    echo "name $TMT_TEST_NAME reboots $TMT_REBOOT_COUNT restarts $TMT_TEST_RESTART_COUNT"
    [ "$PWD" = "$TMT_TREE/suite/deep" ] && echo 'beside its metadata'
    [ -e "$TMT_TREE/.fmf/version" ] && echo 'in its tree'
    [ "$(readlink /proc/self/fd/0)" = /dev/null ] && echo 'without input'
    echo "noop" >&$ATEX_TEST_CONTROL
    cat "$TMT_TEST_METADATA"
summary: Looks around
tag: [one, two]
"#;
    let scene = Scene::new([("plan.fmf", PLAN), ("suite/deep/main.fmf", test)]);
    let call = scene
        .atex(["build"])
        .env("LEAK", "x")
        .env("TMT_TEST_DATA", "/x")
        .env("ATEX_LEAK", "x");
    call.run().expect(0);
    let output = scene.output("/suite/deep");
    let names = "ATEX_JOB\nATEX_TEST_CONTROL\nTMT_PLAN_ENVIRONMENT_FILE\nTMT_REBOOT_COUNT\nTMT_TEST_METADATA\nTMT_TEST_NAME\n\
                 TMT_TEST_RESTART_COUNT\nTMT_TREE\n";
    let rest = output
        .strip_prefix(names)
        .unwrap_or_else(|| panic!("other variables:\n{output}"));
    let seen = "name /suite/deep reboots 0 restarts 0\nbeside its metadata\nin its tree\nwithout input\n";
    let metadata = rest.strip_prefix(seen).unwrap_or_else(|| panic!("{output}"));
    // It is YAML in the form that fmf reads, too.
    let read = tempfile::tempdir().unwrap();
    fs::create_dir(read.path().join(".fmf")).unwrap();
    fs::write(read.path().join(".fmf/version"), "1\n").unwrap();
    fs::write(read.path().join("metadata.fmf"), metadata).unwrap();
    let tree = atex_fmf::Tree::load(read.path()).unwrap();
    let mut json = String::new();
    tree.find("/metadata").expect("a node").write_json(&mut json);
    let metadata: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(metadata["data"]["summary"], "Looks around", "{json}");
    assert_eq!(metadata["data"]["tag"][1], "two", "{json}");
}

#[test]
fn scripts_run_in_the_root_of_the_tree_and_stop_at_the_first_failure() {
    let plan = r#"
prepare:
    script:
      - '[ "$PWD" = "$TMT_TREE" ] && [ -e lib/x ] && echo first >> "$COUNTER"'
      - |
        false | true
        echo second >> "$COUNTER"
      - echo third >> "$COUNTER"
"#;
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}{plan}")),
        ("one.fmf", "test: 'true'\n".to_owned()),
        ("lib/x", String::new()),
    ]);
    scene.run(3, ["build"]);
    assert_eq!(scene.ran_in_order(), ["first"]);
}

#[test]
fn a_variable_of_a_test_of_tmts_changes_nothing_of_what_is_done_around_it() {
    let scene = Scene::new([("plan.fmf", PLAN)]);
    for (name, value) in [
        ("GLOBIGNORE", "*"),
        ("FUNCNEST", "1"),
        ("BASH", "/bin/true"),
        ("PATH", "/nowhere"),
    ] {
        // Only words of bash itself, since there may be no path.
        scene.write(
            "one.fmf",
            format!(
                "test: |\n    printf -- '- {{name: x, result: fail}}\\n' >\"$TMT_TEST_DATA/tmt-report-results.yaml\"\n    \
                 echo \"${name}\"\nenvironment: {{{name}: '{value}'}}\n"
            ),
        );
        let ran = scene.run(1, ["build"]);
        let results = scene.results("/one");
        assert_eq!(results[0]["name"], "x", "{name}: {results:?} {ran:?}");
        assert_eq!(results[1]["status"], "fail", "{name}: {results:?} {ran:?}");
        if name != "BASH" {
            assert!(
                scene.output("/one").contains(value),
                "the test itself has {name}: {ran:?}"
            );
        }
    }
}
