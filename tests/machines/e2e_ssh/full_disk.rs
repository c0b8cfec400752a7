//! Tests of a machine with a full disk: what cannot be sent or started is a setup failure, and nothing incomplete counts as
//! complete.

use std::fs;
use std::path::PathBuf;

use crate::e2e_ssh::lab::Lab;
use crate::support::{Ran, World};

/// A lab whose machine keeps what atex has there on a disk of 2 MiB.
fn with_little_room() -> Option<Lab> {
    if !rustix::process::geteuid().is_root() {
        assert!(
            std::env::var_os("CI").is_none(),
            "only root can mount a small file system"
        );
        eprintln!("SKIPPED: only root can mount a small file system");
        return None;
    }
    let world = World::new();
    fs::create_dir(world.sut()).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=2m,mode=700 none {} && exec \"$@\"",
        world.sut().display()
    );
    Some(Lab::within(world, &["unshare", "-m", "sh", "-c", &script, "sshd"], ""))
}

/// A path on the machine, as it is seen from here.
fn there(lab: &Lab, path: &str) -> PathBuf {
    let sut = lab.world.sut();
    PathBuf::from(format!("/proc/{}/root", lab.sshd.pid()))
        .join(sut.strip_prefix("/").unwrap())
        .join(path)
}

/// What a test's first result says.
fn result(lab: &Lab, file: &str) -> serde_json::Value {
    let text = lab.world.read(file);
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

#[track_caller]
fn is_setup(lab: &Lab, ran: &Ran, out: &str, test: &str) {
    let result = result(lab, &format!("{out}/tests/{test}/results.jsonl"));
    assert_eq!(result["status"], "infra", "{result} {ran:?}");
    assert_eq!(result["error"], "setup", "{result} {ran:?}");
    assert!(ran.said("the disk there is full"), "{ran:?}");
}

#[test]
fn a_tree_that_finds_no_room_is_a_failure_of_the_setup_and_heals() {
    let Some(lab) = with_little_room() else { return };
    lab.run(0, ["test", "/a"]);
    assert_eq!(lab.ran(), ["prepare", "a"]);
    lab.world.write("tree/b/large", vec![b'x'; 3 << 20]);
    for out in ["one", "two"] {
        let ran = lab.run(3, ["test", "/b", "-o", &format!("../{out}")]);
        is_setup(&lab, &ran, out, "b");
        assert!(lab.ran().iter().all(|line| line != "b"));
    }
    // A half of it is not taken for the whole, and the place is free again.
    assert!(!there(&lab, "v1/tree/tree/b/large").exists());
    fs::remove_file(lab.world.path("tree/b/large")).unwrap();
    lab.run(0, ["test", "/b"]);
    assert_eq!(lab.ran(), ["b"], "the machine is as it was prepared");
    lab.world.write("tree/b/large", vec![b'x'; 1 << 20]);
    lab.world
        .write("tree/b/main.fmf", "test: '[[ $(stat -c %s large) = 1048576 ]]'\n");
    lab.run(0, ["test", "/b"]);
}

#[test]
fn a_test_that_fills_the_disk_fails_by_itself_and_the_next_one_finds_room() {
    let Some(lab) = with_little_room() else { return };
    lab.world.write(
        "tree/a/main.fmf",
        "test: |\n    echo a >>$COUNTER\n    echo before\n    head -c 5000000 /dev/zero >rubbish\norder: 1\n",
    );
    let ran = lab.run(1, ["build", "-o", "../out"]);
    assert_eq!(result(&lab, "out/tests/a/results.jsonl")["status"], "fail", "{ran:?}");
    assert!(lab.world.read("out/tests/a/files/output.txt").starts_with("before\n"));
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
}

#[test]
fn what_a_test_left_goes_though_the_disk_has_no_room_for_the_list_of_it() {
    let Some(lab) = with_little_room() else { return };
    // The names alone are more than what the test's own files give back when it has ended.
    lab.world.write(
        "tree/a/main.fmf",
        "test: |\n    echo a >>$COUNTER\n    for i in {1..60}; do : >$(printf 'x%0200d' $i); done\n    head -c 5000000 /dev/zero >rubbish\norder: 1\n",
    );
    let ran = lab.run(1, ["build", "-o", "../out"]);
    assert_eq!(result(&lab, "out/tests/a/results.jsonl")["status"], "fail", "{ran:?}");
    assert_eq!(result(&lab, "out/tests/b/results.jsonl")["status"], "pass", "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
    let kept = there(&lab, "v1/reserve").metadata().unwrap().len();
    assert!(kept > 200_000, "room is kept again: {kept}");
}

#[test]
fn a_disk_that_a_test_leaves_full_is_a_failure_of_the_setup_of_those_that_find_no_room() {
    let Some(lab) = with_little_room() else { return };
    lab.world.write(
        "tree/a/main.fmf",
        "test: |\n    echo a >>$COUNTER\n    head -c 5000000 /dev/zero >${TMT_TREE%/v1/*}/rubbish || true\norder: 1\n",
    );
    let long = "x".repeat(30_000);
    let text = format!("test: 'echo b >>$COUNTER; : {long}'\norder: 2\n");
    lab.world.write("tree/b/main.fmf", text);
    // For finish steps room is kept.
    let ran = lab.run(3, ["build", "-o", "../one"]);
    is_setup(&lab, &ran, "one", "b");
    assert_eq!(lab.ran(), ["prepare", "a", "finish"]);
    let told = lab.run(3, ["build", "-o", "../two"]);
    is_setup(&lab, &told, "two", "b");
    let ran = lab.ran();
    assert_eq!(
        ran.contains(&"prepare".to_owned()),
        ran.contains(&"finish".to_owned()),
        "{ran:?} {told:?}"
    );
    fs::remove_file(there(&lab, "rubbish")).unwrap();
    lab.run(0, ["build"]);
    let ran = lab.ran();
    assert_eq!(ran[ran.len() - 2..], ["b", "finish"]);
}
