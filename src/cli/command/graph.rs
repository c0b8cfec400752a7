//! `atex graph`: draws the graph that plans compile to.

use atex_cache::Store;
use atex_graph::{NodeId, render};
use clap::{Args, ValueEnum};

use crate::cli::args::shared::{CompileArgs, SelectArgs, SutArgs};
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::cli::request::{compile_request, unusable};
use crate::exec::record::observed_inputs;
use crate::host::clock::unix_now;
use crate::report::{Exit, human};

/// Show the graph that plans compile to
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex graph                            all plans, as a tree
  atex graph /plans/hello               one plan
  atex graph --format dot > graph.dot   for Graphviz")]
pub(crate) struct GraphArgs {
    /// Plans by name, or regular expressions [default: all]
    #[arg(value_name = "PLAN")]
    pub(crate) plans: Vec<String>,

    /// How to draw it
    #[arg(long, value_enum, default_value_t = GraphFormat::Tree)]
    pub(crate) format: GraphFormat,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    pub(crate) sut: SutArgs,
}

/// The forms of a drawn graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Text
    Tree,
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
    /// JSON
    Json,
}

/// Draws the graph. In the tree format, each node has its short key, and the age of its record if there is one.
pub(crate) fn run(args: GraphArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let request = compile_request::inspect(args.plans, args.select, &args.compile, &args.sut, settings)?;
    let store = Store::open_read_only(&settings.cache_dir()?)?;
    let mut workload = compile_request::compiled(&request, &store, settings)?;
    observed_inputs::settle(&mut workload, &store);
    unusable::tell(&workload.unusable, settings);
    let exit = if workload.unusable.is_empty() {
        Exit::Passed
    } else {
        Exit::Usage
    };
    let (graph, nothing) = (&workload.graph, |_: NodeId| None);
    let format = if settings.json { GraphFormat::Json } else { args.format };
    let text = match format {
        GraphFormat::Json => {
            out.json(&render::json(graph))?;
            unusable::print(&workload.unusable, out)?;
            return Ok(exit);
        }
        GraphFormat::Dot => render::dot(graph, nothing),
        GraphFormat::Mermaid => render::mermaid(graph, nothing),
        GraphFormat::Tree => {
            let now = unix_now();
            render::tree(graph, |id| {
                let key = graph.node(id).key();
                let record = store.peek(key).ok().flatten();
                let age = record.map(|record| human::age(now.saturating_sub(record.started)));
                Some(match age {
                    Some(age) => format!("{} recorded {age}", key.short()),
                    None => key.short(),
                })
            })
        }
    };
    out.bytes(text.as_bytes())?;
    Ok(exit)
}
