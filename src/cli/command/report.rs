//! `atex report`: a run's events in the form of another program. A form is a consumer of events in `report`.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::results::run_dir;
use crate::cli::config::settings::Settings;
use crate::cli::error::{CliError, output_failed};
use crate::cli::output::Out;
use crate::exec::event::Stamped;
use crate::report::Exit;
use crate::report::recorder::EVENTS_FILE;
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
    let path = run_dir(args.run.as_deref(), settings)?.join(EVENTS_FILE);
    match args.format {
        ReportFormat::Trace => {
            let mut trace = Trace::new(out.writer()).map_err(output_failed)?;
            each_event(&path, |event| trace.event(event).map_err(output_failed))?;
            trace.finish().map_err(output_failed)?;
        }
    }
    Ok(Exit::Passed)
}

/// Reads the events of a run one by one. A last line without its end is still being written, or its writer was killed.
fn each_event(path: &Path, mut take: impl FnMut(&Stamped) -> Result<(), CliError>) -> Result<(), CliError> {
    let unreadable = |error| CliError::usage(format!("cannot read `{}`: {error}", path.display()));
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        lines.read_until(b'\n', &mut line).map_err(unreadable)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let event = serde_json::from_slice(&line)
            .map_err(|error| CliError::usage(format!("`{}:{number}` is no event: {error}", path.display())))?;
        take(&event)?;
    }
    Ok(())
}
