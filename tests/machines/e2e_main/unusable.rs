//! What is wrong with one plan or test concerns those who ask for it, and nobody else.

use std::fs;

use crate::e2e_main::scene::{Scene, witness};

const GOOD: &str = "discover: {how: fmf, test: '^/(a|b)$'}\nexecute: {how: tmt}\n";

/// Plans that cannot be used, each with what is said of it.
const BAD: [(&str, &str, &str); 6] = [
    (
        "value",
        "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {how: shell, script: {x: 1}}\n",
        "value.fmf:3: plan `/value`",
    ),
    (
        "order",
        "discover: {how: fmf}\nexecute: {how: tmt}\norder: x\n",
        "order.fmf:3: plan `/order`",
    ),
    (
        "filter",
        "execute: {how: tmt}\ndiscover:\n  how: fmf\n  filter: 'name:['\n",
        "filter.fmf:4: plan `/filter`",
    ),
    (
        "adjust",
        "discover: {how: fmf}\nexecute: {how: tmt}\nadjust: text\n",
        "adjust.fmf:3",
    ),
    (
        "url",
        "execute: {how: tmt}\ndiscover: {how: fmf, url: file:///nowhere/at/all}\n",
        "url.fmf:2: plan `/url`",
    ),
    (
        "probe",
        "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: x}\nextra-atex-probe: exit 3\n",
        "probe.fmf:4: plan `/probe`",
    ),
];

fn scene() -> Scene {
    let bad = BAD.map(|(name, plan, _)| (format!("{name}.fmf"), plan.to_owned()));
    let good = [
        ("good.fmf".to_owned(), GOOD.to_owned()),
        ("a.fmf".to_owned(), witness("a")),
        ("b.fmf".to_owned(), witness("b")),
    ];
    Scene::new(good.into_iter().chain(bad))
}

#[test]
fn a_plan_that_cannot_be_used_leaves_the_others_alone() {
    let scene = scene();
    let good = scene.run(0, ["build", "/good"]);
    assert_eq!(scene.ran(), ["test a", "test b"]);
    assert!(!good.said("error"), "{good:?}");
    let all = scene.run(2, ["build"]);
    for (name, _, said) in BAD {
        assert!(all.stderr.contains(said), "{said} in {all:?}");
        let alone = scene.run(2, ["build", &format!("/{name}")]);
        assert!(alone.stderr.contains(said), "{said} in {alone:?}");
    }
    assert!(
        all.said("2 cached") && all.said("exit 2") && all.said("left out"),
        "{all:?}"
    );
    assert_eq!(scene.ran(), [""; 0]);
    let run = scene.latest();
    let summary = fs::read_to_string(run.join("run.json")).expect("the run is complete");
    assert!(summary.contains(r#""exit-code": 2"#), "{summary}");

    scene.write("a.fmf", "test: 'false'\n");
    scene.run(1, ["build"]);
    scene.run(2, ["build", "--dry-run"]);
}

#[test]
fn a_test_of_another_plan_is_run_and_looked_at() {
    let scene = scene();
    let ran = scene.run(0, ["test", "/b"]);
    assert_eq!(scene.ran(), ["test b"]);
    assert!(ran.said("plan `/value` is left out"), "{ran:?}");
    assert!(scene.run(0, ["why", "/b"]).said("/b"));
    scene.run(2, ["test", "/nothing"]);
    let listed = scene.run(2, ["ls", "plans"]);
    assert!(
        listed.stdout.contains("/good") && listed.stderr.contains("value.fmf:3"),
        "{listed:?}"
    );
    let url = listed
        .stdout
        .lines()
        .find(|line| line.starts_with("/url"))
        .expect("listed");
    assert!(url.contains('?'), "nothing was fetched: {listed:?}");
    for command in [&["ls"][..], &["graph"]] {
        let shown = scene.atex(command.iter().copied()).run().expect(2);
        assert!(
            shown.stdout.contains("/b") && shown.stderr.contains("value.fmf:3"),
            "{shown:?}"
        );
        let json = scene
            .atex(command.iter().copied().chain(["--json"]))
            .run()
            .expect(2)
            .json();
        let of = |plan: &str| {
            json.iter()
                .find(|line| line["plan"] == plan && line["error"] != serde_json::Value::Null)
        };
        let value = of("/value").expect("a line of it");
        assert_eq!((&value["file"], &value["line"]), (&"value.fmf".into(), &3.into()));
        assert_eq!(value["test"], serde_json::Value::Null);
    }
}

#[test]
fn a_test_that_cannot_be_used_leaves_the_others_of_its_plan_alone() {
    let bad = [
        ("duration", "test: x\nduration: soon\n"),
        ("order", "test: x\norder: x\n"),
        ("tag", "test: x\ntag: 5\n"),
        ("path", "test: x\npath: /nowhere\n"),
        ("environment", "test: x\nenvironment: 5\n"),
        ("adjust", "test: x\nadjust:\n- environment+: 5\n  environment: 6\n- 7\n"),
        ("interface", "test: x\nextra-atex-interface: other\n"),
    ];
    let files = bad.map(|(name, test)| (format!("{name}.fmf"), test.to_owned()));
    let plan = "discover: {how: fmf}\nexecute: {how: tmt}\n";
    let good = [
        ("plan.fmf".to_owned(), plan.to_owned()),
        ("good.fmf".to_owned(), witness("good")),
    ];
    let scene = Scene::new(good.into_iter().chain(files));
    let built = scene.run(2, ["build"]);
    assert_eq!(scene.ran(), ["test good"], "{built:?}");
    let listed = scene.run(2, ["ls"]);
    for (name, _) in bad {
        assert!(built.stderr.contains(&format!("{name}.fmf:")), "{name}: {built:?}");
        assert!(listed.stderr.contains(&format!("{name}.fmf:")), "{name}: {listed:?}");
        scene.run(2, ["test", &format!("/{name}")]);
    }
    scene.run(0, ["test", "/good"]);
    scene.run(0, ["build", "--name", "good"]);
    scene.write("good.fmf", "test: 'true'\nduration: 1x\n");
    let nothing = scene.run(2, ["build"]);
    assert!(nothing.said("good.fmf:2") && !nothing.said("left out"), "{nothing:?}");
}
