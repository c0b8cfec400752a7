//! Lint of keys: those that nobody reads, those of another kind of node, and phases in a node that is not a plan.

use atex_fmf::Value;

use super::{LintCode, Linter};
use crate::compile::how::{self, Keys, StepKind};
use crate::compile::metadata::names::did_you_mean;
use crate::compile::metadata::read::Scope;
use crate::compile::metadata::schema::{COMMON, EXTRA, MetadataKey, NodeKind, OBSOLETE, PLAN, TEST, bare, has, names};

/// The keys of adjust rules that are not data.
const OF_RULES: [&str; 3] = ["because", "continue", "when"];

/// Checks the keys of a node.
pub(super) fn check(linter: &mut Linter<'_>, scope: &Scope<'_>, kind: NodeKind) {
    for key in scope.map.keys() {
        match (kind, key.as_str()) {
            (NodeKind::Other, _) => {}
            (_, Some(key)) => check_key(linter, scope, kind, (key, key)),
            (_, None) => not_text(linter, scope, key),
        }
    }
    if kind == NodeKind::Other {
        check_other(linter, scope);
    }
}

/// Checks the keys of an adjust rule.
pub(super) fn check_rule(linter: &mut Linter<'_>, rule: &Scope<'_>, kind: NodeKind) {
    if kind == NodeKind::Other {
        return;
    }
    for key in rule.map.keys() {
        match key.as_str() {
            Some(key) if OF_RULES.contains(&key) => {}
            Some(key) => check_key(linter, rule, kind, (key, bare(key))),
            None => not_text(linter, rule, key),
        }
    }
}

/// Checks one key, given as it is written and without its merge suffix.
fn check_key(linter: &mut Linter<'_>, scope: &Scope<'_>, kind: NodeKind, (written, key): (&str, &str)) {
    if COMMON.contains(&key) || has(kind.keys(), key) {
        return;
    }
    if key.starts_with("extra-") {
        if key.starts_with("extra-atex-") && !EXTRA.contains(&key) {
            let hint = did_you_mean(key, EXTRA.iter().copied());
            linter.add(
                LintCode::UnknownKey,
                (scope, written),
                written,
                unknown(written, kind),
                hint,
            );
        }
        return;
    }
    let owners: Vec<NodeKind> = [NodeKind::Test, NodeKind::Plan, NodeKind::Story]
        .into_iter()
        .filter(|owner| has(owner.keys(), key))
        .collect();
    if let Some(owner) = owners.first() {
        // One file often serves both tests and plans, so a key that another node inherits from here and uses is not reported.
        if !linter.nodes.uses(key, scope.location(written)) {
            let message = format!(
                "`{written}` has a meaning in a {}, not in a {}",
                owner.word(),
                kind.word()
            );
            linter.add(LintCode::MisplacedKey, (scope, written), written, message, None);
        }
        return;
    }
    let known = COMMON.iter().copied().chain(names(kind.keys()));
    let hint = if OBSOLETE.contains(&key) {
        Some("tmt had it once; `adjust` takes its place".to_owned())
    } else if bare(key) != key && known.clone().any(|known| known == bare(key)) {
        Some(format!(
            "at the root of a tree there is nothing to merge with: write `{}`",
            bare(key)
        ))
    } else {
        did_you_mean(key, known)
    };
    linter.add(
        LintCode::UnknownKey,
        (scope, written),
        written,
        unknown(written, kind),
        hint,
    );
}

fn unknown(key: &str, kind: NodeKind) -> String {
    format!("nobody reads `{key}` in a {}", kind.word())
}

fn not_text(linter: &mut Linter<'_>, scope: &Scope<'_>, key: &Value) {
    let text = key.to_python_str();
    let message = format!("the key `{text}` is not a text: nobody reads it");
    linter.add(LintCode::UnknownKey, (scope, &text), &text, message, None);
}

/// Reports a node that nobody reads but that may have been meant as a test or a plan.
fn check_other(linter: &mut Linter<'_>, scope: &Scope<'_>) {
    let has_any = |keys: &[MetadataKey]| keys.iter().any(|key| scope.map.contains_key(key.name));
    let mut missing = None;
    for (kind, deciding, telling) in [
        (NodeKind::Test, &["test"][..], TEST),
        (NodeKind::Plan, &["execute", "discover"][..], PLAN),
    ] {
        if !has_any(telling) {
            continue;
        }
        for key in scope.map.keys().filter_map(Value::as_str) {
            let slip = |wanted: &&&str| strsim::damerau_levenshtein(key, wanted) == 1;
            if let Some(wanted) = deciding.iter().find(slip).filter(|_| !has(telling, key)) {
                let message = format!(
                    "nobody reads `{key}`, and without `{wanted}` this is no {}",
                    kind.word()
                );
                missing = Some((key, message, format!("did you mean `{wanted}`?")));
            }
        }
    }
    if let Some((key, message, hint)) = missing {
        linter.add(LintCode::UnknownKey, (scope, key), key, message, Some(hint));
    } else if let Some(key) = StepKind::ALL
        .map(StepKind::key)
        .into_iter()
        .find(|key| scope.value(key).is_some())
        && !linter.nodes.uses(key, scope.location(key))
    {
        let message = format!("has `{key}`, but neither `execute` nor `discover`, so it is no plan and never runs");
        linter.add(LintCode::NotAPlan, (scope, key), key, message, None);
    }
}

/// Checks the keys of a phase or a section.
pub(super) fn check_phase(linter: &mut Linter<'_>, scope: &Scope<'_>, keys: Keys, what: &str) {
    for key in scope.map.keys() {
        let Some(key) = key.as_str() else {
            not_text(linter, scope, key);
            continue;
        };
        if how::COMMON.contains(&key) || keys.read.contains(&key) {
            continue;
        }
        if keys.known.contains(&key) {
            let message = format!("`{key}` of a {what} is not supported and ignored");
            linter.add(LintCode::IgnoredKey, (scope, key), key, message, None);
        } else {
            let known = how::COMMON.iter().chain(keys.read).chain(keys.known).copied();
            let message = format!("nobody reads `{key}` in a {what}");
            linter.add(
                LintCode::UnknownKey,
                (scope, key),
                key,
                message,
                did_you_mean(key, known),
            );
        }
    }
}
