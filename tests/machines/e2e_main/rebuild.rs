//! Tests of what runs again after a change, and what `atex why` says about it: exactly the nodes that depend on the change.

use std::fs;
use std::process::Command;

use crate::e2e_main::scene::{Scene, git, witness};

/// A plan with a prepare chain for `/tests/a` and `/tests/c`, and one without any for `/tests/b`.
fn suite() -> Scene {
    let plans = r#"discover: {how: fmf}
execute: {how: tmt}
/left:
    discover+: {test: [/a, /c]}
    environment: {GREETING: hello}
    prepare:
      - how: shell
        script: |
            echo 'prepare one' >> "$COUNTER"
      - how: shell
        script: |
            echo 'prepare two' >> "$COUNTER"
/right:
    discover+: {test: /b}
"#;
    let adjusted = "adjust:\n  - when: variant == big\n    environment: {SIZE: big}\n    duration: 3m\n";
    let script = "#!/bin/bash\necho 'test a' >> \"$COUNTER\"\n";
    Scene::new([
        ("plans.fmf", plans.to_owned()),
        ("tests/a/main.fmf", "summary: First\ntest: ./test.sh\n".to_owned()),
        ("tests/a/test.sh", script.to_owned()),
        ("tests/b/main.fmf", witness("b") + "duration: 1m\n"),
        ("tests/c/main.fmf", witness("c") + adjusted),
        ("lib/common.sh", "true\n".to_owned()),
    ])
}

const ALL: [&str; 5] = ["prepare one", "prepare two", "test a", "test b", "test c"];

/// A suite that was built, and stands.
fn built() -> Scene {
    let scene = suite();
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ALL);
    scene
}

/// A build runs this and nothing else, and after that a further one nothing.
#[track_caller]
fn rebuilds<const N: usize>(scene: &Scene, expected: [&str; N]) {
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), expected);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0], "what was rebuilt stands");
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

/// Nothing would run, and `why` says so of each test.
#[track_caller]
fn stands(scene: &Scene) {
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
    for test in ["/tests/a", "/tests/b", "/tests/c"] {
        says(&scene.why([test]), &["does not run: it passed"]);
    }
}

#[test]
fn the_first_build_runs_all_and_the_second_nothing() {
    let scene = built();
    let ran = scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
    for test in ["/tests/a", "/tests/b", "/tests/c"] {
        let is_told = |line: &&str| line.starts_with("cached") && line.ends_with(&format!("{test}  local as of now"));
        assert_eq!(ran.stdout.lines().filter(is_told).count(), 1, "{ran:?}");
    }
}

#[test]
fn atex_test_runs_the_test_it_is_given_and_nothing_else() {
    let scene = built();
    for _ in 0..2 {
        scene.run(0, ["test", "/tests/a"]);
        assert_eq!(scene.ran(), ["test a"], "always, on the prepared machine");
    }
}

#[test]
fn a_changed_file_of_a_test_reruns_that_test() {
    let scene = built();
    scene.edit("tests/a/test.sh", "bash\n", "bash\n:\n");
    let why = scene.why(["/tests/a"]);
    says(&why, &["runs: since", "files/tests/a/test.sh: ", " executable -> "]);
    says(&scene.why(["/tests/b"]), &["does not run"]);
    rebuilds(&scene, ["test a"]);
}

#[test]
fn a_file_that_becomes_executable_or_comes_and_goes_reruns_its_test() {
    let scene = built();
    scene.write("tests/a/data", "1");
    says(&scene.why(["/tests/a"]), &["files/tests/a/data: added"]);
    rebuilds(&scene, ["test a"]);
    fs::remove_file(scene.world.path("tree/tests/a/data")).expect("it is there");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0], "what is as it was before is recorded");
    fs::remove_file(scene.world.path("tree/lib/common.sh")).expect("it is there");
    says(&scene.why(["/tests/b"]), &["files/lib/common.sh: removed"]);
    rebuilds(&scene, ALL);
    scene.write("tests/b/tool", "x");
    rebuilds(&scene, ["test b"]);
    let executable: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(scene.world.path("tree/tests/b/tool"), executable).expect("a file of ours");
    says(
        &scene.why(["/tests/b"]),
        &["files/tests/b/tool: ", " regular -> ", " executable"],
    );
    rebuilds(&scene, ["test b"]);
}

#[test]
fn an_empty_directory_that_comes_or_goes_reruns_its_test() {
    let scene = built();
    let empty = scene.world.path("tree/tests/a/empty");
    fs::create_dir(&empty).expect("nothing is there");
    says(&scene.why(["/tests/a"]), &["files/tests/a/empty: added"]);
    rebuilds(&scene, ["test a"]);
    scene.write("tests/a/test.sh", "#!/bin/bash\n[[ -d empty ]]\n");
    scene.run(0, ["build"]);
    fs::remove_dir(&empty).expect("it is there");
    scene.run(1, ["build"]);
}

#[test]
fn changed_metadata_that_matters_reruns_that_test() {
    let scene = built();
    scene.edit("tests/b/main.fmf", "duration: 1m", "duration: 2m");
    says(
        &scene.why(["/tests/b"]),
        &["metadata.duration: \"1m\" -> \"2m\"", "tests/b/main.fmf:2"],
    );
    rebuilds(&scene, ["test b"]);
    scene.edit("tests/b/main.fmf", "duration", "environment: {A: one}\nduration");
    says(
        &scene.why(["/tests/b"]),
        &["environment.A: added \"one\"", "tests/b/main.fmf:2"],
    );
    rebuilds(&scene, ["test b"]);
    scene.edit("tests/b/main.fmf", "echo", "true; echo");
    says(
        &scene.why(["/tests/b"]),
        &[": \"echo 'test b'", "-> \"true; echo", "tests/b/main.fmf:1"],
    );
    rebuilds(&scene, ["test b"]);
}

#[test]
fn a_changed_shared_file_reruns_all_that_may_use_it() {
    let scene = built();
    scene.edit("lib/common.sh", "true", "false");
    let why = scene.why(["/tests/c"]);
    says(
        &why,
        &["files/lib/common.sh: ", " regular -> ", "prepare /plans/left#1 shell:"],
    );
    rebuilds(&scene, ALL);
}

#[test]
fn a_changed_prepare_script_reruns_only_its_dependents() {
    let scene = built();
    scene.edit("plans.fmf", "'prepare two'", "'prepare 2'");
    let why = scene.why(["/tests/a"]);
    let (before, after) = ("script: \"echo 'prepare two' >> ", " -> \"echo 'prepare 2' >> ");
    says(&why, &["prepare /plans/left#2 shell:", before, after, "plans.fmf:11"]);
    assert!(!why.contains("left#1"), "the step before is as it was:\n{why}");
    // The machine has run another second step since: it is prepared from the first one.
    rebuilds(&scene, ["prepare 2", "prepare one", "test a", "test c"]);
}

#[test]
fn a_further_prepare_step_continues_where_the_machine_is() {
    let scene = built();
    let step = "      - script: echo 'prepare three' >> \"$COUNTER\"\n/right";
    scene.edit("plans.fmf", "/right", step);
    says(&scene.why(["/tests/a"]), &["prepare /plans/left#3 shell"]);
    rebuilds(&scene, ["prepare three", "test a", "test c"]);
}

#[test]
fn a_changed_environment_of_a_plan_reruns_that_plan() {
    let scene = built();
    scene.edit("plans.fmf", "hello", "welcome");
    for node in ["/tests/a", "prepare /plans/left#1 shell"] {
        says(
            &scene.why([node]),
            &["environment.GREETING: \"hello\" -> \"welcome\"", "plans.fmf:5"],
        );
    }
    says(&scene.why(["/tests/b"]), &["does not run"]);
    rebuilds(&scene, ["prepare one", "prepare two", "test a", "test c"]);
}

#[test]
fn a_changed_context_reruns_what_it_adjusts() {
    let scene = built();
    let why = scene.why(["/tests/c", "-c", "variant=big"]);
    says(
        &why,
        &[
            "environment.SIZE: added \"big\"",
            "tests/c/main.fmf:4",
            "metadata.duration: added \"3m\"",
            "tests/c/main.fmf:5 (adjust \"variant == big\")",
        ],
    );
    scene.run(0, ["build", "-c", "variant=big"]);
    assert_eq!(scene.ran(), ["test c"]);
    scene.run(0, ["build", "-c", "variant=small"]);
    scene.run(0, ["build", "-c", "variant=big"]);
    assert_eq!(scene.ran(), [""; 0], "both are recorded");
}

#[test]
fn a_test_that_failed_runs_again() {
    let scene = built();
    scene.edit(
        "tests/a/test.sh",
        "COUNTER\"\n",
        "COUNTER\"\n[ -e \"$COUNTER.fixed\" ]\n",
    );
    scene.run(1, ["build"]);
    assert_eq!(scene.ran(), ["test a"]);
    says(&scene.why(["/tests/a"]), &["runs: it failed"]);
    scene.world.write("ran.fixed", "");
    rebuilds(&scene, ["test a"]);
}

#[test]
fn what_changes_nothing_runs_nothing() {
    let scene = built();
    let now = fs::FileTimes::new().set_modified(std::time::SystemTime::now());
    for file in ["tests/a/test.sh", "tests/a/main.fmf", "lib/common.sh", "plans.fmf"] {
        let file = fs::File::options()
            .append(true)
            .open(scene.world.path("tree").join(file));
        file.and_then(|file| file.set_times(now)).expect("a file of ours");
    }
    stands(&scene);
    scene.edit(
        "tests/a/main.fmf",
        "summary: First",
        "summary: Another\ntag: [x]\ndescription: long\ntier: 2\norder: 7",
    );
    stands(&scene);
    scene.edit(
        "plans.fmf",
        "/left:\n",
        "# a comment\nsummary: Plans\n/left:\n    # and one more\n",
    );
    stands(&scene);
    scene.write("other.fmf", "/story: {story: As a user I want nothing to run}\n");
    stands(&scene);
}

#[test]
fn what_git_ignores_is_no_input() {
    let scene = suite();
    git(["init", "-q"], &scene.world.tree());
    scene.write(".gitignore", "*.o\n");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ALL);
    scene.write("tests/a/main.o", "1");
    git(["add", "."], &scene.world.tree());
    git(["commit", "-qm", "one"], &scene.world.tree());
    stands(&scene);
}

#[test]
fn another_path_of_the_tree_runs_nothing() {
    let scene = built();
    let copy = scene.world.path("elsewhere/copy");
    fs::create_dir_all(scene.world.path("elsewhere")).expect("a directory");
    let copied = Command::new("cp")
        .args(["-r", "--"])
        .arg(scene.world.tree())
        .arg(&copy)
        .status();
    assert!(copied.expect("cp is there").success());
    scene.atex(["-C", &copy.to_string_lossy(), "build"]).run().expect(0);
    assert_eq!(scene.ran(), [""; 0]);
}

#[test]
fn the_clone_of_another_user_runs_nothing() {
    let scene = built();
    git(["init", "-q"], &scene.world.tree());
    git(["add", "."], &scene.world.tree());
    git(["commit", "-qm", "one"], &scene.world.tree());
    let clone = scene.world.path("clone");
    let clone_it = "umask 027; exec git clone -q tree clone";
    let done = Command::new("bash")
        .args(["-c", clone_it])
        .current_dir(scene.world.path(""))
        .status();
    assert!(done.expect("bash is there").success());
    let config = scene.world.read("home/.config/atex/config.toml");
    scene.world.write("home2/.config/atex/config.toml", config);
    let call = scene.atex(["-C", &clone.to_string_lossy(), "build"]);
    let call = call.env("HOME", scene.world.path("home2")).env("USER", "somebody");
    call.env("ATEX_CACHE", scene.world.path("home/.cache/atex"))
        .run()
        .expect(0);
    assert_eq!(scene.ran(), [""; 0]);
}

#[test]
fn the_pass_of_a_test_whose_rules_are_not_obeyed_is_told_and_not_recorded() {
    let of_atex = "\nextra-atex-interface: atex";
    for rule in [
        format!("framework: beakerlib{of_atex}"),
        format!("result: xfail{of_atex}"),
        "framework: another".to_owned(),
    ] {
        let scene = Scene::new([("tests/a/main.fmf", witness("a") + &rule + "\n")]);
        for _ in 0..2 {
            let ran = scene.run(0, ["build"]);
            says(&ran.stdout, &["not recorded: `"]);
            says(&ran.stderr, &["1 test says `", "which is not obeyed"]);
            assert_eq!(
                scene.ran(),
                ["test a"],
                "{rule}: a wrong pass must not be taken from the cache"
            );
        }
        scene.run(2, ["build", "--strict"]);
    }
}

#[test]
fn what_jobs_find_in_their_environment_by_themselves_is_in_the_key() {
    let scene = Scene::new([("tests/a/main.fmf", "test: tool\n".to_owned())]);
    for (dir, code) in [("good", 0), ("bad", 1)] {
        scene
            .world
            .write(format!("{dir}/tool"), format!("#!/bin/sh\nexit {code}\n"));
    }
    let path = |dir: &str| {
        format!(
            "{}:{}",
            scene.world.path(dir).display(),
            std::env::var("PATH").expect("a path")
        )
    };
    scene.atex(["build"]).env("PATH", path("good")).run().expect(0);
    scene.atex(["build"]).env("PATH", path("bad")).run().expect(1);
    let cached = scene.atex(["build"]).env("PATH", path("good")).run().expect(0);
    assert!(cached.stdout.contains("1 cached"), "{cached:?}");
    let other = scene
        .atex(["build"])
        .env("PATH", path("good"))
        .env("LC_TIME", "C")
        .run()
        .expect(0);
    assert!(!other.stdout.contains("cached"), "{other:?}");
}
