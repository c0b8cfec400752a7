//! Phases of `prepare` and `finish`: those that are ignored, and those that do nothing.

use std::path::Path;

use atex_fmf::{Map, Value};

use super::schema::{INSTALL, SHELL};
use super::{Code, Linter, brought, expressions, keys, scripts, values};
use crate::compile::read::{Scope, scalar};
use crate::compile::spec::Action;

/// Checks all phases of a plan.
pub(super) fn check(linter: &mut Linter<'_>, plan: &Scope<'_>) {
    let in_tree = runs_in_tree(plan.map);
    for step in ["prepare", "finish"] {
        match plan.maps(step) {
            Ok(maps) => {
                for map in maps {
                    let phase = plan.inner(step, map, String::new());
                    check_phase(linter, &phase, step, in_tree);
                }
            }
            Err(error) => values::refused::<()>(linter, plan, Err(error)),
        }
    }
}

fn check_phase(linter: &mut Linter<'_>, phase: &Scope<'_>, step: &str, in_tree: bool) {
    expressions::check_when(linter, phase);
    values::refused(linter, phase, phase.integer("order", 0));
    let how = match phase.text("how") {
        Ok(how) => how.unwrap_or_else(|| "shell".to_owned()),
        Err(error) => return values::refused::<()>(linter, phase, Err(error)),
    };
    let (content, form, empty) = match (step, how.as_str()) {
        ("prepare", "install") => ("package", INSTALL, Code::EmptyPackage),
        (_, "shell") => ("script", SHELL, Code::EmptyScript),
        _ => {
            let message = format!("`how: {how}` in `{step}` is not supported: the phase is ignored");
            let hint = (step == "prepare").then(|| "`install` and `shell` are".to_owned());
            linter.add(Code::IgnoredPhase, (phase, "how"), &how, message, hint);
            return;
        }
    };
    keys::check_phase(linter, phase, form, &format!("phase with `how: {how}`"));
    let texts = match phase.texts(content) {
        Ok(texts) => texts,
        Err(error) => return values::refused::<()>(linter, phase, Err(error)),
    };
    if texts.iter().all(|text| text.trim().is_empty()) {
        let message = format!("the phase has no `{content}`, so there is nothing to do");
        let key = if phase.map.contains_key(content) {
            content
        } else {
            "how"
        };
        linter.add(empty, (phase, key), key, message, None);
    }
    if in_tree && content == "script" {
        for script in &texts {
            scripts::check_files(linter, (phase, content), script, Path::new(""));
        }
    }
    if in_tree {
        let action = match content {
            "script" => Action::Shell { scripts: texts },
            _ => Action::Install { packages: texts },
        };
        brought::check_phase(linter, phase, &action);
    }
}

/// Whether the scripts of a plan run in the root of its own tree: not where sections lie beside each other, or are elsewhere.
fn runs_in_tree(plan: &Map) -> bool {
    let own = |section: &Map| !section.contains_key("url") && !section.contains_key("path");
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
