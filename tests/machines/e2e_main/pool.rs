//! Tests of many machines for one plan, with the real binary: `local*N`, groups, machines that join, second attempts, shards, the
//! trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::e2e_main::running::{Running, events};
use crate::e2e_main::scene::{Scene, eventually, jsonl, witness};

const PLAN: &str = "discover: {how: fmf}
execute: {how: tmt}
prepare: {script: 'echo \"prepare $TMT_TREE\" >> \"$COUNTER\"'}
finish: {script: 'echo \"finish $TMT_TREE\" >> \"$COUNTER\"'}
";

/// A test that ends when so many of its kind have begun: only machines that work at once get there.
fn meeting(number: usize) -> String {
    format!(
        "test: |
    echo \"begin $TMT_TEST_NAME\" >> \"$COUNTER\"
    until [ \"$(grep -c '^begin' \"$COUNTER\")\" -ge {number} ]; do sleep 0.02; done
"
    )
}

fn suite(tests: usize, test: &str) -> Scene {
    let scene = Scene::new([("plan.fmf", PLAN)]);
    for number in 1..=tests {
        scene.write(format!("t{number}.fmf"), test);
    }
    scene
}

/// The SUTs on which tests of the newest run passed.
fn used(scene: &Scene) -> BTreeSet<String> {
    let passed = |event: &Value| event["event"] == "node-finished" && event["outcome"] == "pass";
    let events = events(&scene.latest());
    let tests = events
        .iter()
        .filter(|event| passed(event) && event["node"].as_str().unwrap().starts_with("test "));
    tests.map(|event| event["sut"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn local_with_a_number_is_so_many_suts_with_directories_of_their_own() {
    let scene = suite(3, &meeting(3));
    scene.run(0, ["build", "-s", "local*3"]);
    assert_eq!(
        used(&scene),
        ["local-1", "local-2", "local-3"].map(str::to_owned).into()
    );
    for number in 1..=3 {
        assert!(scene.world.path(format!("sut/{number}/lease")).is_file());
    }
    let ran = scene.ran();
    for word in ["prepare", "finish"] {
        assert_eq!(ran.iter().filter(|line| line.starts_with(word)).count(), 3, "{ran:?}");
    }
}

#[test]
fn a_group_of_the_configuration_is_its_suts() {
    let scene = suite(3, &meeting(3));
    let config =
        "[group.lab]\nsuts = [\"local*2?name=lab\", \"other\"]\n[sut.other]\ntarget = \"local\"\ndir = \"DIR\"\n";
    let dir = scene.world.path("other");
    scene.write("atex.toml", config.replace("DIR", &dir.display().to_string()));
    scene.run(0, ["build", "-s", "lab"]);
    assert_eq!(used(&scene), ["lab-1", "lab-2", "other"].map(str::to_owned).into());
}

#[test]
fn what_is_wrong_with_a_pool_says_where() {
    let scene = suite(1, &witness("one"));
    let refused = |args: [&str; 3], what: &str| {
        let ran = scene.run(2, args);
        assert!(ran.stderr.contains(what), "{ran:?}");
    };
    refused(["build", "-s", "local*0"], "`local*0` has a bad number of SUTs `0`");
    refused(["build", "--sut-file", "none"], "cannot read the file of SUTs");
    scene.write("pool", "# nothing\n\n");
    refused(["build", "--sut-file", "pool"], "the file of SUTs `pool` names none");
    refused(["build", "--shard", "3/2"], "`3/2` is no part");
    scene.write("atex.toml", "[group.lab]\nsut = [\"local\"]\n");
    refused(
        ["build", "-s", "lab"],
        "unknown key `sut` in `[TMP]/tree/atex.toml:2:1`",
    );
    scene.write("atex.toml", "[group.lab]\n");
    refused(
        ["build", "-s", "lab"],
        "group `lab` has no `suts` in `[TMP]/tree/atex.toml:1:8`",
    );
    scene.write("atex.toml", "[group.lab]\nsuts = [\"lab\"]\n");
    refused(["build", "-s", "lab"], "the group `lab` is in itself");
}

#[test]
fn a_sut_that_is_written_into_the_file_joins_the_run_that_goes_on() {
    let scene = suite(2, &meeting(2));
    let line = |number: u32| {
        let dir = scene.world.path(format!("sut-{number}"));
        format!("local?name=sut-{number}&dir={}  # one more\n", dir.display())
    };
    // Not in the tree: that is brought to the machines.
    scene.world.write("pool", line(1));
    let pool = scene.world.path("pool");
    let call = scene.world.atex().args(["build", "--sut-file"]).args([pool]);
    let run = Running::start(call, "out");
    eventually("the first test begins", || {
        scene.world.read("ran").contains("begin").then_some(())
    });
    let [first, second] = [1, 2].map(line);
    let other = second.replace("sut-2", "sut-3").replace("  #", "&base=other  #");
    scene
        .world
        .write("pool", format!("{first}{second}vm://x\n{second}{other}"));
    let dir = run.dir.clone();
    let ran = run.end().expect(0);
    assert!(ran.stdout.contains("joined"), "{ran:?}");
    assert!(
        ran.stdout.contains("pool:3"),
        "a line that is no target is told of: {ran:?}"
    );
    assert!(
        ran.stdout
            .contains("it has another `base` or `digest` than the SUTs of this run"),
        "a SUT that was installed differently takes no part: {ran:?}"
    );
    let suts: BTreeSet<_> = events(&dir)
        .iter()
        .filter(|event| event["event"] == "node-started")
        .map(|event| event["sut"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(suts, ["sut-1", "sut-2"].map(str::to_owned).into());
}

/// A test that fails at its first attempt, and says which one it is.
const FLAKY: &str = r#"test: |
    echo "attempt" >> "$COUNTER.attempts"
    [ "$(wc -l < "$COUNTER.attempts")" -gt 1 ]
"#;

#[test]
fn a_test_that_passes_at_its_second_attempt_is_flaky_and_the_exit_code_is_0() {
    let scene = suite(1, FLAKY);
    let ran = scene.run(0, ["build", "--retries", "2"]);
    assert!(ran.stdout.contains("it runs again"), "{ran:?}");
    assert!(ran.stdout.contains("1 flaky"), "{ran:?}");
    let dir = scene.latest();
    let status = |path: &str| jsonl(&dir.join(path))[0]["status"].clone();
    assert_eq!(status("tests/t1/results.jsonl"), "fail");
    assert_eq!(status("tests/t1/attempt-2/results.jsonl"), "pass");
    let summary: Value = serde_json::from_str(&fs::read_to_string(dir.join("run.json")).unwrap()).unwrap();
    assert_eq!(summary["tests"], serde_json::json!({"flaky": 1}));
    let listed = scene.world.atex().args(["results"]).run().expect(0);
    assert!(listed.stdout.contains("/t1 (attempt 2)"), "{listed:?}");
}

#[test]
fn after_the_first_failure_nothing_starts_where_the_user_wants_that() {
    let scene = suite(3, "test: 'echo ran >> \"$COUNTER\"; false'\n");
    let ran = scene.run(1, ["build", "--exit-first"]);
    assert!(ran.stdout.contains("stopped after a test failed"), "{ran:?}");
    assert_eq!(scene.ran().iter().filter(|line| *line == "ran").count(), 1);
    let two = scene.run(1, ["build", "--max-failures", "2"]);
    assert!(two.stdout.contains("stopped after 2 tests failed"), "{two:?}");
}

#[test]
fn each_test_is_in_one_part_whoever_runs_it() {
    let scene = suite(7, "test: 'echo \"$TMT_TEST_NAME\" >> \"$COUNTER\"'\n");
    scene.write("plan.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\n");
    scene.ran();
    for part in ["1/3", "2/3", "3/3"] {
        let ran = scene.run(0, ["build", "--rerun", "--shard", part]);
        let count = scene.ran().len();
        assert!((2..=3).contains(&count), "{part}: {count}: {ran:?}");
    }
    let all = scene.world.read("ran");
    let names: BTreeSet<&str> = all.lines().collect();
    assert_eq!((names.len(), all.lines().count()), (7, 7));
    let none = scene.run(4, ["build", "--shard", "90/90"]);
    assert!(none.stderr.contains("no test is in this part"), "{none:?}");
}

#[test]
fn a_trace_has_a_track_for_each_sut_and_its_spans_do_not_overlap() {
    let scene = suite(6, "test: sleep 0.1\nrequire: [bash]\n");
    scene.run(0, ["build", "-s", "local*2"]);
    let ran = scene.world.atex().args(["report", "--format", "trace"]).run().expect(0);
    let trace: Value = serde_json::from_str(&ran.stdout).expect("a trace is JSON");
    let all = trace["traceEvents"].as_array().expect("a list of events");
    let tracks: BTreeMap<u64, &str> = all
        .iter()
        .filter(|event| event["name"] == "thread_name")
        .map(|event| (event["tid"].as_u64().unwrap(), event["args"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(tracks.values().copied().collect::<Vec<_>>(), ["local-1", "local-2"]);
    let mut spans: BTreeMap<u64, Vec<(u64, u64, &str)>> = BTreeMap::new();
    for span in all.iter().filter(|event| event["ph"] == "X") {
        let number = |key: &str| span[key].as_u64().unwrap();
        let (begin, end) = (number("ts"), number("ts") + number("dur"));
        spans
            .entry(number("tid"))
            .or_default()
            .push((begin, end, span["name"].as_str().unwrap()));
    }
    let mut names: Vec<&str> = Vec::new();
    for (track, spans) in &mut spans {
        assert!(tracks.contains_key(track));
        spans.sort_unstable();
        for pair in spans.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{pair:?}");
        }
        names.extend(spans.iter().map(|span| span.2));
    }
    for wanted in ["connecting", "entering", "syncing", "leaving", "test /t1", "test /t6"] {
        assert!(names.contains(&wanted), "`{wanted}` in {names:?}");
    }
    for kind in ["prepare ", "finish "] {
        assert_eq!(
            names.iter().filter(|name| name.starts_with(kind)).count(),
            2,
            "{names:?}"
        );
    }
}

#[test]
fn a_run_shows_who_has_which_machine_to_others() {
    let scene = suite(1, &meeting(2));
    let run = Running::start(scene.atex(["build"]), "out");
    run.wait_for("node-started", "test /t1");
    let pid = format!("pid {} of ", run.pid().as_raw_nonzero());
    let listed = scene.atex(["sut", "ls"]).run().expect(0);
    assert!(listed.stdout.contains(&pid), "{listed:?}");
    fs::write(scene.world.path("ran"), "begin\nbegin\n").unwrap();
    run.end().expect(0);
    let listed = scene.atex(["sut", "ls"]).run().expect(0);
    assert!(listed.stdout.contains("free"), "{listed:?}");
}

#[test]
fn machines_for_which_too_few_processes_are_allowed_take_no_part() {
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED: only root can be a user of whom nothing else runs");
        return;
    }
    let scene = suite(4, "test: echo \"test $TMT_TEST_NAME\" >> \"$COUNTER\"");
    // The user has to reach the program, wherever it was built.
    let call = scene.world.atex().args(["build", "-s", "local*80"]);
    let plain = call.command();
    fs::copy(plain.get_program(), scene.world.path("atex")).expect("a copy");
    let mut command = Command::new("bash");
    command.args([
        "-c",
        "chown -R 54321 \"$0\" && exec setpriv --reuid 54321 --regid 54321 --clear-groups prlimit --nproc=40 \"$@\"",
    ]);
    command.arg(scene.world.path("")).arg(scene.world.path("atex"));
    command.args(plain.get_args()).current_dir(scene.world.tree());
    command
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    call.ran(&command.output().expect("bash runs")).expect(0);
    let tests = scene.ran().into_iter().filter(|line| line.starts_with("test "));
    assert_eq!(
        tests.collect::<Vec<_>>(),
        ["test /t1", "test /t2", "test /t3", "test /t4"]
    );
}
