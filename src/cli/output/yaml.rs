//! Renders values as YAML for people: on one line if they are short, and in blocks otherwise. Every line is harmless.

use atex_fmf::Value;

use crate::report::text::{harmless, width};

/// A value that takes more columns than this on one line becomes a block.
const SHORT: usize = 72;

/// Returns a value as lines, of which there is at least one.
pub(crate) fn lines(value: &Value) -> Vec<String> {
    if let Value::Str(text) = value
        && text.trim_end().contains('\n')
    {
        let text = text
            .trim_end()
            .split('\n')
            .map(|line| format!("  {}", harmless(line)).trim_end().to_owned());
        return std::iter::once("|".to_owned()).chain(text).collect();
    }
    let line = harmless(&flow(value)).into_owned();
    let is_short = width(&line) <= SHORT && !has_block(value);
    match value {
        Value::List(items) if !is_short => items.iter().flat_map(|item| hung("- ", "  ", lines(item))).collect(),
        Value::Map(map) if !is_short => map
            .iter()
            .flat_map(|(key, value)| entry(&flow(key), lines(value)))
            .collect(),
        _ => vec![line],
    }
}

/// Returns whether a value contains a text of several lines.
fn has_block(value: &Value) -> bool {
    match value {
        Value::Str(text) => text.trim_end().contains('\n'),
        Value::List(items) => items.iter().any(has_block),
        Value::Map(map) => map.values().any(has_block),
        _ => false,
    }
}

/// Puts `key:` before the lines of its value.
fn entry(key: &str, value: Vec<String>) -> Vec<String> {
    let key = harmless(key);
    match value.as_slice() {
        [line] => vec![format!("{key}: {line}")],
        [first, ..] if first == "|" => hung(&format!("{key}: "), "", value),
        _ => std::iter::once(format!("{key}:"))
            .chain(hung("  ", "  ", value))
            .collect(),
    }
}

/// Puts `first` before the first line and `next` before the others.
fn hung(first: &str, next: &str, lines: Vec<String>) -> Vec<String> {
    let before = std::iter::once(first).chain(std::iter::repeat(next));
    before
        .zip(lines)
        .map(|(before, line)| format!("{before}{line}").trim_end().to_owned())
        .collect()
}

/// Returns a value as YAML on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Str(text) if is_plain(text) => text.to_string(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let items = map.iter().map(|(key, value)| format!("{}: {}", flow(key), flow(value)));
            format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
        }
        Value::Date(text) => text.to_string(),
        other => {
            let mut json = String::new();
            other.write_json(&mut json);
            json
        }
    }
}

/// Returns whether a text needs no quotes in YAML's flow style, by a rule that is stricter than YAML's.
fn is_plain(text: &str) -> bool {
    let safe = |c: char| {
        c.is_alphanumeric()
            || matches!(
                c,
                ' ' | '_' | '-' | '.' | '/' | '+' | '(' | ')' | '=' | '$' | ';' | '~' | '^' | '<'
            )
    };
    let starts_well = text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '.' | '_' | '$'));
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | ".nan" | ".inf"
    );
    (starts_well || is_amount(text)) && text.chars().all(safe) && !text.ends_with(' ') && !is_word
}

/// Returns whether a text is a number with a unit, such as `5m`, and nothing that YAML reads as a number.
fn is_amount(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_unit = !unit.is_empty() && unit.chars().all(char::is_alphabetic);
    unit.len() < text.len() && is_unit && !unit.starts_with(['e', 'E', 'x', 'X', 'o', 'O'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use atex_fmf::Map;

    #[test]
    fn only_texts_that_yaml_reads_back_are_shown_without_quotes() {
        for (text, shown) in [
            ("./test.sh --all", "./test.sh --all"),
            ("Größe", "Größe"),
            ("true", "\"true\""),
            ("12", "\"12\""),
            ("5m", "5m"),
            ("1e5", "\"1e5\""),
            ("0x1f", "\"0x1f\""),
            ("a: b", "\"a: b\""),
            ("", "\"\""),
            ("[x", "\"[x\""),
        ] {
            assert_eq!(flow(&Value::text(text)), shown);
        }
        let list = Value::List(vec![Value::text("a"), Value::Int(1), Value::Null].into());
        assert_eq!(flow(&list), "[a, 1, null]");
    }

    #[test]
    fn what_is_long_or_has_several_lines_becomes_blocks() {
        let mut phase = Map::new();
        phase.insert("how", Value::text("shell"));
        phase.insert("script", Value::text("one\n\n  two\x1b\n"));
        phase.insert("order", Value::Int(10));
        let long = Value::List(vec![Value::text("a".repeat(50)), Value::text("b".repeat(50))].into());
        phase.insert("list", long);
        let list = Value::List(vec![Value::text("x"), Value::Map(phase.into())].into());
        let block = lines(&list).join("\n");
        insta::assert_snapshot!(block, @r"
        - x
        - how: shell
          script: |
            one

              two\x1b
          order: 10
          list:
            - aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
            - bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
        ");
    }
}
