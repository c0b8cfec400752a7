//! Tests that are written in a plan: those of `discover: how: shell`, and the scripts of `execute`.
//!
//! They run in the root of the tree, or in `path`, and may take an hour where they do not say otherwise. In all other respects
//! they are tests like those of the tree.

use atex_fmf::value::Mark;
use atex_fmf::{Map, Tree, Value};

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::metadata::read::{Scope, truthy};
use crate::compile::plan::sections::How;

/// How long such a test may run by default.
const DURATION: &str = "1h";
/// The key of a section with its tests.
const TESTS: &str = "tests";
/// The key of `execute` with its scripts.
pub(crate) const SCRIPT: &str = "script";

/// A test that is written in a plan.
#[derive(Clone, Debug)]
pub(crate) struct InlineTest {
    /// The name, which begins with a slash.
    name: String,
    data: Map,
}

/// Returns a tree of the tests, beside the tree of their plan.
pub(crate) fn tree(own: &Tree, tests: &[InlineTest]) -> Tree {
    own.beside(tests.iter().map(|test| (test.name.clone(), test.data.clone())))
}

/// Reads the tests of a section. Of two tests with one name, the later adds its keys to the earlier, as in tmt.
pub(crate) fn of_section(section: &Scope<'_>) -> Result<Vec<InlineTest>, CompileError> {
    let mut tests: Vec<InlineTest> = Vec::new();
    for (number, map) in (1..).zip(section.maps(TESTS)?) {
        let scope = section.inner(TESTS, map, format!("{}, test {number}", section.subject));
        let missing = |key| scope.error(key, MetadataProblem::Incomplete(key));
        let name = scope.text("name")?.ok_or_else(|| missing("name"))?;
        let name = format!("/{}", name.strip_prefix('/').unwrap_or(&name));
        let is_odd = |part| ["", ".", ".."].contains(&part);
        if name != "/" && name.split('/').skip(1).any(is_odd) || name.contains(char::is_control) {
            return Err(scope.error("name", MetadataProblem::TestName(name)));
        }
        scope.value("test").ok_or_else(|| missing("test"))?;
        let at = tests.iter().position(|test| test.name == name).unwrap_or(tests.len());
        if at == tests.len() {
            let data = Map::new();
            tests.push(InlineTest { name, data });
        }
        let data = &mut tests[at].data;
        for entry in map.entries().iter().filter(|entry| entry.key.as_str() != Some("name")) {
            data.set(entry.key.clone(), entry.value.clone(), entry.mark);
        }
    }
    for test in &mut tests {
        if test.data.get("duration").is_none_or(Value::is_null) {
            test.data.insert("duration", DURATION.into());
        }
    }
    Ok(tests)
}

/// Makes tests of the scripts of `execute`. Beside them, `discover` must find none.
pub(crate) fn of_execute(plan: &Scope<'_>) -> Result<Vec<InlineTest>, CompileError> {
    let maps = plan.maps("execute")?;
    let Some(map) = maps.into_iter().find(|map| map.get(SCRIPT).is_some_and(truthy)) else {
        return Ok(Vec::new());
    };
    let execute = plan.inner("execute", map, format!("{}, execute", plan.subject));
    let has_tests = |section: &&Map| {
        let how = section.get("how").and_then(Value::as_str);
        how == Some("fmf") || section.get(TESTS).is_some_and(truthy)
    };
    if plan.maps("discover")?.iter().any(has_tests) {
        return Err(execute.error(SCRIPT, MetadataProblem::ScriptBesideDiscover));
    }
    let mark = |key: &str| map.entry(key).map_or(Mark::default(), |entry| entry.mark);
    let duration = execute.value("duration").cloned();
    let tests = execute.texts(SCRIPT)?.into_iter().enumerate().map(|(number, script)| {
        let mut data = Map::new();
        data.set("test".into(), script.into(), mark(SCRIPT));
        let value = duration.clone().unwrap_or_else(|| DURATION.into());
        data.set("duration".into(), value, mark("duration"));
        InlineTest {
            name: format!("/script-{number:02}"),
            data,
        }
    });
    Ok(tests.collect())
}

/// Returns all tests that are written in a plan, as far as they can be read.
pub(crate) fn of_plan(plan: &Scope<'_>) -> Vec<InlineTest> {
    let sections = plan.maps("discover").unwrap_or_default().into_iter();
    let sections = sections.map(|map| plan.inner("discover", map, plan.subject.clone()));
    let sections = sections.filter(|section| matches!(How::of(section), Ok(Ok(How::Shell))));
    let of_sections = sections.flat_map(|section| of_section(&section).unwrap_or_default());
    of_sections.chain(of_execute(plan).unwrap_or_default()).collect()
}
