//! The tree by itself: places and origins, messages, JSON, and what hostile input does.

use std::fmt::Write as _;
use std::fs;

use atex_fmf::context::Context;
use atex_fmf::{Error, Selection, Tree, Value};
use tempfile::TempDir;

/// A tree in a temporary directory.
struct Planted {
    directory: TempDir,
}

impl Planted {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        for (name, text) in [(".fmf/version", "1\n")].iter().chain(files) {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("has a parent")).expect("can be made");
            fs::write(path, text).expect("can be written");
        }
        Self { directory }
    }

    fn load(&self) -> Result<Tree, Error> {
        Tree::load(self.directory.path())
    }

    fn tree(&self) -> Tree {
        self.load().expect("a tree")
    }

    fn refusal(&self) -> String {
        self.load().expect_err("is refused").to_string()
    }
}

fn context(distro: &str) -> Context {
    let mut context = Context::new();
    context.set("distro", &[distro]);
    context
}

fn origins(tree: &Tree, node: &str, key: &str) -> Vec<String> {
    let node = tree.find(node).expect("the node is there");
    node.origins(key).iter().map(ToString::to_string).collect()
}

#[test]
fn every_value_knows_what_made_it() {
    let planted = Planted::new(&[
        (
            "main.fmf",
            "# comment\nduration: 5m\ntag: [a]\nadjust:\n- because: slow\n  when: distro == rhel-9\n  duration: 30m\n  tag+: [c]\n",
        ),
        ("sub/a.fmf", "\ntag+: [b]\n/v:\n  summary: x\n"),
    ]);
    let tree = planted.tree();
    assert_eq!(origins(&tree, "/sub/a/v", "duration"), ["main.fmf:2"]);
    assert_eq!(origins(&tree, "/sub/a/v", "tag"), ["main.fmf:3", "sub/a.fmf:2"]);
    assert_eq!(origins(&tree, "/sub/a/v", "summary"), ["sub/a.fmf:4"]);
    assert!(origins(&tree, "/sub/a/v", "missing").is_empty());

    let adjusted = tree.adjusted(&context("rhel-9")).expect("can be adjusted");
    assert_eq!(
        origins(&adjusted, "/sub/a/v", "duration"),
        ["main.fmf:2", "main.fmf:7 (adjust \"distro == rhel-9\")"]
    );
    let tags = ["main.fmf:3", "sub/a.fmf:2", "main.fmf:8 (adjust \"distro == rhel-9\")"];
    assert_eq!(origins(&adjusted, "/sub/a/v", "tag"), tags);
    let rule = adjusted
        .find("/sub/a/v")
        .and_then(|node| node.origin("tag"))
        .and_then(|origin| origin.adjust);
    let rule = rule.expect("a rule did it");
    assert_eq!(
        (rule.when.as_deref(), rule.location.to_string()),
        (Some("distro == rhel-9"), "main.fmf:5".to_owned())
    );
}

#[test]
fn nodes_know_their_files_and_directory() {
    let planted = Planted::new(&[
        ("main.fmf", "a: 1\n/v: {b: 1}\n"),
        ("one/main.fmf", "c: 1\n"),
        ("one/two/x.fmf", "/y:\n  /: {inherit: false}\n  d: 1\n"),
    ]);
    let tree = planted.tree();
    let of = |name: &str| {
        let node = tree.find(name).expect("the node is there");
        let sources: Vec<_> = node
            .sources()
            .iter()
            .map(|source| source.display().to_string())
            .collect();
        (sources.join(" "), node.dir().display().to_string())
    };
    assert_eq!(of("/v"), ("main.fmf".into(), String::new()));
    assert_eq!(of("/one"), ("main.fmf one/main.fmf".into(), "one".into()));
    assert_eq!(
        of("/one/two/x"),
        ("main.fmf one/main.fmf one/two/x.fmf".into(), "one/two".into())
    );
    assert_eq!(of("/one/two/x/y"), (String::new(), "one/two".into()));
    let files: Vec<_> = tree
        .metadata_files()
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    assert_eq!(files, [".fmf/version", "main.fmf", "one/main.fmf", "one/two/x.fmf"]);
}

#[test]
fn tree_is_found_from_below_and_missing_one_is_told() {
    let planted = Planted::new(&[("deep/er/main.fmf", "a: 1\n")]);
    let below = Tree::load(&planted.directory.path().join("deep/er")).expect("a tree");
    assert_eq!(below.root(), planted.tree().root());
    let nowhere = TempDir::new().expect("a temporary directory");
    let error = Tree::load(nowhere.path()).expect_err("no tree");
    assert!(error.to_string().starts_with("no fmf tree"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn adjusting_leaves_the_tree_as_it_was() {
    let planted = Planted::new(&[("main.fmf", "env: {a: 1}\nadjust:\n- env+: {b: 2}\n/c: {x: 1}\n")]);
    let tree = planted.tree();
    let shown = |tree: &Tree| {
        tree.climb(true)
            .map(|node| node.data().to_json().to_string())
            .collect::<Vec<_>>()
    };
    let before = shown(&tree);
    let adjusted = tree.adjusted(&Context::new()).expect("can be adjusted");
    assert_ne!(shown(&adjusted), before);
    assert_eq!(shown(&tree), before);
}

#[test]
fn node_is_one_line_of_json() {
    let planted = Planted::new(&[("a.fmf", "z: [1.0, .nan, ~]\na: {1: \"x\\ty\", yes: 2024-01-02}\n")]);
    let tree = planted.tree();
    let mut line = String::new();
    tree.find("/a").expect("the node is there").write_json(&mut line);
    let expected = r#"{"name": "/a", "data": {"z": [1.0, "NaN", null], "a": {"1": "x\ty", "yes": "2024-01-02"}}, "sources": ["a.fmf"]}"#;
    assert_eq!(line, expected);
}

#[test]
fn bad_yaml_is_shown_with_file_line_column_and_the_line() {
    let planted = Planted::new(&[("sub/a.fmf", "ok: 1\n  bad: [x\n")]);
    let refusal = planted.refusal();
    assert!(refusal.starts_with("sub/a.fmf:2:6: "), "{refusal}");
    assert!(refusal.ends_with("\n2 |   bad: [x\n  |      ^"), "{refusal}");
}

#[test]
fn conflict_is_shown_where_the_key_stands() {
    let planted = Planted::new(&[("main.fmf", "tag: [a]\n/a:\n  # comment\n  tag+: b\n")]);
    let refusal = planted.refusal();
    assert!(
        refusal.starts_with("main.fmf:4:3: cannot merge key `tag+` in node `/a`: "),
        "{refusal}"
    );
    assert!(refusal.contains("\n4 |   tag+: b\n  |   ^"), "{refusal}");
}

#[test]
fn wrong_rule_is_shown_where_it_stands() {
    let planted = Planted::new(&[("main.fmf", "a: 1\nadjust:\n  - because: x\n    when: no operator\n")]);
    let error = planted
        .tree()
        .adjusted(&Context::new())
        .expect_err("cannot be parsed")
        .to_string();
    assert!(error.starts_with("main.fmf:3:"), "{error}");
    assert!(error.contains("no operator"), "{error}");
}

#[test]
fn selection_that_cannot_be_evaluated_is_refused() {
    let tree = Planted::new(&[("main.fmf", "a: 1\n")]).tree();
    let names = Selection {
        names: vec!["(".into()],
        ..Selection::default()
    };
    let conditions = Selection {
        conditions: vec!["a +".into()],
        ..Selection::default()
    };
    let filters = Selection {
        filters: vec!["a: (".into()],
        ..Selection::default()
    };
    for selection in [names, conditions, filters] {
        assert!(tree.prune(&selection).is_err(), "{selection:?}");
    }
    let missing = Selection {
        conditions: vec!["b == 1".into()],
        ..Selection::default()
    };
    assert!(tree.prune(&missing).expect("no such key in any node").is_empty());
}

#[test]
fn depth_of_all_kinds_is_limited() {
    let nested = |n: usize| format!("a: {}{}\n", "[".repeat(n), "]".repeat(n));
    assert!(Planted::new(&[("main.fmf", &nested(300))]).load().is_ok());
    let mut blocks = String::new();
    for n in 0..5000 {
        let _ = writeln!(blocks, "{:n$}a:", "");
    }
    let nodes = format!("/{}: {{x: 1}}\n", "a/".repeat(100_000));
    let mut chain = "m0: &m0 {a: 1}\n".to_owned();
    for n in 1..5000 {
        let _ = writeln!(chain, "m{n}: &m{n} {{<<: *m{}}}", n - 1);
    }
    chain.push_str("<<: *m4999\n");
    for text in [
        nested(100_000),
        "- ".repeat(100_000),
        "{a: ".repeat(100_000),
        blocks,
        nodes,
        chain,
    ] {
        assert!(Planted::new(&[("main.fmf", &text)]).load().is_err(), "{}", &text[..40]);
    }
}

#[test]
fn aliases_that_make_a_document_huge_are_refused() {
    let mut lists = "l0: &l0 [x, x]\n".to_owned();
    let mut merges = "m0: &m0 {a: 1, b: 2}\n".to_owned();
    for n in 1..60 {
        let before = n - 1;
        let _ = writeln!(lists, "l{n}: &l{n} [*l{before}, *l{before}]");
        let _ = writeln!(merges, "m{n}: &m{n} {{<<: [*m{before}, *m{before}]}}");
    }
    let texts = format!("t: &t {}\nu: [{}]\n", "x".repeat(1 << 20), "*t, ".repeat(1000));
    for text in [lists, merges, texts] {
        let refusal = Planted::new(&[("main.fmf", &text)]).refusal();
        assert!(refusal.contains("stands for more than"), "{refusal}");
    }
}

#[test]
fn mappings_that_merges_put_too_deep_into_each_other_are_refused() {
    let mut text = String::new();
    for n in 0..20_000 {
        let _ = writeln!(text, "a{n}: &a{n} {{}}");
    }
    for n in 0..19_999 {
        let _ = writeln!(text, "a{n}+: {{k: *a{}}}", n + 1);
    }
    text.push_str("/child: {}\n");
    let refusal = Planted::new(&[("main.fmf", &text)]).refusal();
    assert!(refusal.contains("too deep"), "{refusal}");
}

#[test]
fn value_that_contains_itself_is_refused() {
    for text in ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a {b: {c: [*a]}}\n"] {
        assert!(
            Planted::new(&[("main.fmf", text)])
                .refusal()
                .contains("contains itself"),
            "{text}"
        );
    }
}

#[test]
fn large_values_and_many_keys_are_read() {
    let long = "x".repeat(1 << 20);
    let mut text = format!("long: {long}\nblock: |\n");
    for n in 0..10_000 {
        let _ = writeln!(text, "  line {n}");
    }
    for n in 0..20_000 {
        let _ = writeln!(text, "key{n}: {n}");
    }
    text.push_str("/child:\n  key19999+: 1\n");
    let tree = Planted::new(&[("main.fmf", &text)]).tree();
    let child = tree.find("/child").expect("the node is there");
    assert_eq!(
        child.data().get("long").and_then(Value::as_str).map(str::len),
        Some(1 << 20)
    );
    assert_eq!(child.data().get("key19999").and_then(Value::as_int), Some(20_000));
    assert_eq!(child.data().len(), 20_002);
}

#[test]
fn text_for_a_node_that_names_a_directory_is_refused() {
    let planted = Planted::new(&[("main.fmf", "/a: /\n")]);
    assert!(planted.refusal().contains("must be a mapping"));
}
