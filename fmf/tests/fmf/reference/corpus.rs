//! Real trees.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::oracle::{Case, assert_same};

/// Returns the directory of trees, if there is one; in CI there is.
pub(crate) fn corpus() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus");
    let directory = std::env::var_os("ATEX_CORPUS").map_or_else(|| PathBuf::from(default), PathBuf::from);
    if directory.is_dir() {
        return Some(directory);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "there is no corpus `{}`",
        directory.display()
    );
    eprintln!("SKIPPED: no corpus: set ATEX_CORPUS to a directory of trees");
    None
}

/// Collects all metadata files at and below a directory.
pub(crate) fn texts(directory: &Path, found: &mut Vec<String>) {
    let Ok(listing) = fs::read_dir(directory) else { return };
    let mut below: Vec<_> = listing.flatten().map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        if path.is_dir() {
            texts(&path, found);
        } else if path.extension().is_some_and(|suffix| suffix == "fmf") {
            found.extend(fs::read_to_string(&path).ok());
        }
    }
}

/// Collects all roots at and below a directory.
pub(crate) fn roots(directory: &Path, found: &mut Vec<PathBuf>) {
    if directory.join(".fmf").is_dir() {
        found.push(directory.to_owned());
    }
    let Ok(listing) = fs::read_dir(directory) else { return };
    let mut below: Vec<_> = listing.flatten().map(|entry| entry.path()).collect();
    below.retain(|path| path.is_dir() && !path.is_symlink() && !path.ends_with(".fmf"));
    below.sort();
    for path in below {
        roots(&path, found);
    }
}

fn contexts() -> Vec<Json> {
    vec![
        Json::Null,
        json!({}),
        json!({"distro": ["fedora-41"], "arch": ["x86_64"]}),
        json!({"distro": ["rhel-9.6"], "arch": ["aarch64"], "initiator": ["human"]}),
        json!({"distro": ["centos-stream-9"], "arch": ["x86_64", "noarch"], "trigger": ["commit"], "provision_method": ["container"]}),
    ]
}

fn selections() -> Vec<Json> {
    vec![
        json!({}),
        json!({"whole": true}),
        json!({"keys": ["test"]}),
        json!({"keys": ["summary", "tier"], "whole": true}),
        json!({"names": ["core", "plan[s]?/"]}),
        json!({"conditions": ["tier and int(tier) < 2 or 'smoke' in tag", "len(summary) > 10"]}),
        json!({"filters": ["tag: -slow & tier: 1, 2 | summary:.*[Tt]est.*"]}),
    ]
}

#[test]
fn corpus_gives_the_same_nodes_under_all_contexts_and_selections() {
    let Some(corpus) = corpus() else { return };
    let mut found = Vec::new();
    roots(&corpus, &mut found);
    let mut views = Vec::new();
    for context in contexts() {
        for selection in selections() {
            let mut view = selection;
            view["context"] = context.clone();
            views.push(view);
        }
    }
    let cases: Vec<_> = found
        .iter()
        .map(|path| Case::new(path.display().to_string(), path, views.clone()))
        .collect();
    assert_same(&cases);
}
