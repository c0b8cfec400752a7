//! `atex fmf show`: nodes of the metadata tree with their data.

use crate::cli::args::inspect::{FmfCommand, FmfShowArgs};
use crate::cli::error::CliError;
use crate::cli::out::Out;
use crate::cli::settings::Settings;
use crate::cli::values;
use crate::fmf::context::Context;
use crate::fmf::{Map, Node, Selection, Tree, Value};
use crate::report::Exit;
use crate::report::palette::paint;
use crate::report::text::{harmless, pad, width};

/// Runs a command on the metadata.
pub(crate) fn run(command: &FmfCommand, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    match command {
        FmfCommand::Show(args) => show(args, settings, out),
    }
}

fn show(args: &FmfShowArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let mut context = Context::new();
    for text in &args.context {
        let (dimension, values) = values::dimension(text)?;
        context.set(&dimension, &values);
    }
    let mut tree = Tree::load(settings.tree_root()?)?;
    if args.adjust || !context.is_empty() {
        tree = tree.adjusted(&context)?;
    }
    let selection = Selection {
        whole: args.whole,
        names: args.names.clone(),
        keys: args.keys.clone(),
        filters: args.filters.clone(),
        conditions: args.conditions.clone(),
    };
    for (index, node) in tree.prune(&selection)?.into_iter().enumerate() {
        if settings.json {
            print_json(node, out)?;
            continue;
        }
        if index > 0 {
            out.line("")?;
        }
        print_text(node, out)?;
    }
    Ok(Exit::Passed)
}

/// Prints `{"name": …, "data": …, "sources": […]}`, keys of the data in fmf's order.
fn print_json(node: Node<'_>, out: &mut Out) -> Result<(), CliError> {
    let sources = node
        .sources()
        .into_iter()
        .map(|path| Value::text(path.to_string_lossy()));
    let mut object = Map::with_capacity(3);
    object.insert("name", Value::text(node.name()));
    object.insert("data", Value::Map(node.data().clone().into()));
    object.insert("sources", Value::List(sources.collect::<Vec<_>>().into()));
    let mut line = Vec::new();
    object
        .write_json(&mut line)
        .map_err(|error| CliError::defect(error.to_string()))?;
    line.push(b'\n');
    out.bytes(&line)
}

fn print_text(node: Node<'_>, out: &mut Out) -> Result<(), CliError> {
    let palette = out.palette;
    out.line(paint(palette.bold, harmless(node.name())))?;
    let keys: Vec<String> = node
        .data()
        .keys()
        .map(|key| harmless(&key.to_python_str()).into_owned())
        .collect();
    let columns = keys.iter().map(|key| width(key)).max().unwrap_or(0);
    for (key, value) in keys.iter().zip(node.data().values()) {
        let key = paint(palette.reused, pad(key, columns));
        let text = match value {
            Value::Str(text) if text.trim_end().contains('\n') => block(text, columns + 4),
            value => harmless(&short_yaml(value)).into_owned(),
        };
        out.line(format_args!("  {key}  {text}"))?;
    }
    let sources: Vec<_> = node.sources().into_iter().map(|path| path.to_string_lossy()).collect();
    out.line(paint(palette.dim, format!("  {}", harmless(&sources.join(", ")))))
}

/// Shows a text of several lines as YAML's literal block.
fn block(text: &str, indent: usize) -> String {
    let mut shown = "|".to_owned();
    for line in text.trim_end().split('\n') {
        let line = format!("{:indent$}{}", "", harmless(line));
        shown.push('\n');
        shown.push_str(line.trim_end());
    }
    shown
}

/// Shows a value as YAML on one line.
fn short_yaml(value: &Value) -> String {
    match value {
        Value::Str(text) if is_plain(text) => text.to_string(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(short_yaml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let items = map
                .iter()
                .map(|(key, value)| format!("{}: {}", short_yaml(key), short_yaml(value)));
            format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
        }
        Value::Date(text) => text.to_string(),
        other => {
            let mut json = Vec::new();
            // Writing to memory cannot fail.
            let _infallible = other.write_json(&mut json);
            String::from_utf8_lossy(&json).into_owned()
        }
    }
}

/// Whether a text needs no quotes in YAML's flow style, by a rule that is stricter than YAML's.
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

/// Whether a text is a number with a unit, such as `5m`, and nothing that YAML reads as a number.
fn is_amount(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_unit = !unit.is_empty() && unit.chars().all(char::is_alphabetic);
    unit.len() < text.len() && is_unit && !unit.starts_with(['e', 'E', 'x', 'X', 'o', 'O'])
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(short_yaml(&Value::text(text)), shown);
        }
        let list = Value::List(vec![Value::text("a"), Value::Int(1), Value::Null].into());
        assert_eq!(short_yaml(&list), "[a, 1, null]");
    }
}
