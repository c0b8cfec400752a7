//! Tests of plans that discover tests in several sections, from their own tree and from others.

use crate::e2e_main::scene::{Scene, git};

/// A test that leaves its name and its directory in the slot with the witness.
const TEST: &str = "test: echo \"$TMT_TEST_NAME in ${PWD#$TMT_TREE}\" >> \"$COUNTER\"\n";

#[test]
fn names_and_directories_of_tests_begin_with_their_section() {
    let plan = r#"discover:
  - {name: one, how: fmf, test: /a}
  - {name: two, how: fmf, exclude: /b}
execute: {how: tmt}
prepare: {script: 'echo "prepare among" * >> "$COUNTER"; [ "$PWD" = "$TMT_TREE" ]'}
"#;
    let scene = Scene::new([
        ("plan.fmf", plan),
        ("tests/a/main.fmf", TEST),
        ("tests/b/main.fmf", TEST),
        ("lib/x", ""),
    ]);
    scene.run(0, ["build"]);
    assert_eq!(
        scene.ran_in_order(),
        [
            "prepare among one two",
            "/one/tests/a in /one/tests/a",
            "/two/tests/a in /two/tests/a"
        ]
    );
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
    scene.run(0, ["test", "/two/tests/a"]);
    assert_eq!(scene.ran(), ["/two/tests/a in /two/tests/a"]);
    assert_eq!(scene.results("/two/tests/a")[0]["status"], "pass");
    scene.edit("tests/a/main.fmf", "echo", "true; echo");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran().len(), 2, "the tests of both sections, and no preparation");
}

#[test]
fn two_sections_of_one_name_are_refused() {
    let plan = "discover:\n  - {how: fmf, name: x}\n  - {how: fmf, name: x}\nexecute: {how: tmt}\n";
    let scene = Scene::new([("plan.fmf", plan), ("a.fmf", TEST)]);
    let ran = scene.run(2, ["build"]);
    assert!(
        ran.stderr.contains("plan.fmf:3") && ran.stderr.contains("`x`"),
        "{ran:?}"
    );
}

#[test]
fn a_section_with_a_url_takes_the_tests_of_that_repository_at_that_state() {
    let scene = Scene::new([("a.fmf", TEST)]);
    let work = scene.world.path("work");
    scene.world.write("work/suite/.fmf/version", "1\n");
    scene.world.write("work/suite/far/main.fmf", TEST);
    git(["init", "-q"], &work);
    git(["add", "."], &work);
    git(["commit", "-qm", "one"], &work);
    git(["tag", "v1"], &work);
    scene
        .world
        .write("work/suite/far/main.fmf", TEST.replace("$TMT_TEST_NAME", "second"));
    git(["commit", "-qam", "two"], &work);
    git(["clone", "-q", "--bare", "work", "bare"], &scene.world.path(""));

    let url = format!("file://{}", scene.world.path("bare").display());
    let plan = |reference: &str| {
        format!(
            "discover:\n  - {{name: near, how: fmf}}\n  - {{name: far, how: fmf, url: '{url}', ref: {reference}, path: /suite}}\n\
             execute: {{how: tmt}}\n"
        )
    };
    scene.write("plan.fmf", plan("v1"));
    let near = "/near/a in /near";
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), [near, "/far/far in /far/far"]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
    scene.write("plan.fmf", plan("main"));
    scene.run(0, ["build"]);
    assert_eq!(scene.ran_in_order(), ["second in /far/far"], "the other section stands");
    scene.write("plan.fmf", plan("v9"));
    let ran = scene.run(2, ["build"]);
    assert!(
        ran.stderr.contains("v9") && ran.stderr.contains(&"file://[TMP]/bare".to_owned()),
        "{ran:?}"
    );
}
