//! `atex build`, `atex test`, `atex finish`: the wiring of compiler, executor and reporters.

use crate::cli::error::CliError;
use crate::cli::run::RunRequest;
use crate::cli::settings::Settings;
use crate::report::Exit;

/// Runs what is asked for.
pub(crate) fn run(request: &RunRequest, settings: &Settings) -> Result<Exit, CliError> {
    Err(CliError::defect(format!(
        "not wired: {request:?} in {}",
        settings.here.display()
    )))
}
