//! `--dry-run`: shows what would run, in order, and what is taken from the cache, without touching anything.

use atex_graph::Need;

use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::compile::spec::Workload;
use crate::exec::options::Options;
use crate::exec::pending::PendingWork;
use crate::report::Exit;
use crate::report::palette::paint;
use crate::report::text::{harmless, pad};

/// Shows every node that the run needs, each after the nodes that it waits for.
pub(super) fn show(
    (work, pending, options): (&Workload, &PendingWork, &Options),
    settings: &Settings,
    out: &mut Out,
) -> Result<Exit, CliError> {
    for &id in work.graph.topological() {
        let node = work.graph.node(id);
        let (word, style) = match pending.need(work, options, id) {
            Need::Unneeded => continue,
            Need::Reuse => ("cached", out.palette.reused),
            Need::Run => ("run", out.palette.good),
        };
        if settings.json {
            let line = serde_json::json!({ "node": node.label().as_ref(), "key": node.key(), "action": word });
            out.json(&line)?;
        } else {
            let name = harmless(node.label()).into_owned();
            let key = paint(out.palette.dim, node.key().short());
            out.line(format_args!("{}  {key}  {name}", paint(style, pad(word, 6))))?;
        }
    }
    Ok(if work.unusable.is_empty() {
        Exit::Passed
    } else {
        Exit::Usage
    })
}
