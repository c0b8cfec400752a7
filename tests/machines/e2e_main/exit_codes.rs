//! Tests of each exit code with real cases, and of each refusal that a new user meets.

use rustix::process::Signal;

use crate::e2e_main::scene::{Scene, report, witness};
use crate::support::Ran;

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

fn suite() -> Scene {
    Scene::new([("plan.fmf", PLAN.to_owned()), ("a.fmf", witness("a"))])
}

/// A suite with a test that reports one result of this status.
fn reporting(status: &str) -> Scene {
    let result = report(&format!(r#"{{"status":"{status}"}}"#));
    let test = format!("test: |\n    {result}\n");
    Scene::new([("report.fmf", test)])
}

#[test]
fn passed_is_0() {
    suite().run(0, ["build"]);
    for status in ["pass", "info", "warn", "skip"] {
        reporting(status).run(0, ["build"]);
    }
}

#[test]
fn a_failed_test_is_1() {
    for status in ["fail", "error", "unheard-of"] {
        reporting(status).run(1, ["build"]);
    }
    for script in ["'false'", "exit 255", "kill -9 $$"] {
        let scene = suite();
        scene.write("bad.fmf", format!("test: {script}\n"));
        scene.run(1, ["build"]);
    }
}

#[test]
fn a_failure_of_the_infrastructure_is_3_and_wins_over_1() {
    for (file, text) in [
        ("slow.fmf", "test: sleep 1000\nduration: 1s\n"),
        ("broken.fmf", "test: echo nonsense >&$ATEX_TEST_CONTROL\n"),
        (
            "plan.fmf",
            "discover: {how: fmf}\nexecute: {how: tmt}\nfinish: {script: exit 7}\n",
        ),
    ] {
        let scene = suite();
        scene.write("bad.fmf", "test: 'false'\n");
        scene.write(file, text);
        scene.run(3, ["build"]);
        assert_eq!(scene.ran(), ["test a"]);
    }
}

#[test]
fn an_interrupted_run_is_130_and_wins_over_1() {
    let scene = suite();
    scene.write("bad.fmf", "test: 'false'\norder: 1\n");
    scene.write("long.fmf", "test: sleep 1000\norder: 2\n");
    let run = scene.start("out", ["build"]);
    run.wait_for("node-started", "test /long");
    run.signal(Signal::INT);
    run.end().expect(130);
}

/// What holds for every refusal.
#[track_caller]
fn refused(ran: &Ran, parts: &[&str]) {
    assert_eq!(ran.stdout, "", "{ran:?}");
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "one message: {ran:?}");
    for part in parts {
        assert!(ran.stderr.contains(part), "`{part}` is not in {ran:?}");
    }
    for trace in ["panicked", "RUST_BACKTRACE", "Err(", "Some(", "os error", "::"] {
        assert!(!ran.stderr.contains(trace), "`{trace}` in {ran:?}");
    }
}

#[test]
fn nothing_to_run_is_4() {
    let scene = suite();
    refused(
        &scene.run(4, ["test", "/aa"]),
        &["no test matches `/aa`", "did you mean `/a`?"],
    );
    refused(&scene.run(4, ["build", "--filter", "tag:none"]), &["no test matches"]);
    refused(&scene.run(4, ["build", "--name", "nothing"]), &["no test matches"]);
    scene.write("plan.fmf", "discover: {how: other}\nexecute: {how: tmt}\n");
    let ran = scene.run(4, ["build"]);
    assert!(
        ran.stderr.contains("plan.fmf:1") && ran.stderr.contains("`how: other`"),
        "{ran:?}"
    );
}

#[test]
fn wrong_metadata_is_2_and_shows_its_place() {
    for (text, parts) in [
        (
            "test: x\nfoo: [a\nbar: 1\n",
            &["a.fmf:3:4: ", "  3 | bar: 1\n", "    |    ^"][..],
        ),
        ("test: x\n  foo: y\n", &["a.fmf:2:6: ", "  2 |   foo: y\n"]),
        ("test: 1\n\tfoo: 2\n", &["a.fmf:2:1: a tab"]),
        (
            "test: x\ntest: y\n",
            &["a.fmf:2:1: the key `test` is given twice", "  2 | test: y\n"],
        ),
        (
            "test: x\nduration: soon\n",
            &[
                "a.fmf:2: ",
                "`/a`",
                "`soon`",
                "  2 | duration: soon\n    |           ^^^^\n",
            ],
        ),
        (
            "test: x\nenvironment: 5\n",
            &["a.fmf:2: ", "`/a`", "`environment`", "    | ^^^^^^^^^^^\n"],
        ),
        (
            "test: x\nadjust:\n- environment+: {a b: 5}\n",
            &[
                "a.fmf:3: ",
                "`/a`",
                "    |                  ^^^\n",
                "\n  adjust rule: always, at a.fmf:3\n",
            ],
        ),
        (
            "test: x\nadjust: [{when: distro ==, tag: y}]\n",
            &["a.fmf:2", "distro =="],
        ),
    ] {
        let scene = suite();
        scene.write("a.fmf", text);
        refused(&scene.run(2, ["build"]), parts);
        assert!(!scene.world.sut().exists() && scene.ran().is_empty(), "nothing ran");
    }
}

#[test]
fn wrong_usage_is_2_and_leads_on() {
    let scene = suite();
    refused(
        &scene.run(2, ["build", "/plam"]),
        &["no plan matches `/plam`", "did you mean `/plan`?"],
    );
    refused(
        &scene.atex(["build"]).cwd("home").run().expect(2),
        &["no fmf tree in", "-C DIR"],
    );
    refused(&scene.run(2, ["build", "--name", "("]), &["`(`"]);
    refused(&scene.run(2, ["build", "--condition", "import os"]), &["`import os`"]);
    scene.world.write("taken/precious", "");
    refused(&scene.run(2, ["build", "-o", "../taken"]), &["`../taken` is not empty"]);
    scene.world.write("file", "");
    refused(&scene.run(2, ["build", "-o", "../file/out"]), &["file/out`"]);
    let cache = scene.atex(["build"]).env("ATEX_CACHE", scene.world.path("file/cache"));
    refused(&cache.run().expect(2), &["[TMP]/file/cache`", "ATEX_CACHE"]);
    scene.write("atex.toml", "[defaults]\nmaxage = \"1h\"\n");
    refused(
        &scene.run(2, ["build"]),
        &["`maxage`", "atex.toml:2:1", "did you mean `max-age`?"],
    );
    assert!(!scene.world.sut().exists() && scene.ran().is_empty(), "nothing ran");
}

#[test]
fn a_machine_that_cannot_be_used_is_3_and_says_why() {
    let scene = suite();
    scene.world.write("file", "");
    let ran = scene.on("file/sut", ["build"]).run().expect(3);
    assert!(ran.stdout.contains("cannot make `[TMP]/file/sut`"), "{ran:?}");
    let result = &scene.results("/a")[0];
    assert_eq!(
        (&result["status"], &result["error"]),
        (&"infra".into(), &"setup".into())
    );
}
