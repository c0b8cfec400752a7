//! `atex cache`: shows what the store holds, and removes records.

mod show;
mod tidy;

use atex_cache::{BadFile, Record, RecordOutcome, RecordSummary, Store};
use clap::Subcommand;

use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::cli::output::json::RecordJson;
use crate::cli::output::messages;
use crate::cli::output::table::{self, Cell, Columns};
use crate::host::clock::unix_now;
use crate::report::text::harmless;
use crate::report::{Exit, human};

/// Look at recorded results, or remove them
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  atex cache ls                         what is recorded
  atex cache diff 3a42 4053             why two records differ
  atex cache gc --keep 30d              remove what was not used for a month

A key can be cut to any length that names one record.")]
pub(crate) enum CacheCommand {
    /// List records: key, kind, name, SUT, age, size, outcome
    #[command(after_help = "Example: atex cache ls --json")]
    Ls,
    /// Show the inputs and outputs of a record
    #[command(after_help = "Example: atex cache show 3a42")]
    Show {
        /// The record's key, or its beginning
        key: String,
    },
    /// Print what the node of a record printed
    #[command(after_help = "Example: atex cache log 3a42")]
    Log {
        /// The record's key, or its beginning
        key: String,
    },
    /// Print where the files of a record lie in the store
    #[command(after_help = "Example: less $(atex cache path 3a42 files/output.txt)")]
    Path {
        /// The record's key, or its beginning
        key: String,
        /// Print only the path of this file
        file: Option<String>,
    },
    /// Show which inputs of two records differ, value by value
    #[command(after_help = "Example: atex cache diff 3a42 4053")]
    Diff {
        /// The older record's key, or its beginning
        old: String,
        /// The newer record's key, or its beginning
        new: String,
    },
    /// Say how much space the store takes
    #[command(after_help = "Example: atex cache du")]
    Du,
    /// Remove old records, and what no record needs
    #[command(after_help = "Example: atex cache gc --keep 30d --max-size 10G")]
    Gc {
        /// Keep records and fetched trees used since then, as in `30d` [default: all records, trees of 30 days]
        #[arg(long, value_name = "AGE")]
        keep: Option<String>,
        /// Remove the least recently used records beyond this size, as in `10G`
        #[arg(long, value_name = "SIZE")]
        max_size: Option<String>,
    },
    /// Read everything and report what is damaged
    #[command(after_help = "Example: atex cache verify")]
    Verify,
    /// Remove records
    #[command(after_help = "Example: atex cache rm 3a42")]
    Rm {
        /// Keys, or their beginnings
        #[arg(required = true)]
        keys: Vec<String>,
    },
}

/// Runs a command on the store.
pub(crate) fn run(command: &CacheCommand, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let dir = settings.cache_dir()?;
    let store = match command {
        CacheCommand::Gc { .. } | CacheCommand::Verify | CacheCommand::Rm { .. } => Store::open(&dir),
        _ => Store::open_read_only(&dir),
    }?;
    let exit = match command {
        CacheCommand::Ls => ls(&store, settings, out),
        CacheCommand::Show { key } => show::show(&store, &record(&store, key)?, settings, out),
        CacheCommand::Log { key } => show::log(&store, &record(&store, key)?, settings, out),
        CacheCommand::Path { key, file } => show::path(&store, &record(&store, key)?, file.as_deref(), settings, out),
        CacheCommand::Diff { old, new } => show::diff(&record(&store, old)?, &record(&store, new)?, settings, out),
        CacheCommand::Du => tidy::du(&store, settings, out),
        CacheCommand::Gc { keep, max_size } => {
            return tidy::gc(store, keep.as_deref(), max_size.as_deref(), settings, out);
        }
        CacheCommand::Verify => return tidy::verify(&store, settings, out),
        CacheCommand::Rm { keys } => tidy::rm(&store, keys, settings, out),
    }?;
    warn(&store.take_reports(), settings);
    Ok(exit)
}

/// Finds the record whose key starts with `prefix`.
fn record(store: &Store, prefix: &str) -> Result<Record, CliError> {
    let key = store.resolve(prefix)?;
    store.inspect(key)?.ok_or_else(|| {
        let reports: Vec<_> = store.take_reports().iter().map(ToString::to_string).collect();
        CliError::infra(format!(
            "the record `{}` is damaged: {}",
            key.short(),
            reports.join("; ")
        ))
        .hint("its node will run again when it is needed; `atex cache verify` checks all records")
    })
}

fn ls(store: &Store, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let records = store.records()?;
    if settings.json {
        for summary in records {
            out.json(&RecordJson::from(summary))?;
        }
        return Ok(Exit::Passed);
    }
    let now = unix_now();
    let headers = ["KEY", "OUTCOME", "AGE", "TOOK", "SIZE", "SUT", "NODE"];
    let columns = Columns::new(headers).right(2).right(3).right(4);
    let rows: Vec<_> = records.map(|summary| row(&summary, now, out)).collect();
    if rows.is_empty() {
        messages::say(&format!(
            "nothing is recorded in `{}`\n",
            harmless(&store.dir().to_string_lossy())
        ));
    }
    table::print(out, columns, &rows)?;
    Ok(Exit::Passed)
}

fn row(summary: &RecordSummary, now: u64, out: &Out) -> [Cell; 7] {
    let style = match summary.outcome {
        RecordOutcome::Passed => out.palette.good,
        RecordOutcome::Failed => out.palette.bad,
    };
    [
        Cell::from(summary.key.short()),
        Cell::styled(style, outcome_word(summary.outcome)),
        Cell::from(human::age(now.saturating_sub(summary.started))),
        Cell::from(human::span(summary.duration_ms)),
        Cell::from(human::size(summary.size)),
        Cell::from(&summary.sut),
        Cell::from(&summary.name),
    ]
}

const fn outcome_word(outcome: RecordOutcome) -> &'static str {
    match outcome {
        RecordOutcome::Passed => "passed",
        RecordOutcome::Failed => "failed",
    }
}

/// Warns on standard error of the broken files that were found.
fn warn(reports: &[BadFile], settings: &Settings) {
    for report in reports {
        messages::warning(&report.to_string(), settings);
    }
}
