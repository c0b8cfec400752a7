//! Tests of SIGKILL at any time: nothing is left running, the next run works, and it does not believe what did not happen.

use std::time::Duration;

use rustix::process::Signal;

use crate::e2e_main::running::{Running, events, processes_of};
use crate::e2e_main::scene::{Scene, eventually};

const PLAN: &str = r#"discover: {how: fmf}
execute: {how: tmt}
prepare:
  - script: |
        echo "begin $ROUND one" >> "$COUNTER"
        echo half > "$COUNTER.state"
        echo "end $ROUND one" >> "$COUNTER"
  - script: |
        echo "begin $ROUND two" >> "$COUNTER"
        echo "$ROUND" > "$COUNTER.state"
        echo "end $ROUND two" >> "$COUNTER"
"#;

/// A test that passes only where the machine is in the state that its round's preparation makes.
const TEST: &str = r#"test: |
    echo "begin $ROUND $TMT_TEST_NAME" >> "$COUNTER"
    [ "$(cat "$COUNTER.state")" = "$ROUND" ]
    echo "end $ROUND $TMT_TEST_NAME" >> "$COUNTER"
"#;

/// Lines that a round leaves in the witness.
const LINES: usize = 8;

/// When the process of a round is killed.
#[derive(Debug)]
enum Moment {
    /// So many events are told.
    Events(usize),
    /// So many lines are in the witness.
    Lines(usize),
}

/// Kills a build of this round at that moment, or lets it end if it is faster. What the witness has then.
fn killed_build(scene: &Scene, round: usize, moment: &Moment) -> Vec<String> {
    let variable = format!("ROUND={round}");
    let mut run = scene.start(&format!("out-{round}"), ["build", "-e", &variable]);
    eventually(&format!("{moment:?} of round {round}"), || {
        let now = match moment {
            Moment::Events(count) => run.events().len() >= *count,
            Moment::Lines(count) => lines_of(scene, round).len() >= *count,
        };
        (now || !run.lives()).then_some(())
    });
    // Moments between two writes are met only by chance.
    std::thread::sleep(Duration::from_millis((round as u64 * 7919) % 23));
    run.signal(Signal::KILL);
    run.end();
    eventually("the end of all processes of the run", || {
        processes_of(&scene.world).is_empty().then_some(())
    });
    lines_of(scene, round)
}

fn lines_of(scene: &Scene, round: usize) -> Vec<String> {
    let (begin, end) = (format!("begin {round} "), format!("end {round} "));
    let all = scene.world.read("ran");
    all.lines()
        .filter(|line| line.starts_with(&begin) || line.starts_with(&end))
        .map(str::to_owned)
        .collect()
}

#[test]
fn killed_at_any_time_the_next_run_works_and_believes_only_what_happened() {
    let scene = Scene::new([("plan.fmf", PLAN), ("a.fmf", TEST), ("b.fmf", TEST)]);
    for round in 0..18 {
        let moment = if round % 2 == 0 {
            Moment::Lines(round / 2)
        } else {
            Moment::Events(round)
        };
        let before = killed_build(&scene, round, &moment);
        let out = format!("again-{round}");
        let variable = format!("ROUND={round}");
        let again = scene.start(&out, ["build", "-e", &variable]).end();
        assert_eq!(again.code, 0, "round {round}, {moment:?}: {again:?}");
        for event in events(&scene.world.path(&out)) {
            let Some(node) = event["node"].as_str().filter(|_| event["event"] == "node-cached") else {
                continue;
            };
            let what = node
                .replace("prepare /plan#1 shell", "one")
                .replace("prepare /plan#2 shell", "two");
            let end = format!("end {round} {}", what.replace("test ", ""));
            assert!(
                before.contains(&end),
                "round {round}, {moment:?}: `{node}` was believed without `{end}`"
            );
        }
        let all = lines_of(&scene, round);
        for what in ["one", "two", "/a", "/b"] {
            assert!(
                all.contains(&format!("end {round} {what}")),
                "round {round}: `{what}` is missing: {all:?}"
            );
        }
        assert!(all.len() >= LINES);
    }
    let ran = lines_of(&scene, 17).len();
    scene.run(0, ["build", "-e", "ROUND=17"]);
    assert_eq!(lines_of(&scene, 17).len(), ran, "the last round stands");
    scene.world.atex().args(["cache", "verify"]).run().expect(0);
}

#[test]
fn the_process_group_of_a_test_dies_with_atex() {
    let test = "test: |\n    trap '' TERM HUP INT\n    sleep 1000 & (sleep 1000)& echo begin >> \"$COUNTER\"\n    \
                while :; do sleep 1000; done\n";
    let scene = Scene::new([("stubborn.fmf", test)]);
    let run = Running::plain(scene.atex(["test", "/stubborn"]));
    eventually("the start of the test", || {
        (scene.world.read("ran") == "begin\n").then_some(())
    });
    assert!(processes_of(&scene.world).len() > 3, "there is something to end");
    run.signal(Signal::KILL);
    assert_eq!(run.end().code, 128 + 9);
    eventually("the end of all processes of the run", || {
        processes_of(&scene.world).is_empty().then_some(())
    });
}

#[test]
fn a_killed_preparation_is_done_again_from_the_first_step_and_the_run_says_why() {
    let scene = Scene::new([("plan.fmf", PLAN), ("a.fmf", TEST)]);
    scene.edit(
        "plan.fmf",
        "echo half",
        "until [ -e \"$COUNTER.go\" ]; do sleep 0.02; done\n        echo half",
    );
    let run = scene.start("out", ["build", "-e", "ROUND=0"]);
    eventually("the start of the preparation", || {
        (!lines_of(&scene, 0).is_empty()).then_some(())
    });
    run.signal(Signal::KILL);
    run.end();
    assert!(
        !scene.world.path("out/run.json").exists(),
        "a run without its last file is not complete"
    );
    scene.world.write("ran.go", "");
    let ran = scene.run(0, ["build", "-e", "ROUND=0"]);
    assert!(
        ran.stdout.contains("`prepare /plan#1 shell` was interrupted"),
        "{ran:?}"
    );
}
