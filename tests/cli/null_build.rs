//! Tests of null builds: an unchanged tree of which nothing has to run is not compiled again, and the run looks as if it had
//! been.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::support::{Ran, World};
use serde_json::Value;

const PLAN: &str = "\
/a:
  environment: {WHERE: a}
/b:
  environment: {WHERE: b}
discover: {how: fmf}
execute: {how: tmt}
prepare: {how: shell, script: echo preparing}
finish: {how: shell, script: echo finishing}
";

/// Two plans with three tests, of which each runs once for each plan; all have passed, and the last build found it so.
fn world() -> World {
    let world = World::new();
    world.write("tree/plan.fmf", PLAN);
    world.write("tree/tests/main.fmf", "test: ./run.sh\n/one: {}\n/two: {tag: x}\n");
    world.write("tree/tests/run.sh", "#!/bin/bash\necho fine\n");
    world.write(
        "tree/other/deep/main.fmf",
        "test: mkdir -p \"$TMT_TREE/x\"; echo deep\n",
    );
    world.write("tree/other/deep/data", "");
    build(&world, "first", &[]).expect(0);
    assert_eq!(cached(&world, "first"), 0);
    build(&world, "second", &[]).expect(0);
    assert_eq!(cached(&world, "second"), 6);
    assert_eq!(kept_builds(&world).len(), 1, "how it went is remembered");
    world
}

fn build(world: &World, run: &str, more: &[&str]) -> Ran {
    let call = world.atex().args(["build", "-o"]).args([world.path(run)]);
    call.args(["--sut-dir"]).args([world.sut()]).args(more).run()
}

fn summary(world: &World, run: &str) -> Value {
    serde_json::from_str(&world.read(Path::new(run).join("run.json"))).expect("JSON")
}

/// How many tests of a run were taken from the cache.
fn cached(world: &World, run: &str) -> u64 {
    summary(world, run)["cached"].as_u64().expect("a number")
}

/// The null builds that are remembered.
fn kept_builds(world: &World) -> Vec<PathBuf> {
    files(&world.path("home/.cache/atex/null-builds-v1"))
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let (mut files, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let is_directory = entry.file_type().expect("a kind").is_dir();
            if is_directory { &mut directories } else { &mut files }.push(entry.path());
        }
    }
    files.sort();
    files
}

/// Whether a build was carried out as a null build: that it was of use is noted there.
fn by_null_build(world: &World, build: impl FnOnce()) -> bool {
    let old = SystemTime::now() - Duration::from_hours(1);
    for path in kept_builds(world) {
        let file = File::options().append(true).open(path).expect("a null build");
        file.set_modified(old).expect("set");
    }
    build();
    let is_new = |path: PathBuf| fs::metadata(path).and_then(|stat| stat.modified()).expect("there") > old;
    kept_builds(world).into_iter().any(is_new)
}

/// What a run left, without times and names of its own: its files with their contents.
fn left(world: &World, run: &str) -> BTreeMap<PathBuf, String> {
    let dir = world.path(run);
    let content = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("text");
        let json = |line: &str| -> String {
            let mut value: Value = serde_json::from_str(line).expect("JSON");
            for own in ["time", "age", "duration", "run", "dir", "started"] {
                value.as_object_mut().expect("an object").remove(own);
            }
            format!("{value}\n")
        };
        let name = path.strip_prefix(&dir).expect("below").to_owned();
        let text = match name.to_str() {
            Some("events.jsonl") => text.lines().map(json).collect(),
            Some("run.json") => json(&text),
            _ => text,
        };
        (name, text)
    };
    files(&dir).into_iter().map(content).collect()
}

#[test]
fn an_unchanged_build_tells_and_leaves_what_one_that_is_compiled_does() {
    let world = world();
    assert!(by_null_build(&world, || {
        build(&world, "third", &[]).expect(0);
    }));
    assert_eq!(left(&world, "third"), left(&world, "second"));
    assert_eq!(summary(&world, "third")["tests"]["pass"], 6);
    let steady = |ran: Ran| {
        let kept = |line: &&str| !line.contains("tests: ") && !line.starts_with("results in");
        let lines: Vec<String> = ran.stdout.lines().filter(kept).map(str::to_owned).collect();
        (lines, ran.stderr)
    };
    fs::remove_dir_all(world.path("home/.cache/atex/null-builds-v1")).expect("removed");
    let compiled = steady(build(&world, "fourth", &["--json"]));
    let unchanged = steady(build(&world, "fifth", &["--json"]));
    assert_eq!(compiled.0.len(), unchanged.0.len());
    assert_eq!(compiled.1, unchanged.1);
}

#[test]
fn a_warning_is_told_each_time() {
    let world = world();
    world.write(
        "tree/plan.fmf",
        format!("{PLAN}prepare+: {{how: magic}}\n")
            .replace("prepare: {how: shell, script: echo preparing}\n", "")
            .replace("prepare+", "prepare"),
    );
    let told = |ran: Ran| ran.expect(0).stderr;
    let first = told(build(&world, "w1", &[]));
    assert!(first.contains("magic"), "{first}");
    assert_eq!(told(build(&world, "w2", &[])), first);
    assert!(by_null_build(&world, || assert_eq!(
        told(build(&world, "w3", &[])),
        first
    )));
    assert_eq!(cached(&world, "w3"), 6);
}

#[test]
fn a_changed_script_of_the_same_size_and_second_runs_its_tests_again() {
    let world = world();
    let script = world.path("tree/tests/run.sh");
    let before = fs::metadata(&script).and_then(|stat| stat.modified()).expect("a time");
    world.write("tree/tests/run.sh", "#!/bin/bash\necho good\n");
    let file = File::options().append(true).open(&script).expect("the script");
    file.set_modified(before).expect("set");
    build(&world, "third", &[]).expect(0);
    assert_eq!(
        cached(&world, "third"),
        2,
        "the script lies in the directory of the others"
    );
    assert_eq!(world.read("third/tests/tests/one/@plan:b/files/output.txt"), "good\n");
}

/// How many tests of a new world are taken from the cache after a change.
fn cached_after(change: impl FnOnce(&World), more: &[&str]) -> u64 {
    let world = world();
    change(&world);
    build(&world, "third", more).expect(0);
    cached(&world, "third")
}

#[test]
fn changed_metadata_run_the_tests_again_whose_work_they_change() {
    let metadata = |text: &'static str| move |world: &World| world.write("tree/tests/main.fmf", text);
    let of_the_others = metadata("test: ./run.sh; true\n/one: {}\n/two: {tag: x}\n");
    assert_eq!(cached_after(of_the_others, &[]), 2);
    let what_does_not_run = metadata("test: ./run.sh\n/one: {}\n/two: {tag: y}\n");
    assert_eq!(cached_after(what_does_not_run, &[]), 6);
    let of_the_plan = |world: &World| world.write("tree/plan.fmf", PLAN.replace("preparing", "PREPARING"));
    assert_eq!(cached_after(of_the_plan, &[]), 0);
}

#[test]
fn changed_files_and_options_run_the_tests_again_that_depend_on_them() {
    let a_file = |world: &World| world.write("tree/other/deep/more", "");
    assert_eq!(
        cached_after(a_file, &[]),
        4,
        "it lies below the directory of one test, which both plans hold"
    );
    let a_mode = |world: &World| {
        let path = world.path("tree/other/deep/data");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
    };
    assert_eq!(cached_after(a_mode, &[]), 4);
    let an_empty_directory = |world: &World| fs::create_dir(world.path("tree/other/deep/empty")).expect("made");
    assert_eq!(cached_after(an_empty_directory, &[]), 4);
    assert_eq!(cached_after(|_| (), &["-e", "X=1"]), 0);
}

#[test]
fn a_lost_or_damaged_part_of_the_cache_runs_its_test_again() {
    let of_one = |text: &str| text.contains("\"name\":\"test /tests/one");
    let remove = |path: &Path| fs::remove_file(path).expect("removed");
    check_damage("records-v1", of_one, remove, false);
    check_damage("records-v1", of_one, damage, true);
    // A content that two tests have left is there for the second again, when the first has run.
    check_damage("blobs-v1", |text| text == "deep\n", damage, true);
}

/// Does something to a file of the cache with such a text: one test runs again, and the other records stand.
fn check_damage(bucket: &str, is_it: impl Fn(&str) -> bool, harm: impl FnOnce(&Path), told: bool) {
    let world = world();
    let is_it = |path: &PathBuf| is_it(&fs::read_to_string(path).expect("text"));
    let found = files(&world.path("home/.cache/atex").join(bucket))
        .into_iter()
        .find(is_it);
    harm(&found.expect("it is there"));
    let ran = build(&world, "third", &[]).expect(0);
    assert_eq!(cached(&world, "third"), 5, "{bucket}\n{ran:?}");
    assert_eq!(summary(&world, "third")["tests"]["pass"], 6, "{bucket}\n{ran:?}");
    assert_eq!(ran.stderr.contains("is not used"), told, "{bucket}\n{ran:?}");
    assert_eq!(world.read("third/tests/other/deep/files/output.txt"), "deep\n");
    build(&world, "fourth", &[]).expect(0);
    assert_eq!(cached(&world, "fourth"), 6, "{bucket}");
}

/// Changes a byte in the middle of a file, whatever its mode.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(path, bytes).expect("written");
}

#[test]
fn who_wants_tests_to_run_is_not_given_a_null_build() {
    let world = world();
    for (run, more, expected) in [("rerun", "--rerun", 0), ("shard", "--shard=1/1", 6)] {
        assert!(!by_null_build(&world, || {
            build(&world, run, &[more]).expect(0);
        }));
        assert_eq!(cached(&world, run), expected, "{more}");
    }
    let until = |until| build(&world, until, &["--until", until]).expect(0);
    assert!(!by_null_build(&world, || drop(until("prepare"))));
    assert_eq!(summary(&world, "prepare")["cached"], 0);
    assert!(by_null_build(&world, || drop(until("test"))));
}

#[test]
fn a_probe_is_asked_in_each_run() {
    let world = world();
    let log = world.path("asked");
    let probe = format!("extra-atex-probe: echo >> {}\n{PLAN}", log.display());
    world.write("tree/plan.fmf", probe);
    for run in ["p1", "p2", "p3"] {
        build(&world, run, &[]).expect(0);
    }
    assert_eq!(cached(&world, "p3"), 6);
    assert_eq!(world.read("asked").lines().count(), 3, "once a run");
}

#[test]
fn the_context_of_a_plan_is_in_a_null_build_and_another_one_is_another_build() {
    let world = world();
    let tests = "test: ./run.sh\nadjust: [{when: mine == b, environment: {HOW: b}}]\n/one: {}\n/two: {}\n";
    world.write("tree/tests/main.fmf", tests);
    let plans = |mine: &str| {
        let own = format!("/a:\n  context: {{mine: {mine}}}\n");
        world.write("tree/plan.fmf", PLAN.replace("/a:\n", &own));
    };
    plans("a");
    build(&world, "c1", &[]).expect(0);
    build(&world, "c2", &[]).expect(0);
    assert!(by_null_build(&world, || drop(build(&world, "c3", &[]).expect(0))));
    assert_eq!(cached(&world, "c3"), 6);
    plans("b");
    build(&world, "c4", &[]).expect(0);
    assert_eq!(
        cached(&world, "c4"),
        4,
        "the two tests of one plan that the rule changes ran"
    );
    build(&world, "c5", &[]).expect(0);
    assert!(by_null_build(&world, || drop(build(&world, "c6", &[]).expect(0))));
    assert_eq!(cached(&world, "c6"), 6);
    build(&world, "c7", &["-c", "mine=a"]).expect(0);
    assert_eq!(cached(&world, "c7"), 6, "the command line wins, and those have run");
}

#[test]
fn a_secret_is_in_no_null_build_and_another_value_is_another_build() {
    let world = world();
    let secret = ["--secret-env", "TOKEN", "-e"];
    let with = |run: &str, value: &str| build(&world, run, &[&secret[..], &[value]].concat()).expect(0);
    with("s1", "TOKEN=hush-hush");
    with("s2", "TOKEN=hush-hush");
    assert!(by_null_build(&world, || drop(with("s3", "TOKEN=hush-hush"))));
    assert_eq!(cached(&world, "s3"), 6);
    with("s4", "TOKEN=tell-tell");
    assert_eq!(cached(&world, "s4"), 0);
    for path in files(&world.path("home/.cache/atex")) {
        let bytes = fs::read(&path).expect("read");
        assert!(!bytes.windows(9).any(|part| part == b"hush-hush"), "{}", path.display());
    }
}
