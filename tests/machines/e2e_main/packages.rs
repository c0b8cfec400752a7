//! Tests of packages that tests require: they are installed in one transaction, or, if that fails, in one for each test.
//!
//! The package manager is a script of the test's own, which is found before any real one. Real package managers are tested with
//! the SUT kinds.

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

/// Writes the files that beakerlib writes, as far as its verdict depends on them, and calls the commands that it calls.
const BEAKERLIB: &str = r#"results() {
    printf '# results\nTESTRESULT_STATE=%s\nTESTRESULT_RESULT_STRING=%s\n' "$1" "$worst" >"$BEAKERLIB_DIR/TestResults"
}
rlJournalStart() { worst=PASS; echo protocol >"$BEAKERLIB_DIR/journal.txt"; results started; }
rlPhaseStartTest() { phase=$1 outcome=PASS; }
rlRun() { eval "$1" || { outcome=FAIL worst=FAIL; }; }
rlPhaseEnd() {
    echo log >"$BEAKERLIB_DIR/log"
    "$BEAKERLIB_COMMAND_REPORT_RESULT" "$phase" "$outcome" "$BEAKERLIB_DIR/log" 0
    results incomplete
}
rlJournalEnd() {
    echo '<journal/>' >"$BEAKERLIB_DIR/journal.xml"
    "$BEAKERLIB_COMMAND_SUBMIT_LOG" -l "$BEAKERLIB_DIR/journal.xml"
    results complete
}
"#;

#[test]
fn a_test_of_beakerlib_comes_to_what_its_journal_says() {
    if !is_root() {
        return;
    }
    let scene = suite();
    scene.write("lib.sh", BEAKERLIB);
    let test = |script: &str| format!("test: |\n    . $TMT_TREE/lib.sh\n{script}framework: beakerlib\n");
    let whole = "    false\n    rlJournalStart\n    rlPhaseStartTest 'one: two'\n    rlRun CHECK\n    rlPhaseEnd\n";
    let passes = whole.replace("CHECK", "true");
    scene.write("a.fmf", test(&format!("{passes}    rlJournalEnd\n    exit 7\n")));
    scene.write("b.fmf", test(&format!("{passes}    exit 0\n")));
    let fails = whole.replace("CHECK", "false");
    scene.write("c.fmf", test(&format!("{fails}    rlJournalEnd\n")));
    scene.write("d.fmf", test(&format!("{fails}    rlJournalEnd\n")) + "result: xfail\n");
    scene.write("e.fmf", test("    exit 0\n"));
    let ran = build(&scene).run().expect(1);
    assert!(!ran.said("not obeyed"), "{ran:?}");
    assert!(
        scene.ran().contains(&"install beakerlib".to_owned()),
        "it is required by itself"
    );
    let told = |name: &str| -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let results = scene.results(name);
        results
            .iter()
            .map(|result| (text(&result["name"]), text(&result["status"])))
            .collect()
    };
    let of = |parts: [(&str, &str); 2]| {
        parts
            .map(|(name, status)| (name.to_owned(), status.to_owned()))
            .to_vec()
    };
    assert_eq!(told("/a"), of([("one: two", "pass"), ("", "pass")]));
    assert_eq!(told("/b"), of([("one: two", "pass"), ("", "error")]));
    assert_eq!(told("/c"), of([("one: two", "fail"), ("", "fail")]));
    assert_eq!(told("/d"), of([("one: two", "fail"), ("", "pass")]));
    assert_eq!(told("/e"), [(String::new(), "error".to_owned())]);
    let note = |name: &str| scene.results(name).pop().expect("a result")["note"].clone();
    assert_eq!(note("/b"), "beakerlib: State 'incomplete'");
    assert_eq!(note("/e"), "beakerlib: TestResults FileError");
    let files = scene.latest().join("tests/a/files");
    for kept in [
        "beakerlib/TestResults",
        "beakerlib/journal.txt",
        "data/journal.xml",
        "data/one:_two/output.txt",
    ] {
        assert!(files.join(kept).exists(), "{kept}");
    }
}
