//! Laws about files that prepare steps make in a tree, which are part of the machine's prepared state.

use atex::sut::{EnvFile, SyncMode, Synced};

use crate::sut_support::{Host, World, describe, run, script, sync, test};

fn read(world: &World<'_>, path: &str) -> Option<String> {
    std::fs::read_to_string(world.tree(path)).ok()
}

/// Returns a machine whose prepare step built something, changed a file, and removed one.
fn prepared(world: &mut World<'_>) -> (Box<dyn atex::sut::Sut>, Host) {
    let host = Host::new(&[("conf", "raw"), ("src/main.c", "int"), ("junk", "junk"), ("lib/x", "x")]);
    let mut sut = world.open();
    sync(&mut *sut, &host, SyncMode::Exact);
    let step = "mkdir build; echo built >build/out; echo cooked >conf; rm junk; ln -s ../build/out src/out";
    assert_eq!(run(&mut *sut, &script(step)).exit_code(), 0);
    sut.adopt("tree", 0).unwrap();
    (sut, host)
}

fn is_prepared(world: &World<'_>) {
    assert_eq!(read(world, "build/out").as_deref(), Some("built\n"));
    assert_eq!(read(world, "src/out").as_deref(), Some("built\n"));
    assert_eq!(read(world, "conf").as_deref(), Some("cooked\n"));
    assert_eq!(read(world, "junk"), None);
}

pub(crate) fn what_a_prepare_step_made_stays(world: &mut World<'_>) {
    let (mut sut, host) = prepared(world);
    let synced = sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
    assert_eq!((synced.sent, synced.removed), (0, 0));
    is_prepared(world);
    drop(sut);
    let mut sut = world.open();
    host.write("lib/x", "new");
    host.write("lib/y", "new");
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent, 2);
    is_prepared(world);
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent, 0);
}

pub(crate) fn what_tests_add_beside_prepared_files_goes(world: &mut World<'_>) {
    let (mut sut, host) = prepared(world);
    let before = describe(&world.tree(""));
    run(
        &mut *sut,
        &test("echo 1 >build/log; echo 1 >lib/x; mkdir -p build/a/b junk/x; rm src/main.c"),
    );
    let synced = sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
    assert_eq!(synced.sent, 2);
    assert_eq!(describe(&world.tree("")), before);
}

pub(crate) fn new_version_on_the_host_wins_over_prepared_files(world: &mut World<'_>) {
    let (mut sut, host) = prepared(world);
    host.write("conf", "raw 2");
    host.write("build/out", "from the host");
    sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
    assert_eq!(read(world, "conf").as_deref(), Some("raw 2"));
    assert_eq!(read(world, "build/out").as_deref(), Some("from the host"));
    assert_eq!(read(world, "junk"), None);
    run(&mut *sut, &test("echo vandal >conf"));
    sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
    assert_eq!(read(world, "conf").as_deref(), Some("raw 2"));
}

pub(crate) fn exact_sync_restores_everything(world: &mut World<'_>) {
    let (mut sut, host) = prepared(world);
    sync(&mut *sut, &host, SyncMode::Exact);
    assert_eq!(describe(&world.tree("")), describe(host.dir.path()));
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(1)).sent, 0);
    assert_eq!(describe(&world.tree("")), describe(host.dir.path()));
}

pub(crate) fn steps_of_a_chain_add_to_each_other(world: &mut World<'_>) {
    let (mut sut, host) = prepared(world);
    sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
    run(
        &mut *sut,
        &script("echo second >build/second; cat build/out >build/copy"),
    );
    sut.adopt("tree", 1).unwrap();
    run(&mut *sut, &test("echo 1 >build/log"));
    sync(&mut *sut, &host, SyncMode::KeepPrepared(2));
    is_prepared(world);
    assert_eq!(read(world, "build/second").as_deref(), Some("second\n"));
    assert_eq!(read(world, "build/copy").as_deref(), Some("built\n"));
    assert_eq!(read(world, "build/log"), None);
}

/// Runs three steps, each of which makes something. Returns the tree before each of them and after the last one, too.
fn chain(world: &mut World<'_>) -> (Box<dyn atex::sut::Sut>, Host, Vec<Vec<String>>) {
    let host = Host::new(&[("conf", "raw"), ("lib/x", "x"), ("junk", "junk")]);
    let mut sut = world.open();
    sync(&mut *sut, &host, SyncMode::Exact);
    let mut trees = vec![describe(&world.tree(""))];
    let steps = [
        "mkdir build; echo one >build/one; echo one >lib/one; echo STEP=1 >>\"$TMT_PLAN_ENVIRONMENT_FILE\"",
        "echo two >build/two; echo two >conf; mkdir build/sub; echo STEP=2 >>\"$TMT_PLAN_ENVIRONMENT_FILE\"",
        "echo three >build/three; rm junk; echo STEP=3 >>\"$TMT_PLAN_ENVIRONMENT_FILE\"",
    ];
    for (place, step) in steps.into_iter().enumerate() {
        assert_eq!(run(&mut *sut, &script(step)).exit_code(), 0);
        sut.adopt("tree", place).unwrap();
        trees.push(describe(&world.tree("")));
    }
    (sut, host, trees)
}

pub(crate) fn what_a_test_did_to_the_work_of_a_step_takes_the_tree_back_to_before_that_step(world: &mut World<'_>) {
    let (mut sut, host, trees) = chain(world);
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(3)), Synced::default());
    for (harm, step) in [
        ("rm build/three", 2),
        ("echo junk >junk; echo other >build/three", 2),
        ("rm build/two", 1),
        ("echo other >build/two", 1),
        ("chmod 600 build/two", 1),
        ("rm build/two; mkdir build/two; touch build/two/x", 1),
        ("mv build/two build/2; echo two >build/two", 1),
        ("rmdir build/sub", 1),
        ("chmod 700 build/sub", 1),
        ("mv build/sub build/bus; mkdir build/sub", 1),
        ("echo raw >conf", 1),
        ("rm lib/one", 0),
        ("chmod 700 build", 0),
        ("rm -r build; touch build", 0),
    ] {
        run(&mut *sut, &test(harm));
        let before = describe(&world.tree(""));
        let synced = sync(&mut *sut, &host, SyncMode::KeepPrepared(3));
        assert_eq!(synced.lost_prepared, Some(step), "{harm}");
        assert_eq!(describe(&world.tree("")), before, "{harm}: nothing is done yet");
        sync(&mut *sut, &host, SyncMode::KeepPrepared(step));
        assert_eq!(describe(&world.tree("")), trees[step], "{harm}");
        drop(sut);
        sut = chain(world).0;
    }
    run(&mut *sut, &test("echo x >build/sub/x; mkdir build/d; echo x >lib/x"));
    assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared(3)).lost_prepared, None);
    assert_eq!(describe(&world.tree("")), trees[3]);
}

pub(crate) fn environment_file_goes_back_to_what_a_step_left(world: &mut World<'_>) {
    let (mut sut, _host, _trees) = chain(world);
    let show = test("bash -c 'echo \"<$STEP>\"'; cat \"$TMT_PLAN_ENVIRONMENT_FILE\" | wc -l");
    assert_eq!(run(&mut *sut, &show).output(), "<3>\n3\n");
    run(
        &mut *sut,
        &test("rm \"$TMT_PLAN_ENVIRONMENT_FILE\"; mkdir \"$TMT_PLAN_ENVIRONMENT_FILE\""),
    );
    assert!(sut.rewind_env_file("tree", 1).unwrap());
    assert_eq!(run(&mut *sut, &show).output(), "<2>\n2\n");
    assert!(sut.rewind_env_file("tree", 0).unwrap());
    assert_eq!(run(&mut *sut, &show).output(), "<1>\n1\n");
    assert!(!sut.rewind_env_file("tree", 7).unwrap(), "there was no such step");
    sut.reset_env_file("tree", EnvFile::Prepared).unwrap();
    assert!(!sut.rewind_env_file("tree", 0).unwrap(), "that was of another chain");
    assert_eq!(run(&mut *sut, &show).output(), "<>\n0\n");
    assert!(sut.rewind_env_file("../x", 0).is_err());
}

pub(crate) fn failed_step_that_is_not_adopted_leaves_nothing(world: &mut World<'_>) {
    let host = Host::new(&[("a", "1")]);
    let mut sut = world.open();
    sync(&mut *sut, &host, SyncMode::Exact);
    run(&mut *sut, &script("echo half >b; false"));
    sync(&mut *sut, &host, SyncMode::KeepPrepared(1));
    assert_eq!(describe(&world.tree("")), describe(host.dir.path()));
}

pub(crate) fn adopting_a_slot_that_was_never_brought_is_nothing(world: &mut World<'_>) {
    let mut sut = world.open();
    run(&mut *sut, &script("true"));
    sut.adopt("tree", 0).unwrap();
    assert!(sut.adopt("../x", 0).is_err());
}

pub(crate) fn environment_file_lasts_until_it_is_reset(world: &mut World<'_>) {
    let mut sut = world.open();
    run(
        &mut *sut,
        &script("echo \"COLOUR='deep red'\" >>\"$TMT_PLAN_ENVIRONMENT_FILE\""),
    );
    drop(sut);
    let mut sut = world.open();
    let show = test("bash -c 'echo \"<$COLOUR>\"'");
    assert_eq!(run(&mut *sut, &show).output(), "<deep red>\n");
    let base = atex::sut::Job {
        env_file: EnvFile::Base,
        ..show.clone()
    };
    assert_eq!(run(&mut *sut, &base).output(), "<>\n");
    let base_says = atex::sut::Job {
        env_file: EnvFile::Base,
        ..script("echo COLOUR=pale >>\"$TMT_PLAN_ENVIRONMENT_FILE\"")
    };
    run(&mut *sut, &base_says);
    assert_eq!(run(&mut *sut, &base).output(), "<pale>\n");
    sut.reset_env_file("tree", EnvFile::Base).unwrap();
    assert_eq!(run(&mut *sut, &base).output(), "<>\n");
    assert_eq!(run(&mut *sut, &show).output(), "<deep red>\n");
    sut.reset_env_file("tree", EnvFile::Prepared).unwrap();
    assert_eq!(run(&mut *sut, &show).output(), "<>\n");
    run(
        &mut *sut,
        &script("rm \"$TMT_PLAN_ENVIRONMENT_FILE\"; mkdir \"$TMT_PLAN_ENVIRONMENT_FILE\""),
    );
    sut.reset_env_file("tree", EnvFile::Prepared).unwrap();
    assert_eq!(run(&mut *sut, &show).output(), "<>\n");
}
