//! Tests of wrong input from a new user: there is one clear message, the right exit code, no panic, and no trace of Rust.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Atex, Ran, World};

const TREE: [(&str, &str); 2] = [
    ("plan.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\n"),
    ("tests/main.fmf", "test: 'true'\n"),
];

/// Checks what holds for every refusal, and returns it for its snapshot.
#[track_caller]
fn refused(ran: Ran) -> Ran {
    let ran = ran.expect(2);
    assert_eq!(ran.stdout, "", "messages go to standard error: {ran:?}");
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "one message: {ran:?}");
    for trace in [
        "panicked",
        "RUST_BACKTRACE",
        "os error",
        "unwrap",
        "::",
        "Err(",
        "Some(",
    ] {
        assert!(!ran.stderr.contains(trace), "`{trace}` in {ran:?}");
    }
    ran
}

fn atex<const N: usize>(args: [&str; N]) -> Ran {
    Atex::new().tree(TREE).args(args).run()
}

#[test]
fn an_unknown_command_names_the_nearest() {
    insta::assert_debug_snapshot!(refused(atex(["biuld"])), @"
    exit 2
    --- stderr
    error: unrecognized subcommand 'biuld'

      tip: a similar subcommand exists: 'build'

    Usage: atex [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn an_unknown_option_names_the_nearest() {
    insta::assert_debug_snapshot!(refused(atex(["build", "--untill", "prepare"])), @"
    exit 2
    --- stderr
    error: unexpected argument '--untill' found

      tip: a similar argument exists: '--until'

    Usage: atex build --until <KIND> [PLAN]...

    For more information, try '--help'.
    ");
}

#[test]
fn a_bad_value_of_a_choice_lists_the_choices() {
    insta::assert_debug_snapshot!(refused(atex(["build", "--until", "prepared"])), @"
    exit 2
    --- stderr
    error: invalid value 'prepared' for '--until <KIND>'
      [possible values: discover, prepare, test]

      tip: a similar value exists: 'prepare'

    For more information, try '--help'.
    ");
}

#[test]
fn a_test_needs_a_name() {
    insta::assert_debug_snapshot!(refused(atex(["test"])), @"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <NAME>...

    Usage: atex test <NAME>...

    For more information, try '--help'.
    ");
}

#[test]
fn no_tree_says_where_it_was_looked_for() {
    let ran = World::new().atex().cwd("home").args(["build"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"
    exit 2
    --- stderr
    error: no fmf tree in `[TMP]/home` or above it
    hint: `-C DIR` names a tree; the root of a tree has a directory `.fmf` with a file `version` that says 1
    ");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    insta::assert_debug_snapshot!(refused(atex(["-C", "nowhere", "build"])), @"
    exit 2
    --- stderr
    error: cannot use directory `nowhere`: No such file or directory
    ");
}

#[test]
fn a_variable_needs_a_value_and_a_good_name() {
    insta::assert_debug_snapshot!(refused(atex(["build", "-e", "DEBUG"])), @"
    exit 2
    --- stderr
    error: `-e DEBUG` has no `=`
    hint: write `-e KEY=VALUE`
    ");
    insta::assert_debug_snapshot!(refused(atex(["build", "-e", "1ST=x"])), @"
    exit 2
    --- stderr
    error: `1ST` cannot be the name of an environment variable
    hint: names consist of letters, digits and `_`, and do not start with a digit
    ");
}

#[test]
fn a_dimension_needs_a_value() {
    insta::assert_debug_snapshot!(refused(atex(["build", "-c", "distro"])), @"
    exit 2
    --- stderr
    error: `-c distro` has no `=`
    hint: write `-c DIM=VALUE`, as in `-c distro=fedora-41`
    ");
    insta::assert_debug_snapshot!(refused(atex(["build", "-c", "distro=fedora-41,"])), @"
    exit 2
    --- stderr
    error: `-c distro=fedora-41,` has an empty dimension or value
    hint: write `-c DIM=VALUE`, as in `-c distro=fedora-41`
    ");
}

#[test]
fn an_age_needs_a_unit() {
    insta::assert_debug_snapshot!(refused(atex(["build", "--max-age", "12"])), @"
    exit 2
    --- stderr
    error: `12` is no age
    hint: write a number and a unit (s, m, h, d, w), as in `12h`
    ");
}

#[test]
fn an_output_directory_that_is_in_use_is_left_alone() {
    let atex = Atex::new().tree(TREE);
    atex.world().write("out/precious", "data");
    let ran = atex.args(["build", "-o", "../out"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"
    exit 2
    --- stderr
    error: the output directory `../out` is not empty
    hint: name a directory that is empty or does not exist, or leave `-o` out
    ");
}

#[test]
fn an_unknown_key_of_the_configuration_shows_its_line() {
    let ran = Atex::new()
        .tree(TREE)
        .tree([("atex.toml", "[defaults]\nsut = \"lab\"\n\n[suts.lab]\n")])
        .args(["build"])
        .run();
    insta::assert_debug_snapshot!(refused(ran), @"
    exit 2
    --- stderr
    error: unknown key `suts` in `[TMP]/tree/atex.toml:4:2`
      4 | [suts.lab]
        |  ^^^^
    hint: did you mean `sut`?
    ");
}

#[test]
fn a_bad_value_in_the_users_configuration_names_its_key() {
    let atex = Atex::new().tree(TREE);
    atex.world()
        .write("home/.config/atex/config.toml", "[defaults]\non-taint = \"dorp\"\n");
    insta::assert_debug_snapshot!(refused(atex.args(["build"]).run()), @r#"
    exit 2
    --- stderr
    error: `dorp` is not possible here in `[TMP]/home/.config/atex/config.toml:2:12`
      2 | on-taint = "dorp"
        |            ^^^^^^
    hint: did you mean `drop`?
    "#);
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let ran = Atex::new().tree(TREE).tree([("atex.toml/x", "")]).args(["build"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"
    exit 2
    --- stderr
    error: cannot read `[TMP]/tree/atex.toml`: Is a directory
    ");
}

#[test]
fn a_target_that_is_none_says_so() {
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "loca"])), @"
    exit 2
    --- stderr
    error: there is no SUT `loca`
    hint: did you mean `local`? `ssh://loca` names a host
    ");
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "lxc:fedora"])), @"
    exit 2
    --- stderr
    error: target `lxc:fedora` is of an unknown kind `lxc`
    hint: targets are `local`, `local*4`, `exec:COMMAND`, `podman:IMAGE`, `podman:IMAGE*4`, `provision:PROGRAM`, `provision:ssh-pool FILE*4`, `[user@]host[:port]`, `ssh://[user@]host[:port]`, each with parameters as in `local?dir=/srv/atex&name=one`
    ");
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "local?dri=/x"])), @"
    exit 2
    --- stderr
    error: target `local?dri=/x` has an unknown parameter `dri`
    hint: did you mean `dir`?
    ");
}

#[test]
fn two_suts_need_two_names_and_two_directories() {
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "local", "-s", "local?dir=/srv/x"])), @"
    exit 2
    --- stderr
    error: two SUTs are called `local`
    hint: give one of them another name and directory, as in `-s 'local?name=two&dir=/srv/two'`
    ");
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "local", "-s", "local?name=two"])), @"
    exit 2
    --- stderr
    error: SUT `two` has the directory of another one
    hint: give it its own, as in `-s 'local?name=two&dir=/srv/two'`
    ");
}

#[test]
fn a_run_that_is_not_there_is_named_with_its_neighbours() {
    insta::assert_debug_snapshot!(refused(atex(["results"])), @"
    exit 2
    --- stderr
    error: there is no run in `[TMP]/home/.local/state/atex/runs`
    hint: `atex build` and `atex test` make runs; a run's directory can be given as an argument
    ");
    let atex = Atex::new();
    atex.world()
        .write("home/.local/state/atex/runs/20260102T030405Z-0000abcd/events.jsonl", "");
    insta::assert_debug_snapshot!(refused(atex.args(["results", "20260102T030405Z-0000abce"]).run()), @"
    exit 2
    --- stderr
    error: there is no run `20260102T030405Z-0000abce`, neither here nor in `[TMP]/home/.local/state/atex/runs`
    hint: runs with such a name: `20260102T030405Z-0000abcd`
    ");
}

#[test]
fn without_a_home_the_missing_variable_is_named() {
    let ran = Atex::new().tree(TREE).without_env("HOME").args(["results"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"
    exit 2
    --- stderr
    error: neither `HOME` nor `XDG_STATE_HOME` is set, so there is no place for atex's files
    ");
}

#[test]
fn names_from_outside_do_not_reach_the_terminal_raw() {
    let ran = refused(atex(["build", "-s", "\x1b[2Jevil:no"]));
    assert!(!ran.stderr.contains('\x1b'), "{ran:?}");
}

#[test]
fn bad_yaml_is_shown_before_anything_runs() {
    let atex = Atex::new()
        .tree(TREE)
        .tree([("tests/main.fmf", "test: 'true'\ntag: [a, b\n")]);
    insta::assert_debug_snapshot!(refused(atex.args(["build"]).run()), @"
    exit 2
    --- stderr
    error: tests/main.fmf:2:11: expected `,` or `]`, found the end of the file
      2 | tag: [a, b
        |           ^
    ");
}

#[test]
fn an_unknown_plan_names_the_nearest() {
    insta::assert_debug_snapshot!(refused(atex(["build", "/plna"])), @"
    exit 2
    --- stderr
    error: no plan matches `/plna`
    hint: did you mean `/plan`?
    ");
}

#[test]
fn a_test_that_is_not_there_is_an_exit_code_of_its_own() {
    let ran = atex(["test", "/testss"]).expect(4);
    insta::assert_debug_snapshot!(ran, @"
    exit 4
    --- stderr
    error: no test matches `/testss`
    hint: did you mean `/tests`?
    ");
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let atex = Atex::new().tree(TREE);
    atex.world().write("file", "");
    let cache = atex.world().path("file/cache");
    insta::assert_debug_snapshot!(refused(atex.env("ATEX_CACHE", cache).args(["build"]).run()), @"
    exit 2
    --- stderr
    error: cannot create directory `[TMP]/file/cache`: Not a directory
    hint: set ATEX_CACHE to a directory
    ");
}

#[test]
fn a_place_for_runs_that_cannot_be_written_is_named() {
    let atex = Atex::new().tree(TREE);
    atex.world()
        .write("home/.local/state/atex", "a file where a directory should be");
    let sut = atex.world().sut();
    let ran = atex.args(["build", "--sut-dir"]).args([sut]).run();
    insta::assert_debug_snapshot!(refused(ran), @"
    exit 2
    --- stderr
    error: cannot use the run's directory `[TMP]/home/.local/state/atex/runs`: Not a directory
    hint: `-o DIR` names another directory for the run
    ");
}

#[test]
fn nothing_is_left_behind_by_a_refusal() {
    let atex = Atex::new().tree(TREE);
    let world = atex.world();
    refused(atex.args(["build", "/plna"]).run());
    assert!(!world.path("home/.local").exists(), "no run's directory");
}

#[test]
fn a_directory_that_others_may_write_to_holds_no_cache_no_state_and_no_run() {
    let world = World::new();
    world.write("tree/tests.fmf", "test: exit 0\n");
    let open = world.path("open");
    fs::create_dir(&open).unwrap();
    let call = |dir: &str| {
        let dir = open.join(dir);
        let atex = world.atex().args(["build", "--sut-dir"]).args([world.sut()]);
        let calls = [
            atex.clone().env("ATEX_CACHE", &dir),
            atex.clone().env("XDG_STATE_HOME", &dir),
            atex.args(["-o"]).args([dir]),
        ];
        calls.map(|call| call.run())
    };
    for (mode, dir) in [(0o777, ""), (0o777, "new/below"), (0o1777, "")] {
        fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
        // Of the state directory, atex uses one of its own below.
        for ran in call(dir).into_iter().filter(|ran| mode == 0o777 || ran.code != 0) {
            let ran = ran.expect(2);
            assert!(
                ran.stderr.contains("is not used: others may write to `[TMP]/open`"),
                "{ran:?}"
            );
            assert!(ran.stderr.contains("hint: "), "{ran:?}");
        }
        assert_eq!(fs::read_dir(&open).unwrap().count(), usize::from(mode == 0o1777));
    }
    let [cache, ..] = call("own");
    cache.expect(0);
}

#[test]
fn an_empty_directory_for_a_run_keeps_its_mode() {
    let world = World::new();
    world.write("tree/tests.fmf", "test: exit 0\n");
    fs::create_dir(world.path("out")).unwrap();
    fs::set_permissions(world.path("out"), fs::Permissions::from_mode(0o2700)).unwrap();
    let atex = world
        .atex()
        .args(["build", "-o", "../out", "--sut-dir"])
        .args([world.sut()]);
    atex.run().expect(0);
    assert!(world.path("out/run.json").exists());
    assert_eq!(
        fs::metadata(world.path("out")).unwrap().permissions().mode() & 0o7777,
        0o2700
    );
}
