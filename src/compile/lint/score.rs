//! The score of a tree: how many of its plans and tests behave as under tmt, and what keeps the others from it.
//!
//! It is made of the findings of lint, whether they are shown or not. So what atex says that it does not obey, and what it refuses,
//! is what the score counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use atex_fmf::Node;

use super::code::{LintCode, Severity};
use super::nodes::{adjusts, may_run};
use crate::compile::metadata::read::truthy;
use crate::compile::metadata::schema::NodeKind;

/// How far a tree behaves as under tmt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// The plans that are enabled in some context.
    pub plans: Share,
    /// The tests that run in some context.
    pub tests: Share,
    /// What keeps the others from it, the most frequent first.
    pub blockers: Vec<Blocker>,
    /// What was not looked at, because it would have to be fetched: repositories with tests, and environment files.
    pub not_looked_at: Vec<String>,
}

/// The nodes of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many there are.
    pub all: usize,
    /// How many of them behave as under tmt.
    pub as_under_tmt: usize,
}

/// Something that tmt does and atex does not, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// What it is.
    pub what: String,
    /// How many plans have it.
    pub plans: usize,
    /// How many tests have it.
    pub tests: usize,
}

/// The blockers of each node while the tree is checked.
#[derive(Debug, Default)]
pub(super) struct Blockers {
    /// The place of the node that is checked, among those that were asked for.
    present: usize,
    by_node: HashMap<usize, BTreeSet<String>>,
    not_looked_at: BTreeSet<String>,
}

impl Blockers {
    /// Begins with a node.
    pub(super) fn begin(&mut self, present: usize) {
        self.present = present;
    }

    /// Notes a finding in the present node, if it is a blocker.
    pub(super) fn note(&mut self, code: LintCode, message: &str) {
        if let Some(what) = what(code, message) {
            self.by_node.entry(self.present).or_default().insert(what);
        }
    }

    /// Notes that what is at an address is not looked at.
    pub(super) fn note_remote(&mut self, url: &str) {
        self.not_looked_at.insert(url.to_owned());
    }

    /// Counts the nodes that were asked for.
    pub(super) fn into_score(self, nodes: &[(NodeKind, Node<'_>)]) -> Score {
        let mut score = Score {
            not_looked_at: self.not_looked_at.into_iter().collect(),
            ..Score::default()
        };
        let mut blockers: BTreeMap<&str, Blocker> = BTreeMap::new();
        for (place, (kind, node)) in nodes.iter().enumerate() {
            let share = match kind {
                NodeKind::Plan if may_be_enabled(*node) => &mut score.plans,
                NodeKind::Test if may_run(*node) => &mut score.tests,
                _ => continue,
            };
            share.all += 1;
            let own = self.by_node.get(&place);
            share.as_under_tmt += usize::from(own.is_none());
            for what in own.into_iter().flatten() {
                let blocker = blockers.entry(what).or_insert_with(|| Blocker {
                    what: what.clone(),
                    plans: 0,
                    tests: 0,
                });
                match kind {
                    NodeKind::Plan => blocker.plans += 1,
                    _ => blocker.tests += 1,
                }
            }
        }
        score.blockers = blockers.into_values().collect();
        score
            .blockers
            .sort_by_key(|blocker| std::cmp::Reverse(blocker.plans + blocker.tests));
        score
    }
}

/// Returns whether a plan is enabled in some context.
fn may_be_enabled(node: Node<'_>) -> bool {
    let enabled = node.value("enabled").filter(|value| !value.is_null());
    enabled.is_none_or(|value| truthy(&value)) || adjusts(node.data(), "enabled")
}

/// Returns what a finding says of a difference from tmt in a form that many nodes share, or `None` if it says nothing of that.
fn what(code: LintCode, message: &str) -> Option<String> {
    match code {
        LintCode::IgnoredKey
        | LintCode::IgnoredPhase
        | LintCode::IgnoredSection
        | LintCode::TmtKey
        | LintCode::TmtVariable
        | LintCode::TmtCommand
        | LintCode::TmtRequire => Some(message.to_owned()),
        LintCode::TmtExpansion => Some("tmt puts values in places where atex leaves `$…`".to_owned()),
        LintCode::LeftOut => Some("tmt brings files that git ignores, atex does not".to_owned()),
        // These fail here and there.
        LintCode::MissingFile | LintCode::NotExecutable => None,
        _ if code.severity() == Severity::Error => Some(format!("atex refuses it (`{code}`)")),
        _ => None,
    }
}
