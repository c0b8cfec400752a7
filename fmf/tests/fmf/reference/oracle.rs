//! What Python says of trees, and the comparison with it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::typed;
use crate::python;

/// One tree to compare, under several views.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) views: Vec<Json>,
}

impl Case {
    pub(crate) fn new(name: impl Into<String>, path: impl Into<PathBuf>, views: Vec<Json>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            views,
        }
    }
}

/// What came out of a comparison.
pub(crate) struct Outcome {
    pub(crate) compared: usize,
    /// Views that both sides refuse.
    pub(crate) refused: usize,
    /// For each case that differs, its name and the first difference.
    pub(crate) differences: Vec<(String, String)>,
}

/// Asks Python about all cases in one process; `None` where the comparison is to be left out.
fn ask(cases: &[Case]) -> Option<Vec<Vec<Json>>> {
    let request = |case: &Case| json!({"path": case.path, "cwd": "/", "views": case.views}).to_string();
    let requests: Vec<String> = cases.iter().map(request).collect();
    let answers = python::answers("dump.py", &requests)?;
    let parse = |line: &String| serde_json::from_str(line).expect("an answer is JSON");
    Some(answers.iter().map(parse).collect())
}

/// Compares all cases; nothing where the comparison is left out.
pub(crate) fn compare(cases: &[Case]) -> Option<Outcome> {
    let mut answers: VecDeque<_> = ask(cases)?.into();
    let mut outcome = Outcome {
        compared: 0,
        refused: 0,
        differences: Vec::new(),
    };
    for case in cases {
        let python = answers.pop_front().expect("one answer for each case");
        let native = typed::answers(&case.path, &case.views);
        for ((view, native), python) in case.views.iter().zip(native).zip(python) {
            outcome.compared += 1;
            let difference = match (&native, python.get("nodes")) {
                (Ok(native), Some(nodes)) => first_difference("", native, nodes),
                (Err(_), None) => {
                    outcome.refused += 1;
                    None
                }
                // Python holds data that contain themselves, as long as nobody prints them.
                (Err(refusal), Some(_)) if refusal.contains("itself") || refusal.contains("into themselves") => {
                    outcome.refused += 1;
                    None
                }
                (Err(refusal), Some(_)) => Some(format!("only refused here: {refusal}")),
                (Ok(_), None) => Some(format!("only refused by Python: {python}")),
            };
            if let Some(difference) = difference {
                outcome
                    .differences
                    .push((case.name.clone(), format!("under {view}: {difference}")));
                break;
            }
        }
    }
    Some(outcome)
}

/// Fails if there are differences.
pub(crate) fn assert_same(cases: &[Case]) {
    assert!(!cases.is_empty(), "nothing to compare");
    let Some(outcome) = compare(cases) else { return };
    let shown: Vec<_> = outcome
        .differences
        .iter()
        .take(20)
        .map(|(name, text)| format!("{name} {text}"))
        .collect();
    assert!(
        shown.is_empty(),
        "{} of {} trees differ:\n{}",
        outcome.differences.len(),
        cases.len(),
        shown.join("\n")
    );
    println!(
        "{} trees, {} views are the same, {} of them refused",
        cases.len(),
        outcome.compared,
        outcome.refused
    );
}

/// Returns where two answers differ first.
fn first_difference(at: &str, native: &Json, python: &Json) -> Option<String> {
    match (native, python) {
        (Json::Array(a), Json::Array(b)) => {
            // Nodes and typed values start with what names them.
            let name = a
                .first()
                .and_then(Json::as_str)
                .map_or_else(String::new, |name| format!("({name})"));
            let mut inside = a.iter().zip(b).enumerate();
            let inside = inside.find_map(|(n, (a, b))| first_difference(&format!("{at}{name}/{n}"), a, b));
            inside
                .or_else(|| (a.len() != b.len()).then(|| format!("at {at}{name}: native {native}\n  python {python}")))
        }
        _ => (native != python).then(|| format!("at {at}: native {native}\n  python {python}")),
    }
}

/// Writes files below a directory; a tree's root is made of it.
pub(crate) fn plant(root: &Path, files: &[(&str, &[u8])]) {
    std::fs::create_dir_all(root.join(".fmf")).expect("can be made");
    std::fs::write(root.join(".fmf/version"), "1\n").expect("can be written");
    for (name, content) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("can be made");
        std::fs::write(path, content).expect("can be written");
    }
}
