//! `-s plan`: the machine that the selected plans ask for by their `provision`, in place of a target.

use crate::cli::args::shared::SutArgs;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::request::compile_request;
use crate::cli::request::run::{TestSelection, Values};
use crate::compile::{self, Provision};

/// The word of `-s`.
pub(crate) const PLAN: &str = "plan";

/// Returns the options with what the selected plans ask for in place of `plan`.
pub(crate) fn settle(
    args: &SutArgs,
    (selection, values): (&TestSelection, &Values),
    settings: &Settings,
) -> Result<SutArgs, CliError> {
    let mut settled = args.clone();
    if args.suts.is_empty() && args.sut_file.is_none() {
        settled.suts = settings.config.defaults.sut.clone().unwrap_or_default();
    }
    let is_named = settings.config.suts.contains_key(PLAN) || settings.config.groups.contains_key(PLAN);
    if is_named || !settled.suts.iter().any(|text| text == PLAN) {
        return Ok(args.clone());
    }
    let request = compile_request::request(selection, Vec::new(), values, atex_graph::Base::default(), settings)?;
    let asked = compile::provisions(&request)?;
    let Some(target) = one_of(&asked)? else {
        return Err(CliError::usage("no plan is selected, so `-s plan` names no machine"));
    };
    for text in settled.suts.iter_mut().filter(|text| *text == PLAN) {
        target.clone_into(text);
    }
    Ok(settled)
}

/// Returns the only target that plans ask for. Any machine of a run may get any test, so there cannot be several.
fn one_of(asked: &[Provision]) -> Result<Option<&str>, CliError> {
    let Some(first) = asked.first() else { return Ok(None) };
    match asked.iter().find(|other| other.target != first.target) {
        None => Ok(Some(&first.target)),
        Some(other) => Err(CliError::usage(format!(
            "plan `{}` asks for `{}`, and plan `{}` for `{}`",
            first.plan, first.target, other.plan, other.target
        ))
        .hint("`--plan` selects one of them")),
    }
}
