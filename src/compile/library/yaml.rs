//! Writes metadata as the simple YAML that beakerlib's own reader understands: a line for each key and item, and quotes only where
//! YAML needs them.

use atex_fmf::{Map, Value};

use crate::compile::metadata::read::scalar;

/// Returns a mapping as a document.
pub(crate) fn text(data: &Map) -> String {
    let mut out = String::new();
    mapping(data, 0, &mut out);
    out
}

fn mapping(map: &Map, depth: usize, out: &mut String) {
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            indent(depth, out);
        }
        leaf(&Value::from(key.to_python_str()), out);
        out.push(':');
        match value {
            Value::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                indent(depth + 1, out);
                mapping(inner, depth + 1, out);
            }
            Value::List(items) if !items.is_empty() => {
                out.push('\n');
                list(items, depth, out);
            }
            value => {
                out.push(' ');
                leaf(value, out);
                out.push('\n');
            }
        }
    }
}

fn list(items: &[Value], depth: usize, out: &mut String) {
    for item in items {
        indent(depth, out);
        out.push_str("- ");
        match item {
            Value::Map(inner) if !inner.is_empty() => mapping(inner, depth + 1, out),
            item => {
                leaf(item, out);
                out.push('\n');
            }
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Writes a value in one line: JSON, which is YAML, and a plain text without quotes.
fn leaf(value: &Value, out: &mut String) {
    match value {
        Value::Str(text) if is_plain(text) => out.push_str(text),
        Value::Date(_) => Value::from(scalar(value).unwrap_or_default()).write_json(out),
        value => value.write_json(out),
    }
}

/// Returns whether YAML reads a text without quotes as that text.
fn is_plain(text: &str) -> bool {
    const OTHER: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.:()+@-".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.bytes().all(plain)
        && !text.ends_with(':')
        && !OTHER.contains(&&*text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use atex_fmf::Tree;

    #[test]
    fn what_is_written_is_read_again_and_simple_where_it_can_be() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |text: &str| {
            fs::create_dir_all(dir.path().join(".fmf")).expect("made");
            fs::write(dir.path().join(".fmf/version"), "1\n").expect("written");
            fs::write(dir.path().join("main.fmf"), text).expect("written");
        };
        let read = || {
            Tree::load(dir.path())
                .expect("a tree")
                .find("/")
                .expect("a root")
                .data()
                .clone()
        };
        write(
            "require: [library(a/b), make, {url: 'https://h/x', name: /l, deep: {er: [1, {x: null}]}}, 'true', '']\n\
             summary: \"a: b # c\\n\"\nempty: []\nnone: {}\nnumber: 1.5\nflag: false\n'odd key': x\nlists: [[a, b], [c]]\n",
        );
        let data = read();
        let text = super::text(&data);
        assert!(
            text.starts_with("require:\n- library(a/b)\n- make\n- url: https://h/x\n  name: /l\n"),
            "{text}"
        );
        write(&text);
        let (mut before, mut after) = (String::new(), String::new());
        data.write_json(&mut before);
        read().write_json(&mut after);
        assert_eq!(before, after, "{text}");
    }
}
