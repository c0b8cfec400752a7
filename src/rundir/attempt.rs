//! Finds the attempts in a run's directory, and knows which files in the directory of an attempt belong to it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::test_path::Component;
use super::{ReadError, ResultReader};
use crate::control::{FILES, OUTPUT, RESULTS};

/// The names in an attempt's directory that belong to the attempt itself. Everything else there belongs to further attempts, to
/// other plans, or to tests whose names continue this one's.
pub const OWN: [&str; 3] = [FILES, OUTPUT, RESULTS];

/// Returns the path of what an attempt printed, relative to the run's directory, or `None` if it is not there. If a test uploads
/// an `output.txt` of its own, the printed output is moved out of its way.
pub fn output_of(run: &Path, attempt: &Path) -> Option<PathBuf> {
    let (usual, moved) = (attempt.join(FILES).join(OUTPUT), attempt.join(OUTPUT));
    [moved, usual].into_iter().find(|path| run.join(path).exists())
}

/// One attempt of one test, found in a run's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAttempt {
    /// The name of the test.
    pub test: String,
    /// The plan, if several plans of the run run a test of this name differently and this is not the first of them.
    pub plan: Option<String>,
    /// The number of the attempt, from 1.
    pub number: u32,
    /// The path of its `results.jsonl`.
    path: PathBuf,
}

impl StoredAttempt {
    /// Reads the results from the first one on.
    pub fn results(&self) -> Result<ResultReader, ReadError> {
        ResultReader::open(&self.path)
    }
}

impl fmt::Display for StoredAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.test)?;
        if let Some(plan) = &self.plan {
            write!(f, " of {plan}")?;
        }
        if self.number > 1 {
            write!(f, " (attempt {})", self.number)?;
        }
        Ok(())
    }
}

/// Finds the attempts below `tests`, sorted by name.
pub(super) fn find(tests: &Path) -> Result<Vec<StoredAttempt>, ReadError> {
    let mut found = Vec::new();
    if tests.is_dir() {
        let root = StoredAttempt {
            test: String::new(),
            plan: None,
            number: 1,
            path: PathBuf::new(),
        };
        collect(tests, &root, &mut found)?;
    }
    found.sort_by(|a, b| (&a.test, &a.plan, a.number).cmp(&(&b.test, &b.plan, b.number)));
    Ok(found)
}

/// Collects the attempts in and below `dir`, the directory of `here`.
fn collect(dir: &Path, here: &StoredAttempt, found: &mut Vec<StoredAttempt>) -> Result<(), ReadError> {
    let unreadable = |source| ReadError::List {
        path: dir.to_owned(),
        source,
    };
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name == RESULTS {
            found.push(StoredAttempt { path, ..here.clone() });
            continue;
        }
        if name == FILES || !entry.file_type().map_err(unreadable)?.is_dir() {
            continue;
        }
        let mut below = here.clone();
        match Component::read(&name) {
            Component::Plan(plan) => below.plan = Some(plan),
            Component::Attempt(number) => below.number = number,
            Component::Name(part) => below.test = format!("{}/{part}", here.test),
        }
        collect(&path, &below, found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rundir::{RunDir, test_path};

    fn run_with(paths: &[PathBuf]) -> tempfile::TempDir {
        let run = tempfile::tempdir().unwrap();
        for path in paths {
            let dir = run.path().join(path);
            fs::create_dir_all(dir.join("files/attempt-7")).unwrap();
            fs::write(dir.join("results.jsonl"), "").unwrap();
        }
        run
    }

    #[test]
    fn names_are_read_back_as_they_were_written() {
        let names = [
            "/a",
            "/a/b",
            "/a/files/x",
            "/a/%66iles",
            "/a/100%",
            "/a/attempt-2",
            "/a/attempt-+2",
            "/@x",
            "/..",
            "/ü",
        ];
        let run = run_with(&names.map(|name| test_path(name, None, 1)));
        let mut read: Vec<_> = RunDir::open(run.path())
            .unwrap()
            .attempts()
            .unwrap()
            .into_iter()
            .map(|attempt| attempt.test)
            .collect();
        let mut names = names.map(str::to_owned);
        names.sort();
        read.sort();
        assert_eq!(read, names);
    }

    #[test]
    fn attempts_and_plans_are_told_apart() {
        let run = run_with(&[
            test_path("/a", None, 1),
            test_path("/a", None, 2),
            test_path("/a", Some("/plans/b"), 1),
            test_path("/a", Some("/plans/100%:c"), 1),
        ]);
        let run = RunDir::open(run.path()).unwrap();
        let shown: Vec<_> = run.attempts().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["/a", "/a (attempt 2)", "/a of /plans/100%:c", "/a of /plans/b"]);
    }
}
