//! Tests of the table "why it exists" of the design, row by row: what the local kind of machine can show of each row, in the
//! row's own words.
//!
//! Rows about SSH connections are tested with the SSH kind. Other rows are elsewhere in this binary: `variables` (the environment
//! file), `together` (races between processes of one user), `volume` (constant memory), `exit_codes`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::e2e_main::running::processes_of;
use crate::e2e_main::scene::{Scene, eventually, report, witness};

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

/// A test that goes on when a file is there.
const GATED: &str = "test: echo begin >> \"$COUNTER\"; until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done\n";

/// All files below a directory.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn one_process_however_many_tests_run() {
    let scene = Scene::new([("plan.fmf", PLAN), ("a.fmf", GATED), ("b.fmf", GATED), ("c.fmf", GATED)]);
    let targets = ["x", "y", "z"].map(|name| format!("local?name={name}&dir={}", scene.world.path(name).display()));
    let call = scene
        .world
        .atex()
        .args(["build", "-s", &targets[0], "-s", &targets[1], "-s", &targets[2]]);
    let run = crate::e2e_main::running::Running::start(call, "out");
    eventually("three tests at once", || {
        (scene.world.read("ran").lines().count() == 3).then_some(())
    });
    let binary = fs::canonicalize(env!("CARGO_BIN_EXE_atex")).expect("the binary");
    let is_atex = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == binary);
    assert_eq!(processes_of(&scene.world).iter().filter(|pid| is_atex(pid)).count(), 1);
    scene.world.write("ran.go", "");
    run.end().expect(0);
}

#[test]
fn test_name_reuses_the_prepared_machine_without_any_preparation_of_files_by_hand() {
    let scene = Scene::new([
        (
            "plan.fmf",
            format!(
                "{PLAN}prepare: {{script: 'echo prepare >> \"$COUNTER\"; echo TOOL=made >> \"$TMT_PLAN_ENVIRONMENT_FILE\"'}}\n"
            ),
        ),
        (
            "a.fmf",
            "test: '[ \"$TOOL\" = made ]; echo a >> \"$COUNTER\"'\n".to_owned(),
        ),
    ]);
    scene.run(0, ["build", "--until", "prepare"]);
    assert_eq!(scene.ran(), ["prepare"]);
    scene.run(0, ["test", "/a"]);
    scene.run(0, ["test", "/a"]);
    assert_eq!(scene.ran(), ["a", "a"]);
}

#[test]
fn results_are_readable_while_they_grow() {
    let first = r#"{"status":"pass","name":"first"}"#;
    let second = r#"{"status":"pass","name":"second"}"#;
    let test = format!(
        "test: |\n    {}\n    until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done\n    {}\n",
        report(first),
        report(second)
    );
    let scene = Scene::new([("a.fmf", test)]);
    let run = scene.start("out", ["test", "/a"]);
    let path = scene.world.path("out/tests/a/results.jsonl");
    let first = format!("{first}\n");
    eventually("the first result, while the test runs", || {
        (fs::read_to_string(&path).ok()? == first).then_some(())
    });
    scene.world.write("ran.go", "");
    run.end().expect(0);
    let all = fs::read_to_string(&path).expect("results");
    let rest = all.strip_prefix(&first).expect("what was there is only added to");
    assert_eq!(rest.lines().count(), 2);
}

#[test]
fn an_exit_code_tells_the_infrastructure_from_a_failed_test() {
    let scene = Scene::new([("plan.fmf", PLAN), ("a.fmf", "test: exit 255\n")]);
    scene.run(1, ["build"]);
    scene.write("a.fmf", "test: sleep 1000\nduration: 1s\n");
    scene.run(3, ["build"]);
    scene.write("plan.fmf", format!("{PLAN}prepare: {{script: exit 255}}\n"));
    scene.run(3, ["build"]);
}

#[test]
fn nothing_of_the_suite_is_copied_on_the_host() {
    let scene = Scene::new([("plan.fmf", PLAN.to_owned()), ("a.fmf", witness("a"))]);
    let content = "a text that stands in no other file\n".repeat(100);
    scene.write("lib/large", &content);
    scene.run(0, ["ls"]);
    scene.run(0, ["build", "--until", "discover"]);
    scene.run(0, ["build"]);
    for file in files_below(&scene.world.path("home")) {
        let held = fs::read(&file).unwrap_or_default();
        let copied = held.windows(content.len()).any(|part| part == content.as_bytes());
        assert!(!copied, "{} holds a file of the suite", file.display());
    }
}

#[test]
fn a_machine_gets_what_it_lacks_by_content() {
    let scene = Scene::new([("plan.fmf", PLAN.to_owned()), ("a.fmf", witness("a"))]);
    scene.write("lib/kept", "1");
    scene.write("lib/changed", "1");
    scene.run(0, ["build"]);
    let find = |name: &str| {
        let all = files_below(&scene.world.path("sut"));
        all.into_iter()
            .find(|path| path.to_string_lossy().ends_with(name))
            .unwrap_or_else(|| panic!("no {name} on the machine"))
    };
    let inode = |name: &str| fs::metadata(find(name)).expect("a file").ino();
    let before = inode("lib/kept");
    scene.write("lib/kept", "1");
    scene.write("lib/changed", "2");
    fs::remove_file(find("-main/a.fmf")).expect("a file");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["test a", "test a"]);
    assert_eq!(inode("lib/kept"), before, "what is there is not brought again");
    assert_eq!(fs::read_to_string(find("lib/changed")).expect("text"), "2");
    find("-main/a.fmf");
}

#[test]
fn paths_on_the_machine_are_never_those_of_the_host() {
    let scene = Scene::new([
        ("plan.fmf", PLAN),
        ("deep/a.fmf", "test: pwd; echo \"$TMT_TREE\"; env\n"),
    ]);
    scene.run(0, ["build"]);
    let output = scene.output("/deep/a");
    let host = scene.world.tree().display().to_string();
    assert!(!output.contains(&host), "{output}");
    assert!(output.starts_with(&scene.world.sut().display().to_string()), "{output}");
}

#[test]
fn the_paths_of_a_test_are_known_from_its_name() {
    let scene = Scene::new([
        ("plan.fmf", PLAN),
        ("suite/some test.fmf", "test: echo said\n/virtual/leaf: {}\n"),
    ]);
    scene.run(0, ["build"]);
    let dir = scene.latest().join("tests/suite/some test/virtual/leaf");
    assert_eq!(
        fs::read_to_string(dir.join("files/output.txt")).expect("the output"),
        "said\n"
    );
    assert!(dir.join("results.jsonl").exists());
}

#[test]
fn a_machine_whose_wrapper_dies_is_known_at_once() {
    let scene = Scene::new([
        ("plan.fmf", PLAN),
        (
            "a.fmf",
            "test: kill -9 $PPID; sleep 1000\nduration: 1h\nextra-atex-interface: atex\n",
        ),
    ]);
    scene.run(3, ["build"]);
    assert_eq!(scene.results("/a")[0]["error"], "aborted");
}
