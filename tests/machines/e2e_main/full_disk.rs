//! Tests of a full disk: there is one clear message, and what was reported before is kept. If only the cache's disk is full, only
//! records are lost. A small file system in a mount namespace of the test's own serves as the disk.

use std::process::Command;

use crate::e2e_main::namespace;
use crate::e2e_main::scene::{Scene, results, witness};
use crate::support::{Atex, Ran};

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

/// Runs a call where `small`, a directory of its world, is a filesystem of 256 KiB; whatever is there afterwards is copied to `kept`.
/// `None` where this machine does not let us mount.
fn with_little_room(atex: &Atex, small: &str) -> Option<Ran> {
    let script = r#"mkdir -p "$1" && mount -t tmpfs -o size=256k tmpfs "$1" || exit 77
call; rc=$?
cp -r "$1" "$2"; exit $rc"#;
    namespace::run(atex, &[&atex.world().path(small), &atex.world().path("kept")], script)
}

#[track_caller]
fn one_message(ran: &Ran) {
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran:?}");
    assert!(all.contains("No space left on device"), "{ran:?}");
    for trace in ["panicked", "RUST_BACKTRACE", "Err(", "os error", "defect"] {
        assert!(!all.contains(trace), "`{trace}` in {ran:?}");
    }
}

#[test]
fn a_full_disk_of_the_results_ends_the_run_and_keeps_what_was_written() {
    let big = "test: |\n    head -c 1000000 /dev/zero | tr '\\0' x\norder: 60\n";
    let scene = Scene::new([("plan.fmf", PLAN), ("big.fmf", big)]);
    scene.write("a.fmf", witness("a"));
    let out = scene.world.path("small/out");
    let call = scene.atex(["build"]).args(["-o".as_ref(), out.as_os_str()]);
    let Some(ran) = with_little_room(&call, "small") else {
        return;
    };
    one_message(&ran.expect(3));
    assert_eq!(results(&scene.world.path("kept/out"), "/a")[0]["status"], "pass");
    let end = crate::e2e_main::running::events(&scene.world.path("kept/out"))
        .pop()
        .unwrap_or_default();
    assert_eq!(end["tests"], serde_json::json!({"pass": 1, "infra": 1}), "{end}");
    assert_eq!(scene.ran(), ["test a"]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0], "what passed before is recorded");
}

#[test]
fn a_full_disk_of_the_cache_keeps_the_results() {
    let big = "test: |\n    head -c 1000000 /dev/zero | tr '\\0' x\n";
    let scene = Scene::new([("plan.fmf", PLAN), ("big.fmf", big)]);
    let out = scene.world.path("out");
    let call = scene.atex(["build"]).args(["-o".as_ref(), out.as_os_str()]);
    let call = call.env("ATEX_CACHE", scene.world.path("small/cache"));
    let Some(ran) = with_little_room(&call, "small") else {
        return;
    };
    let told = ran.expect(0);
    assert!(
        told.stdout.contains("`test /big` is not recorded")
            || told.stdout.contains("is not recorded, and the run goes on"),
        "{told:?}"
    );
    assert!(told.stdout.contains("No space left on device"), "{told:?}");
    assert_eq!(results(&out, "/big")[0]["status"], "pass");
    let end = crate::e2e_main::running::events(&out).pop().unwrap_or_default();
    assert_eq!(
        end["tests"],
        serde_json::json!({"pass": 1}),
        "the test itself has ended well"
    );
}

#[test]
fn a_project_that_cannot_be_given_its_name_begins_nothing() {
    let scene = Scene::new([("plan.fmf", PLAN.to_owned()), ("a.fmf", witness("a"))]);
    let (state, out) = (scene.world.path("small"), scene.world.path("out"));
    let call = scene.atex(["build"]).args(["-o".as_ref(), out.as_os_str()]);
    let call = call.env("XDG_STATE_HOME", &state);
    let script = r#"mkdir -p "$1" && mount -t tmpfs -o size=64k tmpfs "$1" || exit 77
mkdir "$1/atex" && cat /dev/zero >"$1/full" 2>/dev/null; call"#;
    let Some(ran) = namespace::run(&call, &[&state], script) else {
        return;
    };
    one_message(&ran.expect(3));
    assert_eq!(scene.ran(), [""; 0]);
}

#[test]
fn a_file_that_cannot_be_written_costs_its_test_and_the_run_goes_on() {
    let big =
        "test: |\n    head -c 1000000 /dev/zero | tr '\\0' x; sleep 1000\norder: 10\nextra-atex-interface: atex\n";
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("big.fmf", big.to_owned()),
        ("a.fmf", witness("a")),
    ]);
    let plain = scene.atex(["build"]).command();
    let mut command = Command::new("bash");
    // No file may be larger than 256 KiB.
    command.args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$0\" \"$@\""]);
    command.arg(plain.get_program()).args(plain.get_args());
    command.current_dir(scene.world.tree()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = scene.world.atex().ran(&command.output().expect("bash runs"));
    let ran = ran.expect(3);
    assert_eq!(ran.stderr.matches("error: cannot write").count(), 1, "{ran:?}");
    assert!(ran.stderr.contains("tests/big/files/output.txt"), "{ran:?}");
    assert_eq!(scene.results("/a")[0]["status"], "pass");
    let result = scene.results("/big").pop().expect("a result");
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"aborted".into())
    );
    assert_eq!(scene.ran(), ["test a"]);
    scene.run(0, ["build", "--name=/a"]);
    assert_eq!(scene.ran(), [""; 0], "what was written is recorded");
}

#[test]
fn a_full_disk_of_the_machine_is_a_failure_of_the_setup() {
    let scene = Scene::new([("plan.fmf", PLAN.to_owned()), ("a.fmf", witness("a"))]);
    scene.write("large", vec![b'x'; 1_000_000]);
    let call = scene.on("small/sut", ["build"]);
    let Some(ran) = with_little_room(&call, "small") else {
        return;
    };
    let ran = ran.expect(3);
    assert!(ran.stdout.contains("cannot write below `[TMP]/small/sut/"), "{ran:?}");
    let result = &scene.results("/a")[0];
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"setup".into())
    );
    assert_eq!(scene.ran(), [""; 0]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), ["test a"]);
}
