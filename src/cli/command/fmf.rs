//! `atex fmf show`: shows nodes of the metadata tree with their data.

use atex_fmf::context::Context;
use atex_fmf::{Chain, Node, Selection, Tree};
use clap::{Args, Subcommand};

use crate::cli::args::values;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::error::suggest::did_you_mean;
use crate::cli::output::Out;
use crate::cli::output::yaml;
use crate::report::Exit;
use crate::report::palette::paint;
use crate::report::text::{harmless, pad, width};

/// Look at fmf metadata
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: atex fmf show --filter tag:smoke")]
pub(crate) enum FmfCommand {
    Show(FmfShowArgs),
}

/// Show fmf nodes with their data, after inheritance and adjust
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex fmf show                         all leaves, as they are before adjust
  atex fmf show -c distro=rhel-9        after adjust rules
  atex fmf show /tests/upload --origin  one node, and where each value comes from
  atex fmf show --name /tests/ --json   for scripts")]
pub(crate) struct FmfShowArgs {
    /// Nodes by their full names, leaves or not [default: all leaves]
    #[arg(value_name = "NAME")]
    pub(crate) nodes: Vec<String>,

    /// Also show where each value comes from: files and lines, merges and adjust rules that made it
    #[arg(long)]
    pub(crate) origin: bool,

    /// Also nodes that are not leaves
    #[arg(long)]
    pub(crate) whole: bool,

    /// Only nodes whose name this regular expression finds (repeatable)
    #[arg(long = "name", value_name = "REGEX")]
    pub(crate) names: Vec<String>,

    /// Only nodes that this fmf filter selects (repeatable)
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,

    /// Only nodes for which this Python expression holds (repeatable)
    #[arg(long = "condition", value_name = "EXPR")]
    pub(crate) conditions: Vec<String>,

    /// Only nodes that have this key (repeatable)
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// Apply adjust rules for this dimension of the context (repeatable)
    #[arg(short = 'c', long = "context", value_name = "DIM=VALUE[,VALUE]")]
    pub(crate) context: Vec<String>,

    /// Apply adjust rules, also without a context
    #[arg(long)]
    pub(crate) adjust: bool,
}

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
        // A node that was named is shown whether it is a leaf or not.
        whole: args.whole || !args.nodes.is_empty(),
        names: args.names.clone(),
        keys: args.keys.clone(),
        filters: args.filters.clone(),
        conditions: args.conditions.clone(),
    };
    let nodes = tree.prune(&selection)?;
    for name in &args.nodes {
        if !nodes.iter().any(|node| node.name() == name) {
            return Err(no_such_node(name, &tree, &nodes));
        }
    }
    let wanted = |node: &&Node<'_>| args.nodes.is_empty() || args.nodes.iter().any(|name| name == node.name());
    let nodes: Vec<Node<'_>> = nodes.iter().filter(wanted).copied().collect();
    if settings.json {
        let write = if args.origin {
            Node::write_json_with_origins
        } else {
            Node::write_json
        };
        out.lines(&nodes, |&node, line| {
            write(node, line);
            Ok(())
        })?;
        return Ok(Exit::Passed);
    }
    for (index, node) in nodes.into_iter().enumerate() {
        if index > 0 {
            out.line("")?;
        }
        print_text(node, args.origin, out)?;
    }
    Ok(Exit::Passed)
}

/// Returns the error about a node that was asked for and is missing, either in the tree or among the nodes that the other options
/// select.
fn no_such_node(name: &str, tree: &Tree, selected: &[Node<'_>]) -> CliError {
    if tree.find(name).is_some() {
        return CliError::nothing(format!("the node `{name}` is not among those selected"));
    }
    let error = CliError::nothing(format!("no node is called `{name}`"));
    match did_you_mean(name, selected.iter().map(|node| node.name())) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn print_text(node: Node<'_>, with_origins: bool, out: &mut Out) -> Result<(), CliError> {
    let palette = out.palette;
    out.line(paint(palette.bold, harmless(node.name())))?;
    let keys: Vec<String> = node
        .data()
        .keys()
        .map(|key| harmless(&key.to_python_str()).into_owned())
        .collect();
    let columns = keys.iter().map(|key| width(key)).max().unwrap_or(0);
    for (shown, (key, value)) in keys.iter().zip(node.data().iter()) {
        let shown = paint(palette.reused, pad(shown, columns));
        let mut lines = yaml::lines(value).into_iter();
        let first = lines.next().unwrap_or_default();
        let origins = key
            .as_str()
            .filter(|_| with_origins)
            .map(|key| harmless(&Chain(&node.origins(key)).to_string()).into_owned());
        match origins.filter(|chain| !chain.is_empty()) {
            Some(chain) => out.line(format_args!("  {shown}  {first}   {}", paint(palette.dim, chain)))?,
            None => out.line(format_args!("  {shown}  {first}"))?,
        }
        for line in lines {
            out.line(format!("  {:columns$}  {line}", "").trim_end())?;
        }
        let parts = key.as_str().filter(|_| with_origins).map(|key| node.parts(key));
        for (key, origin) in parts.unwrap_or_default() {
            let part = format!("{}  {}", key.to_python_str(), Chain(&[origin]));
            let part = paint(palette.dim, harmless(&part));
            out.line(format_args!("  {:columns$}    {part}", ""))?;
        }
    }
    let sources: Vec<_> = node.sources().into_iter().map(|path| path.to_string_lossy()).collect();
    out.line(paint(palette.dim, format!("  {}", harmless(&sources.join(", ")))))
}
