//! The context of a plan: the dimensions by which the rules of its tests and of its phases are decided.
//!
//! A plan's `context` counts for its tests and phases, and not for its own `adjust`, as in tmt: the plan is adjusted before its
//! `context` is read. What the command line sets wins over the plan, and the plan over what the machine is.

use std::collections::BTreeMap;

use atex_fmf::Value;
use atex_fmf::context::Context;

use crate::compile::error::CompileError;
use crate::compile::metadata::read::Scope;
use crate::compile::spec::Request;

/// The values of each dimension of a context.
pub(crate) type Dimensions = BTreeMap<String, Vec<String>>;

/// Returns the context of a request: what is known of the SUT, overridden by the command line.
pub(crate) fn of_request(request: &Request) -> Dimensions {
    merged([&request.default_context, &request.context])
}

/// Returns the context in which a plan itself says something of it: what is known of the SUT beneath it, the command line above it.
pub(crate) fn beneath(plan: &Dimensions, request: &Request) -> Dimensions {
    merged([&request.default_context, plan, &request.context])
}

/// Returns what a plan says of its context. The plan that imports it knows better.
pub(crate) fn of_plan(plan: &Scope<'_>, inherited: &Dimensions) -> Result<Dimensions, CompileError> {
    Ok(merged([&written(plan)?, inherited]))
}

/// Returns the context for the rules of metadata.
pub(crate) fn for_rules(dimensions: &Dimensions) -> Context {
    let mut context = Context::new();
    for (dimension, values) in dimensions {
        context.set(dimension, values);
    }
    context
}

/// Reads the `context` of a plan. As in tmt, any value counts as Python prints it.
pub(crate) fn written(plan: &Scope<'_>) -> Result<Dimensions, CompileError> {
    const KEY: &str = "context";
    let Some(value) = plan.value(KEY) else {
        return Ok(Dimensions::new());
    };
    let expected = "a mapping of dimensions";
    let map = value.as_map().ok_or_else(|| plan.wrong(KEY, expected, value))?;
    let dimension = |(name, value): (&Value, &Value)| {
        let values = value.as_list().unwrap_or(std::slice::from_ref(value));
        (name.to_python_str(), values.iter().map(Value::to_python_str).collect())
    };
    Ok(map.iter().map(dimension).collect())
}

/// Joins contexts; of a dimension, the last one that has it counts.
fn merged<const N: usize>(contexts: [&Dimensions; N]) -> Dimensions {
    let all = contexts.into_iter().flatten();
    all.map(|(name, values)| (name.clone(), values.clone())).collect()
}
