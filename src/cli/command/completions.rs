//! `atex completions`.

use clap::CommandFactory as _;

use crate::cli::args::Cli;
use crate::cli::args::inspect::CompletionsArgs;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::report::{Exit, Palette};

/// Prints the script. Needs no tree and reads no configuration.
pub(crate) fn run(args: &CompletionsArgs) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "atex", &mut script);
    let mut out = Out::new(Palette::new(false));
    out.bytes(&script)?;
    out.flush()?;
    Ok(Exit::Passed)
}
