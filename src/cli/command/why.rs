//! `atex why`: explains whether a node would run in a build now, and what has changed since its latest record.

use std::collections::BTreeSet;

use atex_cache::{Record, RecordOutcome, Store};
use atex_fmf::regex::Pattern;
use atex_graph::explain::{Cause, causes, render_causes};
use atex_graph::{Graph, Kind, NodeId, NodeName};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::args::shared::{CompileArgs, SelectArgs, SutArgs};
use crate::cli::args::values;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::error::suggest::nearest_few;
use crate::cli::output::Out;
use crate::cli::output::json::RecordJson;
use crate::cli::request::{compile_request, unusable};
use crate::compile::Unusable;
use crate::compile::spec::Workload;
use crate::exec::options::is_young;
use crate::exec::pending::prepared_tests;
use crate::exec::record::audit::{self, Disagreement};
use crate::exec::record::observed_inputs;
use crate::host::clock::unix_now;
use crate::report::palette::paint;
use crate::report::text::harmless;
use crate::report::{Exit, human};

/// Say why a node would run now, or would not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex why /tests/greeting              what changed since the test's latest record
  atex why 'prepare /plans/hello#2'     a prepare step, named as in `atex graph`")]
pub(crate) struct WhyArgs {
    /// A test or another node, by name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Distrust what stands on an older preparation, as a build with the same option
    #[arg(long, value_name = "AGE")]
    pub(crate) max_age: Option<String>,

    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    pub(crate) sut: SutArgs,
}

/// Why a node runs, or does not run.
enum Verdict {
    /// The node runs in every build.
    Always,
    /// No record exists under any of the node's names.
    New,
    /// The node is recorded under its key.
    Recorded(Record),
    /// The node is recorded under its key, but what it was run on was prepared too long ago.
    Old(Record),
    /// The node is recorded under its key as failed.
    Failed(Record),
    /// The node both passed and failed under its key.
    Differs(Disagreement),
    /// The node's latest record has another key.
    Changed(Record, Vec<Cause>),
}

/// Explains all nodes of the given name.
pub(crate) fn run(args: WhyArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let max_age = args.max_age.as_deref().map(values::age).transpose()?;
    let max_age = max_age.or(settings.config.defaults.max_age);
    let request = compile_request::inspect(Vec::new(), args.select, &args.compile, &args.sut, settings)?;
    let store = Store::open_read_only(&settings.cache_dir()?)?;
    let mut workload = compile_request::compiled(&request, &store, settings)?;
    observed_inputs::settle(&mut workload, &store);
    let prepared = prepared_tests(&workload);
    let found = named(&workload, &args.name);
    let of_name = |unusable: &&Unusable| found.is_err() || unusable.name() == args.name;
    let unusable: Vec<&Unusable> = workload.unusable.iter().filter(of_name).collect();
    if !unusable.is_empty() {
        unusable::tell(unusable, settings);
        return Ok(Exit::Usage);
    }
    for node in found? {
        let verdict = match verdict(&workload, node, &store)? {
            Verdict::Recorded(record) if !is_young(max_age, record.prepared, prepared.contains(&node)) => {
                Verdict::Old(record)
            }
            verdict => verdict,
        };
        if settings.json {
            out.json(&as_json(&workload.graph, node, &verdict))?;
            continue;
        }
        explain(&workload.graph, node, &verdict, out)?;
    }
    Ok(Exit::Passed)
}

/// Finds nodes: by the exact name of a test or node, or else by the beginning of a node's name, or else tests by a regular
/// expression.
fn named(workload: &Workload, name: &str) -> Result<Vec<NodeId>, CliError> {
    let graph = &workload.graph;
    let names = |id: NodeId| graph.node(id).names().iter().map(ToString::to_string);
    let having = |wanted: &dyn Fn(&str) -> bool| -> Vec<NodeId> {
        graph.ids().filter(|&id| names(id).any(|name| wanted(&name))).collect()
    };
    let test = format!("test {name}");
    let in_plan = format!("{test} (");
    let mut found = having(&|full| full == name || full == test || full.starts_with(&in_plan));
    if found.is_empty() {
        let kinds = Kind::ALL.map(Kind::word);
        let names_a_kind = kinds
            .iter()
            .any(|kind| name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' ')));
        found = if names_a_kind {
            having(&|full| full.starts_with(name))
        } else {
            Vec::new()
        };
    }
    if found.is_empty() {
        let pattern = Pattern::new(name).map_err(|error| CliError::usage(error.to_string()))?;
        found = having(&|full| {
            let test = full.strip_prefix("test ");
            test.is_some_and(|test| pattern.search(test).is_ok_and(|found| found))
        });
    }
    if found.is_empty() {
        let tests = workload.tests.iter().map(|test| test.name.clone());
        let known: Vec<String> = graph.ids().flat_map(names).chain(tests).collect();
        let near = nearest_few(name, known.iter().map(String::as_str), 3);
        let hint = match near.as_slice() {
            [] => "`atex graph` shows all names".to_owned(),
            near => format!("did you mean `{}`?", near.join("` or `")),
        };
        return Err(CliError::nothing(format!("no node matches `{name}`")).hint(hint));
    }
    Ok(found)
}

fn verdict(workload: &Workload, id: NodeId, store: &Store) -> Result<Verdict, CliError> {
    let graph = &workload.graph;
    let node = graph.node(id);
    if node.kind() == Kind::Finish {
        return Ok(Verdict::Always);
    }
    if let Some(disagreement) = audit::disagreement(store, node.key()) {
        return Ok(Verdict::Differs(disagreement));
    }
    if let Some(record) = store.peek(node.key())? {
        return Ok(match record.outcome {
            RecordOutcome::Passed => Verdict::Recorded(record),
            RecordOutcome::Failed => Verdict::Failed(record),
        });
    }
    let mut latest: Option<Record> = None;
    for name in names_ever(workload, id) {
        let record = store.latest(&name)?;
        let is_newer = |record: &Record| latest.as_ref().is_none_or(|latest| record.started > latest.started);
        latest = record.filter(is_newer).or(latest);
    }
    let Some(record) = latest else { return Ok(Verdict::New) };
    let lookup = |short: &str| {
        let key = store.resolve(short).ok()?;
        store.inspect(key).ok().flatten().map(|record| record.inputs)
    };
    let causes = causes(graph, id, &record.inputs, lookup);
    Ok(Verdict::Changed(record, causes))
}

/// Returns all names under which the node may have been recorded. Whether a test's name includes its plan depends on what else
/// was compiled with it.
fn names_ever(workload: &Workload, id: NodeId) -> BTreeSet<String> {
    let now = workload.graph.node(id).names().iter().map(ToString::to_string);
    let tests = workload.tests.iter().filter(|test| test.node == id);
    let other = tests.flat_map(|test| {
        let plan = &workload.plan(test.plan).name;
        [NodeName::test(&test.name), NodeName::test_of(plan, &test.name)].map(|name| name.to_string())
    });
    now.chain(other).collect()
}

fn explain(graph: &Graph, id: NodeId, verdict: &Verdict, out: &mut Out) -> Result<(), CliError> {
    let palette = out.palette;
    let node = graph.node(id);
    let ago = |record: &Record| human::age(unix_now().saturating_sub(record.started));
    let sentence = match verdict {
        Verdict::Always => "runs whenever its plan ran: finish is never reused".to_owned(),
        Verdict::New => "runs: there is no record of it".to_owned(),
        Verdict::Recorded(record) if node.kind() == Kind::Prepare => format!(
            "does not run on a SUT that has it in its state: its inputs are those of {}, on {}",
            ago(record),
            record.sut
        ),
        Verdict::Recorded(record) => format!(
            "does not run: it passed {} on {}, with the same inputs",
            ago(record),
            record.sut
        ),
        Verdict::Old(record) => {
            let since = match record.prepared {
                Some(at) => human::age(unix_now().saturating_sub(at)),
                None => "at a time that nobody knows".to_owned(),
            };
            format!(
                "runs: what it stood on when it passed {} on {} was prepared {since}, which is too old",
                ago(record),
                record.sut
            )
        }
        Verdict::Differs(Disagreement { passed, failed }) => {
            let ago = |then: &u64| human::age(unix_now().saturating_sub(*then));
            format!(
                "runs: with these inputs it passed {} and failed {}, so it is flaky, and not taken from the cache until an input changes",
                ago(passed),
                ago(failed)
            )
        }
        Verdict::Failed(record) => format!("runs: it failed {} on {}", ago(record), record.sut),
        Verdict::Changed(record, _) => format!("runs: since {} on {} this changed", ago(record), record.sut),
    };
    out.line(format_args!(
        "{}  {}",
        paint(palette.bold, harmless(node.label())),
        harmless(&sentence)
    ))?;
    if let Verdict::Changed(_, causes) = verdict {
        for line in render_causes(graph, id, causes).lines() {
            out.line(format_args!("  {line}"))?;
        }
    }
    Ok(())
}

fn as_json(graph: &Graph, id: NodeId, verdict: &Verdict) -> Value {
    let node = graph.node(id);
    let names: Vec<_> = node.names().iter().map(ToString::to_string).collect();
    let (word, runs, record, causes) = match verdict {
        Verdict::Always => ("always", true, None, &[][..]),
        Verdict::New => ("new", true, None, &[][..]),
        Verdict::Recorded(record) => ("recorded", false, Some(record), &[][..]),
        Verdict::Old(record) => ("old", true, Some(record), &[][..]),
        Verdict::Differs(_) => ("differs", true, None, &[][..]),
        Verdict::Failed(record) => ("failed", true, Some(record), &[][..]),
        Verdict::Changed(record, causes) => ("changed", true, Some(record), &causes[..]),
    };
    let causes: Vec<_> = causes
        .iter()
        .map(|cause| json!({"node": &**graph.node(cause.node).label(), "changes": cause.changes}))
        .collect();
    json!({
        "node": names, "key": node.key(), "runs": runs, "reason": word,
        "record": record.map(|record| RecordJson::from(record.summary())), "causes": causes,
    })
}
