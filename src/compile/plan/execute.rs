//! The step `execute` of a plan: what ends its tests, and whether they find the promises of restraint.
//!
//! Its scripts are tests of their own (`inline_tests`). What is not obeyed of it, `metadata::unsupported` says.

use crate::compile::error::CompileError;
use crate::compile::metadata::read::Scope;
use crate::compile::spec::ExecuteSpec;

/// The key of the step.
const STEP: &str = "execute";

/// Reads the one phase of the step. As for tmt, a plan with several is wrong.
pub(crate) fn of_plan(plan: &Scope<'_>) -> Result<ExecuteSpec, CompileError> {
    let phases = plan.maps(STEP)?;
    let Some(map) = phases.first() else {
        return Ok(ExecuteSpec::default());
    };
    if let Some(several) = plan.value(STEP).filter(|_| phases.len() > 1) {
        return Err(plan.wrong(STEP, "a mapping, or a list of one", several));
    }
    let phase = plan.inner(STEP, map, format!("{}, execute", plan.subject));
    Ok(ExecuteSpec {
        exit_first: phase.boolean("exit-first", false)?,
        ignore_duration: phase.boolean("ignore-duration", false)?,
        restraint_compatible: phase.boolean("restraint-compatible", false)?,
    })
}
