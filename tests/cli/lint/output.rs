//! Tests of how `atex lint` prints findings, how they are selected, and which exit code it has.

use super::{found, lint};
use crate::support::{Atex, World};

const TREE: &[(&str, &str)] = &[
    ("main.fmf", "tag: x\ntagg: y\n"),
    (
        "tests/main.fmf",
        "test: ./run.sh\nduration: 5q\n\n/a:\n  summary: A\n/b:\n  summary: B\n/c:\n  enabled: no\n",
    ),
    ("tests/runn.sh", "#!/bin/sh\n"),
];

#[test]
fn people_see_the_lines_with_carets_grouped_by_file() {
    insta::assert_debug_snapshot!(lint(TREE, &[]), @"
    exit 1
    --- stdout
    main.fmf
      2:1  warning  unknown-key  nobody reads `tagg` in a test
          | tagg: y
          | ^^^^
            hint: did you mean `tag`?
            /tests/a and 2 more

    tests/main.fmf
      1:7   error    missing-file  there is no file `tests/run.sh`
           | test: ./run.sh
           |       ^^^^^^^^
             hint: did you mean `runn.sh`?
             /tests/a and 2 more
      2:11  error    bad-duration  duration `5q` is none
           | duration: 5q
           |           ^^
             hint: `90`, `5m`, `1h 30m`, `10m *2`
             /tests/a and 2 more
      9:12  warning  not-boolean   `enabled` is not a boolean and counts as true
           | enabled: no
           |          ^^
             hint: YAML 1.2 knows only `true` and `false`
             /tests/c

    2 errors, 2 warnings in 3 tests, plans and stories
    ");
}

#[test]
fn programs_get_an_object_a_line() {
    insta::assert_debug_snapshot!(lint(TREE, &["--json", "/tests/c"]), @r#"
    exit 1
    --- stdout
    {"version":1,"code":"unknown-key","severity":"warning","file":"main.fmf","line":2,"column":1,"message":"nobody reads `tagg` in a test","hint":"did you mean `tag`?","node":"/tests/c","nodes":1}
    {"version":1,"code":"missing-file","severity":"error","file":"tests/main.fmf","line":1,"column":7,"message":"there is no file `tests/run.sh`","hint":"did you mean `runn.sh`?","node":"/tests/c","nodes":1}
    {"version":1,"code":"bad-duration","severity":"error","file":"tests/main.fmf","line":2,"column":11,"message":"duration `5q` is none","hint":"`90`, `5m`, `1h 30m`, `10m *2`","node":"/tests/c","nodes":1}
    {"version":1,"code":"not-boolean","severity":"warning","file":"tests/main.fmf","line":9,"column":12,"message":"`enabled` is not a boolean and counts as true","hint":"YAML 1.2 knows only `true` and `false`","node":"/tests/c","nodes":1}
    "#);
}

#[test]
fn quiet_is_a_line_a_finding() {
    insta::assert_debug_snapshot!(lint(TREE, &["-q"]), @"
    exit 1
    --- stdout
    main.fmf
      2:1  warning  unknown-key  nobody reads `tagg` in a test

    tests/main.fmf
      1:7   error    missing-file  there is no file `tests/run.sh`
      2:11  error    bad-duration  duration `5q` is none
      9:12  warning  not-boolean   `enabled` is not a boolean and counts as true

    2 errors, 2 warnings in 3 tests, plans and stories
    ");
}

#[test]
fn nothing_found_ends_with_success() {
    insta::assert_debug_snapshot!(lint(&[("a.fmf", "test: 'true'\n")], &[]), @"
    exit 0
    --- stdout
    nothing found in one test, plan or story
    ");
}

#[test]
fn what_many_nodes_inherit_is_found_once_with_their_number() {
    let ran = lint(TREE, &["--json"]).expect(1);
    let nodes: Vec<_> = ran
        .json()
        .iter()
        .map(|finding| (finding["code"].to_string(), finding["nodes"].clone()))
        .collect();
    assert!(nodes.contains(&("\"bad-duration\"".to_owned(), 3.into())), "{nodes:?}");
}

#[test]
fn names_select_exactly_or_by_pattern() {
    let files = &[
        ("a.fmf", "test: x\nq: 1\n"),
        ("ab.fmf", "test: x\nq: 1\n"),
        ("c.fmf", "test: x\nq: 1\n"),
    ];
    assert_eq!(found(files, &["/a"]), ["a.fmf:2:1 unknown-key"]);
    assert_eq!(found(files, &["/a."]), ["ab.fmf:2:1 unknown-key"]);
    assert_eq!(
        found(files, &["/a", "c$"]),
        ["a.fmf:2:1 unknown-key", "c.fmf:2:1 unknown-key"]
    );
}

#[test]
fn a_name_that_is_none_is_wrong_usage() {
    insta::assert_debug_snapshot!(lint(TREE, &["/test/a"]).expect(2), @"
    exit 2
    --- stderr
    error: no test, plan or story matches `/test/a`
    hint: did you mean `/tests/a`?
    ");
    lint(TREE, &["("]).expect(2);
}

#[test]
fn a_code_that_is_none_is_wrong_usage() {
    insta::assert_debug_snapshot!(lint(TREE, &["--allow", "unknown-keys"]).expect(2), @"
    exit 2
    --- stderr
    error: `unknown-keys` is no code of a finding
    hint: did you mean `unknown-key`?
    ");
}

#[test]
fn a_tree_that_cannot_be_read_is_wrong_usage() {
    lint(&[("main.fmf", "a: [\n")], &[]).expect(2);
    let world = World::new();
    world.atex().cwd("home").args(["lint"]).run().expect(2);
}

#[test]
fn the_configuration_switches_codes_off() {
    let with = |config: &str| {
        let atex = Atex::new().tree([("a.fmf", "test: x\nq: 1\nduration: z\n"), ("atex.toml", config)]);
        atex.args(["lint", "--json", "--allow", "bad-duration"]).run()
    };
    with("").expect(1);
    with("[lint]\nallow = [\"unknown-key\"]\n").expect(0);
    insta::assert_debug_snapshot!(with("[lint]\nallow = [\"unknown-kei\"]\n").expect(2), @r#"
    exit 2
    --- stderr
    error: `unknown-kei` is no code of a finding in `[TMP]/tree/atex.toml:2:9`
      2 | allow = ["unknown-kei"]
        |         ^^^^^^^^^^^^^^^
    hint: did you mean `unknown-key`?
    "#);
}

#[test]
fn dimensions_of_the_configuration_are_known() {
    let files = [("a.fmf", "test: x\nadjust: {when: archs == x, tag: y}\n")];
    let with = |config: &str| {
        Atex::new()
            .tree(files)
            .tree([("atex.toml", config)])
            .args(["lint"])
            .run()
    };
    with("").expect(1);
    with("[defaults.context]\narchs = \"x\"\n").expect(0);
}

#[test]
fn colours_come_only_when_they_are_asked_for() {
    assert!(!lint(TREE, &[]).stdout.contains('\x1b'));
    assert!(lint(TREE, &["--color", "always"]).stdout.contains('\x1b'));
}

#[test]
fn what_is_odd_in_a_file_is_harmless_on_a_terminal() {
    let ran = lint(
        &[
            ("a.fmf", "test: x\n\"q\\e[2J\": 1\n\tb: c\n"),
            ("b.fmf", "test: \"./a\\e[31m\"\n"),
        ],
        &[],
    );
    assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{ran:?}");
}

#[test]
fn a_rule_that_always_fails_to_merge_is_found() {
    let files = &[("a.fmf", "test: x\ntag: {a: 1}\nadjust:\n- tag-: 3\n")];
    assert!(found(files, &[]).iter().any(|finding| finding.ends_with("bad-adjust")));
}

/// Plans and tests some of which do something that nobody obeys here. One plan and one test never run.
const MOVED: &[(&str, &str)] = &[
    (
        "plans.fmf",
        "execute: {how: tmt}\ndiscover: {how: fmf}\n/good:\n/bad:\n  prepare: {how: nosuch}\n  provision: {how: beaker}\n\
         /worse:\n  prepare: [{how: nosuch}, {how: shell, script: 'true', nosuch: 1, where: x}]\n/off:\n  enabled: false\n  prepare: {how: nosuch}\n\
         /far:\n  discover: {how: fmf, url: 'https://nowhere.invalid/suite'}\n",
    ),
    (
        "tests.fmf",
        "test: 'true'\n/good:\n/odd:\n  framework: nosuch\n/wrong:\n  duration: soon\n/off:\n  manual: true\n  framework: nosuch\n",
    ),
];

#[test]
fn the_score_says_how_much_behaves_as_under_tmt_and_what_keeps_the_rest_from_it() {
    let people = lint(MOVED, &["--tmt"]);
    let score: Vec<&str> = people
        .stdout
        .lines()
        .skip_while(|line| !line.contains("behave as"))
        .collect();
    assert_eq!(
        score,
        [
            "2 of 4 plans and 1 of 3 tests behave as under tmt",
            "  PLANS    TESTS  WHAT KEEPS THE OTHERS FROM IT",
            "      2        0  `how: nosuch` in `prepare` is not supported: the phase is ignored",
            "      0        1  atex refuses it (`bad-duration`)",
            "      1        0  atex refuses it (`several-guests`)",
            "      0        1  tmt obeys `framework`, atex does not",
            "not looked at, because it would have to be fetched: what is at `https://nowhere.invalid/suite`",
        ]
    );
    let programs = lint(MOVED, &["--tmt", "--json", "--allow", "ignored-phase"]).json();
    let score = programs.last().expect("a score");
    assert_eq!(
        score["plans"],
        serde_json::json!({"all": 4, "as-under-tmt": 2}),
        "--allow hides nothing from it"
    );
    assert_eq!(score["tests"], serde_json::json!({"all": 3, "as-under-tmt": 1}));
    assert_eq!(
        (&score["blockers"][0]["plans"], &score["blockers"][0]["tests"]),
        (&2.into(), &0.into())
    );
    let all = lint(
        &[
            ("t.fmf", "test: 'true'\n"),
            ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf}\n"),
        ],
        &["--tmt"],
    );
    assert!(
        all.stdout
            .ends_with("1 of 1 plans and 1 of 1 tests behave as under tmt\n"),
        "{all:?}"
    );
}
