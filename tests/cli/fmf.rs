//! Tests of what `atex fmf show` prints for people and for programs.

use crate::support::{Atex, Ran};
use serde_json::{Value, json};

const TREE: [(&str, &str); 2] = [
    (
        "main.fmf",
        "tag: [smoke, 1]\nduration: 5m\nadjust:\n  - when: distro == rhel-9\n    duration: 10m\n    because: slow\n",
    ),
    (
        "tests/install/main.fmf",
        "summary: Installs it\ntest: ./test.sh --all\ndescription: |\n  First line.\n\n  Third: line.\nenvironment: {A: \"1\", B: true}\nwhen: 2024-01-02\n",
    ),
];

fn show<const N: usize>(args: [&str; N]) -> Ran {
    Atex::new().tree(TREE).args(["fmf", "show"]).args(args).run()
}

#[test]
fn people_see_aligned_keys_and_short_values() {
    insta::assert_debug_snapshot!(show([]).expect(0), @r#"
    exit 0
    --- stdout
    /tests/install
      tag          [smoke, 1]
      duration     5m
      adjust       [{when: distro == rhel-9, duration: 10m, because: slow}]
      summary      Installs it
      test         ./test.sh --all
      description  |
                     First line.

                     Third: line.
      environment  {A: "1", B: true}
      when         2024-01-02
      main.fmf, tests/install/main.fmf
    "#);
}

#[test]
fn programs_get_an_object_a_line() {
    insta::assert_debug_snapshot!(show(["--json"]).expect(0), @r#"
    exit 0
    --- stdout
    {"name": "/tests/install", "data": {"tag": ["smoke", 1], "duration": "5m", "adjust": [{"when": "distro == rhel-9", "duration": "10m", "because": "slow"}], "summary": "Installs it", "test": "./test.sh --all", "description": "First line.\n\nThird: line.\n", "environment": {"A": "1", "B": true}, "when": "2024-01-02"}, "sources": ["main.fmf", "tests/install/main.fmf"]}
    "#);
}

#[test]
fn a_context_applies_adjust_rules() {
    let duration = |ran: Ran| ran.json()[0]["data"]["duration"].clone();
    assert_eq!(duration(show(["--json"]).expect(0)), "5m");
    assert_eq!(duration(show(["--json", "-c", "distro=rhel-9"]).expect(0)), "10m");
    assert_eq!(duration(show(["--json", "-c", "distro=rhel-8"]).expect(0)), "5m");
}

/// A tree where a duration is inherited and adjusted, and a tag merged.
const ORIGINS: [(&str, &str); 2] = [
    (
        "main.fmf",
        "duration: 5m\ntag: [all]\nadjust:\n  - when: distro == rhel-9\n    because: slow\n    duration: 30m\n  - tag+: [late]\n",
    ),
    (
        "tests/main.fmf",
        "test: ./run.sh\ndescription: |\n  One.\n  Two.\n/basic:\n  tag+: [basic]\n",
    ),
];

#[test]
fn origins_name_each_place_that_made_a_value() {
    let args = ["fmf", "show", "/tests/basic", "--origin", "-c", "distro=rhel-9"];
    let ran = Atex::new().tree(ORIGINS).args(args).run();
    insta::assert_debug_snapshot!(ran.expect(0), @r#"
    exit 0
    --- stdout
    /tests/basic
      duration     30m   main.fmf:1, adjust "distro == rhel-9" at main.fmf:6
      tag          [all, basic, late]   main.fmf:2, tests/main.fmf:6, adjust at main.fmf:7
      adjust       [{when: distro == rhel-9, because: slow, duration: 30m}, {tag+: [late]}]   main.fmf:3
      test         ./run.sh   tests/main.fmf:1
      description  |   tests/main.fmf:2
                     One.
                     Two.
      main.fmf, tests/main.fmf
    "#);
}

#[test]
fn origins_are_an_object_of_lists_for_programs() {
    let args = [
        "fmf",
        "show",
        "/tests/basic",
        "--origin",
        "--json",
        "-c",
        "distro=rhel-9",
    ];
    let nodes = Atex::new().tree(ORIGINS).args(args).run().expect(0).json();
    let origins = &nodes[0]["origins"];
    let rule = json!({"when": "distro == rhel-9", "file": "main.fmf", "line": 4});
    let adjusted = json!({"file": "main.fmf", "line": 6, "adjust": rule});
    assert_eq!(origins["duration"], json!([{"file": "main.fmf", "line": 1}, adjusted]));
    assert_eq!(origins["tag"][2]["adjust"]["when"], json!(null));
    let keys = |value: &Value| {
        value
            .as_object()
            .map(|object| object.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(keys(origins), keys(&nodes[0]["data"]));
    let plain = Atex::new()
        .tree(ORIGINS)
        .args(["fmf", "show", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(plain[0].get("origins"), None);
}

#[test]
fn parts_of_a_mapping_that_several_places_made_have_places_of_their_own() {
    let tree = [
        ("main.fmf", "test: x\nenvironment:\n  A: 1\n  C: 1\n"),
        (
            "t.fmf",
            "environment+:\n  B: 2\nadjust:\n- when: x == y\n  environment+:\n    A: 3\n",
        ),
    ];
    let ran = Atex::new()
        .tree(tree)
        .args(["fmf", "show", "--origin", "-c", "x=y"])
        .run();
    insta::assert_debug_snapshot!(ran.expect(0), @r#"
    exit 0
    --- stdout
    /t
      test         x   main.fmf:1
      environment  {A: 3, C: 1, B: 2}   main.fmf:2, t.fmf:1, adjust "x == y" at t.fmf:5
                     A  t.fmf:6
                     C  main.fmf:4
                     B  t.fmf:2
      adjust       [{when: x == y, environment+: {A: 3}}]   t.fmf:3
      main.fmf, t.fmf
    "#);
    let args = ["fmf", "show", "--origin", "--json", "-c", "x=y"];
    let nodes = Atex::new().tree(tree).args(args).run().expect(0).json();
    let place = |file: &str, line: u32| json!({"file": file, "line": line});
    let environment = json!({"A": place("t.fmf", 6), "C": place("main.fmf", 4), "B": place("t.fmf", 2)});
    assert_eq!(nodes[0]["parts"], json!({"environment": environment}));
}

#[test]
fn nodes_are_named_whole_and_a_wrong_name_is_told() {
    let show = |args: &[&str]| Atex::new().tree(ORIGINS).args(["fmf", "show"]).args(args).run();
    let ran = show(&["--json", "/tests"]).expect(0).json();
    assert_eq!((ran.len(), &ran[0]["name"]), (1, &json!("/tests")));
    insta::assert_debug_snapshot!(show(&["/tests/basi"]), @"
    exit 4
    --- stderr
    error: no node is called `/tests/basi`
    hint: did you mean `/tests/basic`?
    ");
    insta::assert_debug_snapshot!(show(&["/tests", "--key", "nothing"]), @"
    exit 4
    --- stderr
    error: the node `/tests` is not among those selected
    ");
}

#[test]
fn selection_narrows() {
    let names = |ran: Ran| {
        ran.json()
            .iter()
            .map(|node| node["name"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(show(["--json", "--whole"]).expect(0)).len(), 3);
    assert!(names(show(["--json", "--name", "nothing"]).expect(0)).is_empty());
    assert_eq!(names(show(["--json", "--filter", "tag:smoke"]).expect(0)).len(), 1);
    assert_eq!(names(show(["--json", "--key", "summary"]).expect(0)).len(), 1);
    assert_eq!(
        names(show(["--json", "--condition", "environment['A'] == '1'"]).expect(0)).len(),
        1
    );
}

#[test]
fn bad_yaml_shows_the_line() {
    let ran = Atex::new()
        .tree([("main.fmf", "a: 1\nb: [1, 2\nc: 3\n")])
        .args(["fmf", "show"])
        .run();
    insta::assert_debug_snapshot!(ran.expect(2), @"
    exit 2
    --- stderr
    error: main.fmf:3:2: expected `,` or `]`, found `:`
      3 | c: 3
        |  ^
    ");
}
