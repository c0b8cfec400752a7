//! `how: shell` runs bash scripts in the root of the tree. The half that runs on a SUT is in `src/exec/worker/how.rs`.

use std::path::Path;
use std::sync::Arc;

use atex_graph::{Sourced, StepAction, StepOptions};

use super::{How, Keys, StepKind};
use crate::compile::error::CompileError;
use crate::compile::inputs::files::TreeFiles;
use crate::compile::inputs::git_ignored::{LeftOut, of_script};
use crate::compile::lint::LintCode;
use crate::compile::metadata::read::Scope;
use crate::compile::spec::PhaseAction;

/// The key for the bash scripts: a text or a list of texts.
const SCRIPT: &str = "script";

pub(super) const HOW: How = How {
    word: "shell",
    steps: &StepKind::ALL,
    content: SCRIPT,
    keys: Keys {
        read: &[SCRIPT],
        known: &["ref", "url"],
    },
    empty: LintCode::EmptyScript,
    read,
};

fn read(phase: &Scope<'_>) -> Result<Option<PhaseAction>, CompileError> {
    let mut scripts = phase.texts(SCRIPT)?;
    scripts.retain(|script| !script.trim().is_empty());
    Ok((!scripts.is_empty()).then_some(PhaseAction::Shell { scripts }))
}

pub(super) fn input(scripts: &[String], origin: Option<Arc<str>>) -> StepAction {
    StepAction::Shell {
        script: Sourced {
            value: one_text(scripts),
            origin,
        },
        options: StepOptions::new(),
    }
}

/// Joins the scripts of a step into one text. Several scripts are separated by lines that count their bytes, so that different
/// lists never give the same text.
fn one_text(scripts: &[String]) -> String {
    const HEAD: &str = "# script ";
    if let [script] = scripts
        && !script.starts_with(HEAD)
    {
        return script.clone();
    }
    let count = scripts.len();
    let texts = (1..)
        .zip(scripts)
        .map(|(number, script)| format!("{HEAD}{number} of {count}, {} bytes\n{script}\n", script.len()));
    texts.collect()
}

pub(super) fn left_out(scripts: &[String], files: &TreeFiles, prefix: &str) -> Vec<LeftOut> {
    let found = scripts
        .iter()
        .flat_map(|script| of_script(files, (SCRIPT, prefix), script, Path::new("")));
    found.collect()
}
