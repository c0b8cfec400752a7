//! Lint of the sections of `discover`: sections that are ignored, their names, and their selections.

use atex_fmf::{Node, Value};

use super::coverage::{self, Selector};
use super::{LintCode, Linter, expressions, keys, values};
use crate::compile::metadata::read::{Scope, scalar};
use crate::compile::metadata::schema::SECTION;
use crate::compile::plan::phase_names;
use crate::compile::plan::sections::section_name;

/// Checks all sections of a plan.
pub(super) fn check(linter: &mut Linter<'_>, plan: &Scope<'_>, node: Node<'_>) {
    let maps = match plan.maps("discover") {
        Ok(maps) => maps,
        Err(error) => return values::refused::<()>(linter, plan, Err(error)),
    };
    if maps.is_empty() && !super::nodes::adjusts(node.data(), "discover") && plan.map.contains_key("execute") {
        let scripts = plan.maps("execute").unwrap_or_default();
        let hint = if scripts.iter().any(|execute| execute.contains_key("script")) {
            "`script` of `execute` is not run: make each script a test, and find it by `discover: {how: fmf}`"
        } else {
            "atex finds tests by `discover: {how: fmf}`"
        };
        let message = "the plan has no `discover`, so it has no tests";
        linter.add(
            LintCode::NoTests,
            (plan, "execute"),
            "execute",
            message,
            Some(hint.to_owned()),
        );
    }
    let many = maps.len() > 1;
    let names = phase_names::of_step(plan, "discover", &maps);
    values::refused(linter, plan, names);
    for map in maps {
        let section = plan.inner("discover", map, String::new());
        expressions::check_when(linter, &section);
        values::refused(linter, &section, section.integer("order", 0));
        if !is_fmf(linter, &section) {
            continue;
        }
        keys::check_phase(linter, &section, SECTION, "discover section");
        if let Ok(Some(name)) = section.text("name")
            && many
        {
            values::refused(linter, &section, section_name(&section, name));
        }
        check_section(linter, &section);
    }
}

fn is_fmf(linter: &mut Linter<'_>, section: &Scope<'_>) -> bool {
    let (how, message) = match section.text("how") {
        Ok(Some(how)) if how == "fmf" => return true,
        Ok(Some(how)) => {
            let message = format!("`how: {how}` in `discover` is not supported: the section is ignored");
            (how, message)
        }
        Ok(None) => {
            let message = "a section without `how` is `shell`, which is not supported: it is ignored";
            (String::new(), message.to_owned())
        }
        Err(error) => {
            values::refused::<()>(linter, section, Err(error));
            return false;
        }
    };
    let hint = how
        .is_empty()
        .then(|| "tests of the tree are found by `how: fmf`".to_owned());
    linter.add(LintCode::IgnoredSection, (section, "how"), &how, message, hint);
    false
}

fn check_section(linter: &mut Linter<'_>, section: &Scope<'_>) {
    let mut selector = Selector::default();
    for name in names(linter, section) {
        if expressions::pattern(linter, (section, "test"), &name).is_some() {
            selector.names.push(name);
        }
    }
    for (key, texts) in ["exclude", "filter", "condition"].map(|key| (key, section.texts(key))) {
        let texts = match texts {
            Ok(texts) => texts,
            Err(error) => {
                values::refused::<()>(linter, section, Err(error));
                continue;
            }
        };
        let at = (section, key);
        for text in texts {
            match key {
                "exclude" => {
                    let pattern = expressions::pattern(linter, at, &text);
                    selector.exclude.extend(pattern.map(|()| text));
                }
                "filter" => {
                    let filter = expressions::filter(linter, at, &text);
                    selector.filters.extend(filter.map(|filter| (text, filter)));
                }
                _ => {
                    let condition = expressions::condition(linter, at, &text);
                    selector.conditions.extend(condition);
                }
            }
        }
    }
    for key in ["url", "ref", "path"] {
        values::refused(linter, section, section.text(key));
    }
    if section.value("ref").is_some() && section.value("url").is_none() {
        let message = "`ref` without `url` is not supported and ignored";
        linter.add(LintCode::IgnoredKey, (section, "ref"), "ref", message, None);
    }
    coverage::check(linter, section, &selector);
}

/// Returns the patterns of `test`. tmt also accepts mappings, with a `name` and an adjust rule.
fn names(linter: &mut Linter<'_>, section: &Scope<'_>) -> Vec<String> {
    const EXPECTED: &str = "a text, or a list of texts or mappings with a `name`";
    let Some(value) = section.value("test") else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for item in value.as_list().unwrap_or(std::slice::from_ref(value)) {
        let name = item.as_map().map_or(Some(item), |map| map.get("name")).and_then(scalar);
        match name {
            Some(name) => names.push(name),
            None => values::refused::<()>(linter, section, Err(section.wrong("test", EXPECTED, item))),
        }
        if let Some(map) = item.as_map().filter(|map| map.len() > 1) {
            let adjusting = map.keys().filter_map(Value::as_str).find(|key| *key != "name");
            let message = "rules in `test` that adjust tests are not supported and ignored";
            linter.add(
                LintCode::IgnoredKey,
                (section, "test"),
                adjusting.unwrap_or("test"),
                message,
                None,
            );
        }
    }
    names
}
