//! Tests that are written in a plan: those of `discover: how: shell`, and the scripts of `execute`.

use crate::e2e_main::scene::{Scene, git, results};

#[test]
fn a_plan_holds_tests_of_its_own() {
    let plan = r#"discover:
  how: shell
  tests:
  - {name: one, test: 'echo "$TMT_TEST_NAME in ${PWD#$TMT_TREE} $X" >>"$COUNTER"; cat file', environment: {X: 1}}
  - {name: /deep/two, test: 'echo "$TMT_TEST_NAME in ${PWD#$TMT_TREE}" >>"$COUNTER"', path: /sub, tag: deep}
  - {name: first, test: 'echo first >>"$COUNTER"; exit 1', result: xfail, order: 10}
  - {name: one, environment: {X: 2}, test: 'echo "$TMT_TEST_NAME in ${PWD#$TMT_TREE} $X" >>"$COUNTER"; cat file'}
  - {name: off, test: 'false', enabled: false}
  - {name: by-hand, test: 'false', manual: true}
execute: {how: tmt}
"#;
    let scene = Scene::new([("plan.fmf", plan), ("file", "content\n"), ("sub/x", "")]);
    let ran = scene.run(0, ["build"]);
    assert!(!ran.said("not obeyed") && !ran.said("not supported"), "{ran:?}");
    let all = ["first", "/one in  2", "/deep/two in /sub"];
    assert_eq!(scene.ran_in_order(), all);
    let run = scene.latest();
    assert_eq!(
        results(&run, "/first")[0]["status"],
        "pass",
        "what was expected to fail did"
    );
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0], "they are recorded like other tests");
    scene.edit("file", "content", "other");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran().len(), 3, "all files of the tree are their inputs");
    scene.run(0, ["test", "/deep/two"]);
    assert_eq!(scene.ran(), ["/deep/two in /sub"]);
    scene.run(0, ["test", "--filter", "tag:-deep", "one|deep"]);
    assert_eq!(scene.ran(), ["/one in  2"]);
    let why = scene.run(0, ["why", "/one"]);
    assert!(why.said("does not run"), "{why:?}");
    scene.edit("plan.fmf", "X: 2", "X: 3");
    let why = scene.run(0, ["why", "/one"]);
    assert!(
        why.said("plan.fmf:7"),
        "the place of the change is in the plan: {why:?}"
    );
}

#[test]
fn scripts_of_execute_are_tests() {
    let plan = "execute:\n  how: tmt\n  duration: 2s\n  script: ['true', 'exit 7', 'sleep 60']\n";
    let scene = Scene::new([("plan.fmf", plan)]);
    scene.run(3, ["build"]);
    let run = scene.latest();
    let status = |name: &str| results(&run, name).pop().expect("a result")["status"].clone();
    assert_eq!(status("/script-00"), "pass");
    assert_eq!(status("/script-01"), "error");
    assert_eq!(status("/script-02"), "infra");
    scene.write("t.fmf", "test: 'true'\n");
    scene.write("plan.fmf", format!("{plan}discover: {{how: fmf}}\n"));
    let ran = scene.run(2, ["build"]);
    assert!(ran.said("plan.fmf:4") && ran.said("`script` of `execute`"), "{ran:?}");
}

#[test]
fn a_section_may_take_its_files_from_a_repository() {
    let scene = Scene::new([("t.fmf", "test: 'true'\n")]);
    let work = scene.world.path("work");
    scene
        .world
        .write("work/tool.sh", "echo \"tool in ${PWD##*/}\" >>\"$COUNTER\"\n");
    git(["init", "-q"], &work);
    git(["add", "."], &work);
    git(["commit", "-qm", "one"], &work);
    let url = work.display();
    let plan = format!(
        "discover:\n- {{name: far, how: shell, url: {url}, tests: [{{name: x, test: bash tool.sh}}]}}\n\
         - {{name: near, how: fmf}}\nexecute: {{how: tmt}}\n"
    );
    scene.write("plan.fmf", &plan);
    let ran = scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["tool in far"], "{ran:?}");
    scene.world.write("work/tool.sh", "false\n");
    git(["commit", "-qam", "two"], &work);
    scene.run(1, ["build"]);
}
