//! What `atex fmf show` prints, for people and for programs.

mod support;

use support::{Atex, Ran};

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
