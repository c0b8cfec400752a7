//! Plans and tests that were asked for and cannot be used. What is wrong with one of them concerns no other.

use std::collections::HashSet;
use std::sync::Arc;

use crate::compile::error::CompileError;
use crate::compile::plan::Plan;
use crate::compile::plan::test_selection::Selected;
use crate::compile::spec::Warning;

/// A plan or a test that cannot be used.
#[derive(Clone, Debug)]
pub struct Unusable {
    /// The name of the plan, or of the plan of the test.
    pub plan: String,
    /// The name of the test; `None` if it is the plan itself that cannot be used.
    pub test: Option<String>,
    /// What is wrong with it.
    pub error: Arc<CompileError>,
}

impl Unusable {
    pub(crate) fn plan(name: &str, error: impl Into<Arc<CompileError>>) -> Self {
        Self {
            plan: name.to_owned(),
            test: None,
            error: error.into(),
        }
    }

    pub(crate) fn test(plan: &Plan, name: &str, error: impl Into<Arc<CompileError>>) -> Self {
        Self {
            test: Some(name.to_owned()),
            ..Self::plan(&plan.name, error)
        }
    }

    /// Returns the name of what cannot be used.
    pub fn name(&self) -> &str {
        self.test.as_ref().unwrap_or(&self.plan)
    }
}

/// The plans that were asked for with their tests, and what of them cannot be used.
#[derive(Clone, Debug)]
pub(crate) struct Selection<'r> {
    pub(crate) plans: Vec<(&'r Plan, Vec<Selected<'r>>)>,
    pub(crate) unusable: Vec<Unusable>,
}

impl Selection<'_> {
    /// Leaves out plans and tests. Of tests that share a tree, none is used if one is left out.
    pub(crate) fn leave_out(&mut self, unusable: Vec<Unusable>) {
        if unusable.is_empty() {
            return;
        }
        let plans: HashSet<&str> = unusable.iter().map(|unusable| unusable.plan.as_str()).collect();
        let wrong: HashSet<(&str, Option<&str>)> = unusable
            .iter()
            .map(|unusable| (unusable.plan.as_str(), unusable.test.as_deref()))
            .collect();
        self.plans.retain_mut(|(plan, tests)| {
            let name = plan.name.as_str();
            if plans.contains(name) {
                tests.retain(|test| !wrong.contains(&(name, Some(&*test.name))));
            }
            !wrong.contains(&(name, None)) && (!plan.shared_tree || !plans.contains(name))
        });
        self.unusable.extend(unusable);
    }

    /// Where tests were asked for by name and some were found, plans that cannot be used are only warned of.
    pub(crate) fn excuse_plans(&mut self, warnings: &mut Vec<Warning>) {
        let is_found = self.plans.iter().any(|(_, tests)| !tests.is_empty());
        if !is_found && self.unusable.iter().all(|unusable| unusable.test.is_none()) {
            return;
        }
        self.unusable.retain(|unusable| {
            if unusable.test.is_none() {
                warnings.push(Warning {
                    text: format!("plan `{}` is left out: {}", unusable.plan, unusable.error),
                    file: None,
                    line: None,
                });
            }
            unusable.test.is_some()
        });
    }
}
