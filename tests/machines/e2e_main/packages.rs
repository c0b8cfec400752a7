//! What tests require: one transaction for all of them, and where that fails, one for each test.
//!
//! The package manager is a script of the test's own, found before any real one; the real ones have tests with the SUT kinds.

use crate::e2e_main::scene::{Scene, witness};
use crate::support::Atex;

/// Knows every package but `bad`; a transaction with that one changes nothing.
const MANAGER: &str = r#"#!/bin/bash
while (($# > 0)) && [ "$1" != install ]; do shift; done
(($# > 0)) || exit 0
shift
echo "install $*" >> TMP/ran
[[ " $* " != *" bad "* ]] || exit 1
for name; do touch "TMP/installed/$name"; done
"#;

/// Answers as `dpkg-query` and as `rpm -q` do.
const QUERY: &str = "#!/bin/bash\n[ -e \"TMP/installed/${!#}\" ] && printf 'installed '\n";

fn suite() -> Scene {
    let plan = "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {how: install, package: [tool, base]}\n";
    let scene = Scene::new([
        ("plan.fmf", plan.to_owned()),
        ("a.fmf", witness("a") + "require: [one, base]\n"),
        ("b.fmf", witness("b") + "require: two\nrecommend: [nice]\n"),
        ("c.fmf", witness("c")),
    ]);
    let root = scene.world.path("").display().to_string();
    let managers = ["apt-get", "dnf5", "dnf", "yum"].map(|name| (name, MANAGER));
    for (name, script) in managers
        .into_iter()
        .chain(["dpkg-query", "rpm"].map(|name| (name, QUERY)))
    {
        let script = script.replace("TMP", root.trim_end_matches('/'));
        scene.world.write(format!("bin/{name}"), script);
    }
    scene.world.write("installed/base", "");
    scene
}

/// A call that finds the package manager of the suite.
fn build(scene: &Scene) -> Atex {
    let path = format!(
        "{}:{}",
        scene.world.path("bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    scene.atex(["build"]).env("PATH", path)
}

/// What ran; a transaction that is tried again with newer lists of packages counts once.
fn ran(scene: &Scene) -> Vec<String> {
    let mut ran = scene.ran_in_order();
    ran.dedup();
    ran
}

/// Installing needs root, also with a package manager that does not.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: atex installs packages as root only");
    }
    root
}

#[test]
fn what_all_tests_require_is_one_transaction_for_what_is_missing() {
    if !is_root() {
        return;
    }
    let scene = suite();
    build(&scene).run().expect(0);
    let ran = ran(&scene);
    assert_eq!(
        ran,
        [
            "install tool",
            "install one two",
            "install nice",
            "test a",
            "test b",
            "test c"
        ]
    );
    scene.write("d.fmf", witness("d") + "require: [one, two, base]\n");
    build(&scene).run().expect(0);
    assert_eq!(scene.ran(), ["test d"], "what is installed costs no transaction");
}

#[test]
fn a_package_that_does_not_exist_fails_its_test_only() {
    if !is_root() {
        return;
    }
    let scene = suite();
    scene.edit("b.fmf", "two", "bad");
    build(&scene).run().expect(3);
    let ran = ran(&scene);
    let expected = [
        "install tool",
        "install bad one",
        "install nice",
        "install one",
        "test a",
        "install bad",
        "test c",
    ];
    assert_eq!(ran, expected);
    let result = &scene.results("/b")[0];
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"setup".into())
    );
    assert!(result["note"].as_str().unwrap_or_default().contains("bad"), "{result}");
}

#[test]
fn a_package_that_is_only_recommended_fails_nothing() {
    if !is_root() {
        return;
    }
    let scene = suite();
    scene.edit("b.fmf", "nice", "bad, nice");
    build(&scene).run().expect(0);
    let ran = scene.ran();
    assert!(
        ran.contains(&"install nice".to_owned()) && ran.contains(&"test b".to_owned()),
        "{ran:?}"
    );
}

#[test]
fn a_package_of_the_plan_that_does_not_exist_is_a_failed_preparation() {
    let scene = suite();
    scene.edit("plan.fmf", "tool", "bad");
    build(&scene).run().expect(3);
    for test in ["/a", "/b", "/c"] {
        assert_eq!(scene.results(test)[0]["error"], "prepare");
    }
}
