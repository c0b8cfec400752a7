//! Tests of what the cache holds after a run, and of damaged records.

use std::fs;
use std::path::{Path, PathBuf};

use super::mock::{Gate, Step};
use atex::control::Mask;
use atex::event::{Event, NodeOutcome};
use atex_graph::{BlobDigest, Kind};

use crate::exec_mock::bench::{Bench, bench, says};

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Destroys what of the cache holds exactly this content.
fn damage(bench: &Bench, content: &[u8]) {
    let mut files = Vec::new();
    files_below(&bench.path().join("cache"), &mut files);
    let hit: Vec<_> = files
        .into_iter()
        .filter(|path| fs::read(path).unwrap() == content)
        .collect();
    assert_eq!(hit.len(), 1, "{hit:?}");
    fs::remove_file(&hit[0]).unwrap();
    fs::write(&hit[0], vec![b'x'; content.len()]).unwrap();
}

fn upload(name: &str, content: &str) -> Step {
    let length = content.len();
    let json = format!(r#"{{"status":"pass","files":[{{"name":"{name}","length":{length}}}]}}"#);
    says(&format!("result {}\n{json}{content}", json.len()))
}

#[test]
fn a_recorded_test_gets_all_its_files_back() {
    let bench = bench(1);
    bench.lab.script(
        "/t1",
        vec![
            upload("deep/log", "uploaded"),
            Step::Output("printed".into()),
            Step::Exit(0),
        ],
    );
    bench.run().exits(0);
    let again = bench.run().exits(0);
    assert_eq!(again.finished.cached, 1);
    let read = |path: &str| fs::read_to_string(again.dir.join("tests/t1").join(path)).unwrap();
    assert_eq!(
        (read("files/deep/log"), read("files/output.txt")),
        ("uploaded".into(), "printed".into())
    );
}

#[test]
fn a_test_whose_recorded_file_is_damaged_runs_again() {
    let bench = bench(2);
    bench.lab.script("/t1", vec![upload("log", "uploaded"), Step::Exit(0)]);
    bench.run().exits(0);
    damage(&bench, b"uploaded");
    let again = bench.run().exits(0);
    assert_eq!(
        (again.starts("/t1"), again.starts("/t2"), again.finished.cached),
        (1, 0, 1)
    );
    let Some(Event::RunStarted { tests, to_run, .. }) = again.events.first() else {
        panic!("the first event");
    };
    assert_eq!((*tests, to_run.get(&Kind::Test)), (2, Some(&1)));
    assert_eq!(bench.run().exits(0).finished.cached, 2);
}

/// `/a` is a test, and so is `/a/b`: the directory of one lies in that of the other.
fn nested() -> Bench {
    Bench::of(&[("a.fmf", "test: 'true'\n/: {select: true}\n/b: {order: 10}\n")])
}

#[test]
fn tests_whose_names_go_on_from_each_other_keep_their_results_apart() {
    let bench = nested();
    bench.lab.script("/a/b", vec![upload("log", "of b"), Step::Exit(0)]);
    bench.lab.script("/a", vec![upload("log", "of a"), Step::Exit(0)]);
    bench.run().exits(0);
    let store = bench.store();
    for record in store.records().unwrap() {
        let record = store.inspect(record.key).unwrap().unwrap();
        let paths: Vec<_> = record.files.iter().map(|file| file.path.as_str()).collect();
        if record.name == "test /a" {
            assert_eq!(paths, ["files/log", "files/output.txt", "results.jsonl"]);
        }
    }
    assert_eq!(bench.run().exits(0).finished.cached, 2);
}

#[test]
fn a_damaged_record_of_one_does_not_take_the_results_of_the_other_along() {
    let bench = nested();
    bench.lab.script("/a", vec![upload("log", "of a"), Step::Exit(0)]);
    bench.run().exits(0);
    damage(&bench, b"of a");
    let again = bench.run().exits(0);
    assert_eq!((again.starts("/a"), again.starts("/a/b")), (1, 0));
    assert_eq!(
        (again.result("/a"), again.result("/a/b")),
        ("pass".into(), "pass".into())
    );
}

#[test]
fn infrastructure_failures_are_never_recorded() {
    let bench = bench(1);
    bench.lab.script("/t1", vec![Step::Overrun]);
    bench.run().exits(3);
    let names: Vec<_> = bench.store().records().unwrap().map(|record| record.name).collect();
    assert_eq!(names, ["prepare /plan#1 shell"]);
}

#[test]
fn a_run_whose_directory_cannot_be_written_ends_with_3_and_says_so() {
    let bench = bench(2);
    let ended = bench.run_with(|event, _| {
        if let Event::RunStarted { dir, .. } = event {
            // A file stands where the directories of tests go.
            fs::write(Path::new(dir).join("tests"), "in the way").unwrap();
        }
    });
    let ended = ended.exits(3);
    let reason = ended.finished.host_failure.expect("the host failed");
    assert!(reason.contains("tests/t1"), "{reason}");
    assert!(ended.calls.contains(&"one: close".to_owned()));
}

#[test]
fn what_cannot_be_written_of_one_test_costs_that_test_alone() {
    let bench = bench(3);
    let ended = bench.run_with(|event, _| {
        if let Event::RunStarted { dir, .. } = event {
            fs::create_dir(Path::new(dir).join("tests")).unwrap();
            fs::write(Path::new(dir).join("tests/t2"), "in the way").unwrap();
        }
    });
    let ended = ended.exits(3);
    let reason = ended.finished.host_failure.as_ref().expect("something was not written");
    assert!(reason.contains("tests/t2"), "{reason}");
    assert_eq!((ended.starts("/t1"), ended.starts("/t3")), (1, 1));
    assert_eq!(
        (ended.result("/t1"), ended.result("/t3")),
        ("pass".into(), "pass".into())
    );
    assert_eq!(
        ended.finished.tests,
        [(NodeOutcome::Pass, 2), (NodeOutcome::Infra, 1)].into()
    );
    assert_eq!(bench.run().exits(0).finished.cached, 2, "the others are recorded");
}

#[test]
fn what_a_test_left_mounted_is_undone_also_where_its_files_cannot_be_written() {
    let result = |name: &str, file: &str| {
        let length = file.len();
        let json = format!(r#"{{"name":"{name}","status":"pass","files":[{{"name":"log","length":{length}}}]}}"#);
        says(&format!("result {}\n{json}{file}", json.len()))
    };
    // The end of the first file is held back until the test is over. The second one is written at once.
    for second in [None, Some(result("b", "seen"))] {
        let mut bench = bench(1);
        bench.options.mask = Mask::new(["hunter2"]);
        let gate = Gate::default();
        let steps = [result("a", "hunt"), Step::Until(gate.clone())].into_iter();
        let steps = steps.chain(second).chain([says("mounted\n"), Step::Exit(0)]);
        bench.lab.script("/t1", steps.collect());
        let mut run = PathBuf::new();
        let ended = bench.run_with(|event, _| match event {
            Event::RunStarted { dir, .. } => run = PathBuf::from(dir),
            Event::Result { .. } if !gate.is_open() => {
                fs::remove_dir_all(run.join("tests/t1/files")).unwrap();
                gate.open();
            }
            _ => {}
        });
        let ended = ended.exits(3);
        assert!(ended.finished.host_failure.is_some(), "{:?}", ended.finished);
        assert!(ended.calls.contains(&"one: unmount".to_owned()), "{:?}", ended.calls);
    }
}

#[test]
fn a_record_that_cannot_be_written_is_told_and_the_run_is_what_it_was() {
    let bench = bench(2);
    // A file stands where blobs go.
    let blobs = bench
        .store()
        .blobs()
        .path(BlobDigest::of(b""))
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let _none_so_far = fs::remove_dir_all(&blobs);
    fs::write(&blobs, "in the way").unwrap();
    let ended = bench.run().exits(0);
    assert_eq!(ended.finished.host_failure, None);
    let warning = |event: &Event| match event {
        Event::Warning { text } => Some(text.clone()),
        _ => None,
    };
    let warnings: Vec<_> = ended.events.iter().filter_map(warning).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    for (warning, node) in warnings.iter().zip(["prepare /plan#1", "test /t", "test /t"]) {
        assert!(
            warning.starts_with(&format!("`{node}")) && warning.contains("is not recorded"),
            "{warning}"
        );
    }
    fs::remove_file(&blobs).unwrap();
    let again = bench.run().exits(0);
    assert_eq!((again.starts("/t1"), again.starts("/t2")), (1, 1));
}
