//! What `atex sut …` says of the local machine, and does to its state.

mod support;

use atex::sut::local::Local;
use atex::sut::{Cancel, OnHeld, Sut as _, SutState, Taint, local_facts};
use support::{Ran, World};

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
    drop(other(&world));
    let files = ["prepared", "base"].map(|name| world.sut().join("v1/env").join(name));
    for file in &files {
        std::fs::write(file, "KEPT=1\n").unwrap();
    }
    sut(&world, ["reset"]).expect(0);
    for file in &files {
        assert_eq!(std::fs::read_to_string(file).unwrap(), "", "{}", file.display());
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
    assert_eq!(state["unfinished"], serde_json::json!(["/plans/a"]));
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
    std::fs::create_dir_all(world.sut().join("3")).unwrap();
    let listed = sut(&world, ["ls", "--json"]).expect(0).json();
    let names: Vec<_> = listed.iter().map(|machine| machine["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["local", "local-2", "local-10"]);
    let listed = sut(&world, ["ls", "--json", "-s", "local"]).expect(0).json();
    assert_eq!(listed.len(), 1, "who names machines gets those");
}
