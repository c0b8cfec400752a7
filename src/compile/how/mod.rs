//! The methods (`how`) of prepare and finish phases: one table, [`HOWS`], and one file for each of them.
//!
//! The file of a `how` holds all that is known of it before anything runs: its word and its keys, how they are read into a
//! [`PhaseAction`], its part of a node's key, and which files it may read or name. Plan reading, lint, the check for ignored
//! files and the graph use this table and know no `how` by its word. The half that runs on a SUT is in `src/exec/worker/how.rs`;
//! [`PhaseAction`], defined in `spec`, connects the two.

mod ansible;
mod feature;
mod install;
mod shell;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atex_graph::StepAction;

use crate::compile::error::CompileError;
use crate::compile::fetch::FetchError;
use crate::compile::inputs::files::TreeFiles;
use crate::compile::inputs::git_ignored::LeftOut;
use crate::compile::lint::LintCode;
use crate::compile::metadata::names::did_you_mean;
use crate::compile::metadata::read::Scope;
use crate::compile::script::named_files::Mentions;
use crate::compile::spec::{PhaseAction, Playbook};

/// Every supported `how`. A phase with another one is ignored with a warning.
const HOWS: [&How; 4] = [&ansible::HOW, &feature::HOW, &install::HOW, &shell::HOW];

/// The `how` of a phase that does not name one.
pub(super) const DEFAULT: &str = shell::HOW.word;

/// The keys that all phases and all discover sections have.
pub(super) const COMMON: &[&str] = &["how", "name", "order", "summary", "when", "where"];

/// The steps for which a plan has phases.
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
    /// The word, as in `how: WORD`.
    pub(super) word: &'static str,
    /// The steps in which it may be used.
    steps: &'static [StepKind],
    /// The key that says what is to be done. A phase without it has nothing to do.
    pub(super) content: &'static str,
    /// The keys that it has beside the common ones.
    pub(super) keys: Keys,
    /// The lint code for a phase that has nothing to do.
    pub(super) empty: LintCode,
    /// Reads a phase and refuses invalid values. Returns `None` if there is nothing to do.
    pub(super) read: fn(&Scope<'_>) -> Result<Option<PhaseAction>, CompileError>,
}

/// The keys of a phase or a section: those that are `read` by atex, and those that are only `known` to tmt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    pub(crate) read: &'static [&'static str],
    pub(crate) known: &'static [&'static str],
}

/// The `how`s of a step.
fn of(step: StepKind) -> impl Iterator<Item = &'static How> {
    HOWS.into_iter().filter(move |how| how.steps.contains(&step))
}

/// Returns the `how` of a step with this word.
pub(super) fn find(step: StepKind, word: &str) -> Option<&'static How> {
    of(step).find(|how| how.word == word)
}

/// Returns the word of a supported `how` of the step that is similar to an unknown one.
pub(super) fn meant(step: StepKind, word: &str) -> Option<String> {
    did_you_mean(word, of(step).map(|how| how.word))
}

/// Returns the supported words of a step as text for messages, such as "`install` and `shell` are".
pub(super) fn there_are(step: StepKind) -> String {
    let words: Vec<String> = of(step).map(|how| format!("`{}`", how.word)).collect();
    let verb = if words.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", words.join(" and "))
}

/// Returns the action as an input of a node's key.
pub(super) fn input(action: &PhaseAction, origin: Option<Arc<str>>) -> StepAction {
    match action {
        PhaseAction::Install(spec) => install::input(spec, origin),
        PhaseAction::Shell { scripts } => shell::input(scripts, origin),
        PhaseAction::Ansible { playbooks, extra_args } => ansible::input(playbooks, extra_args, origin),
        PhaseAction::Feature { features } => feature::input(features, origin),
    }
}

/// Fetches what an action needs from elsewhere, as its key depends on it.
pub(super) fn fetch(action: &mut PhaseAction) -> Result<(), FetchError> {
    match action {
        PhaseAction::Install(_) | PhaseAction::Shell { .. } | PhaseAction::Feature { .. } => Ok(()),
        PhaseAction::Ansible { playbooks, .. } => ansible::fetch(playbooks),
    }
}

/// Returns whether something must be fetched for an action.
pub(super) fn is_remote(action: &PhaseAction) -> bool {
    match action {
        PhaseAction::Install(_) | PhaseAction::Shell { .. } | PhaseAction::Feature { .. } => false,
        PhaseAction::Ansible { playbooks, .. } => playbooks
            .iter()
            .any(|playbook| matches!(playbook, Playbook::Url { .. })),
    }
}

/// Returns digests of what was fetched for an action.
pub(super) fn fetched(action: &PhaseAction) -> Vec<String> {
    match action {
        PhaseAction::Install(_) | PhaseAction::Shell { .. } | PhaseAction::Feature { .. } => Vec::new(),
        PhaseAction::Ansible { playbooks, .. } => ansible::fetched(playbooks),
    }
}

/// Returns whether the action reads its files in the plan's own tree on this host, and not in the trees on the machine.
pub(super) fn reads_on_host(action: &PhaseAction) -> bool {
    match action {
        PhaseAction::Install(_) | PhaseAction::Shell { .. } | PhaseAction::Feature { .. } => false,
        PhaseAction::Ansible { .. } => true,
    }
}

/// Returns whether the action runs in the tree. It may then read any file there that belongs to no test, and not only the files
/// that it mentions.
pub(super) fn runs_in_tree(action: &PhaseAction) -> bool {
    match action {
        PhaseAction::Install(_) | PhaseAction::Feature { .. } => false,
        PhaseAction::Shell { .. } | PhaseAction::Ansible { .. } => true,
    }
}

/// Returns the scripts of the metadata, which start in the root of the tree.
pub(super) fn scripts(action: &PhaseAction) -> &[String] {
    match action {
        PhaseAction::Install(_) | PhaseAction::Ansible { .. } | PhaseAction::Feature { .. } => &[],
        PhaseAction::Shell { scripts } => scripts,
    }
}

/// Returns the files without which the action fails and which are not in the tree at `root`.
pub(super) fn missing(action: &PhaseAction, root: &Path) -> Vec<PathBuf> {
    match action {
        PhaseAction::Install(spec) => install::missing(spec, root),
        PhaseAction::Shell { .. } | PhaseAction::Feature { .. } => Vec::new(),
        PhaseAction::Ansible { playbooks, .. } => ansible::missing(playbooks, root),
    }
}

/// Returns the files of the tree that the action hands to a program, although it does not run in the tree.
pub(super) fn brought(action: &PhaseAction) -> Option<Mentions> {
    match action {
        PhaseAction::Install(spec) => install::brought(spec),
        PhaseAction::Shell { .. } | PhaseAction::Ansible { .. } | PhaseAction::Feature { .. } => None,
    }
}

/// Returns the files that the action mentions, whichever test they belong to; `own` is the plan's own tree.
pub(super) fn mentions(action: &PhaseAction, own: &TreeFiles) -> Mentions {
    match action {
        PhaseAction::Ansible { playbooks, .. } => ansible::mentions(playbooks, own),
        PhaseAction::Feature { .. } => Mentions::default(),
        PhaseAction::Install(spec) => Mentions::of_words(spec.packages.iter().map(String::as_str)),
        PhaseAction::Shell { scripts } => Mentions::of(scripts.iter().map(String::as_str)),
    }
}

/// Returns what the action names although git ignores it, in a tree at a place in the slot.
pub(super) fn left_out(action: &PhaseAction, files: &TreeFiles, prefix: &str) -> Vec<LeftOut> {
    match action {
        PhaseAction::Install(spec) => install::left_out(spec, files, prefix),
        PhaseAction::Shell { scripts } => shell::left_out(scripts, files, prefix),
        PhaseAction::Ansible { playbooks, .. } => ansible::left_out(playbooks, files),
        PhaseAction::Feature { .. } => Vec::new(),
    }
}
