//! Tests of observed inputs: a file that was seen to be read is an input, and no other file becomes one by that.

use std::fs;
use std::path::Path;

use crate::e2e_main::scene::{Scene, witness};

/// Ways to read a neighbour's file that no rule finds in the script.
const READS: [&str; 6] = [
    ". ../$n/helper.sh",
    "exec ../$n/helper.sh",
    "grep -q . ../$n/link",
    "cat ../$n/*.sh | bash -e",
    "bash < ../$n/helper.sh",
    "cp ../$n/helper.sh ran; bash ran",
];

fn test_that(script: &str) -> String {
    format!("#!/bin/bash\nn=b\necho 'test a' >> \"$COUNTER\"\n{script}\n")
}

fn suite(script: &str) -> Scene {
    let scene = Scene::new([
        ("tests/a/main.fmf", "test: bash ./test.sh\n".to_owned()),
        ("tests/a/test.sh", test_that(script)),
        ("tests/b/main.fmf", witness("b")),
        ("tests/b/helper.sh", "#!/bin/sh\ntrue\n".to_owned()),
        ("tests/c/main.fmf", witness("c")),
        ("tests/c/helper.sh", "true\n".to_owned()),
    ]);
    let b = scene.world.path("tree/tests/b");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(b.join("helper.sh"), executable).expect("the file is ours");
    std::os::unix::fs::symlink("helper.sh", b.join("link")).expect("the directory is ours");
    scene
}

#[track_caller]
fn builds<const N: usize>(scene: &Scene, expected: [&str; N]) {
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), expected);
}

#[test]
fn a_file_that_a_test_was_seen_to_read_is_its_input() {
    for script in READS {
        let scene = suite(script);
        builds(&scene, ["test a", "test b", "test c"]);
        builds(&scene, []);
        scene.edit("tests/c/helper.sh", "true", "exit 0");
        builds(&scene, ["test c"]);

        scene.edit("tests/b/helper.sh", "true", "exit 0");
        let why = scene.why(["/tests/a"]);
        assert!(why.contains("observed/tests/b/helper.sh"), "{script}: {why}");
        builds(&scene, ["test a", "test b"]);
        builds(&scene, []);

        scene.edit("tests/b/helper.sh", "exit 0", "true");
        builds(&scene, []);
    }
}

#[test]
fn a_test_that_fails_by_what_it_reads_beside_its_inputs_is_not_cached() {
    let scene = suite(". ../$n/helper.sh");
    builds(&scene, ["test a", "test b", "test c"]);
    scene.edit("tests/b/helper.sh", "true", "false");
    scene.run(1, ["build"]);
    scene.run(1, ["build"]);
    assert_eq!(scene.ran(), ["test a", "test a", "test b"]);
}

#[test]
fn a_file_that_appears_beside_one_that_was_read_may_be_read_too() {
    let scene = suite("for file in ../$n/*.sh; do . $file; done");
    builds(&scene, ["test a", "test b", "test c"]);
    scene.write("tests/b/another.sh", "exit 1\n");
    scene.run(1, ["build"]);
    assert_eq!(scene.ran(), ["test a", "test b"]);
}

#[test]
fn the_names_in_a_directory_that_was_listed_are_an_input_and_what_its_files_hold_is_none() {
    for script in ["[[ $(ls ../$n | wc -l) -lt 4 ]]", "set -- ../$n/*; (($# < 4))"] {
        let scene = suite(script);
        builds(&scene, ["test a", "test b", "test c"]);
        scene.edit("tests/b/helper.sh", "true", "exit 0");
        scene.write("tests/c/another.sh", "exit 1\n");
        builds(&scene, ["test b", "test c"]);
        scene.write("tests/b/another.sh", "exit 1\n");
        let why = scene.why(["/tests/a"]);
        assert!(why.contains("observed/tests/b/"), "{script}: {why}");
        scene.run(1, ["build"]);
        assert_eq!(scene.ran(), ["test a", "test b"], "{script}");
    }
}

#[test]
fn names_beside_a_file_that_was_read_by_its_name_are_no_input() {
    let scene = suite(". ../$n/helper.sh");
    builds(&scene, ["test a", "test b", "test c"]);
    scene.write("tests/b/another.sh", "exit 1\n");
    builds(&scene, ["test b"]);
}

#[test]
fn metadata_that_a_test_reads_are_its_input() {
    let scene = suite("grep -q order: main.fmf || true");
    builds(&scene, ["test a", "test b", "test c"]);
    scene.edit("tests/a/main.fmf", "test:", "summary: not for the test\ntest:");
    builds(&scene, ["test a"]);
    scene.edit("tests/b/main.fmf", "test:", "summary: nobody reads it\ntest:");
    builds(&scene, []);
}

#[test]
fn what_a_prepare_step_was_seen_to_read_is_an_input_of_all_that_is_made_on_it() {
    let plan = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: bash lib/setup}\n";
    let setup = "n=b\necho prepare >> \"$COUNTER\"\ncat \"t\"ests/$n/helper.sh > made\n";
    let scene = suite("grep -q true ../../made");
    scene.write("plan.fmf", plan);
    scene.write("lib/setup", setup);
    builds(&scene, ["prepare", "test a", "test b", "test c"]);
    builds(&scene, []);
    scene.edit("tests/c/helper.sh", "true", "exit 0");
    builds(&scene, ["test c"]);
    scene.edit("tests/b/helper.sh", "true", "exit 0");
    scene.run(1, ["build"]);
    assert_eq!(
        scene.ran(),
        ["prepare", "test a", "test b", "test c"],
        "prepared anew, and test a fails"
    );
    scene.edit("tests/b/helper.sh", "exit 0", "true");
    builds(&scene, []);
    scene.run(0, ["test", "/tests/a"]);
    assert_eq!(
        scene.ran(),
        ["prepare", "test a"],
        "the machine was prepared with the other file"
    );
    scene.run(0, ["test", "/tests/a"]);
    assert_eq!(scene.ran(), ["test a"]);
}

#[test]
fn what_another_test_read_is_nobody_elses_input() {
    let scene = suite("cat ../$n/helper.sh");
    builds(&scene, ["test a", "test b", "test c"]);
    for name in ["/tests/b", "/tests/c"] {
        let key = scene.run(0, ["why", name, "--json"]).json();
        let key = key[0]["key"].as_str().expect("each node has one").to_owned();
        let shown = scene.world.atex().args(["cache", "show", &key]).run().expect(0);
        assert!(!shown.stdout.contains("observed/"), "{name}: {shown:?}");
    }
}

#[test]
fn where_reads_cannot_be_seen_the_rules_count_and_that_is_said_once() {
    let scene = suite(". ../$n/helper.sh");
    let place = scene.world.path("blind");
    fs::create_dir(&place).expect("the directory is ours");
    let mounted = Blind::mount(&place);
    let told = scene.on("blind/sut", ["build"]).run();
    let shown = scene.on("blind/sut", ["sut", "show"]).run();
    let data = scene.on("blind/sut", ["sut", "show", "--json"]).run();
    drop(mounted);
    let told = told.expect(0);
    let shown = shown.expect(0);
    assert!(shown.stdout.contains("not seen: "), "{shown:?}");
    assert!(shown.stdout.contains("noatime"), "{shown:?}");
    assert_eq!(data.json()[0]["reads"]["seen"], false, "{data:?}");
    let shown = scene.run(0, ["sut", "show"]);
    assert!(
        shown.stdout.contains("reads       seen, in trees of up to 20000 files"),
        "{shown:?}"
    );
    assert_eq!(
        told.stdout.matches("does not tell which files are read").count(),
        1,
        "{told:?}"
    );
}

/// A file system in memory that notes no reads; it goes with the value.
struct Blind<'a>(&'a Path);

impl<'a> Blind<'a> {
    fn mount(place: &'a Path) -> Self {
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "noatime", "none"])
            .arg(place)
            .status();
        assert!(done.is_ok_and(|status| status.success()), "only root can mount");
        Self(place)
    }
}

impl Drop for Blind<'_> {
    fn drop(&mut self) {
        let _left_mounted = std::process::Command::new("umount").arg(self.0).status();
    }
}
