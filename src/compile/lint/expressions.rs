//! Lint of expressions: context rules, regular expressions, filters and conditions.

use atex_fmf::Value;
use atex_fmf::condition::Condition;
use atex_fmf::context::{Doubt, Rule, RuleError};
use atex_fmf::filter::Filter;
use atex_fmf::regex::Pattern;

use super::{LintCode, Linter};
use crate::compile::metadata::names::nearest_key;
use crate::compile::metadata::read::Scope;

/// How similar a dimension must be to a known one to count as a misspelling of it.
const ALIKE: f64 = 0.75;

/// Checks the rules in `when` of a phase, a section or an adjust rule.
pub(super) fn check_when(linter: &mut Linter<'_>, scope: &Scope<'_>) {
    let Some(when) = scope.map.get("when") else {
        return;
    };
    for rule in when.as_list().unwrap_or(std::slice::from_ref(when)) {
        check_rule(linter, scope, rule);
    }
}

/// Checks one rule of a `when`.
pub(super) fn check_rule(linter: &mut Linter<'_>, scope: &Scope<'_>, value: &Value) {
    let word = value.as_str().unwrap_or("when");
    let at = (scope, "when");
    let rule = match Rule::from_value(value) {
        Ok(rule) => rule,
        Err(error) => {
            let hint = matches!(error, RuleError::Syntax { .. })
                .then(|| "a rule reads `distro == fedora-41, rhel-9 and arch != s390x`".to_owned());
            linter.add(LintCode::BadRule, at, word, error.to_string(), hint);
            return;
        }
    };
    for doubt in rule.doubts() {
        match doubt {
            Doubt::Pattern(error) => linter.add(LintCode::BadRegex, at, word, error.to_string(), None),
            Doubt::Versionless { dimension, value } => {
                let message = format!("`{dimension}` is never less or greater than `{value}`, which has no version");
                let hint = Some(format!("as in `{value}-9`"));
                linter.add(LintCode::DeadRule, at, word, message, hint);
            }
            Doubt::Operator { value } => {
                let message = format!("`{value}` is one value here: what is in it is no operator");
                let hint = Some("the operators between expressions are `and` and `or`".to_owned());
                linter.add(LintCode::DeadRule, at, word, message, hint);
            }
            Doubt::Contradiction { dimension } => {
                let message = format!("never holds: `{dimension}` is not defined there, so it cannot be compared");
                linter.add(LintCode::DeadRule, at, word, message, None);
            }
        }
    }
    for dimension in rule.dimensions() {
        check_dimension(linter, scope, dimension);
    }
}

fn check_dimension(linter: &mut Linter<'_>, scope: &Scope<'_>, dimension: &str) {
    let known = &linter.nodes.dimensions;
    if known.contains(dimension) {
        return;
    }
    let like = nearest_key(dimension, known.iter().map(String::as_str));
    let like = like.filter(|like| strsim::normalized_damerau_levenshtein(dimension, like) >= ALIKE);
    if let Some(like) = like {
        let hint = Some(format!("did you mean `{like}`?"));
        let message = format!("nobody is known to set the dimension `{dimension}`");
        linter.add(LintCode::UnknownDimension, (scope, "when"), dimension, message, hint);
    }
}

/// Compiles the regular expression in a value, and reports it if that fails.
pub(super) fn pattern(linter: &mut Linter<'_>, at: (&Scope<'_>, &str), text: &str) -> Option<()> {
    let compiled = Pattern::cached(text).and_then(|pattern| pattern.search("").map(|_| ()));
    compiled
        .map_err(|error| linter.add(LintCode::BadRegex, at, text, error.to_string(), None))
        .ok()
}

/// Parses the filter in a value, and reports it if that fails.
pub(super) fn filter(linter: &mut Linter<'_>, at: (&Scope<'_>, &str), text: &str) -> Option<Filter> {
    let filter = Filter::parse(text);
    match filter.check() {
        Ok(()) => Some(filter),
        Err(error) => {
            let message = format!("filter `{text}`: {error}");
            linter.add(LintCode::BadRegex, at, text, message, None);
            None
        }
    }
}

/// Parses the condition in a value, and reports it if that fails.
pub(super) fn condition(linter: &mut Linter<'_>, at: (&Scope<'_>, &str), text: &str) -> Option<Condition> {
    Condition::parse(text)
        .map_err(|error| linter.add(LintCode::BadCondition, at, text, error.to_string(), None))
        .ok()
}
