//! Runs trees under tmt and under atex, and compares what they say of each test.
//!
//! Both run as root on this machine, each in a root of its own (`namespace.rs`). What differs and is meant to stands in `meant.rs`, the small
//! trees that show one feature each in `cases/`. `tests/machines/differential.rs` runs them as a test; `examples/tmt-compare.rs` runs
//! them, or trees that somebody names, by hand.

mod atex;
pub(crate) mod cases;
mod difference;
pub(crate) mod meant;
mod namespace;
mod tmt;
mod verdict;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use cases::Case;
use difference::differences;
pub(crate) use difference::{Difference, Mark};
use namespace::Namespace;

/// How a tree is run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choice<'a> {
    /// What both are given of `-c DIM=VALUE` and `-e KEY=VALUE`.
    pub(crate) options: &'a [&'a str],
    /// A run of tmt's. It is read instead of a new one, or made there if it is not there.
    pub(crate) tmt_run: Option<&'a Path>,
}

/// What kept a comparison from being made.
#[derive(Debug)]
pub(crate) enum CompareError {
    /// A directory or a process that it needs could not be made.
    Namespace(io::Error),
    /// A program ended without having said anything of a test.
    Run {
        program: &'static str,
        exit_code: i32,
        log: String,
    },
    /// What a program wrote cannot be read.
    Result(String),
}

/// What came of a tree.
pub(crate) struct Comparison {
    pub(crate) differences: Vec<Difference>,
    /// So many tests were compared.
    pub(crate) tests: usize,
    /// atex named no test at all.
    pub(crate) atex_refused: bool,
    /// What the two programs printed.
    pub(crate) logs: [String; 2],
}

/// What came of the small trees.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) differences: Vec<Difference>,
    pub(crate) tests: usize,
    /// Trees of which nothing differs that is said to wait for somebody.
    pub(crate) idle: Vec<&'static str>,
}

/// A context that both are given, since atex finds one out by itself and tmt does not.
const CONTEXT: [&str; 4] = ["-c", "distro=fedora-41", "-c", "arch=x86_64"];

impl<'a> Choice<'a> {
    /// Returns `-c X`, `-e X`… as both programs take them.
    fn args(self) -> impl Iterator<Item = &'a str> {
        CONTEXT.into_iter().chain(self.options.iter().copied())
    }
}

/// Returns what is missing here to compare, if anything is.
pub(crate) fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can run tmt and atex on a copy of this machine".to_owned());
    }
    let program = tmt::program();
    if !program.exists() {
        return Some(format!(
            "tmt {} is not at {}: `tests/run` installs it",
            tmt::VERSION,
            program.display()
        ));
    }
    let rsync = std::env::split_paths(&std::env::var_os("PATH")?).any(|dir| dir.join("rsync").exists());
    (!rsync).then(|| "tmt needs rsync".to_owned())
}

/// Runs a tree under both. The tree itself is not touched: each gets a copy.
pub(crate) fn compare(atex: &Path, tree: &Path, choice: Choice) -> Result<Comparison, CompareError> {
    let namespace = Namespace::new().map_err(CompareError::Namespace)?;
    let copy = namespace.shared("tree");
    copy_tree(tree, &copy).map_err(CompareError::Namespace)?;
    let of_tmt = tmt::verdicts(&namespace, &copy, choice)?;
    fs::remove_dir_all(&copy).map_err(CompareError::Namespace)?;
    copy_tree(tree, &copy).map_err(CompareError::Namespace)?;
    let of_atex = atex::verdicts(&namespace, atex, &copy, choice)?;
    let log = |name| fs::read_to_string(namespace.shared(name)).unwrap_or_default();
    Ok(Comparison {
        differences: differences(&of_tmt, &of_atex),
        tests: of_tmt.plans.values().map(|plan| plan.tests.len()).sum(),
        atex_refused: of_atex.plans.is_empty(),
        logs: [log("tmt.log"), log("atex.log")],
    })
}

/// Runs the small trees under both, those that `wanted` wants.
///
/// The runs of tmt are read from below `tmt_runs`, or kept there, if that is given.
pub(crate) fn compare_small_trees(
    atex: &Path,
    wanted: impl Fn(&Case) -> bool,
    tmt_runs: Option<&Path>,
) -> Result<Report, CompareError> {
    let (alone, together): (Vec<&Case>, Vec<&Case>) = cases::all()
        .filter(|case| wanted(case))
        .partition(|case| case.alone.is_some());
    let mut report = Report::default();
    if !together.is_empty() {
        let run = tmt_runs.map(|runs| runs.join("together"));
        compare_together(atex, &together, run.as_deref(), &mut report)?;
    }
    for case in alone {
        let tree = tempfile::tempdir().map_err(CompareError::Namespace)?;
        write_together(tree.path(), &[])
            .and_then(|()| case.write(tree.path(), ""))
            .map_err(CompareError::Namespace)?;
        let run = tmt_runs.map(|runs| runs.join(case.name));
        let choice = Choice {
            options: case.alone.unwrap_or_default(),
            tmt_run: run.as_deref(),
        };
        let mut found = compare(atex, tree.path(), choice)?;
        for difference in &mut found.differences {
            difference.plan = format!("/{}{}", case.name, difference.plan);
        }
        report.tests += found.tests;
        report.add(case, found.differences);
    }
    Ok(report)
}

/// Makes one tree of all these, and compares it.
fn compare_together(
    atex: &Path,
    cases: &[&Case],
    tmt_run: Option<&Path>,
    report: &mut Report,
) -> Result<(), CompareError> {
    let tree = tempfile::tempdir().map_err(CompareError::Namespace)?;
    write_together(tree.path(), cases).map_err(CompareError::Namespace)?;
    let options = &[];
    let found = compare(atex, tree.path(), Choice { options, tmt_run })?;
    report.tests += found.tests;
    // What spoils the tree for one of them says nothing of the others.
    for (refused, program, log) in [
        (found.tests == 0, "tmt", &found.logs[0]),
        (found.atex_refused, "atex", &found.logs[1]),
    ] {
        if refused {
            return Err(CompareError::Run {
                program,
                exit_code: 2,
                log: log.clone(),
            });
        }
    }
    for case in cases {
        let prefix = format!("/{}/", case.name);
        let of_case = found
            .differences
            .iter()
            .filter(|difference| difference.plan.starts_with(&prefix));
        report.add(case, of_case.cloned().collect());
    }
    Ok(())
}

/// Writes these trees as directories of one.
pub(crate) fn write_together(tree: &Path, cases: &[&Case]) -> io::Result<()> {
    fs::create_dir_all(tree.join(".fmf"))?;
    fs::write(tree.join(".fmf/version"), "1\n")?;
    cases
        .iter()
        .try_for_each(|case| case.write(&tree.join(case.name), &format!("/{}", case.name)))
}

impl Report {
    fn add(&mut self, case: &Case, mut differences: Vec<Difference>) {
        if let Some(part) = case.waiting {
            self.idle
                .extend(differences.iter().all(|found| !found.is_fault()).then_some(case.name));
            for found in differences.iter_mut().filter(|found| found.is_fault()) {
                found.mark = Mark::Waiting(part);
            }
        }
        self.differences.extend(differences);
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, kind) = (
            entry.as_ref().map(fs::DirEntry::path),
            entry.as_ref().map(fs::DirEntry::file_type),
        );
        let (Ok(path), Ok(kind)) = (path, kind) else { continue };
        let to = to.join(path.file_name().expect("an entry has a name"));
        match kind? {
            kind if kind.is_dir() => copy_tree(&path, &to)?,
            kind if kind.is_symlink() => std::os::unix::fs::symlink(fs::read_link(&path)?, to)?,
            _ => fs::copy(&path, &to).map(|_| ())?,
        }
    }
    Ok(())
}

/// Returns the files below a directory, without links, with a digest each; none where the directory is not there.
fn files_below(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() {
                let name = path.strip_prefix(dir).expect("an entry of the directory");
                let digest = blake3::hash(&fs::read(&path)?).to_hex()[..10].to_owned();
                found.insert(name.to_string_lossy().into_owned(), digest);
            }
        }
    }
    Ok(found)
}

/// Returns the items of a list in a mapping, none where there is no list.
fn json_at<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(error) => write!(f, "cannot make a root of its own: {error}"),
            Self::Run {
                program,
                exit_code,
                log,
            } => {
                write!(f, "{program} ended with {exit_code} and no verdict:\n{log}")
            }
            Self::Result(what) => write!(f, "cannot read a result: {what}"),
        }
    }
}

impl std::error::Error for CompareError {}
