//! The command line: arguments, configuration, errors and their exit codes, and the commands.
//!
//! Arguments are plain structs ([`args`]). A second step turns them into validated values ([`config::settings`] for all commands,
//! [`sut`] for the machines, [`request`] for what is to be compiled and run), and the rest of the program sees only these.
//! Nothing outside this module and `report` prints.

mod args;
mod command;
mod config;
mod error;
mod output;
mod process;
mod request;
mod sut;

use std::process::ExitCode;

use clap::Parser as _;

use crate::report::Exit;
use args::{Cli, CliCommand, WorkCommand};
use config::settings::{self, Settings};
use error::{CliError, ErrorKind};
use output::{Out, messages};
use process::{panics, signals, threads};
use request::run::RunRequest;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if let Some(code) = crate::host::init::stand_by() {
        return ExitCode::from(code);
    }
    panics::install();
    let exit = panics::caught(|| match Cli::try_parse() {
        Ok(cli) => run_command(cli),
        Err(error) => {
            // Help and version arrive as errors, too, and belong on standard output.
            let _nobody_is_left_to_tell = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Passed }
        }
    });
    ExitCode::from(exit.code())
}

fn run_command(cli: Cli) -> Exit {
    let color = cli.global.color;
    match dispatch(cli) {
        Ok(exit) => exit,
        Err(error) => {
            if error.kind != ErrorKind::ClosedPipe {
                messages::say(&error.render(&settings::error_palette(color)));
            }
            error.kind.exit()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, CliError> {
    match cli.command {
        CliCommand::Work(command) => {
            signals::listen()?;
            signals::doing("the configuration was read");
            let settings = Settings::new(&cli.global)?;
            signals::doing("the command was carried out");
            work(command, &settings)
        }
        CliCommand::Completions(args) => command::completions::run(&args),
    }
}

fn work(command: WorkCommand, settings: &Settings) -> Result<Exit, CliError> {
    threads::start()?;
    let mut out = Out::new(settings.palette());
    let exit = match command {
        WorkCommand::Build(args) => command::run::run(RunRequest::build(args, settings)?, settings, &mut out),
        WorkCommand::Test(args) => command::run::run(RunRequest::test(args, settings)?, settings, &mut out),
        WorkCommand::Finish(args) => command::run::run(RunRequest::finish(args, settings)?, settings, &mut out),
        WorkCommand::Cache(command) => command::cache::run(&command, settings, &mut out),
        WorkCommand::Fmf(command) => command::fmf::run(&command, settings, &mut out),
        WorkCommand::Sut(command) => command::sut::run(&command, settings, &mut out),
        WorkCommand::Results(args) => command::results::run(&args, settings, &mut out),
        WorkCommand::Report(args) => command::report::run(&args, settings, &mut out),
        WorkCommand::Ls(args) => command::ls::run(args, settings, &mut out),
        WorkCommand::Graph(args) => command::graph::run(args, settings, &mut out),
        WorkCommand::Lint(args) => command::lint::run(&args, settings, &mut out),
        WorkCommand::Why(args) => command::why::run(args, settings, &mut out),
    }?;
    out.flush()?;
    Ok(exit)
}
