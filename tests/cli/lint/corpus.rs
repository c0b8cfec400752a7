//! Tests with real trees of fmf and tmt, where they are present: lint can read whatever fmf can read.

use std::path::{Path, PathBuf};

use crate::support::World;

/// The corpus beside the workspace, or where `ATEX_CORPUS` says.
fn trees() -> Vec<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("ATEX_CORPUS").map_or(beside, PathBuf::from);
    let mut trees = Vec::new();
    for project in ["fmf", "tmt"] {
        let Ok(entries) = std::fs::read_dir(corpus.join(project)) else {
            let missing = format!("there is no corpus `{}`", corpus.join(project).display());
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}");
            continue;
        };
        trees.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    trees.sort();
    trees
}

#[test]
fn every_tree_that_can_be_read_can_be_linted() {
    let world = World::new();
    let run = |tree: &Path, args: &[&str]| world.atex().args(args).args([Path::new("-C"), tree]).run();
    for tree in trees() {
        let readable = run(&tree, &["fmf", "show", "--whole"]).code == 0;
        let ran = run(&tree, &["lint", "--tmt"]);
        let expected: &[i32] = if readable { &[0, 1] } else { &[2] };
        assert!(expected.contains(&ran.code), "{}\n{ran:?}", tree.display());
    }
}

/// Errors say that something cannot run: in trees that tmt runs they are about files that the corpus lacks, or about
/// guests that atex does not have.
#[test]
fn trees_that_tmt_runs_have_no_errors_but_files_and_guests_that_are_not_there() {
    let world = World::new();
    for tree in trees()
        .iter()
        .filter(|tree| tree.parent().is_some_and(|dir| dir.ends_with("tmt")))
    {
        let ran = world
            .atex()
            .args(["lint", "--json"])
            .args([Path::new("-C"), tree])
            .run();
        if ran.code == 2 {
            continue;
        }
        for finding in ran.json() {
            let code = finding["code"].as_str().unwrap_or_default();
            let known = ["missing-file", "bad-path", "several-guests"].contains(&code);
            assert!(finding["severity"] != "error" || known, "{}\n{finding}", tree.display());
        }
    }
}
