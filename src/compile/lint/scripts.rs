//! Lint of scripts: scripts without a command, and scripts that start with a file that is missing or not executable.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use atex_fmf::{Node, Value};

use super::nodes::{adjusts, may_run};
use super::{LintCode, Linter, brought, values};
use crate::compile::metadata::names::nearest_key;
use crate::compile::metadata::read::Scope;
use crate::compile::script::first_command::{self, RunBy};
use crate::compile::script::read_files::inside;
use crate::compile::test::run_directory;

/// Checks the script of a test.
pub(super) fn check_test(linter: &mut Linter<'_>, scope: &Scope<'_>, node: Node<'_>) {
    const KEY: &str = "test";
    let script = match scope.map.get(KEY) {
        Some(Value::Str(script)) if !script.trim().is_empty() => script,
        Some(Value::Str(_) | Value::Null) => {
            let message = "`test` is empty, so there is nothing to run";
            return linter.add(LintCode::EmptyScript, (scope, KEY), KEY, message, None);
        }
        _ => return,
    };
    if !may_run(node) {
        return;
    }
    let directory = match run_directory(linter.tree, node) {
        Ok(directory) => directory,
        Err(error) => return values::refused::<()>(linter, scope, Err(error)),
    };
    if !linter.root().join(&directory).is_dir() {
        // If an adjust rule may change `path`, it is wrong only in this context.
        if !adjusts(node.data(), "path") {
            let message = format!("there is no directory `{}` in the tree", directory.display());
            let word = scope.text("path").ok().flatten().unwrap_or_default();
            linter.add(LintCode::BadPath, (scope, "path"), &word, message, None);
        }
        return;
    }
    check_files(linter, (scope, KEY), script, &directory);
    brought::check_test(linter, scope, node);
}

/// Checks the file that a script starts with, if the script runs in a directory of the tree.
pub(super) fn check_files(linter: &mut Linter<'_>, at: (&Scope<'_>, &str), script: &str, directory: &Path) {
    let Some(command) = first_command::first(script) else {
        return;
    };
    let word = command.word.as_str();
    let Some(path) = inside(directory, word) else { return };
    let full = linter.root().join(&path);
    let found = fs::metadata(&full).ok();
    let shown = path.display();
    match (command.how, found) {
        (RunBy::Looked, Some(found)) if word.contains('.') && found.is_file() => {
            let message = format!("`{word}` is looked for in `PATH`, and not in its directory");
            let hint = Some(format!("write `./{word}`"));
            linter.add(LintCode::NotACommand, at, word, message, hint);
        }
        (RunBy::Looked, _) => {}
        (_, None) => {
            let message = format!("there is no file `{shown}`");
            linter.add(LintCode::MissingFile, at, word, message, similar(&full));
        }
        (_, Some(found)) if found.is_dir() => {
            let message = format!("`{shown}` is a directory");
            linter.add(LintCode::NotExecutable, at, word, message, None);
        }
        (RunBy::Executed, Some(found)) if found.permissions().mode() & 0o111 == 0 => {
            let message = format!("`{shown}` is not executable");
            let hint = Some(format!("`chmod +x {shown}`, or `bash {word}`"));
            linter.add(LintCode::NotExecutable, at, word, message, hint);
        }
        _ => {}
    }
}

/// Returns a similarly named file in the same directory.
fn similar(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let entries = fs::read_dir(path.parent()?).ok()?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_none_or(|extension| extension != "fmf"))
        .collect();
    names.sort_unstable();
    let nearest = nearest_key(name, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{nearest}`?"))
}
