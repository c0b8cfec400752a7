//! Tests of large amounts of results, bytes and files: the runner's memory does not grow with them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;

use crate::e2e_main::running::Running;
use crate::e2e_main::scene::{Scene, eventually, within};

/// Disks may be slow, and busy with other tests.
const LONG: Duration = Duration::from_mins(15);

/// How much the memory of the runner may grow with what a test says, in KiB.
const SLACK: u64 = 8 * 1024;

/// The memory of its own that a process holds, in KiB; `None` where it has ended. Pages of the binary are not counted: how many there are
/// depends on how many other processes share them.
fn own_memory(pid: Pid) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", pid.as_raw_nonzero())).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss_Anon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Lets a test run until it waits at its gate, opens that, and watches the runner's memory until the end.
fn watched(scene: &Scene, mut run: Running) {
    eventually("the test's start", || {
        scene.world.read("ran").contains("ready").then_some(())
    });
    let pid = run.pid();
    let before = own_memory(pid).expect("it runs");
    let mut peak = before;
    scene.world.write("ran.go", "");
    within(LONG, "the end of the run", || {
        peak = peak.max(own_memory(pid).unwrap_or_default());
        (!run.lives()).then_some(())
    });
    run.end().expect(0);
    println!("own memory of the runner: {before} KiB before, {peak} KiB at the peak");
    assert!(peak < before + SLACK, "it grew from {before} KiB to {peak} KiB");
}

/// A test that says `ready`, waits for its gate, and then runs `script`.
fn gated(script: &str) -> String {
    format!(
        "duration: 1h\ntest: |\n    echo ready >> \"$COUNTER\"\n    until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done\n    {script}\n"
    )
}

#[test]
fn a_million_results_take_constant_memory_and_each_line_is_whole() {
    const COUNT: u32 = 1_000_000;
    // The line break that `seq` ends with is white space after the JSON.
    let script = format!(
        r#"seq -f "$(printf 'result 35\n{{"status":"pass","name":"%%07.0f"}}')" 1 {COUNT} >&$ATEX_TEST_CONTROL"#
    );
    let scene = Scene::new([("many.fmf", gated(&script))]);
    let run = scene.start("out", ["test", "/many"]);
    watched(&scene, run);
    let text = fs::read_to_string(scene.world.path("out/tests/many/results.jsonl")).expect("results");
    assert!(text.ends_with('\n'));
    let mut lines = text.lines();
    for number in 1..=COUNT {
        assert_eq!(
            lines.next(),
            Some(&*format!(r#"{{"status":"pass","name":"{number:07}"}}"#))
        );
    }
    assert_eq!(lines.next(), Some(r#"{"status":"pass","files":["output.txt"]}"#));
    assert_eq!(lines.next(), None);
    let told = fs::metadata(scene.world.path("out/events.jsonl"))
        .expect("events")
        .len();
    assert!(told < 1 << 20, "not every result is an event: {told} bytes");
}

#[test]
fn a_large_file_takes_constant_memory() {
    // 2 GiB in the long form, which wants the disk for it.
    let size: u64 = if std::env::var_os("ATEX_TEST_LARGE").is_some() {
        2 << 30
    } else {
        256 << 20
    };
    let json = format!(r#"{{"status":"pass","files":[{{"name":"large","length":{size}}}]}}"#);
    let script = format!(
        "{{ printf 'result {}\\n{}'; head -c {size} /dev/zero; }} >&$ATEX_TEST_CONTROL",
        json.len(),
        json
    );
    let scene = Scene::new([("large.fmf", gated(&script))]);
    let run = scene.start("out", ["test", "/large"]);
    watched(&scene, run);
    let file = fs::metadata(scene.world.path("out/tests/large/files/large")).expect("the file");
    assert_eq!(file.len(), size);
    assert!(file.nlink() > 1, "the cache holds the same file, and no copy");
    let ran = scene.run(0, ["build"]);
    assert!(ran.stdout.contains("cached"), "{ran:?}");
    assert_eq!(
        fs::metadata(scene.latest().join("tests/large/files/large"))
            .expect("the file")
            .len(),
        size
    );
}

#[test]
fn ten_thousand_subtests_each_with_a_file() {
    const COUNT: usize = 10_000;
    let line = r#"{"status":"pass","name":"sub/%05.0f","files":[{"name":"log","length":6}]}"#;
    let length = line.len() - "%05.0f".len() + 5;
    let script =
        format!("seq -f \"$(printf '%s\\n%s%s' 'result {length}' '{line}' 'hello')\" 1 {COUNT} >&$ATEX_TEST_CONTROL");
    let scene = Scene::new([("many.fmf", gated(&script))]);
    let run = scene.start("out", ["test", "/many"]);
    watched(&scene, run);
    let all_are_there = |dir: &Path| {
        for number in 1..=COUNT {
            let log = fs::read_to_string(dir.join(format!("tests/many/files/sub/{number:05}/log")));
            assert_eq!(log.expect("the file of a subtest"), "hello\n");
        }
    };
    all_are_there(&scene.world.path("out"));
    scene.run(0, ["build"]);
    all_are_there(&scene.latest());
}
