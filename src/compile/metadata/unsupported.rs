//! Warns of metadata that atex does not obey and that could change a verdict: one warning per kind, with a count and the first
//! place.
//!
//! Phases and sections that are left out get warnings of their own, each with its place (modules `phases` and `sections`). Keys
//! that change no verdict (`component`, `tier`, `report`, `login`…) are not mentioned.

use std::collections::HashSet;
use std::convert::Infallible;

use atex_fmf::{Node, Tree, Value};

use crate::compile::error::CompileError;
use crate::compile::metadata::read::{NodeReader, Scope, truthy};
use crate::compile::metadata::schema::{Meaning, PLAN, UNOBEYED_EXECUTE};
use crate::compile::metadata::trees::TreeId;
use crate::compile::plan::test_selection::Selected;
use crate::compile::spec::{Framework, Interface, Warning};
use crate::compile::test::check::has_watchdog;

/// The unsupported metadata of the selected plans and tests.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    kinds: Vec<Kind>,
    tests: HashSet<(TreeId, String)>,
}

/// An ignored kind of metadata, and how often it was met.
#[derive(Debug)]
struct Kind {
    /// The kind of node that says it.
    subject: Subject,
    what: String,
    consequence: &'static str,
    count: usize,
    first: Warning,
}

/// A kind of node, as the subject of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Test,
    Plan,
}

impl Subject {
    fn counted(self, count: usize) -> String {
        let word = match self {
            Self::Test => "test",
            Self::Plan => "plan",
        };
        if count == 1 {
            format!("1 {word} says")
        } else {
            format!("{count} {word}s say")
        }
    }
}

/// A key of a test that changes the verdict in tmt, with its value as text for people.
struct Unobeyed {
    key: &'static str,
    what: String,
    consequence: &'static str,
    /// Whether a test that passes by its exit code alone may fail by the rule that is not obeyed.
    hides_failures: bool,
}

const EXIT_CODE_ALONE: &str = "their exit code and their own results are the verdict, and a pass is not recorded";

/// Returns the keys of a test that are not obeyed and could change its verdict.
fn of_test<E>(node: Node<'_>, interface: impl FnOnce() -> Result<Interface, E>) -> Result<Vec<Unobeyed>, E> {
    let said = |key: &str| node.value(key).filter(truthy);
    let named = |key: &'static str, is_obeyed: fn(&str) -> bool| {
        let value = said(key).filter(|value| !value.as_str().is_some_and(is_obeyed))?;
        Some(Unobeyed {
            key,
            what: format!("`{key}: {}`", brief(&value)),
            consequence: EXIT_CODE_ALONE,
            hides_failures: true,
        })
    };
    let mut checks = said("check").map(|_| Unobeyed {
        key: "check",
        what: "`check`".to_owned(),
        consequence: EXIT_CODE_ALONE,
        hides_failures: true,
    });
    let mut restarts = said("restart-on-exit-code").map(|_| Unobeyed {
        key: "restart-on-exit-code",
        what: "`restart-on-exit-code`".to_owned(),
        consequence: "they are not started again for it",
        hides_failures: false,
    });
    let mut framework = named("framework", |word| word == Framework::Shell.word());
    let mut result = named("result", |word| word == "respect");
    let is_any = framework.is_some() || result.is_some() || checks.is_some() || restarts.is_some();
    if is_any && interface()? == Interface::Tmt {
        framework = named("framework", |word| Framework::named(word).is_some());
        (result, restarts) = (None, None);
        checks = said("check").filter(has_watchdog).map(|_| Unobeyed {
            key: "check",
            what: "`check: watchdog`".to_owned(),
            consequence: "nobody looks whether the machine answers, but for the runner itself",
            hides_failures: false,
        });
    }
    let rules = [framework, result, checks, restarts];
    Ok(rules.into_iter().flatten().collect())
}

/// Returns why a pass of the test must not be recorded: the test has a rule that could make it a failure and that is not obeyed.
pub(crate) fn why_not_recorded(node: Node<'_>, interface: Interface) -> Option<String> {
    let Ok(rules) = of_test(node, || Ok::<_, Infallible>(interface));
    let rule = rules.into_iter().find(|rule| rule.hides_failures)?;
    Some(format!("not recorded: {} is not obeyed", rule.what))
}

/// Returns a value as a short text.
fn brief(value: &Value) -> String {
    match value {
        Value::List(_) | Value::Map(_) => "…".to_owned(),
        other => other.to_python_str(),
    }
}

impl Ignored {
    /// Looks at a selected test; a test that several plans hold counts once.
    pub(crate) fn test(
        &mut self,
        test: &Selected<'_>,
        interface: impl FnOnce() -> Result<Interface, CompileError>,
    ) -> Result<(), CompileError> {
        let rules = of_test(test.node, interface)?;
        if rules.is_empty() || !self.tests.insert((test.tree(), test.node.name().to_owned())) {
            return Ok(());
        }
        let scope = NodeReader::new(test.within.tree, test.node).scope("test");
        for rule in rules {
            self.add((Subject::Test, &rule.what, rule.consequence), &scope, rule.key);
        }
        Ok(())
    }

    /// Looks at a plan that was asked for.
    pub(crate) fn plan(&mut self, tree: &Tree, node: Node<'_>) {
        let scope = NodeReader::new(tree, node).scope("plan");
        let plan = Subject::Plan;
        for key in PLAN {
            if let Meaning::Verdict(consequence) = key.meaning
                && scope.value(key.name).is_some_and(truthy)
            {
                self.add((plan, &format!("`{}`", key.name), consequence), &scope, key.name);
            }
        }
        self.execute(&scope);
        let environment = scope.value("environment").and_then(Value::as_map);
        if environment.is_some_and(|map| map.values().any(|value| variable_of_run(value).is_some())) {
            let what = "values of `environment` with `$TMT_…`";
            self.add((plan, what, "they stay as they are written"), &scope, "environment");
        }
    }

    fn execute(&mut self, plan: &Scope<'_>) {
        let phases = plan.maps("execute").unwrap_or_default();
        for map in &phases {
            let scope = plan.inner("execute", map, plan.subject.clone());
            let how = scope.value("how").and_then(Value::as_str).filter(|how| *how != "tmt");
            if let Some(how) = how {
                let what = format!("`execute: {{how: {how}}}`");
                self.add(
                    (Subject::Plan, &what, "their tests run as under `how: tmt`"),
                    &scope,
                    "how",
                );
            }
            for (key, consequence) in UNOBEYED_EXECUTE {
                if scope.value(key).is_some_and(truthy) {
                    let what = format!("`execute: {key}`");
                    self.add((Subject::Plan, &what, consequence), &scope, key);
                }
            }
        }
    }

    fn add(&mut self, (subject, what, consequence): (Subject, &str, &'static str), scope: &Scope<'_>, key: &str) {
        let known = |kind: &&mut Kind| kind.subject == subject && kind.what == what;
        if let Some(kind) = self.kinds.iter_mut().find(known) {
            kind.count += 1;
            return;
        }
        self.kinds.push(Kind {
            subject,
            what: what.to_owned(),
            consequence,
            count: 1,
            first: scope.warning(key, ""),
        });
    }

    /// Returns one warning per kind, in the order in which the kinds were first met.
    pub(crate) fn into_warnings(self) -> impl Iterator<Item = Warning> {
        self.kinds.into_iter().map(|kind| {
            let who = kind.subject.counted(kind.count);
            Warning {
                text: format!("{who} {}, which is not obeyed: {}", kind.what, kind.consequence),
                ..kind.first
            }
        })
    }
}

/// Returns the first variable of tmt's run that a text uses, as it is written there. tmt puts its value into the texts of a plan;
/// here only the machine knows it.
pub(crate) fn variable_of_run(value: &Value) -> Option<String> {
    let texts = value.as_list().unwrap_or(std::slice::from_ref(value)).iter();
    let mut words = texts.filter_map(Value::as_str).flat_map(|text| text.split('$').skip(1));
    words.find_map(|word| {
        let (open, name, close) = match word.strip_prefix('{') {
            Some(name) => ("{", name, "}"),
            None => ("", word, ""),
        };
        let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = &name[..end.unwrap_or(name.len())];
        name.starts_with("TMT_").then(|| format!("${open}{name}{close}"))
    })
}
