//! `atex report`: converts a run's events into a format of another program. Each format is a consumer of events in `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::results::{find_run, unreadable};
use crate::cli::config::settings::Settings;
use crate::cli::error::{CliError, output_failed};
use crate::cli::output::Out;
use crate::report::Exit;
use crate::report::trace::Trace;

/// Write a run in a form that other programs read
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex report --format trace > trace.json         the latest run; open it in ui.perfetto.dev
  atex report ./out --format trace > trace.json   of a run's directory, also while it runs")]
pub(crate) struct ReportArgs {
    /// A run's directory, or its name below the runs directory [default: the latest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<PathBuf>,

    /// In which form
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: ReportFormat,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// What each SUT did and when, as a trace for Perfetto or Chrome
    Trace,
}

/// Writes a report of a run to standard output.
pub(crate) fn run(args: &ReportArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let mut events = find_run(args.run.as_deref(), settings)?.events().map_err(unreadable)?;
    match args.format {
        ReportFormat::Trace => {
            let mut trace = Trace::new(out.writer()).map_err(output_failed)?;
            while let Some(event) = events.next_event().map_err(unreadable)? {
                trace.event(&event).map_err(output_failed)?;
            }
            trace.finish().map_err(output_failed)?;
        }
    }
    Ok(Exit::Passed)
}
