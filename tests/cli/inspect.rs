//! Tests of what `atex ls`, `atex graph` and `atex why` print about a tree.

use std::collections::BTreeMap;

use crate::support::{Ran, World};
use atex::compile::spec::Request;
use atex::sut::facts::local_facts;
use atex_cache::{Record, RecordOutcome, Store};
use atex_graph::{Base, transcript};

const PLANS: &str = "\
/smoke:
  summary: The quick ones
  discover: {how: fmf, filter: 'tag:smoke'}
  execute: {how: tmt}
  environment: {GREETING: hello}
  prepare:
    - {how: shell, script: ./setup.sh}
    - {how: shell, script: echo two}
  finish: {how: shell, script: echo bye}
/all:
  discover: {how: fmf}
  execute: {how: tmt}
";

fn world() -> World {
    let world = World::new();
    for (path, content) in [
        ("plans.fmf", PLANS),
        ("setup.sh", "#!/bin/bash\necho setup\n"),
        ("tests/one/main.fmf", "summary: The first\ntag: smoke\ntest: ./one.sh\n"),
        ("tests/one/one.sh", "#!/bin/bash\ntrue\n"),
        ("tests/two/main.fmf", "summary: \"Zw\\u00f6lf \\u4e2d\"\ntest: 'true'\n"),
    ] {
        world.write(format!("tree/{path}"), content);
    }
    world
}

fn atex<const N: usize>(world: &World, args: [&str; N]) -> Ran {
    world.atex().args(args).run()
}

/// Replaces keys, which hold the kind of this machine, by a word.
fn without_keys(mut ran: Ran) -> Ran {
    let words: Vec<_> = ran.stdout.split(' ').map(str::to_owned).collect();
    let is_key = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let masked = words.iter().map(|word| {
        let key = word.trim_end_matches('\n').split('\n').next().unwrap_or_default();
        if is_key(key) {
            word.replacen(key, "[KEY]", 1)
        } else {
            word.clone()
        }
    });
    ran.stdout = masked.collect::<Vec<_>>().join(" ");
    ran
}

/// Records every node of the tree as it is now, but finish, as passed two hours ago.
fn record_everything(world: &World) {
    let facts = local_facts();
    let request = Request {
        start: world.tree(),
        default_context: BTreeMap::from([
            ("distro".to_owned(), vec![format!("{}-{}", facts.os, facts.version)]),
            ("arch".to_owned(), vec![facts.arch.clone()]),
        ]),
        base: Base {
            os: facts.os,
            version: facts.version,
            arch: facts.arch,
            base: String::new(),
            digest: None,
            user: facts.user,
            // What the program finds in a test's world.
            environment: BTreeMap::from([
                ("LANG".to_owned(), "C.UTF-8".to_owned()),
                ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ]),
        },
        fetch_cache: world.path("home/.cache/atex/fetched-v1"),
        ..Request::default()
    };
    let workload = atex::compile::compile(&request).unwrap();
    let store = Store::open(&world.path("home/.cache/atex")).unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    for (_, node) in workload
        .graph
        .nodes()
        .filter(|(_, node)| node.kind() != atex_graph::Kind::Finish)
    {
        let mut names = node.names().iter().map(ToString::to_string);
        let record = Record {
            key: node.key(),
            name: names.next().unwrap(),
            aliases: names.collect(),
            kind: node.kind(),
            sut: "local".into(),
            started: now - 7_300,
            duration_ms: 10,
            prepared: None,
            outcome: RecordOutcome::Passed,
            inputs: transcript(node),
            files: Vec::new(),
            meta: serde_json::Value::Null,
        };
        store.claim_to_run(node.key()).unwrap().commit(record).unwrap();
    }
}

#[test]
fn ls_lists_tests_of_all_plans() {
    insta::assert_debug_snapshot!(atex(&world(), ["ls"]).expect(0), @"
    exit 0
    --- stdout
    TEST        PLAN          SUMMARY
    /tests/one  /plans/all    The first
    /tests/two  /plans/all    Zwölf 中
    /tests/one  /plans/smoke  The first
    ");
    insta::assert_debug_snapshot!(atex(&world(), ["ls", "plans"]).expect(0), @"
    exit 0
    --- stdout
    PLAN          TESTS  SUMMARY
    /plans/all        2
    /plans/smoke      1  The quick ones
    ");
}

#[test]
fn ls_gives_programs_all_data() {
    insta::assert_debug_snapshot!(atex(&world(), ["ls", "--json", "--plan", "smoke"]).expect(0), @r#"
    exit 0
    --- stdout
    {"version":1,"name":"/tests/one","plan":"/plans/smoke","dir":"tests/one","interface":"tmt","data":{"summary": "The first", "tag": "smoke", "test": "./one.sh"}}
    "#);
    let plans = atex(&world(), ["ls", "plans", "--json"]).expect(0).json();
    assert_eq!(plans[1]["name"], "/plans/smoke");
    assert_eq!(plans[1]["data"]["environment"]["GREETING"], "hello");
}

#[test]
fn ls_narrows_as_a_run_would() {
    let world = world();
    let count = |ran: Ran| ran.json().len();
    assert_eq!(count(atex(&world, ["ls", "--json", "--name", "two"]).expect(0)), 1);
    assert_eq!(count(atex(&world, ["ls", "--json", "--exclude", "one"]).expect(0)), 1);
    assert_eq!(
        count(atex(&world, ["ls", "--json", "--filter", "tag:smoke"]).expect(0)),
        2
    );
}

#[test]
fn nothing_that_matches_is_an_exit_code_of_its_own() {
    insta::assert_debug_snapshot!(atex(&world(), ["ls", "--name", "three"]).expect(4), @"
    exit 4
    --- stderr
    error: no test matches
    ");
    insta::assert_debug_snapshot!(atex(&world(), ["why", "/tests/oen"]).expect(4), @"
    exit 4
    --- stderr
    error: no node matches `/tests/oen`
    hint: did you mean `/tests/one` or `/tests/two`?
    ");
}

#[test]
fn an_unknown_plan_names_the_nearest() {
    insta::assert_debug_snapshot!(atex(&world(), ["graph", "/smkoe"]).expect(2), @"
    exit 2
    --- stderr
    error: no plan matches `/smkoe`
    hint: did you mean `/plans/smoke`?
    ");
}

#[test]
fn graph_draws_plans_and_what_they_share() {
    insta::assert_debug_snapshot!(without_keys(atex(&world(), ["graph"]).expect(0)), @"
    exit 0
    --- stdout
    discover /plans/all  [KEY]
    ├── test /tests/one (/plans/all)  [KEY]
    └── test /tests/two  [KEY]
    discover /plans/smoke  [KEY]
    └── prepare /plans/smoke#1 shell  [KEY]
        └── prepare /plans/smoke#2 shell  [KEY]
            └── test /tests/one (/plans/smoke)  [KEY]
    finish /plans/smoke#1  [KEY]
    ");
    let dot = atex(&world(), ["graph", "--format", "dot"]).expect(0).stdout;
    assert!(dot.starts_with("digraph"), "{dot}");
    let mermaid = atex(&world(), ["graph", "--format", "mermaid"]).expect(0).stdout;
    assert!(mermaid.starts_with("flowchart"), "{mermaid}");
    let json = atex(&world(), ["graph", "/smoke", "--json"]).expect(0).json();
    assert_eq!(json[0]["nodes"].as_array().unwrap().len(), 5);
}

#[test]
fn graph_shows_the_age_of_what_is_recorded() {
    let world = world();
    record_everything(&world);
    let ran = atex(&world, ["graph", "/all"]).expect(0);
    assert!(ran.stdout.contains("recorded 2h ago"), "{ran:?}");
}

#[test]
fn why_knows_what_is_recorded_and_what_is_new() {
    let world = world();
    insta::assert_debug_snapshot!(atex(&world, ["why", "one", "--plan", "smoke"]).expect(0), @"
    exit 0
    --- stdout
    test /tests/one  runs: there is no record of it
    ");
    record_everything(&world);
    insta::assert_debug_snapshot!(atex(&world, ["why", "/tests/one", "--plan", "smoke"]).expect(0), @"
    exit 0
    --- stdout
    test /tests/one  does not run: it passed 2h ago on local, with the same inputs
    ");
    insta::assert_debug_snapshot!(atex(&world, ["why", "prepare /plans/smoke#1"]).expect(0), @"
    exit 0
    --- stdout
    prepare /plans/smoke#1 shell  does not run on a SUT that has it in its state: its inputs are those of 2h ago, on local
    ");
    insta::assert_debug_snapshot!(atex(&world, ["why", "finish /plans/smoke#1"]).expect(0), @"
    exit 0
    --- stdout
    finish /plans/smoke#1  runs whenever its plan ran: finish is never reused
    ");
}

#[test]
fn why_names_what_changed_with_values_and_places() {
    let world = world();
    record_everything(&world);
    world.write(
        "tree/plans.fmf",
        PLANS
            .replace("echo two", "echo three")
            .replace("GREETING: hello", "GREETING: hi"),
    );
    world.write("tree/tests/one/one.sh", "#!/bin/bash\ntrue # changed\n");
    insta::assert_debug_snapshot!(masked_digests(atex(&world, ["why", "/tests/one", "--plan", "smoke"]).expect(0)), @r#"
    exit 0
    --- stdout
    test /tests/one  runs: since 2h ago on local this changed
      environment.GREETING: "hello" -> "hi"   plans.fmf:5
      files/tests/one/one.sh: [DIGEST] executable -> [DIGEST] executable
      prepare /plans/smoke#2 shell:
        script: "echo two" -> "echo three"   plans.fmf:8
        environment.GREETING: "hello" -> "hi"   plans.fmf:5
      prepare /plans/smoke#1 shell:
        environment.GREETING: "hello" -> "hi"   plans.fmf:5
    "#);
    let json = atex(&world, ["why", "/tests/one", "--plan", "smoke", "--json"])
        .expect(0)
        .json();
    assert_eq!(json[0]["reason"], "changed");
    assert_eq!(json[0]["runs"], true);
}

/// Replaces short digests of files by a word.
fn masked_digests(mut ran: Ran) -> Ran {
    let is_digest = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = ran
        .stdout
        .split(' ')
        .map(|word| if is_digest(word) { "[DIGEST]" } else { word });
    ran.stdout = words.collect::<Vec<_>>().join(" ");
    ran
}

#[test]
fn an_inspection_changes_nothing() {
    let world = world();
    for args in [["ls", "-q"], ["graph", "-q"], ["why", "one"]] {
        atex(&world, args).expect(0);
    }
    assert!(!world.path("home/.local").exists());
}

#[test]
fn a_secret_is_printed_nowhere() {
    let world = world();
    let call = |args: &[&str]| {
        world
            .atex()
            .env("TOKEN", "hunter2")
            .args(args)
            .args(["--secret-env", "TOKEN"])
            .run()
    };
    for args in [&["graph", "--json"][..], &["why", "one", "--json"], &["ls", "--json"]] {
        let ran = call(args).expect(0);
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
    }
}

#[test]
fn suts_of_two_kinds_are_refused() {
    let suts = ["-s", "local?name=a&dir=/srv/a&base=x", "-s", "local?name=b&dir=/srv/b"];
    let ran = world().atex().args(["ls"]).args(suts).run();
    insta::assert_debug_snapshot!(ran.expect(2), @"
    exit 2
    --- stderr
    error: the SUTs differ: `a` has base `x`, `b` has no `base`
    hint: SUTs of one invocation must be of one kind; run atex once for each kind
    ");
}
