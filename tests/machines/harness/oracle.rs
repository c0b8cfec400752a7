//! The oracle, which decides what each test must report and whether it had to run. It does not know the code: it runs the same
//! scripts on a fresh copy of the files that git names, and reads what jobs logged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::edits::become_files;
use crate::harness::faults::Fault;
use crate::harness::files::{Entry, Files, as_git_says};
use crate::harness::project::{Project, TESTS, Test};
use crate::harness::suite::{Build, Call, Suite};

/// What a test logged of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    passed: bool,
    seen: String,
    /// What it asked for in a way that is documented as not seen.
    blind: String,
}

impl Line {
    fn of(text: &str) -> Option<Self> {
        let mut parts = text.split('|').map(str::to_owned);
        let (name, verdict, seen, blind) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            name,
            passed: verdict == "pass",
            seen,
            blind,
        })
    }
}

/// What is remembered from build to build.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// What each test saw when it passed.
    seen: BTreeSet<(&'static str, String)>,
    /// All that each test depends on, for each of its passes that must have been recorded.
    passed: BTreeSet<String>,
    cached: usize,
    ran: usize,
    /// How often a test was taken from the cache that would fail by what is documented as not seen.
    blind: usize,
    /// How many faults met a build.
    pub(crate) struck: usize,
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cached,
            ran,
            blind,
            struck,
            ..
        } = self;
        write!(
            f,
            "{cached} cached ({blind} of them wrong, as documented), {ran} ran, {struck} faults"
        )
    }
}

impl Oracle {
    /// Records may be lost: a run is no run without need until the test passed again.
    pub(crate) fn forget(&mut self) {
        self.passed.clear();
    }

    /// Returns what is wrong with a build, if something is. `before` are the files that it began with.
    pub(crate) fn judge(&mut self, suite: &Suite, call: &Call, before: &Files, build: &Build) -> Result<(), String> {
        let project = &suite.projects[call.project];
        let after = as_git_says(&project.tree);
        let mut fresh = vec![fresh(suite, project, before)];
        if call.fault.as_ref().is_some_and(Fault::is_edit) {
            fresh.push(self::fresh(suite, project, &after));
        }
        let told = told(&build.ran.stdout);
        let lines: Vec<_> = build.log.iter().filter_map(|line| Line::of(line)).collect();
        for test in &TESTS {
            let lines: Vec<_> = lines.iter().filter(|line| line.name == test.name).collect();
            let fresh: Vec<_> = fresh.iter().filter_map(|fresh| fresh.get(test.name)).collect();
            let needs = needs(test, project, before, &fresh[0].seen);
            self.judge_test(test, told.get(test.name), &lines, &fresh, call, &needs)
                .map_err(|wrong| format!("{}: {wrong}\n  a fresh run: {fresh:?}\n  it ran: {lines:?}", test.name))?;
        }
        let failed = told.values().any(|(_, outcome)| outcome != "pass");
        let code = build.ran.code;
        if call.fault.is_none() && code != i32::from(failed) || matches!(code, 5 | 101 | 134) || (code == 0 && failed) {
            return Err(format!("the exit code is {code}"));
        }
        let due = suite.due(call.project);
        if call.fault.is_none() && !due.is_empty() {
            return Err(format!("FINISH OWED: on {due:?}"));
        }
        Ok(())
    }

    fn judge_test(
        &mut self,
        test: &Test,
        told: Option<&(bool, String)>,
        lines: &[&Line],
        fresh: &[&Line],
        call: &Call,
        needs: &str,
    ) -> Result<(), String> {
        let is_right = |line: &Line| fresh.iter().any(|fresh| line.seen == fresh.seen);
        // What is edited while it is brought may be brought in part as it was: such a run must not be believed later.
        let is_edited = call.fault.as_ref().is_some_and(Fault::is_edit);
        if let Some(line) = lines.iter().find(|line| !is_right(line) && !is_edited) {
            return Err(format!("WRONG TREE: a run saw `{}`", line.seen));
        }
        let faulty = call.fault.is_some();
        let last = lines.last();
        match told.map(|(cached, outcome)| (*cached, outcome.as_str())) {
            None if !faulty => return Err("nothing was told of it".to_owned()),
            None => {}
            Some((true, _)) => {
                self.cached += 1;
                if !lines.is_empty() {
                    return Err("it is told as cached, and ran".to_owned());
                }
                let is_known = |fresh: &&&Line| self.seen.contains(&(test.name, fresh.seen.clone()));
                let Some(known) = fresh.iter().find(is_known) else {
                    return Err("FALSE HIT: it never passed with this".to_owned());
                };
                self.blind += usize::from(!known.passed && !known.blind.is_empty());
                if !known.passed && known.blind.is_empty() {
                    return Err("FALSE HIT: it would fail".to_owned());
                }
            }
            Some((false, "pass")) if last.is_none_or(|line| !line.passed) => {
                return Err("FALSE PASS: it did not say so".to_owned());
            }
            Some((false, outcome)) if !faulty && last.map(|line| line.passed) != Some(outcome == "pass") => {
                return Err(format!("it is told as `{outcome}`"));
            }
            Some((false, _)) => self.ran += 1,
        }
        if !lines.is_empty() && !faulty && self.passed.contains(needs) {
            return Err(format!("RUN WITHOUT NEED: {needs}"));
        }
        let has_passed = last.is_some_and(|line| line.passed) && told.is_none_or(|(_, outcome)| outcome == "pass");
        if let Some(line) = last.filter(|line| has_passed && is_right(line)) {
            self.seen.insert((test.name, line.seen.clone()));
        }
        if told.is_some_and(|(_, outcome)| outcome == "pass") && !faulty {
            self.passed.insert(needs.to_owned());
        }
        Ok(())
    }
}

/// Returns of each test whether it was taken from the cache, and its last outcome.
fn told(events: &str) -> BTreeMap<String, (bool, String)> {
    let mut told = BTreeMap::new();
    // The last line of a process that was killed may be a part of one.
    for line in events.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let cached = text("event") == "node-cached";
        let Some(name) = text("node").strip_prefix("test ").map(str::to_owned) else {
            continue;
        };
        if cached || text("event") == "node-finished" {
            // A test that passed at a later attempt has passed.
            let outcome = text("outcome").replace("flaky", "pass");
            told.insert(name, (cached, outcome));
        }
    }
    told
}

/// Runs all tests on a copy of these files, and returns what each logs.
fn fresh(suite: &Suite, project: &Project, files: &Files) -> BTreeMap<String, Line> {
    let dir = suite.outside.path().join("fresh");
    let kept = suite.outside.path().join("fresh-kept");
    fs::create_dir_all(&kept).expect("a directory of the test");
    fs::write(kept.join("harm"), "").expect("a file of the test");
    let log = suite.outside.path().join("fresh-log");
    fs::write(&log, "").expect("a file of the test");
    let mut script = Vec::new();
    for plan in ["plain", "prepared", "whole"] {
        let tree = dir.join(plan).join("tree");
        fs::create_dir_all(&tree).expect("a directory of the test");
        become_files(&tree, &as_brought(files));
        let here = format!("export TMT_TREE='{}'; cd \"$TMT_TREE\"", tree.display());
        script.push(format!("({here}; {})", project.preparation(plan)));
        for test in TESTS.iter().filter(|test| test.plan == plan) {
            let variables = test.environment(&test.mood(&tree));
            let variables = variables.map(|(key, value)| format!("{key}='{value}'")).join(" ");
            script.push(format!("({here}/{}; {variables} ./test.sh)", test.dir));
        }
    }
    let output = Command::new("bash")
        .args(["-c", &script.join("\n")])
        .env("SUTS", &dir)
        .env("OUTSIDE", &kept)
        .env("LOG", &log)
        .output()
        .expect("bash runs");
    let text = fs::read_to_string(log).expect("a log");
    let lines: BTreeMap<_, _> = text
        .lines()
        .filter_map(Line::of)
        .map(|line| (line.name.clone(), line))
        .collect();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines.len(), TESTS.len(), "each test logs a line in a fresh run: {told}");
    lines
}

/// Of modes, whether a file is executable by its owner is brought to machines, as git keeps it.
fn as_brought(files: &Files) -> Files {
    let brought = |entry: &Entry| match entry {
        Entry::Link(target) => Entry::Link(target.clone()),
        Entry::Empty => Entry::Empty,
        Entry::File { bytes, mode } => Entry::File {
            bytes: bytes.clone(),
            mode: if mode & 0o100 == 0 { 0o644 } else { 0o755 },
        },
    };
    files
        .iter()
        .map(|(path, entry)| (path.clone(), brought(entry)))
        .collect()
}

/// Returns all that gives a test a need to run where it changes: what lies below its directory, what the directories of the tests
/// above hold outside of other tests, what is shared, its mood, what it saw, and the names in the directories that it reads of; all
/// there is where the whole tree was copied for it.
fn needs(test: &Test, project: &Project, files: &Files, seen: &str) -> String {
    let lies_below = |path: &str, dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    let concerns = |path: &str| {
        let dirs = TESTS.iter().map(|test| test.dir).filter(|dir| lies_below(path, dir));
        let owner = dirs.max_by_key(|dir| dir.len());
        lies_below(path, test.dir) || owner.is_none_or(|owner| lies_below(test.dir, owner))
    };
    let is_metadata = |path: &str| Path::new(path).extension().is_some_and(|end| end == "fmf");
    let brought = as_brought(files);
    let all = test.plan == "whole";
    let concern: Vec<_> = brought
        .iter()
        .filter(|(path, _)| all || concerns(path) && !is_metadata(path))
        .map(|(path, entry)| format!("{path}={}", short(entry)))
        .collect();
    let is_listed = |path: &&String| lies_below(path, test.near) || test.does == "glob" && lies_below(path, "t0");
    let listed: Vec<_> = brought.keys().filter(is_listed).collect();
    format!(
        "{} {} {seen} {concern:?} {listed:?}",
        test.name,
        test.mood(&project.tree)
    )
}

/// Returns few words for what a file is.
fn short(entry: &Entry) -> String {
    match entry {
        Entry::Link(target) => format!("to {}", target.display()),
        Entry::Empty => "nothing in it".to_owned(),
        Entry::File { bytes, mode } => {
            let text = String::from_utf8_lossy(bytes);
            let last = text.lines().last().unwrap_or_default();
            format!("{mode:o} {} bytes {last}", bytes.len())
        }
    }
}
