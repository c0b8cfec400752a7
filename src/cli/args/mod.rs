//! The arguments of the command line as plain structs. The options of each command are in its own file in
//! [`crate::cli::command`].
//!
//! A second step decides what the values mean ([`crate::cli::config::settings`], [`crate::cli::request::run`],
//! [`crate::cli::sut::pool`]).

pub(crate) mod shared;
pub(crate) mod values;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::cli::command::{cache, completions, fmf, graph, lint, ls, report, results, run, sut, why};

/// Runs fmf/tmt tests on real machines, as a content-addressed build graph
#[derive(Debug, Parser)]
#[command(
    name = "atex",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_flag = true,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

const EXAMPLES: &str = "\
Examples:
  atex build                 prepare and run everything; what is done already is not done again
  atex test /tests/greeting  run one test now, on the SUT that is prepared
  atex why /tests/greeting   say why a test would run again
  atex results --failed      show what failed in the latest run

The examples of all commands work in the tree `examples/hello` of the sources.

Exit codes:
  0 all passed, 1 a test failed, 2 wrong usage or metadata, 3 the infrastructure failed,
  4 nothing to run, 5 a defect in atex, 130 interrupted";

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct GlobalArgs {
    /// Work on the tree of this directory [default: the current one]
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub(crate) directory: Option<PathBuf>,

    /// Print JSON, one object a line, on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print failures and the summary only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print also what tests and scripts print
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    /// When to use colours [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", global = true)]
    pub(crate) color: Option<ColorWhen>,

    /// Print help
    // There is only one form of help, the short one, which fits a screen.
    #[arg(short, long, action = ArgAction::HelpShort, global = true)]
    help: Option<bool>,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Also in a pipe
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one value in a process")]
pub(crate) enum CliCommand {
    #[command(flatten)]
    Work(WorkCommand),
    Completions(completions::CompletionsArgs),
}

/// The commands that need to know where they are and what is configured there.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkCommand {
    Build(run::args::BuildArgs),
    Test(run::args::TestArgs),
    Finish(run::args::FinishArgs),
    Ls(ls::LsArgs),
    #[command(subcommand)]
    Fmf(fmf::FmfCommand),
    Graph(graph::GraphArgs),
    Why(why::WhyArgs),
    Lint(lint::LintArgs),
    #[command(subcommand)]
    Cache(cache::CacheCommand),
    #[command(subcommand)]
    Sut(sut::SutCommand),
    Results(results::ResultsArgs),
    Report(report::ReportArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let mut leaves: Vec<_> = command.get_subcommands().collect();
            leaves.push(command);
            for leaf in leaves {
                let help = leaf.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "`{}` has no example", leaf.get_name());
            }
        }
    }
}
