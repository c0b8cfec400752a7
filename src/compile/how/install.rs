//! `how: install` installs packages with the SUT's own package manager. The half that runs on a SUT is in
//! `src/exec/worker/how.rs`.

use std::path::Path;
use std::sync::Arc;

use atex_graph::{Sourced, StepAction, StepOptions};

use super::{How, Keys, StepKind};
use crate::compile::error::CompileError;
use crate::compile::inputs::files::TreeFiles;
use crate::compile::inputs::git_ignored::{LeftOut, of_word};
use crate::compile::lint::LintCode;
use crate::compile::metadata::read::Scope;
use crate::compile::spec::PhaseAction;

/// The key for what to install: a text or a list of texts, each the name of a package or a file of the tree.
const PACKAGE: &str = "package";

pub(super) const HOW: How = How {
    word: "install",
    steps: &[StepKind::Prepare],
    content: PACKAGE,
    keys: Keys {
        read: &[PACKAGE],
        known: &["check-first", "copr", "directory", "exclude", "missing"],
    },
    empty: LintCode::EmptyPackage,
    read,
};

/// Reads a phase. It becomes one transaction, so neither the order of the packages nor repetition matters.
fn read(phase: &Scope<'_>) -> Result<Option<PhaseAction>, CompileError> {
    let texts = phase.texts(PACKAGE)?;
    let mut packages: Vec<String> = texts.iter().map(|text| text.trim().to_owned()).collect();
    packages.retain(|package| !package.is_empty());
    packages.sort_unstable();
    packages.dedup();
    Ok((!packages.is_empty()).then_some(PhaseAction::Install { packages }))
}

pub(super) fn input(packages: &[String], origin: Option<Arc<str>>) -> StepAction {
    StepAction::Install {
        packages: Sourced {
            value: packages.to_vec(),
            origin,
        },
        options: StepOptions::new(),
    }
}

/// Returns the packages that git ignores. Only a package that is a file of the tree can be left out.
pub(super) fn left_out(packages: &[String], files: &TreeFiles, prefix: &str) -> Vec<LeftOut> {
    let is_file =
        |package: &&str| package.contains('/') || [".rpm", ".deb", ".apk"].iter().any(|end| package.ends_with(end));
    let words = packages
        .iter()
        .filter_map(|package| package.strip_prefix(prefix))
        .filter(is_file);
    let found = words.filter_map(|word| of_word(files, PACKAGE, word, Path::new("")));
    found.collect()
}
