//! Decides what each test must say, and whether it had a need to run, from the files alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::suite::{Build, Entry, State, Suite, TESTS, is_prepared, near};

/// What is remembered from build to build: all that each test depends on, for each of its passes.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    passed: BTreeSet<String>,
}

impl Oracle {
    /// Records may be lost: a run is no run without need until the test passed again.
    pub(crate) fn forget(&mut self) {
        self.passed.clear();
    }

    /// Returns what is wrong with a build, if something is.
    pub(crate) fn judge(&mut self, suite: &Suite, build: &Build) -> Result<(), String> {
        let told = told(&build.ran.stdout);
        let mut failed = false;
        for (dir, name) in TESTS {
            let sight = sight(&suite.state, dir, name);
            let expected = if sight.contains("bad") { "fail" } else { "pass" };
            failed |= expected == "fail";
            let needs = needs(&suite.state, dir, name);
            let Some((cached, outcome)) = told.get(name) else {
                return Err(format!("nothing was told of {name}"));
            };
            if outcome != expected {
                return Err(format!(
                    "{name} is told as {outcome} (cached: {cached}) and is {expected}: {sight}"
                ));
            }
            let lines: Vec<_> = build
                .log
                .iter()
                .filter(|line| line.starts_with(&format!("{name}: ")))
                .collect();
            if lines.is_empty() != *cached {
                return Err(format!(
                    "{name} is told as cached: {cached}, and ran {} times",
                    lines.len()
                ));
            }
            if let Some(line) = lines.iter().find(|line| **line != &sight) {
                return Err(format!("{name} saw `{line}` and not `{sight}`"));
            }
            if !cached && self.passed.contains(&needs) {
                return Err(format!("{name} ran without need"));
            }
            if expected == "pass" {
                self.passed.insert(needs);
            }
        }
        if build.ran.code != i32::from(failed) {
            return Err(format!("the exit code is {}", build.ran.code));
        }
        Ok(())
    }
}

/// Returns of each test whether it was taken from the cache, and its last outcome.
fn told(events: &str) -> BTreeMap<String, (bool, String)> {
    let mut told = BTreeMap::new();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).expect("an event");
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let cached = text("event") == "node-cached";
        let Some(name) = text("node").strip_prefix("test ").map(str::to_owned) else {
            continue;
        };
        if cached || text("event") == "node-finished" {
            told.insert(name, (cached, text("outcome")));
        }
    }
    told
}

/// Returns the line that a test logs in a fresh run on these files.
fn sight(state: &State, dir: &str, name: &str) -> String {
    let mut line = format!("{name}: {}", state.moods[dir]);
    for file in ["a.txt", "b.txt", "c.txt", "link"] {
        line += &look(state, &format!("{dir}/{file}"));
    }
    for file in ["lib/one.txt", "lib/two.txt"] {
        line += &look(state, file);
    }
    if is_prepared(name) {
        line += look(state, "lib/one.txt").trim_end_matches('x');
    }
    line + look(state, &format!("{}/n.txt", near(dir).0)).trim_end_matches('x')
}

fn look(state: &State, path: &str) -> String {
    match state.entries.get(path) {
        Some(Entry::File { word, executable }) => format!(" {word}{}", if *executable { "x" } else { "" }),
        Some(Entry::Link(target)) => {
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            look(state, &format!("{dir}/{target}"))
        }
        None => " none".to_owned(),
    }
}

/// Returns all that gives a test a need to run where it changes: what lies below its directory, what the directories of the tests
/// above hold outside of other tests, what is shared, its mood, and what it reads of another test: the file, and what lies beside it.
fn needs(state: &State, dir: &str, name: &str) -> String {
    let concerns = |path: &str| {
        let lies_below = |dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
        let dirs = TESTS.iter().map(|(dir, _)| *dir).filter(|dir| lies_below(dir));
        let owner = dirs.max_by_key(|dir| dir.len());
        let is_outer = |owner: &str| dir.starts_with(&format!("{owner}/"));
        lies_below(dir) || owner.is_none_or(is_outer)
    };
    let files: Vec<_> = state.entries.iter().filter(|(path, _)| concerns(path)).collect();
    let near = near(dir).0;
    let beside = |path: &String| path.strip_prefix(near)?.strip_prefix('/').map(str::to_owned);
    let beside: BTreeSet<String> = state.entries.keys().filter_map(beside).collect();
    let read = state.entries.get(&format!("{near}/n.txt"));
    format!("{name} {} {files:?} {read:?} {beside:?}", state.moods[dir])
}
