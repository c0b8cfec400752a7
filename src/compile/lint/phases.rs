//! Lint of the phases of `prepare` and `finish`: phases that are ignored, and phases that do nothing.

use std::path::Path;

use atex_fmf::{Map, Value};

use super::{LintCode, Linter, brought, expressions, keys, scripts, values};
use crate::compile::how::{self, StepKind};
use crate::compile::metadata::read::{Scope, scalar};
use crate::compile::plan::phase_names;
use crate::compile::spec::PhaseAction;

/// Checks all phases of a plan.
pub(super) fn check(linter: &mut Linter<'_>, plan: &Scope<'_>) {
    let in_tree = runs_in_tree(plan.map);
    for step in StepKind::ALL {
        match plan.maps(step.key()) {
            Ok(maps) => {
                values::refused(linter, plan, phase_names::of_step(plan, step.key(), &maps));
                for map in maps {
                    let phase = plan.inner(step.key(), map, String::new());
                    check_phase(linter, &phase, step, in_tree);
                }
            }
            Err(error) => values::refused::<()>(linter, plan, Err(error)),
        }
    }
}

fn check_phase(linter: &mut Linter<'_>, phase: &Scope<'_>, step: StepKind, in_tree: bool) {
    expressions::check_when(linter, phase);
    values::refused(linter, phase, phase.integer("order", 0));
    let word = match phase.text("how") {
        Ok(word) => word.unwrap_or_else(|| how::DEFAULT.to_owned()),
        Err(error) => return values::refused::<()>(linter, phase, Err(error)),
    };
    let Some(how) = how::find(step, &word) else {
        let message = format!(
            "`how: {word}` in `{}` is not supported: the phase is ignored",
            step.key()
        );
        let hint = how::meant(step, &word).unwrap_or_else(|| how::there_are(step));
        return linter.add(LintCode::IgnoredPhase, (phase, "how"), &word, message, Some(hint));
    };
    keys::check_phase(linter, phase, how.keys, &format!("phase with `how: {word}`"));
    let content = how.content;
    match (how.read)(phase) {
        Err(error) => values::refused::<()>(linter, phase, Err(error)),
        Ok(None) => {
            let message = format!("the phase has no `{content}`, so there is nothing to do");
            let is_there = phase.map.contains_key(content);
            let key = if is_there { content } else { "how" };
            linter.add(how.empty, (phase, key), key, message, None);
        }
        Ok(Some(action)) if in_tree => {
            for script in how::scripts(&action) {
                scripts::check_files(linter, (phase, content), script, Path::new(""));
            }
            brought::check_phase(linter, phase, &action);
            check_missing(linter, phase, content, &action);
        }
        Ok(Some(action)) if how::reads_on_host(&action) => check_missing(linter, phase, content, &action),
        Ok(Some(_)) => {}
    }
}

/// Checks the files that an action cannot do without.
fn check_missing(linter: &mut Linter<'_>, phase: &Scope<'_>, key: &str, action: &PhaseAction) {
    for path in how::missing(action, linter.root()) {
        let shown = path.display().to_string();
        let message = format!("there is no file `{shown}` in the tree");
        linter.add(LintCode::MissingFile, (phase, key), &shown, message, None);
    }
}

/// Returns whether the scripts of a plan run in the root of its own tree. They do not if the sections lie side by side in the
/// slot, or if the tests come from another tree.
fn runs_in_tree(plan: &Map) -> bool {
    let own = |section: &Map| {
        !["repository", "url"].iter().any(|key| section.contains_key(key)) && !section.contains_key("path")
    };
    match plan.get("discover") {
        None | Some(Value::Null) => true,
        Some(Value::Map(section)) => own(section),
        Some(Value::List(sections)) => match sections.as_slice() {
            [Value::Map(section)] => own(section),
            sections => sections.is_empty(),
        },
        Some(other) => scalar(other).is_none(),
    }
}
