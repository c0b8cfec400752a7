//! Lint of what discover sections select: parts of a selection that match no test, and sections without tests.
//!
//! If an adjust rule may change a key that a filter or a condition names, the test counts as matched. Trees that would have to be
//! fetched are not checked.

use std::path::Path;

use atex_fmf::condition::{Condition, ConditionError, Outcome};
use atex_fmf::filter::{Filter, FilterError};
use atex_fmf::{Node, Tree, Value};

use super::nodes::{adjusted_keys, tests};
use super::{LintCode, Linter};
use crate::compile::metadata::names::{any_found, did_you_mean, nearest};
use crate::compile::metadata::read::Scope;
use crate::compile::metadata::test_defaults::{self, is_filled_in};
use crate::compile::plan::sections::{REQUIRED, address};

/// The usable parts of a section's selection.
#[derive(Debug, Default)]
pub(super) struct Selector {
    pub(super) names: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) include: Vec<String>,
    pub(super) filters: Vec<(String, Filter)>,
    pub(super) conditions: Vec<Condition>,
}

/// Whether a test is matched; it is `Maybe` if that depends on the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    No,
    Maybe,
    Yes,
}

/// Checks what a section selects in its tree.
pub(super) fn check(linter: &mut Linter<'_>, section: &Scope<'_>, selector: &Selector) {
    if let Ok((Some(url), _)) = address(section) {
        linter.note_remote(&[url]);
        return;
    }
    let Some(path) = section.text("path").ok().flatten() else {
        let all = linter.nodes.tests.clone();
        return check_tests(linter, section, selector, &all);
    };
    if path.contains('$') {
        return;
    }
    match Tree::load(&linter.root().join(Path::new(&path))) {
        Ok(tree) => {
            let all = tests(&tree);
            check_tests(linter, section, selector, &all);
        }
        Err(error) => {
            let message = error.to_string();
            let message = message.lines().next().unwrap_or_default();
            linter.add(LintCode::BadPath, (section, "path"), &path, message, None);
        }
    }
}

fn check_tests(linter: &mut Linter<'_>, section: &Scope<'_>, selector: &Selector, all: &[Node<'_>]) {
    if all.is_empty() {
        let message = "finds no tests: the tree has none that could run";
        return linter.add(LintCode::NoTests, (section, "how"), "how", message, None);
    }
    let parts = [
        unmatched_names(linter, (section, "test"), &selector.names, all),
        unmatched_names(linter, (section, "exclude"), &selector.exclude, all),
        unmatched_names(linter, (section, "include"), &selector.include, all),
        unmatched_filters(linter, section, &selector.filters, all),
        unmatched_conditions(linter, section, selector, all),
    ];
    for name in section.texts(REQUIRED).unwrap_or_default() {
        if !all.iter().any(|node| node.name() == name) {
            let message = format!("the required test `{name}` is not found");
            linter.add(LintCode::NameMatchesNothing, (section, REQUIRED), &name, message, None);
        }
    }
    let any = all.iter().any(|node| selector.matches(*node) != Match::No);
    if !any && !parts.contains(&true) {
        let message = "finds no tests: none matches all that it asks for";
        linter.add(LintCode::NoTests, (section, "how"), "how", message, None);
    }
}

fn unmatched_names(linter: &mut Linter<'_>, at: (&Scope<'_>, &str), names: &[String], all: &[Node<'_>]) -> bool {
    let mut unmatched = false;
    for name in names {
        let found = all.iter().any(|node| found(name, node.name()));
        if !found {
            let hint = nearest(name, all.iter().map(|node| node.name())).into_iter().next();
            let hint = hint.map(|nearest| format!("did you mean `{nearest}`?"));
            let message = format!("`{name}` in `{}` matches no test", at.1);
            linter.add(LintCode::NameMatchesNothing, at, name, message, hint);
            // Without a pattern of `exclude`, more tests are selected, not fewer, so it does not matter.
            unmatched |= at.1 != "exclude";
        }
    }
    unmatched
}

fn unmatched_filters(
    linter: &mut Linter<'_>,
    section: &Scope<'_>,
    filters: &[(String, Filter)],
    all: &[Node<'_>],
) -> bool {
    let mut unmatched = false;
    for (text, filter) in filters {
        if all.iter().any(|node| matches_filter(text, filter, *node) != Match::No) {
            continue;
        }
        let missing = filter
            .keys()
            .find(|key| !is_filled_in(key) && !all.iter().any(|node| node.data().contains_key(key)));
        let (message, hint) = match missing {
            Some(key) => {
                let known = all.iter().flat_map(|node| node.data().keys());
                let known = known.filter_map(Value::as_str);
                (
                    format!("filter `{text}` matches no test: none has the key `{key}`"),
                    did_you_mean(key, known),
                )
            }
            None => (format!("filter `{text}` matches no test"), None),
        };
        linter.add(LintCode::FilterMatchesNothing, (section, "filter"), text, message, hint);
        unmatched = true;
    }
    unmatched
}

fn unmatched_conditions(linter: &mut Linter<'_>, section: &Scope<'_>, selector: &Selector, all: &[Node<'_>]) -> bool {
    const KEY: &str = "condition";
    let mut unmatched = false;
    for condition in &selector.conditions {
        let text = condition.as_str();
        let (mut any, mut failed) = (false, None);
        for node in all {
            match matches_condition(condition, *node) {
                Ok(matched) => any |= matched != Match::No,
                // An error counts only for a test that the other parts select, because conditions are evaluated only for those.
                Err(error) if selector.reaches_conditions(*node) => failed = failed.or(Some(error)),
                Err(_) => {}
            }
        }
        if let Some(error) = failed {
            linter.add(LintCode::BadCondition, (section, KEY), text, error.to_string(), None);
            unmatched = true;
        } else if !any {
            let message = format!("condition `{text}` matches no test");
            linter.add(LintCode::FilterMatchesNothing, (section, KEY), text, message, None);
            unmatched = true;
        }
    }
    unmatched
}

impl Selector {
    fn matches(&self, node: Node<'_>) -> Match {
        let excluded = self.exclude.iter().any(|pattern| found(pattern, node.name()));
        if excluded || !self.named(node) {
            return Match::No;
        }
        let filters = self
            .filters
            .iter()
            .map(|(text, filter)| matches_filter(text, filter, node));
        let conditions = self.conditions.iter();
        let conditions = conditions.map(|condition| matches_condition(condition, node).unwrap_or(Match::Maybe));
        filters.chain(conditions).fold(Match::Yes, Match::and)
    }

    fn named(&self, node: Node<'_>) -> bool {
        let is_in = |patterns: &[String]| patterns.is_empty() || any_found(patterns, node.name()).unwrap_or(true);
        is_in(&self.names) && is_in(&self.include)
    }

    fn reaches_conditions(&self, node: Node<'_>) -> bool {
        let mut filters = self.filters.iter();
        self.named(node) && filters.all(|(text, filter)| matches_filter(text, filter, node) == Match::Yes)
    }
}

impl Match {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Maybe,
        }
    }

    /// Returns `Maybe` for a test that is not matched now, but may be after adjust rules change a key that the text names.
    fn or_adjusted(matched: bool, text: &str, node: Node<'_>) -> Self {
        let touched = || adjusted_keys(node.data()).any(|key| !key.is_empty() && text.contains(key));
        match (matched, touched()) {
            (_, true) => Self::Maybe,
            (true, false) => Self::Yes,
            (false, false) => Self::No,
        }
    }
}

fn found(pattern: &str, name: &str) -> bool {
    atex_fmf::regex::search(pattern, name).unwrap_or(true)
}

fn matches_filter(text: &str, filter: &Filter, node: Node<'_>) -> Match {
    let matched = match test_defaults::matches_filter(filter, node) {
        Ok(matched) => matched,
        Err(FilterError::Missing { .. }) => false,
        Err(FilterError::Pattern(_)) => return Match::Maybe,
    };
    Match::or_adjusted(matched, text, node)
}

fn matches_condition(condition: &Condition, node: Node<'_>) -> Result<Match, ConditionError> {
    let outcome = test_defaults::evaluate(condition, node);
    let touched = Match::or_adjusted(false, condition.as_str(), node) == Match::Maybe;
    match outcome {
        _ if touched => Ok(Match::Maybe),
        Ok(Outcome::Holds) => Ok(Match::Yes),
        Ok(Outcome::Fails | Outcome::Missing(_)) => Ok(Match::No),
        Err(error) => Err(error),
    }
}
