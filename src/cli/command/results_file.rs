//! Reading what tests left in a run's directory: which attempts there are, and the lines of a `results.jsonl`.
//!
//! The layout is the executor's (`exec::rundir`); here it is only read back. A line is read into one buffer that is used
//! again; a last line without its newline is still being written and is left for later.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::cli::error::CliError;

/// One attempt of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) test: String,
    /// Set where several plans of the run have a test of this name and this is not the first one's.
    pub(super) plan: Option<String>,
    /// From 1.
    pub(super) number: u32,
    /// Its `results.jsonl`.
    pub(super) path: PathBuf,
}

impl fmt::Display for Attempt {
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

/// Lists the attempts of a run, sorted by name.
pub(super) fn attempts(run: &Path) -> Result<Vec<Attempt>, CliError> {
    let mut found = Vec::new();
    let tests = run.join("tests");
    if tests.is_dir() {
        let root = Attempt {
            test: String::new(),
            plan: None,
            number: 1,
            path: PathBuf::new(),
        };
        collect(&tests, &root, &mut found)?;
    }
    found.sort_by(|a, b| (&a.test, &a.plan, a.number).cmp(&(&b.test, &b.plan, b.number)));
    Ok(found)
}

/// Collects the attempts in and below `dir`, which belongs to `here`.
fn collect(dir: &Path, here: &Attempt, found: &mut Vec<Attempt>) -> Result<(), CliError> {
    let unreadable = |error| CliError::usage(format!("cannot read `{}`: {error}", dir.display()));
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name == "results.jsonl" {
            found.push(Attempt { path, ..here.clone() });
            continue;
        }
        if name == "files" || !entry.file_type().map_err(unreadable)?.is_dir() {
            continue;
        }
        let below = if let Some(plan) = name.strip_prefix('@') {
            let plan = format!("/{}", plan.replace(':', "/"));
            Attempt {
                plan: Some(plan),
                ..here.clone()
            }
        } else if let Some(number) = name.strip_prefix("attempt-").and_then(|number| number.parse().ok()) {
            Attempt { number, ..here.clone() }
        } else {
            let test = format!("{}/{}", here.test, unescaped(&name));
            Attempt { test, ..here.clone() }
        };
        collect(&path, &below, found)?;
    }
    Ok(())
}

/// Undoes the escapes (`%XX`) of a component of a test's name.
fn unescaped(component: &str) -> String {
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after
            .get(..2)
            .filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(b'%');
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What of a result is shown, and the whole of it as it is stored.
pub(super) struct ResultLine<'a> {
    pub(super) status: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    pub(super) note: Cow<'a, str>,
    /// The kind of an `infra` result.
    pub(super) error: Cow<'a, str>,
    pub(super) files: u64,
    pub(super) json: &'a [u8],
}

impl ResultLine<'_> {
    /// Whether the result makes a run fail.
    pub(super) fn is_failure(&self) -> bool {
        !matches!(&*self.status, "pass" | "info" | "warn" | "skip")
    }
}

/// The keys that are looked at. Their types are the test's choice: text is shown, anything else is not.
#[derive(Deserialize)]
struct Known<'a> {
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    note: Text<'a>,
    #[serde(borrow, default)]
    error: Text<'a>,
    #[serde(default)]
    files: Count,
}

#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

#[derive(Default)]
struct Count(u64);

/// Reads the lines of a `results.jsonl`.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let file =
            File::open(path).map_err(|error| CliError::usage(format!("cannot open `{}`: {error}", path.display())))?;
        let reader = BufReader::with_capacity(256 * 1024, file);
        Ok(Self {
            path: path.to_owned(),
            reader,
            line: Vec::new(),
            number: 0,
        })
    }

    /// Returns the next whole line.
    pub(super) fn next(&mut self) -> Result<Option<ResultLine<'_>>, CliError> {
        self.line.clear();
        self.reader
            .read_until(b'\n', &mut self.line)
            .map_err(|error| CliError::infra(format!("cannot read `{}`: {error}", self.path.display())))?;
        self.number += 1;
        let Some(json) = self.line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        let known: Known<'_> = serde_json::from_slice(json).map_err(|_| {
            CliError::infra(format!("`{}:{}` is no result", self.path.display(), self.number))
                .hint("something other than atex wrote to the run's directory")
        })?;
        Ok(Some(ResultLine {
            status: known.status.0,
            name: known.name.0,
            note: known.note.0,
            error: known.error.0,
            files: known.files.0,
            json,
        }))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any<'a> {
            Text(#[serde(borrow)] Cow<'a, str>),
            Other(IgnoredAny),
        }
        Ok(match Any::deserialize(deserializer)? {
            Any::Text(text) => Self(text),
            Any::Other(IgnoredAny) => Self::default(),
        })
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }
        deserializer.deserialize_seq(Items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::rundir::test_path;

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
            "/@x",
            "/..",
            "/ü",
        ];
        let run = run_with(&names.map(|name| test_path(name, None, 1)));
        let mut read: Vec<_> = attempts(run.path())
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
        ]);
        let shown: Vec<_> = attempts(run.path()).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["/a", "/a (attempt 2)", "/a of /plans/b"]);
    }

    #[test]
    fn a_line_that_is_still_being_written_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            file.path(),
            "{\"status\":\"pass\",\"name\":7,\"files\":[\"a\",{}]}\n{\"status\":\"fa",
        )
        .unwrap();
        let mut lines = Lines::open(file.path()).unwrap();
        let first = lines.next().unwrap().unwrap();
        assert_eq!((&*first.status, &*first.name, first.files), ("pass", "", 2));
        assert!(lines.next().unwrap().is_none());
    }
}
