//! Tests of mounts below the tree at the end of a test: the test's own result names them, the next test does not find them, and
//! nothing is lost.

use std::path::Path;

use serde_json::Value;

use crate::e2e_main::namespace;
use crate::e2e_main::scene::{Scene, witness};
use crate::support::Ran;

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n\
                    prepare: {how: shell, script: 'echo prepare >>$COUNTER'}\n";

/// A tree in which `/a` does something and `/b` runs after it, and a directory of the machine with a file in it.
fn scene(a: &str) -> Scene {
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        (
            "a.fmf",
            format!("{}order: 1\n", test(&format!("echo test a >>$COUNTER; {a}"))),
        ),
        (
            "b.fmf",
            format!("{}order: 2\n", test("echo test b >>$COUNTER; [[ ! -e point/file ]]")),
        ),
    ]);
    scene.world.write("precious/file", "kept");
    scene
}

fn test(script: &str) -> String {
    format!("test: |\n    {script}\n")
}

/// Builds, where mounting is possible; the script goes on with what it finds.
fn build(scene: &Scene, then: &str) -> Option<Ran> {
    let call = scene.atex(["build"]);
    let precious = scene.world.path("precious");
    let call = call.args([format!("--environment=PRECIOUS={}", precious.display())]);
    let places: [&Path; 2] = [&scene.world.path("sut/v1/tree"), &scene.world.path("found")];
    let script = format!("mount --bind /proc /proc || exit 77\ncall; rc=$?\n{then}\nexit $rc");
    namespace::run(&call, &places, &script)
}

fn state(scene: &Scene) -> Value {
    serde_json::from_str(&scene.world.read("sut/v1/state")).unwrap()
}

#[test]
fn what_a_test_leaves_mounted_is_named_in_its_result_and_gone_before_the_next() {
    for mounts in [
        "mkdir point; mount --bind $PRECIOUS point",
        "mkdir $TMT_TEST_DATA/point; mount --bind $PRECIOUS $TMT_TEST_DATA/point",
        "mkdir -p point 'an other'; mount -t tmpfs none 'an other'; mount --bind $PRECIOUS point; mount --bind $PRECIOUS point; exit 0",
    ] {
        let scene = scene(mounts);
        let Some(ran) = build(&scene, "") else { return };
        ran.expect(0);
        let result = &scene.results("/a")[0];
        let note = result["note"].as_str().unwrap();
        assert!(
            note.starts_with("left mounted: `") && note.contains("/point` ("),
            "{note}"
        );
        assert!(!note.contains("still mounted"), "{note}");
        assert_eq!(note.contains("/an other` (tmpfs)"), mounts.contains("tmpfs"), "{note}");
        assert_eq!(result["status"], "pass");
        assert!(scene.results("/b")[0]["note"].is_null());
        assert_eq!(scene.ran_in_order(), ["prepare", "test a", "prepare", "test b"]);
        assert_eq!(scene.world.read("precious/file"), "kept");
        assert!(state(&scene)["taint"].is_null(), "it was prepared again");
    }
}

#[test]
fn what_would_be_lost_stays_mounted_and_the_machine_leaves_the_run() {
    let scene = scene("mkdir point; mount -t tmpfs none point; echo all there is >point/file; exit 1");
    let Some(ran) = build(&scene, "cat \"$1\"/main/point/file >\"$2\"") else {
        return;
    };
    let ran = ran.expect(3);
    assert_eq!(scene.world.read("found"), "all there is\n");
    let result = &scene.results("/a")[0];
    let note = result["note"].as_str().unwrap();
    assert!(
        note.contains("; still mounted: `") && note.ends_with("/point` (tmpfs)"),
        "{note}"
    );
    assert_eq!(result["status"], "fail", "the verdict is the test's");
    let after = &scene.results("/b")[0];
    assert_eq!(
        (&after["status"], &after["error"]),
        (&"infra".into(), &"unreachable".into())
    );
    assert!(after["note"].as_str().unwrap().contains("/point` (tmpfs)"), "{after}");
    assert!(ran.stdout.contains("hint: unmount it there"), "{ran:?}");
    assert_eq!(scene.ran_in_order(), ["prepare", "test a"]);
}

#[test]
fn the_last_test_of_a_run_taints_the_machine_with_what_it_left_mounted() {
    let scene = scene("mkdir point; mount --bind $PRECIOUS point");
    scene.write("b.fmf", witness("b").replace("test:", "order: 0\ntest:"));
    let Some(ran) = build(&scene, "") else { return };
    ran.expect(0);
    assert_eq!(scene.ran_in_order(), ["prepare", "test b", "test a"]);
    let reason = state(&scene)["taint"]["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("/a` left mounted: `") && reason.contains("/point` ("),
        "{reason}"
    );
}

#[test]
fn what_prepare_mounted_stays_and_is_nobodys_fault() {
    let scene = scene("cat made/file >>$COUNTER; echo >>$COUNTER");
    scene.write(
        "plan.fmf",
        PLAN.replace(">>$COUNTER", ">>$COUNTER; mkdir made; mount --bind $PRECIOUS made"),
    );
    scene.write(
        "b.fmf",
        format!("{}order: 2\n", test("cat made/file >>$COUNTER; echo >>$COUNTER")),
    );
    let Some(ran) = build(&scene, "") else { return };
    let ran = ran.expect(0);
    assert!(
        !ran.stdout.contains("mounted") && !ran.stderr.contains("mounted"),
        "{ran:?}"
    );
    assert_eq!(scene.ran_in_order(), ["prepare", "test a", "kept", "kept"]);
    assert!(scene.results("/a")[0]["note"].is_null());
    assert!(state(&scene)["taint"].is_null());
}
