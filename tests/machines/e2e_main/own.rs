//! Tests of what lies in the tree without belonging to it: logs and directories of atex, files that change during a run, links
//! that lead out.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::e2e_main::scene::{Scene, witness};

#[test]
fn a_log_that_the_output_goes_to_is_no_input() {
    let scene = Scene::new([("a.fmf", witness("a"))]);
    for (log, args) in [("build.log", &["build"][..]), ("events", &["build", "--json"])] {
        let log = scene.world.path("tree").join(log);
        let ran = |log: &std::path::Path| {
            let file = File::create(log).expect("the tree is ours");
            let mut command = scene.atex(args.iter().copied()).command();
            command.stdout(file.try_clone().expect("a descriptor")).stderr(file);
            let status = command.stdin(Stdio::null()).status().expect("it starts");
            assert!(status.success(), "{}", fs::read_to_string(log).unwrap_or_default());
            scene.ran()
        };
        assert_eq!(ran(&log).len(), usize::from(args.len() == 1));
        assert_eq!(ran(&log), [""; 0], "{args:?}: the log is no input of anything");
        fs::remove_file(log).expect("it is there");
    }
}

#[test]
fn a_directory_of_a_run_and_the_cache_and_the_suts_directory_are_no_inputs() {
    let scene = Scene::new([("a.fmf", witness("a"))]);
    let tree = scene.world.path("tree");
    for (number, expected) in [(1, &["test a"][..]), (2, &[]), (3, &[])] {
        let out = tree.join(format!("out{number}"));
        let call = scene
            .world
            .atex()
            .args(["build", "--sut-dir"])
            .args([tree.join("sut").as_os_str()]);
        let call = call
            .args(["-o".as_ref(), out.as_os_str()])
            .env("ATEX_CACHE", tree.join(".cache"));
        let told = call.run().expect(0);
        assert_eq!(scene.ran(), expected, "{told:?}");
        assert_eq!(
            told.said("is the directory of a run of atex, and is left out"),
            number > 1,
            "{told:?}"
        );
    }
}

#[test]
fn what_lay_in_the_suts_directory_before_is_an_input_still() {
    let scene = Scene::new([
        (
            "a.fmf",
            witness("a").replace("echo", "cat shared/v1/data shared/lease >/dev/null; echo"),
        ),
        ("shared/v1/data", "1".to_owned()),
        ("shared/lease", "1".to_owned()),
    ]);
    let dir = scene.world.path("tree/shared");
    let build = || {
        let call = scene.world.atex().args(["build", "--sut-dir"]).args([&dir]);
        call.run().expect(0);
        scene.ran()
    };
    assert_eq!(build(), ["test a"]);
    assert!(dir.join("atex/v1/tree").is_dir());
    assert_eq!(build(), [""; 0], "what is atex's is no input");
    for path in ["shared/v1/data", "shared/lease"] {
        scene.write(path, "2");
        assert_eq!(build(), ["test a"], "{path}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_brought_costs_the_record_and_nothing_else() {
    let script = "test: grep -q . big && echo 'test a' >> \"$COUNTER\"\n";
    let scene = Scene::new([("a.fmf", script.to_owned()), ("b/main.fmf", witness("b"))]);
    let big = scene.world.path("tree/big");
    fs::write(&big, vec![b'x'; 8 << 20]).expect("the tree is ours");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write as _;
            let mut file = File::options().append(true).open(&big).expect("the tree is ours");
            // So often that it is another file by the time it is sent, for a while.
            for _ in 0..100 {
                let _full = file.write_all(b"more");
                std::thread::sleep(std::time::Duration::from_millis(30));
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
            }
        });
        let told = scene.atex(["build"]).run();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        told
    });
    let told = told.expect(0);
    let ran = scene.ran();
    assert_eq!(ran, ["test a", "test b"]);
    if told.said("was changed while it was brought: not recorded") {
        scene.run(0, ["build"]);
        assert_eq!(scene.ran(), ["test a", "test b"]);
    }
}

#[test]
fn what_an_absolute_link_leads_to_is_in_the_key_and_each_link_out_is_said() {
    let scene = Scene::new([("a/main.fmf", witness("a"))]);
    let outside = scene.world.path("outside");
    fs::create_dir_all(outside.join("below")).expect("the world is ours");
    fs::write(outside.join("below/file"), "one").expect("the world is ours");
    symlink(&outside, scene.world.path("tree/a/link")).expect("the tree is ours");
    let told = scene.run(0, ["build"]);
    assert!(told.said("the symlink `a/link` leads out of the tree"), "{told:?}");
    assert_eq!(scene.ran(), ["test a"]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
    fs::write(outside.join("below/file"), "two").expect("the world is ours");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["test a"]);
    fs::write(outside.join("below/file"), "one").expect("the world is ours");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
    fs::remove_file(scene.world.path("tree/a/link")).expect("it is there");
    symlink("../../outside", scene.world.path("tree/a/link")).expect("the tree is ours");
    let told = scene.run(0, ["build"]);
    assert!(told.said("what lies there is not brought to a machine"), "{told:?}");
}

#[test]
fn what_is_named_and_left_out_is_said_once_for_the_tests_that_are_selected_and_refused_when_strict() {
    let data = format!("{}  cat data.bin\n", witness("a").replace("test: ", "test: |\n  "));
    let scene = Scene::new([
        ("a/main.fmf", data.as_str()),
        ("a/data.bin", "data\n"),
        ("b/main.fmf", &witness("b")),
        (".gitignore", "\n*.bin\n"),
        (".git/HEAD", "ref: refs/heads/main\n"),
        (".git/objects/x", ""),
        (".git/refs/x", ""),
    ]);
    let said = "a/main.fmf:1: test `/a` names `a/data.bin`, which is not brought to the machine: .gitignore:2 (`*.bin`) leaves it out";
    let told = scene.run(1, ["build"]);
    assert_eq!(told.stderr.matches(said).count(), 1, "{told:?}");
    assert_eq!(scene.ran(), ["test a", "test b"]);
    let told = scene.run(2, ["build", "--strict"]);
    assert!(told.stderr.contains(said), "{told:?}");
    let told = scene.run(0, ["build", "--strict", "--name", "/b"]);
    assert!(!told.said("leaves it out"), "{told:?}");
    assert_eq!(scene.ran(), [""; 0]);
    scene.write(".gitignore", "*.log\n");
    let told = scene.run(0, ["build"]);
    assert!(!told.said("leaves it out"), "{told:?}");
    scene.write(".gitignore", "*.bin\n");
    scene.run(1, ["build"]);
    scene.write(
        "a/main.fmf",
        data.replace("cat data.bin", "cat data.bin || true").as_str(),
    );
    scene.run(0, ["build"]);
    // Where nothing has changed it is remembered, and said again.
    for _ in 0..2 {
        let told = scene.run(0, ["build"]);
        assert_eq!(told.stderr.matches("leaves it out").count(), 1, "{told:?}");
    }
}
