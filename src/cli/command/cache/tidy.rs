//! `atex cache du|gc|verify|rm`: shows the size of the store, collects and verifies it, and removes records.

use std::time::{Duration, SystemTime};

use atex_cache::{GcPolicy, Store};
use atex_graph::ActionKey;
use serde_json::json;

use super::warn;
use crate::cli::args::values;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::cli::output::messages;
use crate::cli::output::table::{self, Cell, Columns};
use crate::report::{Exit, human};

/// How long `gc` waits for other processes that use the store.
const GC_PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn du(store: &Store, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let usage = store.du()?;
    let held = usage
        .buckets
        .iter()
        .map(|bucket| (bucket.name, bucket.files, bucket.bytes));
    if settings.json {
        for (name, files, bytes) in held {
            out.json(&json!({"name": name, "files": files, "bytes": bytes}))?;
        }
        return Ok(Exit::Passed);
    }
    let sum = |sum: (u64, u64), (_, files, bytes)| (sum.0 + files, sum.1 + bytes);
    let (files, bytes) = held.clone().fold((0, 0), sum);
    let rows: Vec<_> = held
        .chain([("total", files, bytes)])
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

pub(super) fn gc(
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
    let fetched = report.fetched;
    if settings.json {
        out.json(&json!({
            "records-removed": report.records_removed, "records-kept": report.records_kept,
            "blobs-removed": report.blobs_removed, "blobs-kept": report.blobs_kept,
            "leftovers-removed": report.leftovers_removed,
            "bytes-removed": report.bytes_removed, "bytes-kept": report.bytes_kept,
            "fetched-removed": fetched.commits, "fetched-bytes-removed": fetched.bytes,
            "remembered-removed": report.derived_removed, "remembered-bytes-removed": report.derived_bytes_removed,
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
        if fetched.commits > 0 {
            out.line(format_args!(
                "removed {}, {}",
                human::count(fetched.commits, "fetched commit"),
                human::size(fetched.bytes)
            ))?;
        }
        if report.derived_removed > 0 {
            out.line(format_args!(
                "removed what was remembered of trees, {}",
                human::size(report.derived_bytes_removed)
            ))?;
        }
    }
    if let Some(reason) = &report.blobs_spared {
        messages::warning(&format!("blobs were not collected: {reason}"), settings);
    }
    warn(&report.bad, settings);
    Ok(Exit::Passed)
}

pub(super) fn verify(store: &Store, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let report = store.verify()?;
    if settings.json {
        let bad: Vec<_> = report.bad.iter().map(ToString::to_string).collect();
        out.json(&json!({"records": report.records, "blobs": report.blobs, "bytes": report.bytes, "others": report.others, "bad": bad}))?;
    } else {
        out.line(format_args!(
            "read {} and {}, {}, and {}: {}",
            human::count(report.records, "record"),
            human::count(report.blobs, "blob"),
            human::size(report.bytes),
            human::count(report.others, "other file"),
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

pub(super) fn rm(store: &Store, prefixes: &[String], settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
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
