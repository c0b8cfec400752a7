//! Lint of adjust rules: their form, their conditions, what they set, and whether they can be reached.

use std::collections::BTreeSet;

use atex_fmf::context::{Context, Rule};
use atex_fmf::{Error, Map, Node, Value};

use super::nodes::scope;
use super::{LintCode, Linter, expressions, keys, values};
use crate::compile::metadata::read::Scope;
use crate::compile::metadata::schema::NodeKind;

/// Checks the adjust rules of a node.
pub(super) fn check(linter: &mut Linter<'_>, node_scope: &Scope<'_>, kind: NodeKind, node: Node<'_>) {
    const KEY: &str = "adjust";
    let Some(rules) = node_scope.map.get(KEY) else { return };
    if !matches!(rules, Value::Map(_) | Value::List(_)) {
        let message = format!(
            "`adjust` must be a mapping or a list of mappings, not `{}`",
            rules.type_name()
        );
        linter.add(LintCode::BadAdjust, (node_scope, KEY), KEY, message, None);
        return;
    }
    let mut ended = false;
    for rule in rules.as_list().unwrap_or(std::slice::from_ref(rules)) {
        let Value::Map(map) = rule else {
            let message = format!("an adjust rule must be a mapping, not `{}`", rule.type_name());
            linter.add(
                LintCode::BadAdjust,
                (node_scope, KEY),
                &rule.to_python_str(),
                message,
                None,
            );
            continue;
        };
        let scope = node_scope.inner(KEY, map, String::new());
        if ended && let Some(first) = map.entries().first() {
            let key = first.key.as_str().unwrap_or(KEY);
            let message = "never applied: a rule before it always holds and has `continue: false`";
            linter.add(LintCode::UnreachableRule, (&scope, key), key, message, None);
        }
        check_one(linter, &scope, kind, node);
        ended |= always(map) && map.get("continue").and_then(Value::as_bool) == Some(false);
    }
}

fn check_one(linter: &mut Linter<'_>, scope: &Scope<'_>, kind: NodeKind, node: Node<'_>) {
    if let Some(when) = scope.map.get("when") {
        expressions::check_rule(linter, scope, when);
    }
    if let Some(value) = scope.map.get("continue").filter(|value| value.as_bool().is_none()) {
        let message = format!(
            "`continue` of an adjust rule must be a boolean, not `{}`",
            value.type_name()
        );
        linter.add(LintCode::BadAdjust, (scope, "continue"), "continue", message, None);
    }
    keys::check_rule(linter, scope, kind);
    values::check(linter, scope, kind, node.dir());
}

/// Returns whether a rule holds in every context.
fn always(rule: &Map) -> bool {
    let Some(when) = rule.get("when") else { return true };
    let decided = Rule::from_value(when).and_then(|rule| rule.decide(&Context::new()));
    // In an empty context, only constants and conditions with `not defined` hold.
    matches!(decided, Ok(Some(true))) && when.as_str().is_none_or(|text| !text.contains("defined"))
}

/// Applies the rules that hold in every context: a merge that fails now fails always.
pub(super) fn check_merging(linter: &mut Linter<'_>, names: &BTreeSet<&str>) {
    let Err(error) = linter.tree.adjusted(&Context::new()) else {
        return;
    };
    let (node, problem) = match &error {
        Error::Format { node, problem, .. } => (node.as_str(), problem.clone()),
        Error::Merge { node, key, problem, .. } => (node.as_str(), format!("cannot merge key `{key}`: {problem}")),
        other => ("/", other.to_string()),
    };
    let location = match error.marked_line() {
        Some(marked) => Some(marked.location.clone()),
        None => linter
            .tree
            .find(node)
            .and_then(|found| scope(linter.tree, NodeKind::Other, found).location("adjust")),
    };
    // Rules of the wrong form were reported before; those that cannot be merged are reported only here.
    let known = matches!(error, Error::Format { .. });
    let known = known
        && location
            .as_ref()
            .is_some_and(|location| linter.findings.has_rule_error_in(&location.file));
    if known || !names.contains(node) {
        return;
    }
    linter
        .findings
        .add_at(LintCode::BadAdjust, (node, location.as_ref()), "", problem, None);
}
