//! Tests of what `atex results` prints about a run's directory.

use crate::support::World;

const RUN: &str = "home/.local/state/atex/runs/20260102T030405Z-0000abcd";

fn world() -> World {
    let world = World::new();
    let results = [
        (
            "smoke/install",
            "{\"files\":[\"output.txt\",\"screen.png\"],\"name\":\"grub/timeout\",\"status\":\"pass\"}\n\
             {\"note\":\"first line\\nsecond\",\"status\":\"fail\",\"files\":[\"output.txt\"]}\n",
        ),
        (
            "smoke/remove",
            "{\"status\":\"infra\",\"error\":\"timeout\",\"note\":\"after 5m\"}\n",
        ),
        ("smoke/remove/attempt-2", "{\"status\":\"pass\"}\n{\"status\":\"pa"),
        ("%66iles", "{\"status\":\"wei\\u001brd\",\"name\":{\"not\":\"text\"}}\n"),
    ];
    for (test, lines) in results {
        world.write(format!("{RUN}/tests/{test}/results.jsonl"), lines);
    }
    std::os::unix::fs::symlink("20260102T030405Z-0000abcd", world.path(RUN).with_file_name("latest")).unwrap();
    world
}

#[test]
fn the_latest_run_is_shown_as_a_table() {
    insta::assert_debug_snapshot!(world().atex().args(["results"]).run().expect(0), @r"
    exit 0
    --- stdout
    STATUS     TEST                       RESULT        FILES  NOTE
    wei\x1brd  /files
    pass       /smoke/install             grub/timeout      2
    fail       /smoke/install                               1  first line
    infra      /smoke/remove                                   timeout: after 5m
    pass       /smoke/remove (attempt 2)
    ");
}

#[test]
fn failed_leaves_out_what_passed() {
    insta::assert_debug_snapshot!(world().atex().args(["results", "--failed"]).run().expect(0), @r"
    exit 0
    --- stdout
    STATUS     TEST            RESULT  FILES  NOTE
    wei\x1brd  /files
    fail       /smoke/install              1  first line
    infra      /smoke/remove                  timeout: after 5m
    ");
}

#[test]
fn json_keeps_each_result_as_it_is_stored() {
    let ran = world()
        .atex()
        .args(["results", "--json", "20260102T030405Z-0000abcd"])
        .run()
        .expect(0);
    insta::assert_debug_snapshot!(ran, @r#"
    exit 0
    --- stdout
    {"version":1,"test":"/files","attempt":1,"result":{"status":"wei\u001brd","name":{"not":"text"}}}
    {"version":1,"test":"/smoke/install","attempt":1,"result":{"files":["output.txt","screen.png"],"name":"grub/timeout","status":"pass"}}
    {"version":1,"test":"/smoke/install","attempt":1,"result":{"note":"first line\nsecond","status":"fail","files":["output.txt"]}}
    {"version":1,"test":"/smoke/remove","attempt":1,"result":{"status":"infra","error":"timeout","note":"after 5m"}}
    {"version":1,"test":"/smoke/remove","attempt":2,"result":{"status":"pass"}}
    "#);
    assert_eq!(ran.json()[1]["test"], "/smoke/install");
}

#[test]
fn a_directory_is_a_run_wherever_it_lies() {
    let world = world();
    let ran = world.atex().cwd(RUN).args(["results", "."]).run().expect(0);
    assert_eq!(ran.stdout.lines().count(), 6);
    insta::assert_debug_snapshot!(world.atex().args(["results", "."]).run().expect(2), @"
    exit 2
    --- stderr
    error: `[TMP]/tree/.` is not a run's directory: it has neither `events.jsonl` nor `tests`
    ");
}

#[test]
fn a_line_that_is_no_result_is_named() {
    let world = world();
    world.write(
        format!("{RUN}/tests/x/results.jsonl"),
        "{\"status\":\"pass\"}\nnonsense\n",
    );
    insta::assert_debug_snapshot!(world.atex().args(["results", "--failed"]).run().expect(3), @"
    exit 3
    --- stderr
    error: `[TMP]/home/.local/state/atex/runs/latest/tests/x/results.jsonl:2` is no result
    hint: something other than atex wrote to the run's directory
    ");
}

#[test]
fn the_events_of_a_run_of_an_earlier_version_are_not_read_and_its_results_are() {
    let world = world();
    world.write(
        format!("{RUN}/events.jsonl"),
        "{\"time\":7,\"event\":\"run-started\",\"run\":\"x\",\"dir\":\"/x\",\"command\":\"build\",\"plans\":[],\"suts\":[],\"tests\":0,\"to-run\":{}}\n",
    );
    let ran = world.atex().args(["report", "--format", "trace"]).run().expect(2);
    assert!(
        ran.stderr
            .contains("events.jsonl:1` is no event: missing field `version`"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("hint: ") && ran.stderr.contains("`atex results`"),
        "{ran:?}"
    );
    assert_eq!(world.atex().args(["results"]).run().expect(0).stdout.lines().count(), 6);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let world = World::new();
    let many = "{\"status\":\"pass\",\"note\":\"0123456789\"}\n".repeat(20_000);
    world.write(format!("{RUN}/tests/x/results.jsonl"), many);
    let call = world.atex().args(["results", "20260102T030405Z-0000abcd"]);
    let mut child = call
        .command()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = call.ran(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn paths_are_relative_to_where_the_user_is_whatever_tree_is_named() {
    let world = world();
    let ran = world
        .atex()
        .cwd("home")
        .args(["-C", "../tree", "results", ".local/state/atex/runs/latest"])
        .run();
    assert_eq!(ran.expect(0).stdout.lines().count(), 6);
}
