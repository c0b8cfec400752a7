//! The `how`s of prepare and finish: one table, [`HOWS`], and one file for each.
//!
//! The file of a `how` holds all that is known of it before anything runs: its word and keys, how they are read into a [`PhaseAction`], its
//! part of a node's key, and which files it may read or name. `phases`, `lint`, `left_out` and `assemble` ask here, and know no `how` by
//! its word. The other half, what runs on a machine, is in `src/exec/worker/how.rs`; between them stands [`PhaseAction`], of `spec`.

mod install;
mod shell;

use std::sync::Arc;

use atex_graph::StepAction;

use crate::compile::error::CompileError;
use crate::compile::inputs::files::TreeFiles;
use crate::compile::inputs::git_ignored::LeftOut;
use crate::compile::lint::LintCode;
use crate::compile::metadata::names::did_you_mean;
use crate::compile::metadata::read::Scope;
use crate::compile::script::named_files::Mentions;
use crate::compile::spec::PhaseAction;

/// Every `how` that runs. What has another word is ignored, which is said.
const HOWS: [&How; 2] = [&install::HOW, &shell::HOW];

/// The `how` of a phase that names none.
pub(super) const DEFAULT: &str = shell::HOW.word;

/// Keys of all phases, and of sections of discover.
pub(super) const COMMON: &[&str] = &["how", "name", "order", "summary", "when"];

/// What a plan has phases for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    Prepare,
    Finish,
}

impl StepKind {
    pub(super) const ALL: [Self; 2] = [Self::Prepare, Self::Finish];

    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Finish => "finish",
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct How {
    /// As `how: WORD` says it.
    pub(super) word: &'static str,
    /// Where it runs.
    steps: &'static [StepKind],
    /// The key that says what is to be done; without it there is nothing to do.
    pub(super) content: &'static str,
    /// Its keys beside the common ones.
    pub(super) keys: Keys,
    /// What lint calls a phase that has nothing to do.
    pub(super) empty: LintCode,
    /// Reads a phase, and refuses what its keys may not hold; nothing where there is nothing to do.
    pub(super) read: fn(&Scope<'_>) -> Result<Option<PhaseAction>, CompileError>,
}

/// What a phase or a section may say: `read` by atex, or only `known` to tmt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    pub(crate) read: &'static [&'static str],
    pub(crate) known: &'static [&'static str],
}

/// The `how`s of a step.
fn of(step: StepKind) -> impl Iterator<Item = &'static How> {
    HOWS.into_iter().filter(move |how| how.steps.contains(&step))
}

/// The `how` of a step by its word.
pub(super) fn find(step: StepKind, word: &str) -> Option<&'static How> {
    of(step).find(|how| how.word == word)
}

/// The word of a step's `how` that may have been meant by one that is not there.
pub(super) fn meant(step: StepKind, word: &str) -> Option<String> {
    did_you_mean(word, of(step).map(|how| how.word))
}

/// The words of a step, for people: "`install` and `shell` are".
pub(super) fn there_are(step: StepKind) -> String {
    let words: Vec<String> = of(step).map(|how| format!("`{}`", how.word)).collect();
    let verb = if words.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", words.join(" and "))
}

/// What is done, as the key of a node holds it.
pub(super) fn input(action: &PhaseAction, origin: Option<Arc<str>>) -> StepAction {
    match action {
        PhaseAction::Install { packages } => install::input(packages, origin),
        PhaseAction::Shell { scripts } => shell::input(scripts, origin),
    }
}

/// Whether it runs in the tree: then it may read any file there that belongs to no test, and not only those that it mentions.
pub(super) fn runs_in_tree(action: &PhaseAction) -> bool {
    match action {
        PhaseAction::Install { .. } => false,
        PhaseAction::Shell { .. } => true,
    }
}

/// The scripts of the metadata that start in the root of the tree.
pub(super) fn scripts(action: &PhaseAction) -> &[String] {
    match action {
        PhaseAction::Install { .. } => &[],
        PhaseAction::Shell { scripts } => scripts,
    }
}

/// The files that it mentions, whoever they belong to.
pub(super) fn mentions(action: &PhaseAction) -> Mentions {
    match action {
        PhaseAction::Install { packages } => Mentions::of_words(packages.iter().map(String::as_str)),
        PhaseAction::Shell { scripts } => Mentions::of(scripts.iter().map(String::as_str)),
    }
}

/// What it names and git ignores, in a tree that lies at a place of the slot.
pub(super) fn left_out(action: &PhaseAction, files: &TreeFiles, prefix: &str) -> Vec<LeftOut> {
    match action {
        PhaseAction::Install { packages } => install::left_out(packages, files, prefix),
        PhaseAction::Shell { scripts } => shell::left_out(scripts, files, prefix),
    }
}
