//! Tests of a cache that cannot be read or written, in part or at all: unreadable parts are misses, one warning says so, and the
//! run goes on.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::e2e_main::scene::{Scene, witness};
use crate::support::{Atex, Ran};

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: 'echo prepare >> \"$COUNTER\"'}\n";

fn scene() -> Scene {
    let plan = [("plan.fmf".to_owned(), PLAN.to_owned())];
    let tests = (0..4).map(|number| (format!("t{number}.fmf"), witness(&number.to_string())));
    Scene::new(plan.into_iter().chain(tests))
}

/// Runs a call in what `wrapper`, a bash text that ends with `exec "$@"`, makes of the process.
fn within(wrapper: &str, atex: &Atex) -> Ran {
    let plain = atex.command();
    let mut command = Command::new("bash");
    command.args(["-c", wrapper, "bash"]).arg(plain.get_program());
    command.args(plain.get_args()).current_dir(atex.world().tree());
    command
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    atex.ran(&command.output().expect("bash runs"))
}

/// The same for whom modes of files hold, as they do not for root.
fn as_anybody(atex: &Atex) -> Ran {
    let drop = "exec setpriv --bounding-set=-dac_override,-dac_read_search,-fowner \"$@\"";
    within(
        if rustix::process::getuid().is_root() {
            drop
        } else {
            "exec \"$@\""
        },
        atex,
    )
}

fn told(ran: &Ran) -> Vec<&str> {
    let all = ran.stderr.lines().chain(ran.stdout.lines());
    all.filter(|line| line.contains("warning")).collect()
}

/// Builds with the cache in trouble. Returns how many tests ran.
#[track_caller]
fn build(scene: &Scene, what: &str) -> usize {
    let ran = as_anybody(&scene.atex(["build"]));
    assert_eq!(ran.code, 0, "{what}: {ran:?}");
    let told = told(&ran);
    assert!(
        told.iter().all(|line| line.contains("[TMP]/home/.cache/atex")),
        "{what}: {told:?}"
    );
    // Each test that is not recorded is named; misses are told for all of them together.
    let of_all = told
        .iter()
        .filter(|line| !line.contains("is not recorded, and will run again"))
        .count();
    assert!(!told.is_empty() && of_all <= 2, "{what}: {told:?}");
    scene.ran().iter().filter(|line| line.starts_with("test ")).count()
}

#[test]
fn what_of_the_cache_cannot_be_read_is_a_miss_and_what_cannot_be_written_costs_records_alone() {
    let parts = [
        ("records-v1", 0o000),
        ("blobs-v1", 0o000),
        ("claims-v1", 0o000),
        ("claims-v1", 0o500),
        ("lock", 0o000),
        ("format", 0o000),
        ("", 0o000),
    ];
    for (part, mode) in parts {
        let scene = scene();
        scene.run(0, ["build"]);
        scene.ran();
        // One has changed: it has to run, and to be recorded.
        scene.write("t0.fmf", witness("0 anew"));
        let path = scene.world.path("home/.cache/atex").join(part);
        let before = fs::metadata(&path).expect("a part of the cache").permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        let ran = build(&scene, &format!("{part} {mode:o}"));
        fs::set_permissions(&path, before).expect("it is ours");
        let readable = mode == 0o500 || ["claims-v1", "lock", "format"].contains(&part);
        assert_eq!(ran, if readable { 1 } else { 4 }, "{part} {mode:o}");
        scene.run(0, ["build"]);
        let again = scene.ran().len();
        scene.run(0, ["build"]);
        assert_eq!(scene.ran(), [""; 0], "{part}: after {again} more, all is recorded");
    }
}

#[test]
fn something_else_in_the_place_of_a_part_of_the_cache_is_in_nobodys_way() {
    for part in ["records-v1", "blobs-v1", "claims-v1", "facts-v1", "index-v2", "lock"] {
        let scene = scene();
        let path = scene.world.path("home/.cache/atex").join(part);
        fs::create_dir_all(path.parent().expect("a directory")).expect("can be made");
        if part == "lock" {
            fs::create_dir(&path).expect("can be made");
        } else {
            fs::write(&path, "a file").expect("can be written");
        }
        let ran = as_anybody(&scene.atex(["build"]));
        assert_eq!(ran.code, 0, "{part}: {ran:?}");
        assert_eq!(scene.ran().len(), 5, "{part}");
        if part != "lock" {
            assert_eq!(fs::read(&path).expect("it is there"), b"a file", "{part}");
        }
    }
}

#[test]
fn a_cache_on_a_file_system_that_is_only_read_is_used_and_not_written() {
    let scene = scene();
    scene.run(0, ["build"]);
    scene.ran();
    scene.write("t0.fmf", witness("0 anew"));
    let cache = scene.world.path("home/.cache/atex");
    let mount = format!(
        "exec unshare --mount --map-root-user --propagation private bash -c 'mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" || exit 77; exec \"$@\"' {} \"$@\"",
        cache.display()
    );
    let ran = within(&mount, &scene.atex(["build"]));
    if ran.code == 77 || ran.stderr.starts_with("unshare:") {
        eprintln!("SKIPPED: nothing can be mounted here (user namespaces, or root, are needed): {ran:?}");
        return;
    }
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(told(&ran).len(), 1, "{ran:?}");
    assert!(
        ran.stderr.contains("nothing is recorded: ") && ran.stderr.contains("Read-only file system"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("3 cached"), "{ran:?}");
    scene.ran();
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["test 0 anew"]);
}

#[test]
fn a_latest_link_that_cannot_be_made_is_no_reason_not_to_run() {
    let scene = scene();
    let runs = scene.world.path("home/.local/state/atex/runs");
    fs::create_dir_all(runs.join("latest/x")).expect("can be made");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran().len(), 5);
    let left = |path: &Path| fs::read_dir(path).expect("a directory").count();
    assert_eq!(left(&runs), 2, "the directory in the way, and the run's");
    fs::remove_dir_all(runs.join("latest")).expect("it is ours");
    symlink("nowhere", runs.join("latest")).expect("a link");
    scene.run(0, ["build"]);
    assert!(runs.join("latest/run.json").exists(), "a stale link is replaced");
}
