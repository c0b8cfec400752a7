//! Lint of the sections of `discover`: sections that are ignored, their names, and their selections.

use atex_fmf::Node;

use super::coverage::{self, Selector};
use super::{LintCode, Linter, expressions, keys, values};
use crate::compile::metadata::read::Scope;
use crate::compile::metadata::schema::{SECTION, SHELL_SECTION};
use crate::compile::plan::sections::{How, REQUIRED, address, rules, section_name, test_patterns};
use crate::compile::plan::{inline_tests, modified, phase_names};

/// Checks all sections of a plan.
pub(super) fn check(linter: &mut Linter<'_>, plan: &Scope<'_>, node: Node<'_>) {
    let maps = match plan.maps("discover") {
        Ok(maps) => maps,
        Err(error) => return values::refused::<()>(linter, plan, Err(error)),
    };
    let scripts = inline_tests::of_execute(plan);
    let has_scripts = !scripts.as_ref().is_ok_and(Vec::is_empty);
    if maps.is_empty()
        && !has_scripts
        && !super::nodes::adjusts(node.data(), "discover")
        && plan.map.contains_key("execute")
    {
        let message = "the plan has no `discover`, so it has no tests";
        let hint = "atex finds tests by `discover: {how: fmf}`";
        linter.add(
            LintCode::NoTests,
            (plan, "execute"),
            "execute",
            message,
            Some(hint.to_owned()),
        );
    }
    values::refused(linter, plan, scripts);
    let many = maps.len() > 1;
    let names = phase_names::of_step(plan, "discover", &maps);
    values::refused(linter, plan, names);
    for map in maps {
        let section = plan.inner("discover", map, String::new());
        expressions::check_when(linter, &section);
        values::refused(linter, &section, section.integer("order", 0));
        let Some(how) = how(linter, &section) else { continue };
        if let Ok(Some(name)) = section.text("name")
            && many
        {
            values::refused(linter, &section, section_name(&section, name));
        }
        match how {
            How::Fmf => {
                keys::check_phase(linter, &section, SECTION, "discover section");
                check_section(linter, &section);
            }
            How::Shell => {
                keys::check_phase(linter, &section, SHELL_SECTION, "discover section with `how: shell`");
                check_inline(linter, &section, has_scripts);
            }
        }
    }
}

fn how(linter: &mut Linter<'_>, section: &Scope<'_>) -> Option<How> {
    match How::of(section) {
        Ok(Ok(how)) => Some(how),
        Ok(Err(word)) => {
            let message = format!("`how: {word}` in `discover` is not supported: the section is ignored");
            linter.add(LintCode::IgnoredSection, (section, "how"), &word, message, None);
            None
        }
        Err(error) => {
            values::refused::<()>(linter, section, Err(error));
            None
        }
    }
}

fn check_section(linter: &mut Linter<'_>, section: &Scope<'_>) {
    let mut selector = Selector::default();
    match test_patterns(section) {
        Ok(patterns) => {
            let names = patterns.into_iter().map(|item| item.pattern);
            let usable = |name: &String| expressions::pattern(linter, (section, "test"), name).is_some();
            selector.names = names.filter(usable).collect();
        }
        Err(error) => values::refused::<()>(linter, section, Err(error)),
    }
    values::refused(linter, section, rules(section));
    values::refused(linter, section, modified::of_section(section));
    for (key, texts) in ["exclude", "include", "filter", "condition"].map(|key| (key, section.texts(key))) {
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
                "exclude" | "include" => {
                    let pattern = expressions::pattern(linter, at, &text);
                    let names = match key {
                        "exclude" => &mut selector.exclude,
                        _ => &mut selector.include,
                    };
                    names.extend(pattern.map(|()| text));
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
    check_source(linter, section);
    coverage::check(linter, section, &selector);
}

/// Checks a section whose tests are written in it. The tests themselves are checked like others.
fn check_inline(linter: &mut Linter<'_>, section: &Scope<'_>, has_scripts: bool) {
    match inline_tests::of_section(section) {
        Ok(tests) if tests.is_empty() && !has_scripts => {
            let message = "the section has no `tests`, so it finds none";
            let hint = "tests of the tree are found by `how: fmf`".to_owned();
            linter.add(LintCode::NoTests, (section, "how"), "how", message, Some(hint));
        }
        tests => values::refused(linter, section, tests),
    }
    if section.flag("keep-git-metadata", false) {
        const KEY: &str = "keep-git-metadata";
        linter.add(
            LintCode::IgnoredKey,
            (section, KEY),
            KEY,
            "`.git` is not brought to the machine",
            None,
        );
    }
    check_source(linter, section);
}

fn check_source(linter: &mut Linter<'_>, section: &Scope<'_>) {
    for key in ["repository", "revision", "url", "ref", "path"] {
        values::refused(linter, section, section.text(key));
    }
    values::refused(linter, section, section.texts(REQUIRED));
    if matches!(address(section), Ok((None, Some(_)))) {
        let message = "`ref` without `url` is not supported and ignored";
        linter.add(LintCode::IgnoredKey, (section, "ref"), "ref", message, None);
    }
}
