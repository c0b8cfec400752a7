//! Wrong input as a new user gives it: one clear message, the right exit code, no panic, no trace of Rust.

mod support;

use support::{Atex, Ran, World};

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
    for trace in ["panicked", "RUST_BACKTRACE", "os error", "unwrap", "::", "Err(", "Some("] {
        assert!(!ran.stderr.contains(trace), "`{trace}` in {ran:?}");
    }
    ran
}

fn atex<const N: usize>(args: [&str; N]) -> Ran {
    Atex::new().tree(TREE).args(args).run()
}

#[test]
fn an_unknown_command_names_the_nearest() {
    insta::assert_debug_snapshot!(refused(atex(["biuld"])), @"");
}

#[test]
fn an_unknown_option_names_the_nearest() {
    insta::assert_debug_snapshot!(refused(atex(["build", "--untill", "prepare"])), @"");
}

#[test]
fn a_bad_value_of_a_choice_lists_the_choices() {
    insta::assert_debug_snapshot!(refused(atex(["build", "--until", "prepared"])), @"");
}

#[test]
fn a_test_needs_a_name() {
    insta::assert_debug_snapshot!(refused(atex(["test"])), @"");
}

#[test]
fn no_tree_says_where_it_was_looked_for() {
    let ran = World::new().atex().cwd("home").args(["build"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    insta::assert_debug_snapshot!(refused(atex(["-C", "nowhere", "build"])), @"");
}

#[test]
fn a_variable_needs_a_value_and_a_good_name() {
    insta::assert_debug_snapshot!(refused(atex(["build", "-e", "DEBUG"])), @"");
    insta::assert_debug_snapshot!(refused(atex(["build", "-e", "1ST=x"])), @"");
}

#[test]
fn a_dimension_needs_a_value() {
    insta::assert_debug_snapshot!(refused(atex(["build", "-c", "distro"])), @"");
    insta::assert_debug_snapshot!(refused(atex(["build", "-c", "distro=fedora-41,"])), @"");
}

#[test]
fn an_age_needs_a_unit() {
    insta::assert_debug_snapshot!(refused(atex(["build", "--max-age", "12"])), @"");
}

#[test]
fn an_output_directory_that_is_in_use_is_left_alone() {
    let atex = Atex::new().tree(TREE);
    atex.world().write("out/precious", "data");
    let ran = atex.args(["build", "-o", "../out"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"");
}

#[test]
fn an_unknown_key_of_the_configuration_shows_its_line() {
    let ran = Atex::new().tree(TREE).tree([("atex.toml", "[defaults]\nsut = \"lab\"\n\n[suts.lab]\n")]).args(["build"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"");
}

#[test]
fn a_bad_value_in_the_users_configuration_names_its_key() {
    let atex = Atex::new().tree(TREE);
    atex.world().write("home/.config/atex/config.toml", "[defaults]\non-taint = \"dorp\"\n");
    insta::assert_debug_snapshot!(refused(atex.args(["build"]).run()), @"");
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let ran = Atex::new().tree(TREE).tree([("atex.toml/x", "")]).args(["build"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"");
}

#[test]
fn a_target_that_this_version_cannot_open_says_so() {
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "root@lab.example:2222"])), @"");
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "loca"])), @"");
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "podman:fedora"])), @"");
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "local?dri=/x"])), @"");
}

#[test]
fn two_suts_need_two_names_and_two_directories() {
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "local", "-s", "local?dir=/srv/x"])), @"");
    insta::assert_debug_snapshot!(refused(atex(["build", "-s", "local", "-s", "local?name=two"])), @"");
}

#[test]
fn a_run_that_is_not_there_is_named_with_its_neighbours() {
    insta::assert_debug_snapshot!(refused(atex(["results"])), @"");
    let atex = Atex::new();
    atex.world().write("home/.local/state/atex/runs/20260102T030405Z-0000abcd/events.jsonl", "");
    insta::assert_debug_snapshot!(refused(atex.args(["results", "20260102T030405Z-0000abce"]).run()), @"");
}

#[test]
fn without_a_home_the_missing_variable_is_named() {
    let ran = Atex::new().tree(TREE).without_env("HOME").args(["results"]).run();
    insta::assert_debug_snapshot!(refused(ran), @"");
}

#[test]
fn names_from_outside_do_not_reach_the_terminal_raw() {
    let ran = refused(atex(["build", "-s", "\x1b[2Jevil:22"]));
    assert!(!ran.stderr.contains('\x1b'), "{ran:?}");
}
