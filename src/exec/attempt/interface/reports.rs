//! What a test reported with `tmt-report-result` and its other names: items of a file in its data, one for each call.

use std::path::Path;

use serde_json::Value;

use super::{DATA, Outcome, items, part_name, text_of, worst};
use crate::control::{Judged, Status};

/// The file that the command appends to.
pub(super) const FILE: &str = "tmt-report-results.yaml";

/// Reads all items, in the order of calls. The error says what is wrong, for people.
pub(super) fn read(data: &Path) -> Result<Vec<Judged>, String> {
    let Some(text) = text_of(data, FILE)? else {
        return Ok(Vec::new());
    };
    let text_in = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let reports = items(FILE, &text)?.into_iter().map(|item| {
        let log = item.get("log").and_then(Value::as_array);
        let log = log.into_iter().flatten().filter_map(Value::as_str);
        Judged {
            name: text_in(item.get("name")).as_deref().and_then(part_name),
            status: text_in(item.get("result")).map_or(Status::Missing, |word| Status::said(&word)),
            original: None,
            note: String::new(),
            log: log.map(|log| format!("{DATA}/{log}")).collect(),
        }
    });
    Ok(reports.collect())
}

/// What reports make of their test: the worst of them. tmt takes only four words there.
pub(super) fn outcome(reports: &[Judged]) -> Outcome {
    let is_known = |status: &Status| matches!(status, Status::Pass | Status::Fail | Status::Warn | Status::Skip);
    if let Some(other) = reports.iter().find(|report| !is_known(&report.status)) {
        let (name, word) = (other.name.as_deref().unwrap_or_default(), &other.status);
        return Outcome::error(format!(
            "`/{name}` was reported as `{word}`: a part of a test can be `pass`, `fail`, `warn` or `skip`"
        ));
    }
    Outcome::new(worst(reports.iter().map(|report| &report.status)), "")
}
