//! `atex fmf show`: nodes of the metadata tree with their data.

use super::yaml;
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
        let mut lines = yaml::lines(value).into_iter();
        out.line(format_args!("  {key}  {}", lines.next().unwrap_or_default()))?;
        for line in lines {
            out.line(format!("  {:columns$}  {line}", "").trim_end())?;
        }
    }
    let sources: Vec<_> = node.sources().into_iter().map(|path| path.to_string_lossy()).collect();
    out.line(paint(palette.dim, format!("  {}", harmless(&sources.join(", ")))))
}
