//! Laws about the lease and the state: one runner at a time, no stale state, and a state that is believed only if it can be read.

use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::thread;

use atex::sut::{Cut, Due, OnHeld, Project, SutState, Taint, TroubleKind, Urgency};

use crate::sut_support::{Running, World, eventually, run, script, test};

pub(crate) fn second_runner_is_told_who_holds_the_lease(world: &mut World<'_>) {
    let _first = world.open();
    let trouble = (world.make)().open(OnHeld::Fail, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Held);
    assert!(
        trouble.message.contains(&format!("pid {}", std::process::id())),
        "{trouble}"
    );
    assert!(trouble.hint.is_some());
}

pub(crate) fn second_runner_waits_is_told_once_and_gets_the_lease(world: &mut World<'_>) {
    let mut first = world.open();
    let mut second = (world.make)();
    let (tell, told) = mpsc::channel();
    let waiter = thread::spawn(move || {
        second
            .open(OnHeld::Wait, &mut |text| tell.send(text).unwrap())
            .map(|_| second)
    });
    assert!(told.recv().unwrap().contains("held by pid"));
    first.close();
    let _second = waiter.join().unwrap().expect("the lease comes");
    assert_eq!(told.iter().count(), 0);
    assert_eq!(
        (world.make)().open(OnHeld::Fail, &mut |_| ()).unwrap_err().kind,
        TroubleKind::Held
    );
}

pub(crate) fn waiting_for_the_lease_ends_when_the_user_cancels(world: &mut World<'_>) {
    let _first = world.open();
    let mut second = (world.make)();
    let cancel = world.cancel.clone();
    let trouble = second
        .open(OnHeld::Wait, &mut |_| cancel.raise(Urgency::Graceful))
        .unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Cancelled);
}

pub(crate) fn lease_is_free_at_once_when_its_holder_is_killed(world: &mut World<'_>) {
    let mut runner = world.runner("open");
    assert_eq!(
        (world.make)().open(OnHeld::Fail, &mut |_| ()).unwrap_err().kind,
        TroubleKind::Held
    );
    runner.kill();
    (world.make)().open(OnHeld::Wait, &mut |_| ()).expect("nobody holds it");
}

pub(crate) fn closed_machine_is_free_and_can_be_opened_again(world: &mut World<'_>) {
    let mut sut = world.open();
    sut.close();
    let other = (world.make)().open(OnHeld::Wait, &mut |_| ());
    other.expect("it is free");
    sut.open(OnHeld::Wait, &mut |_| ()).expect("it opens again");
    assert_eq!(run(&mut *sut, &script("exit 4")).exit_code(), 4);
}

pub(crate) fn state_survives_the_connection(world: &mut World<'_>) {
    let (mut sut, hello) = world.open_with_hello();
    assert_eq!(hello.state, SutState::default());
    let state = SutState {
        chain: vec!["ab".repeat(32), "cd".repeat(32)],
        prepared_at: Some(1_800_000_000),
        done_at: vec![1_800_000_000],
        boot: Some("a boot".into()),
        taint: Some(Taint {
            reason: "test `/a` — ended\nby \"timeout\"".into(),
            at: 7,
        }),
        project: "0a".into(),
        projects: vec![Project {
            id: "0a".into(),
            name: "/trees/ü of somebody".into(),
        }],
        unfinished: vec![
            "/plans/ü".into(),
            Due {
                plan: "/plans/ü".into(),
                project: "0a".into(),
            },
        ],
        layers: 3,
    };
    sut.set_state(&state).unwrap();
    drop(sut);
    let (_sut, hello) = world.open_with_hello();
    assert_eq!(hello.state, state);
}

pub(crate) fn state_that_cannot_be_read_is_a_taint(world: &mut World<'_>) {
    drop(world.open());
    for garbage in [&b""[..], b"{", b"{\"chain\": [\"ab\"]", b"\0\0\0\0", b"[]", b"\xff\xfe"] {
        std::fs::write(world.dir.join("v1/state"), garbage).unwrap();
        let state = world.open_with_hello().1.state;
        assert_eq!(state.chain, Vec::<String>::new());
        let reason = state.taint.expect("it is tainted").reason;
        assert!(reason.contains("unreadable"), "{reason}");
    }
}

pub(crate) fn interrupted_write_of_the_state_leaves_the_old_one(world: &mut World<'_>) {
    let state = SutState {
        layers: 2,
        ..SutState::default()
    };
    world.open().set_state(&state).unwrap();
    std::fs::write(world.dir.join("v1/state.new"), "{half").unwrap();
    assert_eq!(world.open_with_hello().1.state, state);
}

pub(crate) fn machine_directory_shows_others_the_trees_only(world: &mut World<'_>) {
    let mut sut = world.open();
    let mut running = Running::start(&mut *sut, &test("echo runs >&7; sleep 1000"));
    running.said("runs");
    let mode = |path: &str| std::fs::metadata(world.dir.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(""), mode("v1"), mode("v1/tree")), (0o711, 0o711, 0o755));
    assert_eq!(
        (mode("v1/env"), mode("v1/manifest"), mode("v1/job")),
        (0o700, 0o700, 0o700)
    );
    assert_eq!(mode("v1/env/tree.prepared"), 0o600);
    for file in ["run", "script", "metadata.yaml", "groups"] {
        assert_eq!(mode(&format!("v1/job/{file}")), 0o600, "{file}");
    }
    assert_eq!(mode("v1/unended"), 0o600);
    running.channel.terminate(Cut::Wanted);
    running.finish();
    let job = world.dir.join("v1/job");
    eventually("what the job read is gone", || {
        std::fs::read_dir(&job).unwrap().count() == 0
    });
}

pub(crate) fn facts_tell_what_the_machine_is(world: &mut World<'_>) {
    let facts = world.open_with_hello().1.facts;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let here = atex::sut::local_facts();
    assert!(here.boot_id.starts_with(boot.trim()));
    assert_eq!(facts.boot_id, here.boot_id);
    assert_eq!(
        (facts.os, facts.version, facts.arch),
        (here.os, here.version, here.arch)
    );
    if world.kind == "podman" {
        assert_eq!(facts.managers, ["apt"], "the image is a small Debian");
    } else {
        assert_eq!(facts.managers, here.managers);
    }
    if world.kind == "nobody" {
        assert_eq!((facts.root, facts.user.as_str()), (false, "nobody"));
    } else {
        assert_eq!((facts.root, facts.user), (here.root, here.user));
    }
}

pub(crate) fn directory_that_cannot_be_made_is_a_setup_failure_with_a_hint(world: &mut World<'_>) {
    std::fs::create_dir_all(world.dir.parent().unwrap()).unwrap();
    std::fs::write(&world.dir, "a file").unwrap();
    let trouble = (world.make)().open(OnHeld::Fail, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Setup);
    assert!(trouble.message.contains(&*world.dir.to_string_lossy()), "{trouble}");
    assert!(trouble.hint.unwrap().contains("--sut-dir"));
}
