//! The names of the phases of a step, and of the sections of discover: those that are written, and `default-0`, `default-1`… for the
//! others.
//!
//! All phases count, also those that `when` leaves out, so that a name does not depend on the context.

use std::collections::HashSet;

use atex_fmf::Map;

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::metadata::read::{Scope, scalar};

/// Returns the name of each phase of a step of the plan. Two phases cannot have the same name.
pub(crate) fn of_step(plan: &Scope<'_>, step: &str, phases: &[&Map]) -> Result<Vec<String>, CompileError> {
    let written: Vec<Option<String>> = phases.iter().map(|phase| written(phase)).collect();
    let mut taken = HashSet::new();
    for (phase, name) in phases.iter().zip(&written) {
        if let Some(name) = name
            && !taken.insert(name.as_str())
        {
            let scope = plan.inner(step, phase, plan.subject.clone());
            let (step, name) = (step.to_owned(), name.clone());
            return Err(scope.error("name", MetadataProblem::SameName { step, name }));
        }
    }
    let mut unnamed = (0..).map(|number| format!("default-{number}"));
    let mut free = || unnamed.by_ref().find(|name| !taken.contains(name.as_str()));
    let names = written
        .iter()
        .map(|name| name.clone().or_else(&mut free).unwrap_or_default());
    Ok(names.collect())
}

fn written(phase: &Map) -> Option<String> {
    phase.get("name").filter(|name| !name.is_null()).and_then(scalar)
}
