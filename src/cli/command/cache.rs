//! `atex cache …`: what the store holds, in words.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use atex_cache::{CacheError, GcPolicy, Outcome, OutputFile, Record, Report, Store, Summary};
use atex_graph::ActionKey;
use serde_json::json;

use crate::cli::args::inspect::CacheCommand;
use crate::cli::error::CliError;
use crate::cli::guard;
use crate::cli::nearest::did_you_mean;
use crate::cli::out::Out;
use crate::cli::settings::Settings;
use crate::cli::table::{self, Cell, Columns};
use crate::cli::values;
use crate::report::palette::paint;
use crate::report::text::harmless;
use crate::report::{Exit, human};

/// How long `gc` waits for other processes that use the store.
const GC_PATIENCE: Duration = Duration::from_secs(10);

/// Names of the files of a record that hold what its node printed: of a step, of a test.
const LOGS: [&str; 2] = ["log", "files/output.txt"];

/// Runs a command on the store.
pub(crate) fn run(command: &CacheCommand, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let dir = settings.cache_dir()?;
    let store = match command {
        CacheCommand::Gc { .. } | CacheCommand::Verify | CacheCommand::Rm { .. } => Store::open(&dir),
        _ => Store::open_read_only(&dir),
    }?;
    let exit = match command {
        CacheCommand::Ls => ls(&store, settings, out),
        CacheCommand::Show { key } => show(&store, &record(&store, key)?, settings, out),
        CacheCommand::Log { key } => log(&store, &record(&store, key)?, settings, out),
        CacheCommand::Path { key, file } => path(&store, &record(&store, key)?, file.as_deref(), settings, out),
        CacheCommand::Diff { old, new } => diff(&record(&store, old)?, &record(&store, new)?, settings, out),
        CacheCommand::Du => du(&store, settings, out),
        CacheCommand::Gc { keep, max_size } => return gc(store, keep.as_deref(), max_size.as_deref(), settings, out),
        CacheCommand::Verify => return verify(&store, settings, out),
        CacheCommand::Rm { keys } => rm(&store, keys, settings, out),
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
            out.json(&summary)?;
        }
        return Ok(Exit::Passed);
    }
    let now = unix_now();
    let headers = ["KEY", "OUTCOME", "AGE", "TOOK", "SIZE", "SUT", "NODE"];
    let columns = Columns::new(headers).right(2).right(3).right(4);
    let rows: Vec<_> = records.map(|summary| row(&summary, now, out)).collect();
    if rows.is_empty() {
        guard::say(&format!(
            "nothing is recorded in `{}`\n",
            harmless(&store.dir().to_string_lossy())
        ));
    }
    table::print(out, columns, &rows)?;
    Ok(Exit::Passed)
}

fn row(summary: &Summary, now: u64, out: &Out) -> [Cell; 7] {
    let style = match summary.outcome {
        Outcome::Passed => out.palette.good,
        Outcome::Failed => out.palette.bad,
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

fn show(store: &Store, record: &Record, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let summary = record.summary();
    if settings.json {
        out.json(&json!({"record": summary, "inputs": record.inputs, "files": record.files}))?;
        return Ok(Exit::Passed);
    }
    let palette = out.palette;
    let facts = [
        ("key", record.key.to_string()),
        ("also", record.aliases.join(", ")),
        ("outcome", outcome_word(record.outcome).to_owned()),
        ("sut", record.sut.clone()),
        ("started", human::age(unix_now().saturating_sub(record.started))),
        ("took", human::span(record.duration_ms)),
        (
            "notes",
            if record.meta.is_null() {
                String::new()
            } else {
                record.meta.to_string()
            },
        ),
    ];
    out.line(paint(palette.bold, harmless(&record.name)))?;
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        out.line(format_args!("  {:9}{}", name, harmless(value)))?;
    }
    out.line(paint(palette.dim, "inputs"))?;
    for entry in &record.inputs {
        let origin = entry
            .origin
            .as_deref()
            .map(|origin| format!("   {}", harmless(origin)))
            .unwrap_or_default();
        let value = entry.text().filter(|text| text.contains('\n'));
        let value = value.map_or_else(|| entry.value.clone(), |text| text.trim_end().replace('\n', "\n      "));
        let lines: Vec<_> = value.lines().map(harmless).collect();
        out.line(format_args!(
            "  {}: {}{}",
            harmless(&entry.path),
            lines.join("\n"),
            paint(palette.dim, origin)
        ))?;
    }
    out.line(paint(palette.dim, "outputs"))?;
    let columns = Columns::new(["  FILE", "SIZE", "PATH"]).right(1);
    let rows: Vec<_> = record.files.iter().map(|file| file_row(store, file)).collect();
    table::print(out, columns, &rows)?;
    Ok(Exit::Passed)
}

fn file_row(store: &Store, file: &OutputFile) -> [Cell; 3] {
    let path = store.blobs().path(file.digest);
    [
        Cell::from(format!("  {}", file.path)),
        Cell::from(human::size(file.size)),
        Cell::from(path.to_string_lossy()),
    ]
}

fn log(store: &Store, record: &Record, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let Some(file) = record.files.iter().find(|file| LOGS.contains(&file.path.as_str())) else {
        return Err(CliError::usage(format!("the record of `{}` has no log", record.name)));
    };
    let Some(mut content) = store.blobs().open_verified(file.digest)? else {
        return Err(lost(record, file));
    };
    let failed = |error| {
        CliError::infra(format!(
            "cannot read `{}`: {error}",
            store.blobs().path(file.digest).display()
        ))
    };
    if settings.json {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(failed)?;
        let text = String::from_utf8_lossy(&bytes);
        out.json(&json!({"key": record.key, "name": record.name, "log": text}))?;
        return Ok(Exit::Passed);
    }
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match content.read(&mut buffer).map_err(failed)? {
            0 => return Ok(Exit::Passed),
            length => out.bytes(&buffer[..length])?,
        }
    }
}

fn path(
    store: &Store,
    record: &Record,
    wanted: Option<&str>,
    settings: &Settings,
    out: &mut Out,
) -> Result<Exit, CliError> {
    let selected = |file: &&OutputFile| wanted.is_none_or(|wanted| wanted == file.path);
    let files: Vec<(&OutputFile, PathBuf)> = record
        .files
        .iter()
        .filter(selected)
        .map(|file| (file, store.blobs().path(file.digest)))
        .collect();
    match (wanted, files.as_slice()) {
        (Some(wanted), []) => {
            let known = record.files.iter().map(|file| file.path.as_str());
            let error = CliError::usage(format!("the record of `{}` has no file `{wanted}`", record.name));
            return Err(error.hint_if(did_you_mean(wanted, known)));
        }
        (Some(_), files) if !settings.json => files.iter().try_for_each(|(_, path)| out.line(path.display()))?,
        (None, files) if !settings.json => {
            let rows: Vec<_> = files
                .iter()
                .map(|(file, path)| [Cell::from(&file.path), Cell::from(path.to_string_lossy())])
                .collect();
            table::print(out, Columns::new(["FILE", "PATH"]), &rows)?;
        }
        (_, files) => {
            for (file, path) in files {
                out.json(&json!({"file": file.path, "path": path.to_string_lossy(), "size": file.size}))?;
            }
        }
    }
    Ok(Exit::Passed)
}

fn diff(old: &Record, new: &Record, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let changes = atex_graph::diff(&old.inputs, &new.inputs);
    if settings.json {
        changes.iter().try_for_each(|change| out.json(change))?;
    } else if changes.is_empty() {
        out.line("no input differs")?;
    } else {
        out.bytes(atex_graph::explain::render(&changes).as_bytes())?;
    }
    Ok(Exit::Passed)
}

fn du(store: &Store, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let usage = store.du()?;
    if settings.json {
        for bucket in &usage.buckets {
            out.json(&json!({"name": bucket.name, "files": bucket.files, "bytes": bucket.bytes}))?;
        }
        return Ok(Exit::Passed);
    }
    let files = usage.buckets.iter().map(|bucket| bucket.files).sum();
    let total = ("total", files, usage.bytes());
    let buckets = usage
        .buckets
        .iter()
        .map(|bucket| (bucket.name, bucket.files, bucket.bytes));
    let rows: Vec<_> = buckets
        .chain([total])
        .map(|(name, files, bytes)| {
            [
                Cell::from(name),
                Cell::from(files.to_string()),
                Cell::from(human::size(bytes)),
            ]
        })
        .collect();
    table::print(out, Columns::new(["WHAT", "FILES", "SIZE"]).right(1).right(2), &rows)?;
    Ok(Exit::Passed)
}

fn gc(
    store: Store,
    keep: Option<&str>,
    max_size: Option<&str>,
    settings: &Settings,
    out: &mut Out,
) -> Result<Exit, CliError> {
    let policy = GcPolicy {
        keep: keep.map(values::age).transpose()?,
        max_size: max_size.map(values::size).transpose()?,
        wait: GC_PATIENCE,
    };
    let report = store.gc(&policy, SystemTime::now())?;
    if settings.json {
        out.json(&json!({
            "records-removed": report.records_removed, "records-kept": report.records_kept,
            "blobs-removed": report.blobs_removed, "blobs-kept": report.blobs_kept,
            "leftovers-removed": report.leftovers_removed,
            "bytes-removed": report.bytes_removed, "bytes-kept": report.bytes_kept,
        }))?;
    } else {
        out.line(format_args!(
            "removed {} and {}, {}; {} and {} stay, {}",
            human::count(report.records_removed, "record"),
            human::count(report.blobs_removed, "blob"),
            human::size(report.bytes_removed),
            human::count(report.records_kept, "record"),
            human::count(report.blobs_kept, "blob"),
            human::size(report.bytes_kept),
        ))?;
    }
    if let Some(reason) = &report.blobs_spared {
        warning(&format!("blobs were not collected: {reason}"), settings);
    }
    warn(&report.bad, settings);
    Ok(Exit::Passed)
}

fn verify(store: &Store, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let report = store.verify()?;
    if settings.json {
        let bad: Vec<_> = report.bad.iter().map(ToString::to_string).collect();
        out.json(&json!({"records": report.records, "blobs": report.blobs, "bytes": report.bytes, "bad": bad}))?;
    } else {
        out.line(format_args!(
            "read {} and {}, {}: {}",
            human::count(report.records, "record"),
            human::count(report.blobs, "blob"),
            human::size(report.bytes),
            if report.bad.is_empty() {
                "all good".to_owned()
            } else {
                format!("{} bad", report.bad.len())
            },
        ))?;
    }
    if report.bad.is_empty() {
        return Ok(Exit::Passed);
    }
    warn(&report.bad, settings);
    Ok(Exit::Infra)
}

fn rm(store: &Store, prefixes: &[String], settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let keys: Vec<ActionKey> = prefixes
        .iter()
        .map(|prefix| store.resolve(prefix))
        .collect::<Result<_, _>>()?;
    for key in keys {
        let removed = store.remove(key)?;
        if settings.json {
            out.json(&json!({"key": key, "removed": removed}))?;
        } else {
            out.line(format_args!("removed {}", key.short()))?;
        }
    }
    Ok(Exit::Passed)
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
    }
}

fn lost(record: &Record, file: &OutputFile) -> CliError {
    CliError::infra(format!(
        "`{}` of `{}` is no longer in the cache",
        file.path, record.name
    ))
    .hint("`atex cache verify` removes records whose files are lost")
}

/// Tells what was found broken, on standard error.
fn warn(reports: &[Report], settings: &Settings) {
    for report in reports {
        warning(&report.to_string(), settings);
    }
}

fn warning(text: &str, settings: &Settings) {
    let palette = settings.error_palette();
    guard::say(&format!("{} {}\n", paint(palette.warn, "warning:"), harmless(text)));
}

/// Seconds since the epoch.
fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl From<CacheError> for CliError {
    fn from(error: CacheError) -> Self {
        let (message, hint) = (error.to_string(), error.hint());
        match error {
            CacheError::InUse { .. } | CacheError::MissingBlob { .. } => Self::infra(message),
            CacheError::WrongKey { .. } | CacheError::BadOutputPath { .. } | CacheError::Encode { .. } => {
                Self::defect(message)
            }
            CacheError::Io { .. }
            | CacheError::ReadOnly { .. }
            | CacheError::NotAFile { .. }
            | CacheError::NoRecord { .. }
            | CacheError::Ambiguous { .. } => Self::usage(message),
        }
        .hint_if(hint)
    }
}
