//! `atex results`: what a run's directory holds, in constant memory however many results there are.
//!
//! For people the files are read twice, once to measure the columns. Nothing but paths, and lines one by one, is kept.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::results_file::{Attempt, Lines, ResultLine, attempts};
use crate::cli::config::directories::{self, absolute};
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::error::suggest::nearest_few;
use crate::cli::output::Out;
use crate::cli::output::table::{Cell, Columns};
use crate::report::{Exit, Palette};

/// Show the results of a run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex results                                 of the latest run
  atex results --failed                        only what failed
  atex results ./out --json | jq .result.note  of a run's directory, for scripts")]
pub(crate) struct ResultsArgs {
    /// A run's directory, or its name below the runs directory [default: the latest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<PathBuf>,

    /// Only results that did not pass
    #[arg(long)]
    pub(crate) failed: bool,
}

/// No column but the last is wider.
const WIDEST: usize = 60;

/// Prints the results of a run.
pub(crate) fn run(args: &ResultsArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let dir = run_dir(args.run.as_deref(), settings)?;
    let attempts = attempts(&dir)?;
    if settings.json {
        for attempt in &attempts {
            each_result(attempt, args.failed, |line| print_json(out, attempt, line))?;
        }
        return Ok(Exit::Passed);
    }
    let mut columns = Columns::new(["STATUS", "TEST", "RESULT", "FILES", "NOTE"])
        .right(3)
        .limit(WIDEST);
    let (palette, mut any) = (out.palette, false);
    for attempt in &attempts {
        each_result(attempt, args.failed, |line| {
            any = true;
            columns.measure(&row(attempt, line, &palette));
            Ok(())
        })?;
    }
    if any {
        columns.print_headers(out)?;
    }
    for attempt in &attempts {
        each_result(attempt, args.failed, |line| {
            columns.print(out, &row(attempt, line, &palette))
        })?;
    }
    Ok(Exit::Passed)
}

/// Calls `take` with each result of an attempt that is asked for.
fn each_result(
    attempt: &Attempt,
    failed: bool,
    mut take: impl FnMut(&ResultLine<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut lines = Lines::open(&attempt.path)?;
    while let Some(line) = lines.next()? {
        if !failed || line.is_failure() {
            take(&line)?;
        }
    }
    Ok(())
}

/// What is printed before a result, as the beginning of its line.
#[derive(Serialize)]
struct About<'a> {
    test: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    attempt: u32,
}

/// Prints `{"test": …, "attempt": …, "result": {…}}`, the result as it is stored.
fn print_json(out: &mut Out, attempt: &Attempt, line: &ResultLine<'_>) -> Result<(), CliError> {
    let about = About {
        test: &attempt.test,
        plan: attempt.plan.as_deref(),
        attempt: attempt.number,
    };
    out.json_with(&about, "result", line.json)
}

fn row(attempt: &Attempt, line: &ResultLine<'_>, palette: &Palette) -> [Cell; 5] {
    let style = match &*line.status {
        "pass" => palette.good,
        "info" | "skip" => palette.dim,
        "warn" => palette.warn,
        "infra" => palette.trouble,
        _ => palette.bad,
    };
    let note = line.note.lines().next().unwrap_or_default();
    let note = match (&*line.error, note) {
        ("", note) => note.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, note) => format!("{kind}: {note}"),
    };
    let files = if line.files == 0 {
        String::new()
    } else {
        line.files.to_string()
    };
    [
        Cell::styled(style, &line.status),
        Cell::from(attempt.to_string()),
        Cell::from(&line.name),
        Cell::from(files),
        Cell::styled(palette.dim, note),
    ]
}

/// Finds the run's directory: a path, a name below the runs directory, or the latest run.
pub(super) fn run_dir(given: Option<&Path>, settings: &Settings) -> Result<PathBuf, CliError> {
    let runs = directories::runs()?;
    let Some(given) = given else {
        let latest = runs.join("latest");
        return if latest.is_dir() {
            Ok(latest)
        } else {
            Err(CliError::usage(format!("there is no run in `{}`", runs.display()))
                .hint("`atex build` and `atex test` make runs; a run's directory can be given as an argument"))
        };
    };
    let candidates = [absolute(given, &settings.here), runs.join(given)];
    if let Some(found) = candidates.iter().find(|dir| is_run(dir)) {
        return Ok(found.clone());
    }
    let error = match candidates.iter().find(|dir| dir.is_dir()) {
        Some(dir) => format!(
            "`{}` is not a run's directory: it has neither `events.jsonl` nor `tests`",
            dir.display()
        ),
        None => format!(
            "there is no run `{}`, neither here nor in `{}`",
            given.display(),
            runs.display()
        ),
    };
    let known = known_runs(&runs)?;
    let near = nearest_few(&given.to_string_lossy(), known.iter().map(String::as_str), 3);
    let hint = (!near.is_empty()).then(|| format!("runs with such a name: `{}`", near.join("`, `")));
    Err(CliError::usage(error).hint_if(hint))
}

fn is_run(dir: &Path) -> bool {
    dir.join("tests").is_dir() || dir.join("events.jsonl").is_file()
}

fn known_runs(runs: &Path) -> Result<Vec<String>, CliError> {
    match fs::read_dir(runs) {
        Ok(entries) => Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(CliError::usage(format!("cannot read `{}`: {error}", runs.display()))),
    }
}
