//! The text of the file that `TMT_TEST_METADATA` names.
//!
//! A test with the interface `atex` gets its metadata with one line per key, each value in flow style, which is JSON. One with the interface
//! `tmt` gets what tmt writes: all keys that tmt fills in, by name, in block style, so that a line such as `tier: '1'` is found by the same
//! pattern. The plan's context is not in it, because it is no part of the test's key.

use std::borrow::Cow;

use atex_fmf::{Map, Node, Value};

use crate::compile::metadata::test_defaults;

/// Words that YAML reads as something else than text.
const WORDS: [&str; 11] = [
    "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf",
];

/// Returns it for a test with the interface `atex`.
pub(crate) fn for_atex(name: &str, data: &Map) -> String {
    let mut out = String::new();
    let mut line = |key: &str, value: &Value| {
        let plain = key
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '-' || character == '_');
        if plain && key.starts_with(|first: char| first.is_ascii_alphabetic()) {
            out.push_str(key);
        } else {
            Value::from(key).write_json(&mut out);
        }
        out.push_str(": ");
        value.write_json(&mut out);
        out.push('\n');
    };
    line("name", &Value::from(name));
    for (key, value) in data.iter().filter(|(key, _)| key.as_str() != Some("name")) {
        line(&key.to_python_str(), value);
    }
    out
}

/// Returns it for a test with the interface `tmt`.
pub(crate) fn for_tmt(node: Node<'_>) -> String {
    let said = test_defaults::said(node);
    let mut out = String::with_capacity(1024);
    let mut unsaid: Vec<_> = test_defaults::unsaid(&said).collect();
    unsaid.sort_unstable();
    let mut unsaid = unsaid.into_iter().peekable();
    let line = |(key, text): (&str, Cow<'_, str>), out: &mut String| {
        out.extend([key, ": ", &text, "\n"]);
    };
    for (key, value) in by_key(&said)
        .into_iter()
        .filter(|(key, value)| !value.is_null() || !test_defaults::is_filled_in(key))
    {
        while let Some(default) = unsaid.next_if(|(before, _)| *before < &*key) {
            line(default, &mut out);
        }
        write_text(&key, &mut out);
        out.push(':');
        write_value(value, 0, &mut out);
    }
    unsaid.for_each(|default| line(default, &mut out));
    out
}

/// Returns the items of a mapping in the order of their keys.
fn by_key(map: &Map) -> Vec<(Cow<'_, str>, &Value)> {
    let mut items = Vec::with_capacity(map.len());
    for (key, value) in map.iter() {
        let key = key.as_str().map_or_else(|| key.to_python_str().into(), Cow::Borrowed);
        items.push((key, value));
    }
    items.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    items
}

/// Writes a mapping that is not empty, where a line begins, by key.
fn write_map(map: &Map, depth: usize, out: &mut String) {
    for (number, (key, value)) in by_key(map).into_iter().enumerate() {
        if number > 0 {
            indent(depth, out);
        }
        write_text(&key, out);
        out.push(':');
        write_value(value, depth, out);
    }
}

/// Writes a value behind its key, with the end of the line.
fn write_value(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Map(map) if !map.is_empty() => {
            out.push('\n');
            indent(depth + 1, out);
            write_map(map, depth + 1, out);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            for item in items.iter() {
                indent(depth, out);
                out.push('-');
                write_item(item, depth, out);
            }
        }
        Value::Str(text) => {
            out.push(' ');
            write_text(text, out);
            out.push('\n');
        }
        other => {
            out.push(' ');
            other.write_json(out);
            out.push('\n');
        }
    }
}

/// Writes an item of a list behind its dash.
fn write_item(item: &Value, depth: usize, out: &mut String) {
    match item {
        Value::Map(map) if !map.is_empty() => {
            out.push(' ');
            write_map(map, depth + 1, out);
        }
        // A list in a list is rare, and is the same in flow style.
        Value::List(_) => {
            out.push(' ');
            item.write_json(out);
            out.push('\n');
        }
        other => write_value(other, depth, out),
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Writes a text plain where that is read as the same text, else between single quotes, else as JSON.
fn write_text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
    } else if text.chars().any(char::is_control) {
        Value::from(text).write_json(out);
    } else {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    }
}

/// Returns whether a text can stand without quotes; `false` also for some that could.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let begins = first.is_alphanumeric() || matches!(first, '/' | '_' | '$' | '(' | '^') || text.starts_with("./");
    let is_word = !WORDS.contains(&text.to_lowercase().as_str());
    // A number, a date and a time have digits and few letters in them; `5m` has another one.
    let is_number = first.is_numeric()
        && (text.starts_with("0x")
            || text.as_bytes().get(4) == Some(&b'-')
            || !text
                .chars()
                .any(|letter| letter.is_alphabetic() && !matches!(letter, 'e' | 'E' | 'o' | 'b')));
    let ends = !text.ends_with([':', ' ']);
    let within = !text.contains(": ") && !text.contains(" #") && !text.chars().any(char::is_control);
    begins && is_word && !is_number && ends && within
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts that YAML must give back as they are, and how they are written.
    #[test]
    fn texts_are_read_back_as_they_are() {
        let texts = [
            ("5m", "5m"),
            ("1h 30m", "1h 30m"),
            ("respect", "respect"),
            ("/a/b", "/a/b"),
            ("./run.sh --x", "./run.sh --x"),
            ("1", "'1'"),
            ("1e5", "'1e5'"),
            ("0x1f", "'0x1f'"),
            ("0o17", "'0o17'"),
            ("12:30:00", "'12:30:00'"),
            ("2024-01-01", "'2024-01-01'"),
            ("2024-01-01T10:20:30Z", "'2024-01-01T10:20:30Z'"),
            ("True", "'True'"),
            ("no", "'no'"),
            ("", "''"),
            ("it's: so", "'it''s: so'"),
            ("a # b", "'a # b'"),
            ("- a", "'- a'"),
            ("a:", "'a:'"),
            ("two\nlines", "\"two\\nlines\""),
            ("&x", "'&x'"),
            (".inf", "'.inf'"),
            ("~", "'~'"),
        ];
        for (text, written) in texts {
            let mut out = String::new();
            write_text(text, &mut out);
            assert_eq!(out, written);
            let read: serde_json::Value = serde_yaml::from_str(&out).unwrap();
            assert_eq!(read, text, "{out}");
        }
    }

    #[test]
    fn lists_and_mappings_are_in_block_style() {
        let inner = Map::from_iter([
            (Value::from("verifies"), Value::from("x")),
            (Value::from("note"), Value::from("why")),
        ]);
        let nested = Map::from_iter([
            (Value::from("b"), Value::from("True")),
            (Value::from("a"), Value::from(Map::new())),
        ]);
        let map = Map::from_iter([
            (
                Value::from("tag"),
                Value::from(vec![Value::from("x"), Value::from("7")]),
            ),
            (Value::from("link"), Value::from(vec![Value::from(inner)])),
            (Value::from("environment"), Value::from(nested)),
            (Value::from("check"), Value::from(Vec::new())),
            (Value::from("order"), Value::from(50)),
            (Value::from("id"), Value::Null),
        ]);
        let mut out = String::new();
        write_map(&map, 0, &mut out);
        let expected = "check: []\nenvironment:\n  a: {}\n  b: 'True'\nid: null\nlink:\n- note: why\n  verifies: x\norder: 50\ntag:\n- x\n- '7'\n";
        assert_eq!(out, expected);
    }
}
