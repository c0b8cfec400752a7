//! Lint of files that are named but not uploaded to a SUT, and of symlinks that lead out of the tree.

use atex_fmf::{Location, MarkedLine, Node};

use super::{LintCode, Linter};
use crate::compile::how;
use crate::compile::inputs::git_ignored::{self, LeftOut};
use crate::compile::inputs::links_outside;
use crate::compile::metadata::read::Scope;
use crate::compile::metadata::schema::NodeKind;
use crate::compile::spec::PhaseAction;

/// Checks the files that a test names.
pub(super) fn check_test(linter: &mut Linter<'_>, scope: &Scope<'_>, node: Node<'_>) {
    for found in git_ignored::of_test(&linter.files, linter.tree, node) {
        tell(linter, scope, &found);
    }
}

/// Checks the files that a phase names, if it runs in the root of the tree.
pub(super) fn check_phase(linter: &mut Linter<'_>, phase: &Scope<'_>, action: &PhaseAction) {
    for found in how::left_out(action, &linter.files, "") {
        tell(linter, phase, &found);
    }
}

fn tell(linter: &mut Linter<'_>, scope: &Scope<'_>, found: &LeftOut) {
    let message = format!("`{}` {}", found.path.display(), found.fate());
    let hint = Some("`git add -f` brings it, as a rule `!…` in the same list does".to_owned());
    let Some(location) = &found.script else {
        linter.add(LintCode::LeftOut, (scope, found.key), &found.word, message, hint);
        return;
    };
    let at = (scope.node(), Some(location));
    linter
        .findings
        .add_at(LintCode::LeftOut, at, &found.word, message, hint);
}

/// Checks the symlinks below the directories of the chosen nodes, or all of them.
pub(super) fn check_links(linter: &mut Linter<'_>, chosen: &[(NodeKind, Node<'_>)], all: bool) {
    let mut found = Vec::new();
    for (file, target, lost) in linter.files.links_out() {
        let tests = chosen.iter().filter(|(kind, _)| *kind == NodeKind::Test);
        let above = tests.filter(|(_, node)| file.path.starts_with(node.dir()));
        let innermost = above.max_by_key(|(_, node)| node.dir().components().count());
        let Some(node) = innermost.map(|(_, node)| node.name()).or(all.then_some("/")) else {
            continue;
        };
        // The target of the link is outside the tree and is not read.
        let location = Location {
            file: file.path.clone(),
            line: 1,
        };
        let marked = MarkedLine::on(location, "", 0, 1);
        found.push((marked, links_outside::said(file, target, lost), node.to_owned()));
    }
    for (marked, message, node) in found {
        linter.findings.add_marked(LintCode::LinkOut, (&node, marked), message);
    }
}
