//! The command that turns a run into something for other programs: `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
