//! `atex results`: shows the results in a run's directory, in constant memory however many there are.
//!
//! For people, the files are read twice, the first time to measure the columns. Only paths and one line at a time are kept in
//! memory.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::config::directories::{self, absolute};
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::error::suggest::nearest_few;
use crate::cli::output::Out;
use crate::cli::output::table::{Cell, Columns};
use crate::control::Status;
use crate::report::{Exit, Palette};
use crate::rundir::{ReadError, RunDir, StoredAttempt, StoredResult};

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

    /// Only failures and warnings
    #[arg(long)]
    pub(crate) failed: bool,
}

/// The width of the widest column, except for the last one.
const WIDEST: usize = 60;

/// Prints the results of a run.
pub(crate) fn run(args: &ResultsArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let attempts = find_run(args.run.as_deref(), settings)?
        .attempts()
        .map_err(unreadable)?;
    if settings.json {
        for attempt in &attempts {
            each_result(attempt, args.failed, |result| print_json(out, attempt, result))?;
        }
        return Ok(Exit::Passed);
    }
    let mut columns = Columns::new(["STATUS", "TEST", "RESULT", "FILES", "NOTE"])
        .right(3)
        .limit(WIDEST);
    let (palette, mut any) = (out.palette, false);
    for attempt in &attempts {
        each_result(attempt, args.failed, |result| {
            any = true;
            columns.measure(&row(attempt, result, &palette));
            Ok(())
        })?;
    }
    if any {
        columns.print_headers(out)?;
    }
    for attempt in &attempts {
        each_result(attempt, args.failed, |result| {
            columns.print(out, &row(attempt, result, &palette))
        })?;
    }
    Ok(Exit::Passed)
}

/// Calls `take` with each result that is asked for, and its attempt.
fn each_result(
    attempt: &StoredAttempt,
    failed: bool,
    mut take: impl FnMut(&StoredResult<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut results = attempt.results().map_err(unreadable)?;
    while let Some(result) = results.next_result().map_err(unreadable)? {
        if !failed || result.may_be_a_failure() {
            take(&result)?;
        }
    }
    Ok(())
}

/// The beginning of the line of a result, which is printed before the result.
#[derive(Serialize)]
struct About<'a> {
    test: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    attempt: u32,
}

/// Prints `{"test": …, "attempt": …, "result": {…}}`, with the result as it is stored.
fn print_json(out: &mut Out, attempt: &StoredAttempt, result: &StoredResult<'_>) -> Result<(), CliError> {
    let about = About {
        test: &attempt.test,
        plan: attempt.plan.as_deref(),
        attempt: attempt.number,
    };
    out.json_with(&about, "result", result.json)
}

fn row(attempt: &StoredAttempt, result: &StoredResult<'_>, palette: &Palette) -> [Cell; 5] {
    let (style, status) = match &result.status {
        Status::Pass => (palette.good, "pass"),
        Status::Info => (palette.dim, "info"),
        Status::Skip => (palette.dim, "skip"),
        Status::Warn => (palette.warn, "warn"),
        Status::Infra => (palette.trouble, "infra"),
        Status::Fail => (palette.bad, "fail"),
        Status::Error => (palette.bad, "error"),
        Status::Other(text) => (palette.bad, &**text),
        Status::Missing => (palette.bad, ""),
    };
    let note = result.note.lines().next().unwrap_or_default();
    let note = match (&*result.error, note) {
        ("", note) => note.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, note) => format!("{kind}: {note}"),
    };
    let files = if result.files == 0 {
        String::new()
    } else {
        result.files.to_string()
    };
    [
        Cell::styled(style, status),
        Cell::from(attempt.to_string()),
        Cell::from(&result.name),
        Cell::from(files),
        Cell::styled(palette.dim, note),
    ]
}

/// Finds a run: a path, a name below the runs directory, or the latest run.
pub(super) fn find_run(given: Option<&Path>, settings: &Settings) -> Result<RunDir, CliError> {
    let runs = directories::runs()?;
    let Some(given) = given else {
        return RunDir::latest(&runs).ok_or_else(|| {
            CliError::usage(format!("there is no run in `{}`", runs.display()))
                .hint("`atex build` and `atex test` make runs; a run's directory can be given as an argument")
        });
    };
    let candidates = [absolute(given, &settings.here), runs.join(given)];
    if let Some(found) = candidates.iter().find_map(|dir| RunDir::open(dir)) {
        return Ok(found);
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
    let known = RunDir::known(&runs).map_err(unreadable)?;
    let near = nearest_few(&given.to_string_lossy(), known.iter().map(String::as_str), 3);
    let hint = (!near.is_empty()).then(|| format!("runs with such a name: `{}`", near.join("`, `")));
    Err(CliError::usage(error).hint_if(hint))
}

/// Returns the error about a run that cannot be read; to blame is either what was asked for or what is on the disk.
#[expect(clippy::needless_pass_by_value, reason = "it is a function for `map_err`")]
pub(super) fn unreadable(error: ReadError) -> CliError {
    let message = error.to_string();
    match error {
        ReadError::List { .. } | ReadError::Open { .. } | ReadError::NotASummary { .. } => CliError::usage(message),
        ReadError::NotAnEvent { .. } => CliError::usage(message)
            .hint("events are read of runs that this version of atex made; `atex results` shows those of others, too"),
        ReadError::Read { .. } => CliError::infra(message),
        ReadError::NotAResult { .. } => {
            CliError::infra(message).hint("something other than atex wrote to the run's directory")
        }
    }
}
