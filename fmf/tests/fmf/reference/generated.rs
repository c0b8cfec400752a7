//! Comparison over generated trees and texts.

use std::env;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::oracle::{Case, compare, plant};
use super::trees::Plan;
use super::{corpus, large, soup, trees};
use crate::random::Random;

pub(crate) fn setting(name: &str, default: u64) -> u64 {
    env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

fn views() -> Vec<Json> {
    vec![
        json!({"whole": true}),
        json!({"whole": true, "context": {"distro": ["fedora-41"], "arch": ["x86_64"]}}),
        json!({"whole": true, "context": {"distro": ["rhel-9.6"], "trigger": ["commit", "manual"]}}),
        json!({"context": {}, "keys": ["text"]}),
        json!({"whole": true, "conditions": ["number > 1 and text.startswith('a')", "'a' in list or tag"]}),
        json!({"names": ["a", "sub/.*b$"], "filters": ["tag: alpha | text: foo.* & number: -1"]}),
    ]
}

pub(crate) fn plant_plan(root: &Path, plan: &Plan) {
    plant(root, &[]);
    for (name, text) in &plan.files {
        plant_file(&root.join(name), text);
    }
    for name in &plan.directories {
        // A file may stand in the way; then the tree just lacks the directory.
        drop(fs::create_dir_all(root.join(name)));
    }
    for (link, target) in &plan.links {
        drop(std::os::unix::fs::symlink(target, root.join(link)));
    }
}

fn plant_file(path: &Path, text: &str) {
    let planted = fs::create_dir_all(path.parent().expect("has a parent")).and_then(|()| fs::write(path, text));
    planted.expect("can be written");
}

/// Compares `count` generated cases in batches, and tells how to see each one that differs.
fn run(what: &str, count: u64, mut make: impl FnMut(&Path, &mut Random) -> Vec<Json>) {
    let first = setting("ATEX_FMF_SEED", 1);
    let (mut compared, mut refused, mut differences) = (0, 0, Vec::new());
    let mut seed = first;
    while seed < first + count {
        let directory = TempDir::new().expect("a temporary directory");
        let batch = seed..(seed + 500).min(first + count);
        let cases: Vec<_> = batch
            .clone()
            .map(|seed| {
                // Links may lead two levels up, and must find nothing there that is not the tree's.
                let name = seed.to_string();
                let root = directory.path().join(&name).join("above").join(name);
                let views = make(&root, &mut Random::new(seed));
                Case::new(format!("{what} of seed {seed}"), root, views)
            })
            .collect();
        let Some(outcome) = compare(&cases) else { return };
        compared += outcome.compared;
        refused += outcome.refused;
        differences.extend(outcome.differences);
        seed = batch.end;
    }
    println!("{count} {what}: {compared} views are compared, {refused} of them refused by both");
    let shown: Vec<_> = differences
        .iter()
        .take(10)
        .map(|(name, text)| format!("{name} {text}"))
        .collect();
    assert!(
        shown.is_empty(),
        "{} of {count} differ, see them with ATEX_FMF_SEED=… ATEX_FMF_KEEP=DIR:\n{}",
        differences.len(),
        shown.join("\n")
    );
}

/// Keeps a copy of what is compared, to look at.
fn keep(root: &Path) {
    if let Some(kept) = env::var_os("ATEX_FMF_KEEP") {
        let name = root.file_name().expect("a seed");
        let target = Path::new(&kept).join(name);
        fs::create_dir_all(&kept).expect("can be made");
        let status = std::process::Command::new("cp")
            .arg("-a")
            .arg(root)
            .arg(target)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "can be copied");
    }
}

/// Plants a tree of one file, which is to be seen whole.
fn plant_text(root: &Path, text: &str) -> Vec<Json> {
    plant(root, &[("main.fmf", text.as_bytes())]);
    keep(root);
    vec![json!({"whole": true})]
}

#[test]
fn generated_trees_give_the_same_nodes() {
    run("trees", setting("ATEX_FMF_TREES", 300), |root, random| {
        plant_plan(root, &trees::tree(random));
        keep(root);
        views()
    });
}

#[test]
fn values_of_a_megabyte_give_the_same_nodes() {
    run("large trees", setting("ATEX_FMF_LARGE", 6), |root, random| {
        plant_text(root, &large::tree(random))
    });
}

#[test]
fn generated_texts_are_read_or_refused_alike() {
    run("texts", setting("ATEX_FMF_TEXTS", 1000), |root, random| {
        plant_text(root, &soup::text(random))
    });
}

#[test]
fn damaged_real_files_are_read_or_refused_alike() {
    let Some(corpus) = corpus::corpus() else { return };
    let mut texts = Vec::new();
    corpus::texts(&corpus, &mut texts);
    texts.retain(|text| text.len() < 4000);
    assert!(!texts.is_empty(), "`{}` has files", corpus.display());
    run("damaged files", setting("ATEX_FMF_DAMAGED", 300), |root, random| {
        let mut text = texts[random.below(texts.len())].clone();
        trees::mutate(random, &mut text);
        plant(root, &[("main.fmf", text.as_bytes())]);
        keep(root);
        vec![
            json!({"whole": true}),
            json!({"whole": true, "context": {"distro": ["fedora-41"]}}),
        ]
    });
}
