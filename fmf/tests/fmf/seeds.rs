//! The seeds of the fuzzers, each through the function that its fuzzer runs. `docs/fuzzing.md` tells of the fuzzers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/lib.rs"]
#[expect(
    unreachable_pub,
    reason = "these are the public functions of the fuzzers' crate, and a law that does not hold is a panic"
)]
mod entry;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn stems(dir: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(dir)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

fn run_seeds(target: &str, run: fn(&[u8])) {
    let dir = fuzz().join("seeds").join(target);
    let mut ran = 0;
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        run(&fs::read(path).unwrap());
        ran += 1;
    }
    assert!(ran >= 5, "`{}` has {ran} seeds", dir.display());
}

#[test]
fn each_fuzzer_has_seeds_and_a_dictionary() {
    let targets = stems("fuzz_targets");
    assert_eq!(stems("seeds"), targets);
    assert_eq!(stems("dictionaries"), targets);
}

#[test]
fn seeds_of_conditions_hold_their_laws() {
    run_seeds("condition", entry::condition);
}

#[test]
fn seeds_of_context_rules_hold_their_laws() {
    run_seeds("context_rule", entry::context_rule);
}

#[test]
fn seeds_of_filters_hold_their_laws() {
    run_seeds("filter", entry::filter);
}

#[test]
fn seeds_of_trees_hold_their_laws() {
    run_seeds("fmf_tree", entry::fmf_tree);
}

#[test]
fn seeds_of_patterns_hold_their_laws() {
    run_seeds("python_regex", entry::python_regex);
}
