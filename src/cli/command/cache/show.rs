//! `atex cache show|log|path|diff`: shows the inputs, outputs, logs and files of a record, and the differences between two
//! records.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _};
use std::path::PathBuf;

use atex_cache::{OutputFile, Record, Store};
use atex_graph::Entry;
use serde_json::json;

use super::outcome_word;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::error::suggest::did_you_mean;
use crate::cli::output::Out;
use crate::cli::output::json::RecordJson;
use crate::cli::output::table::{self, Cell, Columns};
use crate::host::clock::unix_now;
use crate::report::palette::paint;
use crate::report::text::{harmless, output_line};
use crate::report::{Exit, human};

/// The files of a record that contain what its node printed; the first is that of a step, the second that of a test.
const LOGS: [&str; 2] = ["log", "files/output.txt"];

/// A longer line of a log is shown as several lines on a terminal; the limit is in bytes.
const LONGEST_LINE: u64 = 64 * 1024;

pub(super) fn show(store: &Store, record: &Record, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    if settings.json {
        let summary = RecordJson::from(record.summary());
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
        input(entry, out)?;
    }
    out.line(paint(palette.dim, "outputs"))?;
    let columns = Columns::new(["  FILE", "SIZE", "PATH"]).right(1);
    let rows: Vec<_> = record.files.iter().map(|file| file_row(store, file)).collect();
    table::print(out, columns, &rows)?;
    Ok(Exit::Passed)
}

/// Prints an input. If it is a text of several lines, each gets a line of its own.
fn input(entry: &Entry, out: &mut Out) -> Result<(), CliError> {
    let origin = entry.origin.as_deref().map(|origin| format!("   {}", harmless(origin)));
    let origin = paint(out.palette.dim, origin.unwrap_or_default());
    let path = harmless(&entry.path);
    let Some(text) = entry.text().filter(|text| text.trim_end().contains('\n')) else {
        return out.line(format_args!("  {path}: {}{origin}", harmless(&entry.value)));
    };
    out.line(format_args!("  {path}:{origin}"))?;
    text.trim_end()
        .lines()
        .try_for_each(|line| out.line(format_args!("    {}", harmless(line))))
}

fn file_row(store: &Store, file: &OutputFile) -> [Cell; 3] {
    let path = store.blobs().path(file.digest);
    [
        Cell::from(format!("  {}", file.path)),
        Cell::from(human::size(file.size)),
        Cell::from(path.to_string_lossy()),
    ]
}

pub(super) fn log(store: &Store, record: &Record, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
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
    if std::io::stdout().is_terminal() {
        let mut content = BufReader::new(content);
        let mut line = Vec::new();
        while (&mut content)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(failed)?
            > 0
        {
            out.line(output_line(&line))?;
            line.clear();
        }
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

pub(super) fn path(
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

pub(super) fn diff(old: &Record, new: &Record, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
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

fn lost(record: &Record, file: &OutputFile) -> CliError {
    CliError::infra(format!(
        "`{}` of `{}` is no longer in the cache",
        file.path, record.name
    ))
    .hint("`atex cache verify` removes records whose files are lost")
}
