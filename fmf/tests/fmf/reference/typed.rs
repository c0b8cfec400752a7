//! What the engine makes of a tree, in the form in which the Python side tells it.

use std::path::Path;

use atex_fmf::context::Context;
use atex_fmf::{Error, Map, Selection, Tree, Value};
use serde_json::{Value as Json, json};

/// Returns the nodes of each view of a tree, or the refusal.
pub(crate) fn answers(path: &Path, views: &[Json]) -> Vec<Result<Json, String>> {
    let raw = Tree::load(path);
    views.iter().map(|view| answer(&raw, view)).collect()
}

fn answer(raw: &Result<Tree, Error>, view: &Json) -> Result<Json, String> {
    let raw = raw.as_ref().map_err(ToString::to_string)?;
    let adjusted;
    let tree = match view["context"].as_object() {
        None => raw,
        Some(dimensions) => {
            let mut context = Context::new();
            for (name, values) in dimensions {
                context.set(name, &texts(values));
            }
            adjusted = raw.adjusted(&context).map_err(|error| error.to_string())?;
            &adjusted
        }
    };
    let selection = Selection {
        whole: view["whole"].as_bool().unwrap_or_default(),
        names: texts(&view["names"]),
        keys: texts(&view["keys"]),
        filters: texts(&view["filters"]),
        conditions: texts(&view["conditions"]),
    };
    let nodes = tree.prune(&selection).map_err(|error| error.to_string())?;
    Ok(nodes
        .iter()
        .map(|node| json!([node.name(), node.sources(), map(node.data())]))
        .collect())
}

fn texts(list: &Json) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .map(|item| item.as_str().expect("a view holds text").to_owned())
        .collect()
}

fn map(map: &Map) -> Json {
    json!([
        "m",
        map.iter()
            .map(|(key, item)| json!([value(key), value(item)]))
            .collect::<Vec<_>>()
    ])
}

fn value(item: &Value) -> Json {
    let list = |items: &[Value]| items.iter().map(value).collect::<Vec<_>>();
    match item {
        Value::Null => json!(["n"]),
        Value::Bool(flag) => json!(["b", flag]),
        Value::Int(_) | Value::BigInt(_) => json!(["i", item.to_python_str()]),
        Value::Float(_) => json!(["f", item.to_python_str()]),
        Value::Str(text) => json!(["s", **text]),
        Value::Date(iso) => json!(["d", **iso]),
        Value::Bytes(bytes) => json!(["y", hex(bytes)]),
        Value::List(items) => json!(["l", list(items)]),
        Value::Tuple(items) => json!(["t", list(items)]),
        Value::Set(items) => {
            let mut items = list(items);
            items.sort_by_key(python_json);
            json!(["e", items])
        }
        Value::Map(entries) => map(entries),
    }
}

/// Writes JSON with Python's spacing, which decides the order of sets.
fn python_json(item: &Json) -> String {
    match item {
        Json::Array(items) => format!("[{}]", items.iter().map(python_json).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble| char::from_digit(u32::from(nibble), 16).expect("a nibble");
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
