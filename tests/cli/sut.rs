//! Tests of what `atex sut …` prints about the local machine, and what it does to the machine's state.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::{Ran, World};
use atex::sut::kind::local::Local;
use atex::sut::{Cancel, OnHeld, Project, Sut as _, SutState, Taint, local_facts};

fn sut<const N: usize>(world: &World, args: [&str; N]) -> Ran {
    world
        .atex()
        .args(["sut"])
        .args(args)
        .args(["--sut-dir"])
        .args([world.sut()])
        .run()
}

fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Opens the machine of a world as another process would, and returns it with the lease held.
fn other(world: &World) -> Local {
    let mut machine = Local::new("local", Some(world.sut()), Cancel::new().unwrap()).unwrap();
    machine.open(OnHeld::Fail, &mut |_| {}).unwrap();
    machine
}

fn tainted() -> SutState {
    SutState {
        chain: vec!["3f".repeat(32), "91".repeat(32)],
        prepared_at: Some(now() - 7_300),
        done_at: vec![now() - 8_000, now() - 7_300],
        boot: Some(local_facts().boot_id),
        taint: Some(Taint {
            reason: "test /a ended by timeout".into(),
            at: now() - 200,
        }),
        unfinished: vec!["/plans/a".into()],
        layers: 1,
        ..SutState::default()
    }
}

#[test]
fn a_machine_says_what_it_is_prepared_for() {
    let world = World::new();
    assert!(
        sut(&world, ["ls"])
            .expect(0)
            .stdout
            .trim_end()
            .ends_with("not prepared  free")
    );
    other(&world)
        .set_state(&SutState {
            taint: None,
            ..tainted()
        })
        .unwrap();
    let ran = sut(&world, ["ls"]).expect(0);
    assert!(
        ran.stdout
            .trim_end()
            .ends_with("prepared 2h ago, 2 steps; finish owed: /plans/a  free"),
        "{ran:?}"
    );
    let ran = sut(&world, ["show"]).expect(0);
    assert!(ran.stdout.contains(&"91".repeat(32)), "{ran:?}");
    assert!(ran.stdout.contains("unfinished  /plans/a"), "{ran:?}");
}

#[test]
fn a_machine_says_that_it_was_booted_since_it_was_prepared() {
    let world = World::new();
    let state = SutState {
        taint: None,
        boot: Some("another".into()),
        ..tainted()
    };
    other(&world).set_state(&state).unwrap();
    assert!(sut(&world, ["ls"]).expect(0).said("2 steps; booted since"));
}

#[test]
fn reset_empties_the_environment_files_of_plans() {
    let world = World::new();
    let project = Project {
        id: "p".into(),
        name: "/tree of somebody".into(),
    };
    let state = SutState {
        projects: vec![project],
        ..SutState::default()
    };
    other(&world).set_state(&state).unwrap();
    let files = ["p.prepared", "p.base"].map(|name| world.sut().join("v1/env").join(name));
    for file in &files {
        fs::write(file, "KEPT=1\n").unwrap();
    }
    sut(&world, ["reset"]).expect(0);
    for file in &files {
        assert_eq!(fs::read_to_string(file).unwrap(), "", "{}", file.display());
    }
}

#[test]
fn reset_clears_taint_and_chain_and_keeps_what_is_unfinished() {
    let world = World::new();
    other(&world).set_state(&tainted()).unwrap();
    insta::assert_debug_snapshot!(sut(&world, ["reset"]).expect(0), @"
    exit 0
    --- stdout
    local: was tainted 3m ago: test /a ended by timeout
    --- stderr
    warning: `atex finish` is still due on `local` for `/plans/a`
    ");
    let state = &sut(&world, ["show", "--json"]).expect(0).json()[0]["state"];
    assert_eq!(state["chain"], serde_json::json!([]));
    assert_eq!(state["taint"], serde_json::Value::Null);
    assert_eq!(
        state["unfinished"],
        serde_json::json!([{"plan": "/plans/a", "project": ""}])
    );
}

#[test]
fn a_machine_in_use_says_by_whom_and_is_not_reset() {
    let world = World::new();
    let lease = other(&world);
    let listed = sut(&world, ["ls"]).expect(0);
    let holder = format!("pid {} of ", std::process::id());
    assert!(
        listed.stdout.contains("local") && listed.stdout.contains(&holder),
        "{listed:?}"
    );
    let refused = sut(&world, ["reset"]).expect(3);
    assert!(refused.stderr.starts_with("error: "), "{refused:?}");
    assert!(refused.stderr.contains(&std::process::id().to_string()), "{refused:?}");
    drop(lease);
    sut(&world, ["reset"]).expect(0);
}

#[test]
fn looking_at_a_machine_that_is_in_use_shows_its_state_and_takes_nothing() {
    let world = World::new();
    let mut lease = other(&world);
    lease.set_state(&tainted()).unwrap();
    for _ in 0..3 {
        let listed = sut(&world, ["ls", "--json"]).expect(0).json();
        assert!(listed[0]["state"]["taint"].is_object(), "{listed:?}");
        assert!(listed[0]["lease"].as_str().unwrap().contains("pid "), "{listed:?}");
    }
    lease.set_state(&SutState::default()).unwrap();
    drop(lease);
    let listed = sut(&world, ["ls", "--json"]).expect(0).json();
    assert_eq!(listed[0]["lease"], serde_json::Value::Null);
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let world = World::new();
    world.write("sut", "a file");
    let ran = sut(&world, ["show"]).expect(3);
    assert!(ran.stderr.contains("[TMP]/sut"), "{ran:?}");
    assert!(!ran.stderr.contains("os error"), "{ran:?}");
}

#[test]
fn the_machines_of_a_pool_are_listed_once_they_were_used() {
    let world = World::new();
    assert_eq!(sut(&world, ["ls", "--json"]).expect(0).json().len(), 1);
    for number in [10, 2] {
        let dir = world.sut().join(number.to_string());
        let mut machine = Local::new("pool", Some(dir), Cancel::new().unwrap()).unwrap();
        machine.open(OnHeld::Fail, &mut |_| {}).unwrap();
        machine.set_state(&tainted()).unwrap();
    }
    fs::create_dir_all(world.sut().join("3")).unwrap();
    let listed = sut(&world, ["ls", "--json"]).expect(0).json();
    let names: Vec<_> = listed.iter().map(|machine| machine["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["local", "local-2", "local-10"]);
    let listed = sut(&world, ["ls", "--json", "-s", "local"]).expect(0).json();
    assert_eq!(listed.len(), 1, "who names machines gets those");
}

/// What lies below a directory, with modes and contents.
fn everything(dir: &Path) -> Vec<(PathBuf, u32, Option<Vec<u8>>)> {
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode();
    let (mut all, mut todo) = (vec![(dir.to_owned(), mode(dir), None)], vec![dir.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            all.push((path.clone(), mode(&path), fs::read(&path).ok()));
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                todo.push(path);
            }
        }
    }
    all.sort();
    all
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_directory_with_something_in_it_keeps_all_that_and_its_mode() {
    let world = World::new();
    world.write("sut/v1/tree/kept", "1");
    world.write("sut/v1/manifest/kept", "2");
    world.write("sut/.hidden", "3");
    set_mode(&world.sut(), 0o750);
    let before = everything(&world.sut());
    other(&world).set_state(&tainted()).unwrap();
    assert!(world.sut().join("atex/v1/state").is_file());
    let shown = sut(&world, ["ls", "--json"]).expect(0).json();
    assert!(
        shown[0]["state"]["taint"].is_object(),
        "a look finds the same place: {shown:?}"
    );
    let lease = other(&world);
    assert!(sut(&world, ["ls", "--json"]).expect(0).json()[0]["lease"].is_string());
    drop(lease);
    sut(&world, ["rm"]).expect(0);
    assert_eq!(everything(&world.sut()), before);
}

#[test]
fn an_empty_directory_is_used_itself_and_stays_as_it_was() {
    let world = World::new();
    fs::create_dir(world.sut()).unwrap();
    set_mode(&world.sut(), 0o750);
    let before = everything(&world.sut());
    drop(other(&world));
    assert!(world.sut().join("v1/tree").is_dir());
    set_mode(&world.sut(), 0o705);
    drop(other(&world));
    assert_eq!(fs::metadata(world.sut()).unwrap().permissions().mode() & 0o777, 0o705);
    set_mode(&world.sut(), 0o750);
    sut(&world, ["rm"]).expect(0);
    assert_eq!(everything(&world.sut()), before);
}

#[test]
fn a_directory_that_was_made_goes_and_what_somebody_put_there_does_not() {
    let world = World::new();
    sut(&world, ["rm"]).expect(0);
    assert!(!world.sut().exists());
    drop(other(&world));
    world.write("sut/notes", "kept");
    sut(&world, ["rm"]).expect(0);
    let left: Vec<_> = everything(&world.sut())
        .into_iter()
        .skip(1)
        .map(|(path, ..)| path)
        .collect();
    assert_eq!(left, [world.sut().join("notes")]);
}

#[test]
fn a_directory_of_an_older_atex_is_its_own_still() {
    let world = World::new();
    other(&world).set_state(&tainted()).unwrap();
    fs::remove_file(world.sut().join(".atex")).unwrap();
    assert!(sut(&world, ["ls", "--json"]).expect(0).json()[0]["state"]["taint"].is_object());
    assert!(sut(&world, ["show", "--json"]).expect(0).json()[0]["state"]["taint"].is_object());
    assert!(!world.sut().join("atex").exists());
    sut(&world, ["rm"]).expect(0);
    assert!(!world.sut().exists());
}

#[test]
fn a_directory_that_others_may_write_to_is_refused_and_nothing_of_it_is_believed() {
    let world = World::new();
    other(&world).set_state(&tainted()).unwrap();
    set_mode(&world.sut(), 0o1777);
    for command in ["ls", "show", "reset", "rm"] {
        let ran = sut(&world, [command]).expect(3);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            said.contains("others may write to `[TMP]/sut`") && said.contains("--sut-dir"),
            "{ran:?}"
        );
    }
    set_mode(&world.sut(), 0o711);
    assert!(sut(&world, ["ls", "--json"]).expect(0).json()[0]["state"]["taint"].is_object());
}

#[test]
fn a_sticky_directory_holds_one_of_the_users_own() {
    let world = World::new();
    fs::create_dir(world.sut()).unwrap();
    set_mode(&world.sut(), 0o1777);
    drop(other(&world));
    assert!(world.sut().join("atex/v1").is_dir());
    sut(&world, ["rm"]).expect(0);
    assert_eq!(everything(&world.sut()).len(), 1);
}

#[test]
fn nothing_of_another_users_directory_is_run_or_written_through() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let world = World::new();
    world.write("tree/a.fmf", "test: exit 0\n");
    world.write("precious", "kept\nas it is\n");
    let shared = world.path("shared");
    fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o1777);
    set_mode(&world.path(""), 0o755);
    let planted = format!(
        "cd {}; mkdir -p marked/v1/{{env,tree,manifest,job}} held empty \"$PWD\"/way/there; \
         echo 'id -un >ran-as' >marked/v1/env/base; touch marked/.atex marked/lease; \
         ln -s ../../precious held/lease; ln -s ../../precious held/run.lock; ln -s /tmp link",
        shared.display()
    );
    let planted = std::process::Command::new("setpriv")
        .args(["--reuid=4001", "--regid=4001", "--clear-groups", "bash", "-c", &planted])
        .status();
    assert!(planted.unwrap().success());
    let before = everything(&shared);
    for place in ["marked", "held", "held/below", "empty", "way/there/new", "link/of-atex"] {
        let run = || {
            world
                .atex()
                .args(["test", "/a"])
                .args(["--sut-dir".as_ref(), shared.join(place).as_os_str()])
                .run()
        };
        let ran = run().expect(3);
        let said = "belongs to the user with the number 4001; hint: ";
        assert!(ran.stdout.contains(said), "{place}: {ran:?}");
    }
    assert_eq!(everything(&shared), before);
    assert_eq!(fs::read_to_string(world.path("precious")).unwrap(), "kept\nas it is\n");
}

/// Runs a bash script on a machine with these users and groups; nothing where that cannot be made here. `$1` is the directory of the world.
fn with_users(world: &World, (users, groups): (&str, &str), script: &str) -> Option<std::process::Output> {
    world.write("passwd", users);
    world.write("group", groups);
    let script = format!(
        "mount --bind \"$1/passwd\" /etc/passwd && mount --bind \"$1/group\" /etc/group || exit 77; cd \"$1/tree\"; {script}"
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "bash", "-c", &script, "bash"]);
    let output = command.arg(world.path("")).output().ok()?;
    if output.status.code() == Some(77) || output.stderr.starts_with(b"unshare:") {
        eprintln!("SKIPPED: nothing can be mounted here, only root can");
        return None;
    }
    Some(output)
}

/// A world with one test, and the program in it, where every user can start it.
fn open_world() -> World {
    let world = World::new();
    world.write("tree/a.fmf", "test: exit 0\n");
    fs::copy(world.atex().command().get_program(), world.path("atex")).unwrap();
    set_mode(&world.path(""), 0o755);
    world
}

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

#[test]
fn what_a_private_group_may_write_is_the_users_own_and_what_others_in_it_may_is_not() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let world = open_world();
    for (place, group, mode) in [("ann", 4001, 0o700), ("team", 4002, 0o775)] {
        fs::create_dir(world.path(place)).unwrap();
        std::os::unix::fs::chown(world.path(place), Some(4001), Some(group)).unwrap();
        set_mode(&world.path(place), mode);
    }
    // Her own group has another number than she has.
    let users = "root:x:0:0::/root:/bin/sh\nann:x:4001:4002::/:/bin/sh\nbob:x:4003:4003::/:/bin/sh\n";
    for (groups, cache, sut, code) in [
        ("root:x:0:\nann:x:4002:\n", "team/cache", "team/sut", 0),
        ("root:x:0:\nann:x:4002:bob\n", "team/cache", "ann/sut", 2),
        ("root:x:0:\nann:x:4002:bob\n", "ann/cache", "team/sut", 3),
        ("root:x:0:\nstaff:x:4002:\n", "ann/cache", "team/sut", 3),
        ("root:x:0:\nstaff:x:4002:\n", "ann/cache", "ann/sut", 0),
    ] {
        let script = format!(
            "exec setpriv --reuid=4001 --regid=4002 --clear-groups env -i PATH=\"$PATH\" HOME=\"$1/ann\" \
             ATEX_CACHE=\"$1/{cache}\" \"$1/atex\" build --rerun --sut-dir \"$1/{sut}\""
        );
        let Some(output) = with_users(&world, (users, groups), &script) else {
            return;
        };
        assert_eq!(output.status.code(), Some(code), "{groups}{cache} {sut}: {output:?}");
        let refused = text(&output).contains("others may write to");
        assert_eq!(refused, code != 0, "{groups}{cache} {sut}: {output:?}");
    }
}

#[test]
fn where_home_is_another_users_what_to_set_is_said_and_works() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give a directory to another user");
        return;
    }
    let world = open_world();
    for place in ["other", "own"] {
        fs::create_dir(world.path(place)).unwrap();
    }
    std::os::unix::fs::chown(world.path("other"), Some(4001), Some(4001)).unwrap();
    let (other, own) = (world.path("other"), world.path("own"));
    let users = format!("root:x:0:0::{}:/bin/sh\n", own.display());
    let build = |home: &Path| {
        let script = format!(
            "exec env -i PATH=\"$PATH\" HOME={} \"$1/atex\" build --sut-dir \"$1/own/sut\"",
            home.display()
        );
        with_users(&world, (&users, "root:x:0:\n"), &script)
    };
    let Some(refused) = build(&other) else { return };
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(
        text(&refused).contains(&format!("set `HOME={}`", own.display())),
        "{refused:?}"
    );
    assert_eq!(everything(&other).len(), 1);
    let output = build(&own).expect("it could be made before");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
