//! `result: custom`: the file of results that a test writes. Neither its exit code nor what it reported counts.

use std::path::Path;

use serde_json::{Map, Value};

use super::{DATA, failed, fails, items, part_name, text_of, verdict, worst};
use crate::control::{Judged, Judgement, Status, Verdict};

/// Where the results are: the first of these files that is there.
const FILES: [&str; 2] = ["results.yaml", "results.json"];

/// Keys that an item may have; tmt ends the plan by any other one.
const KEYS: [&str; 17] = [
    "check",
    "context",
    "data-path",
    "duration",
    "end-time",
    "fmf-id",
    "guest",
    "ids",
    "log",
    "name",
    "note",
    "original-result",
    "result",
    "serial-number",
    "start-time",
    "subresult",
    "web-link",
];

/// Keys that a result below an item may have.
const PART_KEYS: [&str; 9] = [
    "check",
    "duration",
    "end-time",
    "log",
    "name",
    "note",
    "original-result",
    "result",
    "start-time",
];

/// One item of the file, with the results below it, which change nothing of its own.
struct Item {
    result: Judged,
    parts: Vec<Judged>,
}

/// Judges a test by its file.
pub(super) fn judge(data: &Path) -> Judgement {
    match read(data) {
        Ok(results) => over(results),
        Err(why) => failed(why),
    }
}

/// Judges a test by its results. One that has none for itself is as the worst of them.
fn over(items: Vec<Item>) -> Judgement {
    let statuses = || items.iter().map(|item| &item.result.status);
    let (worst, verdict) = (worst(statuses()), statuses().map(verdict).max());
    let any_fails = statuses().any(fails);
    let all = items
        .into_iter()
        .flat_map(|item| std::iter::once(item.result).chain(item.parts));
    let (mut own, parts): (Vec<_>, Vec<_>) = all.partition(|result| result.name.is_none());
    Judgement {
        own: own.pop().unwrap_or_else(|| Judged::own(worst, "")),
        parts,
        verdict: verdict.unwrap_or(Verdict::Fail),
        fails: any_fails,
    }
}

fn read(data: &Path) -> Result<Vec<Item>, String> {
    for file in FILES {
        let Some(text) = text_of(data, file)? else { continue };
        let mut found: Vec<Item> = Vec::new();
        for written in items(file, &text)? {
            let item = item(&written).map_err(|why| format!("`{file}` in TMT_TEST_DATA: {why}"))?;
            // Of two items with one name the later one counts, in the place of the first.
            match found.iter_mut().find(|known| known.result.name == item.result.name) {
                Some(known) => *known = item,
                None => found.push(item),
            }
        }
        return if found.is_empty() {
            Err("no custom results were provided".to_owned())
        } else {
            Ok(found)
        };
    }
    Err("custom results file not found in TMT_TEST_DATA".to_owned())
}

/// Reads an item. What is below it has the item's name in front of its own.
fn item(written: &Map<String, Value>) -> Result<Item, String> {
    let result = result(written, &KEYS)?;
    let below = match written.get("subresult") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(list)) => list.as_slice(),
        Some(_) => return Err("a `subresult` is no list".to_owned()),
    };
    let mut parts = Vec::new();
    for part in below {
        let Some(part) = part.as_object() else {
            return Err("an item of a `subresult` is no mapping".to_owned());
        };
        let mut part = self::result(part, &PART_KEYS)?;
        let name = part.name.as_deref().ok_or("an item of a `subresult` has no name")?;
        if let Some(above) = &result.name {
            part.name = Some(format!("{above}/{name}"));
        }
        parts.push(part);
    }
    Ok(Item { result, parts })
}

fn result(item: &Map<String, Value>, keys: &[&str]) -> Result<Judged, String> {
    if let Some(key) = item.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(format!("an item has the key `{key}`, which tmt does not know"));
    }
    let Some(name) = item.get("name").and_then(Value::as_str) else {
        return Err("an item has no `name`".to_owned());
    };
    let status = match item.get("result") {
        None => Status::Pass,
        Some(Value::String(word)) if word == "pending" => Status::Other("pending".into()),
        Some(word) => match word.as_str().map(Status::said) {
            Some(status) if !matches!(status, Status::Other(_)) => status,
            _ => return Err(format!("`{name}` has a `result` that tmt does not know: {word}")),
        },
    };
    let log = texts(item.get("log")).into_iter().map(|log| {
        if log.starts_with('/') {
            log
        } else {
            format!("{DATA}/{log}")
        }
    });
    Ok(Judged {
        name: part_name(name),
        status,
        original: None,
        note: texts(item.get("note")).join("; "),
        log: log.collect(),
    })
}

/// A text or a list of texts.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
