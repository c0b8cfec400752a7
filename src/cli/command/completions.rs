//! `atex completions`: prints completion scripts for shells.

use clap::Args;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::report::{Exit, Palette};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  source <(atex completions bash)       for this shell; in `~/.bashrc`, for all that start")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Prints the script. This needs no tree and reads no configuration.
pub(crate) fn run(args: &CompletionsArgs) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "atex", &mut script);
    let mut out = Out::new(Palette::new(false));
    out.bytes(&script)?;
    out.flush()?;
    Ok(Exit::Passed)
}
