//! Tests of the module layout (DESIGN 8): which module may use which. A line of code that crosses a border fails here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// For each module, the modules of this crate and the workspace's crates that it may name.
const ALLOWED: &[(&str, &[&str])] = &[
    ("host", &["atex_cache::ownership"]),
    ("sut", &["host"]),
    ("control", &[]),
    (
        "compile",
        &[
            "host",
            "atex_fmf",
            "atex_graph",
            "atex_cache::binary",
            "atex_cache::fetched",
            "atex_cache::CacheError",
            "atex_cache::Derived",
        ],
    ),
    ("exit", &[]),
    ("json_version", &[]),
    ("event", &["control", "exit", "json_version", "atex_graph"]),
    (
        "rundir",
        &["event", "exit", "json_version", "control", "atex_cache::ownership"],
    ),
    (
        "exec",
        &[
            "event",
            "exit",
            "json_version",
            "rundir",
            "sut",
            "host::clock",
            "host::program",
            "control",
            "compile::spec",
            "atex_graph",
            "atex_cache",
        ],
    ),
    (
        "report",
        &["event", "exit", "rundir", "control::Status", "atex_graph::Kind"],
    ),
    (
        "cli",
        &[
            "host",
            "sut",
            "control",
            "compile",
            "event",
            "exec",
            "exit",
            "json_version",
            "report",
            "rundir",
            "atex_fmf",
            "atex_graph",
            "atex_cache",
        ],
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // Unit tests may do what the code they test may not.
        let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_tests {
            rust_files(&path, files);
        } else if !is_tests && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Every path `crate::a::b` or `atex_x::…` in the code of a file, comments apart; each of a list `{…}` on one line.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().map(|line| line.split("//").next().unwrap_or("")) {
        for start in ["crate::", "atex_fmf", "atex_graph", "atex_cache"] {
            for (at, _) in line.match_indices(start) {
                let rest = &line[at..];
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                    .unwrap_or(rest.len());
                let (path, after) = (rest[..end].trim_start_matches("crate::"), &rest[end..]);
                let items = after.strip_prefix('{').and_then(|list| list.split('}').next());
                match items.filter(|items| !items.contains('{')) {
                    Some(items) => found.extend(items.split(',').map(|item| format!("{path}{}", item.trim()))),
                    None => found.push(path.to_owned()),
                }
            }
        }
    }
    found
}

#[test]
fn modules_know_only_what_the_layout_allows() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (module, may) in &allowed {
        let mut files = Vec::new();
        let path = root().join("src").join(module);
        if path.is_dir() {
            rust_files(&path, &mut files);
        } else {
            files.push(path.with_extension("rs"));
        }
        assert!(!files.is_empty(), "module `{module}` is there");
        for file in files {
            for path in paths(&fs::read_to_string(&file).unwrap()) {
                let is = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}::"));
                if !is(module) && !may.iter().any(|prefix| is(prefix)) {
                    wrong.push(format!("{}: `{path}`", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these cross a border:\n{}", wrong.join("\n"));
}

#[test]
fn the_graph_touches_no_files_network_clock_or_threads() {
    let mut files = Vec::new();
    rust_files(&root().join("graph/src"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        for impure in [
            "std::fs",
            "std::net",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "std::process",
            "println!",
        ] {
            assert!(!code.contains(impure), "{} uses `{impure}`", file.display());
        }
    }
}

#[test]
fn only_report_and_cli_print() {
    let mut files = Vec::new();
    for module in ["host", "sut", "control", "compile", "event", "exec", "rundir"] {
        rust_files(&root().join("src").join(module), &mut files);
    }
    for crate_dir in ["graph", "cache", "fmf"] {
        rust_files(&root().join(crate_dir).join("src"), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().map(|line| line.split("//").next().unwrap_or(""));
        for line in code {
            for print in ["println!(", "print!(", "eprintln!(", "eprint!(", "dbg!("] {
                assert!(!line.contains(print), "{} prints: {line}", file.display());
            }
        }
    }
}

/// Each binary is linked with OpenSSL, which takes longer than its tests: cut tests by ring, and not by subject.
#[test]
fn there_are_five_test_binaries_at_most() {
    let mut binaries = Vec::new();
    for member in [".", "graph", "cache", "fmf"] {
        let Ok(entries) = fs::read_dir(root().join(member).join("tests")) else {
            continue;
        };
        let entries = entries.map(|entry| entry.unwrap().path());
        let is_binary = |path: &PathBuf| {
            path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").exists()
        };
        binaries.extend(entries.filter(is_binary));
    }
    assert!((1..=5).contains(&binaries.len()), "{binaries:?}");
}
