//! Tests of options of the commands that run something.

use std::fs;

use serde_json::Value;

use crate::e2e_main::running::{Running, events};
use crate::e2e_main::scene::{Scene, eventually, results, witness};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo prepare >> \"$COUNTER\"'}
finish: {script: 'echo finish >> \"$COUNTER\"'}
";

fn suite() -> Scene {
    Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("a.fmf", witness("a")),
        ("b.fmf", witness("b")),
    ])
}

#[test]
fn until_names_the_last_kind_that_runs() {
    let scene = suite();
    scene.run(0, ["build", "--until", "discover"]);
    assert_eq!(scene.ran(), [""; 0]);
    assert!(!scene.world.sut().exists(), "discovering touches no machine");
    for expected in [&["prepare"][..], &[]] {
        scene.run(0, ["build", "--until", "prepare"]);
        assert_eq!(scene.ran_in_order(), expected);
    }
    scene.run(0, ["build", "--until", "test"]);
    assert_eq!(scene.ran_in_order(), ["test a", "test b"]);
    scene.run(0, ["finish"]);
    assert_eq!(scene.ran(), ["finish"]);
}

#[test]
fn a_dry_run_shows_what_would_run_and_touches_nothing() {
    let scene = suite();
    for command in ["build", "finish"] {
        let ran = scene.run(0, [command, "--dry-run", "--json"]);
        let lines = ran.json();
        let shown: Vec<_> = lines.iter().filter_map(|line| line["node"].as_str()).collect();
        let all = ["prepare /plan#1 shell", "test /a", "test /b", "finish /plan#1"];
        assert_eq!(shown, if command == "build" { &all[..] } else { &all[3..] }, "{ran:?}");
        assert!(lines.iter().all(|line| line["action"] == "run"), "{ran:?}");
    }
    assert_eq!(scene.ran(), [""; 0]);
    assert!(!scene.world.sut().exists());
    assert!(
        !scene.world.path("home/.local/state/atex/runs").exists(),
        "it is no run"
    );

    scene.run(0, ["build", "--until", "test"]);
    let ran = scene.run(0, ["build", "--dry-run"]);
    assert_eq!(
        ran.stdout.lines().filter(|line| line.starts_with("cached")).count(),
        2,
        "{ran:?}"
    );
}

#[test]
fn fresh_prepares_anew_and_once() {
    let scene = suite();
    scene.run(0, ["test", "/a", "/b"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test a", "test b"]);
    scene.run(0, ["test", "/a", "/b", "--fresh"]);
    assert_eq!(scene.ran_in_order(), ["prepare", "test a", "test b"]);
}

#[test]
fn rerun_runs_all_tests_on_the_machine_as_it_is() {
    let scene = suite();
    scene.run(0, ["build", "--until", "test"]);
    scene.ran();
    scene.run(0, ["build", "--until", "test", "--rerun"]);
    assert_eq!(scene.ran_in_order(), ["test a", "test b"]);
}

#[test]
fn max_age_distrusts_what_was_prepared_longer_ago() {
    let scene = suite();
    scene.run(0, ["test", "/a"]);
    scene.ran();
    scene.run(0, ["test", "/a", "--max-age", "12h"]);
    assert_eq!(scene.ran_in_order(), ["test a"]);
    eventually("the distrust of a state that is more than a second old", || {
        scene.run(0, ["test", "/a", "--max-age", "1s"]);
        (scene.ran_in_order() == ["prepare", "test a"]).then_some(())
    });
}

#[test]
fn max_age_distrusts_tests_that_stand_on_an_older_preparation_and_no_others() {
    let scene = suite();
    let bare = "discover: {how: fmf, test: /a}\nexecute: {how: tmt}\nenvironment: {BARE: 1}\n";
    scene.write("bare.fmf", bare);
    scene.run(0, ["build"]);
    let mut prepared = vec!["prepare", "test a", "test b", "finish"];
    assert_eq!(scene.ran().len(), prepared.len() + 1);
    scene.run(0, ["build", "--max-age", "12h"]);
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
    eventually(
        "the distrust of tests that stand on what is more than a second old",
        || {
            let dry = scene.run(0, ["build", "--max-age", "1s", "--dry-run"]).stdout;
            let why = scene.run(0, ["why", "/b", "--max-age", "1s"]).stdout;
            let old = "runs: what it stood on when it passed";
            (dry.contains("run     ") && why.contains(old) && why.contains("was prepared")).then_some(())
        },
    );
    assert!(
        scene
            .why(["/b", "--max-age", "12h"])
            .contains("does not run: it passed")
    );
    scene.run(0, ["build", "--max-age", "1s"]);
    let mut ran = scene.ran();
    ran.sort();
    prepared.sort_unstable();
    assert_eq!(ran, prepared, "what stands on no preparation is not distrusted");
    scene.run(0, ["build"]);
    assert_eq!(scene.ran(), [""; 0]);
}

#[test]
fn what_is_not_honoured_is_a_warning_and_with_strict_an_error() {
    let scene = suite();
    let phases = "prepare:\n  - {name: extra, how: copr, repository: x}\n  - {script: 'true', url: 'https://nowhere.invalid/x'}\n";
    scene.write(
        "plan.fmf",
        PLAN.replace("prepare: {script: 'echo prepare >> \"$COUNTER\"'}\n", phases),
    );
    let places = [
        ("plan.fmf:4", "phase 1 (`extra`)", "`how: copr`"),
        ("plan.fmf:5", "phase 2 (`shell`)", "`url`"),
    ];
    let ran = scene.run(0, ["build"]);
    assert_eq!(ran.stderr.matches("warning").count(), 2, "{ran:?}");
    let strict = scene.run(2, ["build", "--strict"]);
    assert_eq!(
        scene.ran(),
        ["finish", "test a", "test b"],
        "nothing ran the second time"
    );
    for (place, phase, what) in places {
        for ran in [&ran, &strict] {
            let said = |line: &str| [place, "/plan", phase, what].iter().all(|part| line.contains(part));
            assert!(ran.stderr.lines().any(said), "{place} {phase} {what}: {ran:?}");
        }
    }
}

#[test]
fn the_run_goes_to_the_directory_that_is_named() {
    let scene = suite();
    let atex = scene.atex(["build", "-o", "../deep/out", "--json"]);
    let told = atex.run().expect(0).json();
    let out = scene.world.path("deep/out");
    let moment = |event: &Value| (event["time"].clone(), event["event"].clone(), event["node"].clone());
    let of_run: Vec<_> = events(&out).iter().map(moment).collect();
    assert_eq!(
        told.iter().map(moment).collect::<Vec<_>>(),
        of_run,
        "they are those of the run"
    );
    let run: Value = serde_json::from_str(&scene.world.read("deep/out/run.json")).expect("JSON");
    assert_eq!(
        (&run["exit-code"], &run["tests"]),
        (&0.into(), &serde_json::json!({"pass": 2}))
    );
    assert_eq!(scene.world.read("deep/out/prepare.log"), "==> prepare /plan#1 shell\n");
    atex.run().expect(2);
}

#[test]
fn every_test_has_its_directory_and_a_result_whatever_happened() {
    let scene = suite();
    scene.write("slow.fmf", "test: sleep 1000\nduration: 1s\n");
    scene.write("bad.fmf", "test: 'false'\n");
    scene.write("broken.fmf", "test: echo nonsense >&$ATEX_TEST_CONTROL; sleep 1000\n");
    scene.run(3, ["build"]);
    let verdict = |test| {
        let results = results(&scene.latest(), test);
        let last = results.last().unwrap_or_else(|| panic!("no result of {test}"));
        (last["status"].clone(), last["error"].clone())
    };
    let infra = |kind: &str| (Value::from("infra"), Value::from(kind));
    assert_eq!(verdict("/a"), ("pass".into(), Value::Null));
    assert_eq!(verdict("/bad"), ("fail".into(), Value::Null));
    assert_eq!(verdict("/slow"), infra("timeout"));
    assert_eq!(verdict("/broken"), infra("control"));

    scene.edit("plan.fmf", "echo prepare", "false; echo prepare");
    scene.run(3, ["build", "--fresh"]);
    for test in ["/a", "/b", "/bad", "/slow", "/broken"] {
        assert_eq!(verdict(test), infra("prepare"));
    }
}

#[test]
fn names_that_would_collide_with_files_of_a_run_are_escaped() {
    let scene = suite();
    scene.write(
        "a.fmf",
        "test: echo \"$TMT_TEST_NAME\"\n/files: {}\n/results.jsonl: {}\n/attempt-2: {}\n/@plan: {}\n/plain: {}\n",
    );
    scene.run(0, ["build"]);
    let below = scene.latest().join("tests/a");
    let names = fs::read_dir(&below)
        .expect("the tests")
        .map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    assert_eq!(names, ["%40plan", "%61ttempt-2", "%66iles", "%72esults.jsonl", "plain"]);
    let output = fs::read_to_string(below.join("%66iles/files/output.txt")).expect("the output");
    assert_eq!(output, "/a/files\n");
}

#[test]
fn a_test_that_two_plans_run_in_their_own_ways_has_two_directories() {
    let scene = suite();
    let plans = "/p: {environment: {WHICH: p}}\n/q: {environment: {WHICH: q}}\n";
    scene.write("plan.fmf", format!("{PLAN}{plans}"));
    scene.write("a.fmf", "test: echo \"$WHICH\"\n");
    scene.run(0, ["build", "--name", "^/a$"]);
    for (path, which) in [("tests/a", "p\n"), ("tests/a/@plan:q", "q\n")] {
        let output = scene.latest().join(path).join("files/output.txt");
        assert_eq!(fs::read_to_string(output).expect("the output"), which);
    }
    let ran = scene.run(2, ["test", "/a"]);
    for name in ["`/plan/p`", "`/plan/q`", "--plan"] {
        assert!(ran.stderr.contains(name), "which one is asked: {ran:?}");
    }
    scene.run(0, ["test", "/a", "--plan", "/plan/q"]);
    assert_eq!(scene.output("/a"), "q\n");
    scene.run(0, ["test", "/a"]);
    assert_eq!(scene.output("/a"), "q\n", "the machine is prepared for that plan");
}

#[test]
fn several_machines_share_the_tests_and_each_is_prepared_once() {
    // Each test ends only when the other one runs, too.
    let pair = |mine: &str, other: &str| {
        format!(
            "test: |\n    touch \"$COUNTER.{mine}\"\n    until [ -e \"$COUNTER.{other}\" ]; do sleep 0.02; done\nduration: 2m\n"
        )
    };
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("a.fmf", pair("a", "b")),
        ("b.fmf", pair("b", "a")),
        ("c.fmf", witness("c")),
    ]);
    let target = |name: &str| format!("local?name={name}&dir={}", scene.world.path(name).display());
    let call = scene
        .world
        .atex()
        .args(["build", "-s", &target("left"), "-s", &target("right")]);
    let run = Running::start(call, "out");
    let dir = run.dir.clone();
    run.end().expect(0);
    assert_eq!(scene.ran(), ["finish", "finish", "prepare", "prepare", "test c"]);
    let log = fs::read_to_string(dir.join("prepare.log")).expect("the log");
    for name in ["left", "right"] {
        assert_eq!(
            log.matches(&format!("{name} | ==> prepare /plan#1 shell")).count(),
            1,
            "{log}"
        );
        let on_it = |event: &Value| event["event"] == "node-finished" && event["sut"] == name;
        let tests = events(&dir)
            .into_iter()
            .filter(on_it)
            .filter(|event| event["node"].to_string().contains("test /"));
        assert!(tests.count() >= 1, "{name} ran a test");
    }
}

#[test]
fn the_longest_test_starts_first_where_there_are_several_machines() {
    let scene = suite();
    scene.write("long.fmf", witness("long") + "duration: 30m\norder: 90\n");
    let target = |name: &str| format!("local?name={name}&dir={}", scene.world.path(name).display());
    let call = scene
        .world
        .atex()
        .args(["build", "-s", &target("left"), "-s", &target("right")]);
    let run = Running::start(call, "out");
    let dir = run.dir.clone();
    run.end().expect(0);
    let started = events(&dir)
        .into_iter()
        .filter(|event| event["event"] == "node-started");
    let first = started
        .filter_map(|event| event["node"].as_str().map(str::to_owned))
        .find(|node| node.starts_with("test"));
    assert_eq!(first.as_deref(), Some("test /long"));
}
