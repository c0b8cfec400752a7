//! Finds files that the metadata or a script name but that are not uploaded to a SUT, because git ignores them.
//!
//! Only files that exist on this host count. The walk does not enter directories that git ignores, so whether a file in one
//! exists is checked only when the file is named.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_fmf::{Location, Map, Node, Tree, Value};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::compile::FilesOfTrees;
use crate::compile::how;
use crate::compile::inputs::files::{TreeFiles, escaped};
use crate::compile::metadata::read::{NodeReader, Scope};
use crate::compile::metadata::trees::{TreeId, Trees};
use crate::compile::plan::Plan;
use crate::compile::plan::test_selection::Selected;
use crate::compile::script::first_command;
use crate::compile::script::first_command::file_of;
use crate::compile::script::read_files::{Named, inside, reads};
use crate::compile::spec::Warning;
use crate::compile::test::run_directory;
use crate::host;

/// Larger scripts are not read; the limit is in bytes.
const LARGEST: u64 = 1 << 20;

/// Something that is named and not uploaded.
#[derive(Clone, Debug)]
pub(crate) struct LeftOut {
    /// The key that names it, or whose script names it.
    pub(crate) key: &'static str,
    /// The script file and the line that name it, unless the metadata do.
    pub(crate) script: Option<Location>,
    /// The word that names it, as it is written.
    pub(crate) word: String,
    /// Its path in the tree.
    pub(crate) path: PathBuf,
    /// The place of git's rule.
    pub(crate) rule: Arc<str>,
}

impl LeftOut {
    /// Returns the text about it for a message: `is not brought to the machine: …`.
    pub(crate) fn fate(&self) -> String {
        format!("is not brought to the machine: {} leaves it out", self.rule)
    }
}

/// The key of globs.
const GLOBS: &str = "extra-atex-inputs";

/// Finds what a test names.
pub(crate) fn of_test(files: &TreeFiles, tree: &Tree, node: Node<'_>) -> Vec<LeftOut> {
    let Ok(directory) = run_directory(tree, node) else {
        return Vec::new();
    };
    let scope = NodeReader::new(tree, node).scope("test");
    if let Some(rule) = files.left_out(&directory) {
        let key = if node.has_key("path") { "path" } else { "test" };
        return vec![LeftOut {
            key,
            script: None,
            word: scope.text(key).ok().flatten().unwrap_or_default(),
            path: directory,
            rule: Arc::clone(rule),
        }];
    }
    let mut found = Vec::new();
    if let Some(script) = scope.value("test").and_then(Value::as_str) {
        found.extend(of_script(files, ("test", ""), script, &directory));
        found.extend(of_file(files, script, &directory));
    }
    for key in ["require", "recommend"] {
        for map in items(&scope, key).iter().filter_map(Value::as_map) {
            found.extend(of_requirement(files, key, map));
        }
    }
    for glob in scope.texts(GLOBS).unwrap_or_default() {
        let start = if glob.starts_with("./") {
            node.dir()
        } else {
            Path::new("")
        };
        found.extend(of_word(files, GLOBS, &glob, start));
    }
    found
}

/// Finds what a script of the metadata names. The script starts in a directory that contains the tree at some place.
pub(crate) fn of_script(
    files: &TreeFiles,
    (key, prefix): (&'static str, &str),
    script: &str,
    directory: &Path,
) -> Vec<LeftOut> {
    let mut seen = HashSet::new();
    let found = reads(script, directory).into_iter().filter_map(|read| {
        let (path, rule) = files.left_out_of(&read.what, prefix)?;
        seen.insert(path.clone()).then(|| LeftOut {
            key,
            script: None,
            word: read.word,
            path,
            rule: Arc::clone(rule),
        })
    });
    found.collect()
}

/// Finds what is named in the shell script with which a test's command starts.
fn of_file(files: &TreeFiles, script: &str, directory: &Path) -> Vec<LeftOut> {
    let Some(file) = file_of(script, directory) else {
        return Vec::new();
    };
    let small = files.size(&file).is_some_and(|size| size <= LARGEST);
    let text = small.then(|| host::file::read_to_string(&files.root.join(&file)).ok());
    let Some(text) = text.flatten().filter(|text| first_command::is_shell(&file, text)) else {
        return Vec::new();
    };
    let mut seen = HashSet::new();
    let found = reads(&text, directory).into_iter().filter_map(|read| {
        let (path, rule) = files.left_out_of(&read.what, "")?;
        seen.insert(path.clone()).then(|| LeftOut {
            key: "test",
            script: Some(Location {
                file: file.clone(),
                line: read.line,
            }),
            word: read.word,
            path,
            rule: Arc::clone(rule),
        })
    });
    found.collect()
}

/// Finds what a word or a glob names, relative to a directory of the tree.
pub(crate) fn of_word(files: &TreeFiles, key: &'static str, word: &str, start: &Path) -> Option<LeftOut> {
    let what = Named::of(inside(start, word.trim_start_matches('/'))?)?;
    let (path, rule) = files.left_out_of(&what, "")?;
    Some(LeftOut {
        key,
        script: None,
        word: word.to_owned(),
        path,
        rule: Arc::clone(rule),
    })
}

/// Finds what a requirement of `type: file` names: paths from the root of the tree, or regular expressions for such paths.
fn of_requirement(files: &TreeFiles, key: &'static str, map: &Map) -> Vec<LeftOut> {
    let is_file = map.get("type").and_then(Value::as_str) == Some("file") && !map.contains_key("url");
    let patterns = map.get("pattern").filter(|_| is_file);
    let patterns = patterns.map(|value| value.as_list().unwrap_or(std::slice::from_ref(value)));
    let find = |pattern: &str| {
        let matches = |path: &Path| atex_fmf::regex::search(pattern, &format!("/{}", escaped(path))).unwrap_or(false);
        let regex = || {
            let (path, rule) = files.ignored.iter().find(|(path, _)| matches(path))?;
            Some(LeftOut {
                key,
                script: None,
                word: pattern.to_owned(),
                path: path.clone(),
                rule: Arc::clone(rule),
            })
        };
        of_word(files, key, pattern, Path::new("")).or_else(regex)
    };
    let patterns = patterns.into_iter().flatten().filter_map(Value::as_str);
    patterns.filter_map(find).collect()
}

/// Returns the items of a list, or the single value that stands for a list.
fn items<'t>(scope: &Scope<'t>, key: &str) -> &'t [Value] {
    let value = scope.value(key);
    value.map_or(&[], |value| value.as_list().unwrap_or(std::slice::from_ref(value)))
}

/// Returns one warning per git rule about what the selected plans and tests name: the first path that the rule leaves out, and
/// how many more there are.
pub(crate) fn warnings(selection: &[(&Plan, Vec<Selected<'_>>)], trees: &Trees, files: &FilesOfTrees) -> Vec<Warning> {
    if files.values().all(|files| files.ignored.is_empty()) {
        return Vec::new();
    }
    let mut said = Said::default();
    for (plan, _) in selection {
        for (tree, prefix) in plan.places(trees) {
            let phases = plan.prepare.iter().chain(&plan.finish);
            // The others are refused, if they are to run.
            for phase in phases.filter(|phase| !how::reads_on_host(&phase.action)) {
                let subject = format!("plan `{}`", plan.name);
                for found in how::left_out(&phase.action, &files[&tree], &prefix) {
                    said.add(tree, &found, &subject, || phase.location.clone());
                }
            }
        }
    }
    let mut seen = HashSet::new();
    let tests = selection.iter().flat_map(|(_, tests)| tests);
    let tests: Vec<_> = tests.filter(|test| seen.insert(test.identity())).collect();
    let find = |test: &&Selected<'_>| of_test(&files[&test.tree()], test.within.tree, test.node);
    let found: Vec<Vec<LeftOut>> = tests.par_iter().map(find).collect();
    for (test, found) in tests.into_iter().zip(found) {
        let scope = || NodeReader::new(test.within.tree, test.node).scope("test");
        for found in found {
            let subject = format!("test `{}`", test.node.name());
            said.add(test.tree(), &found, &subject, || scope().location(found.key));
        }
    }
    said.into_warnings()
}

/// What was found, grouped by the rule that leaves it out.
#[derive(Debug, Default)]
struct Said {
    rules: Vec<(TreeId, Arc<str>, Warning, HashSet<PathBuf>)>,
}

impl Said {
    fn add(&mut self, tree: TreeId, found: &LeftOut, subject: &str, location: impl FnOnce() -> Option<Location>) {
        let same = |(of, rule, ..): &&mut (TreeId, Arc<str>, _, _)| *of == tree && *rule == found.rule;
        if let Some((.., paths)) = self.rules.iter_mut().find(same) {
            paths.insert(found.path.clone());
            return;
        }
        let location = found.script.clone().or_else(location);
        let warning = Warning {
            text: format!("{subject} names `{}`, which {}", escaped(&found.path), found.fate()),
            file: location.as_ref().map(|location| escaped(&location.file)),
            line: location.map(|location| location.line),
        };
        let paths = HashSet::from([found.path.clone()]);
        self.rules.push((tree, Arc::clone(&found.rule), warning, paths));
    }

    fn into_warnings(self) -> Vec<Warning> {
        let warnings = self.rules.into_iter().map(|(_, _, warning, paths)| {
            let more = match paths.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more that are named)"),
            };
            Warning {
                text: warning.text + &more,
                ..warning
            }
        });
        warnings.collect()
    }
}
