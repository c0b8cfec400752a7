//! Selects and reads plans: which nodes are plans, which of them were asked for, and what they say.

pub(crate) mod context;
pub(crate) mod environment;
pub(crate) mod environment_file;
mod expansion;
pub(crate) mod inline_tests;
pub(crate) mod phase_names;
pub(crate) mod phases;
pub(crate) mod probe;
pub(crate) mod sections;
pub(crate) mod test_selection;

use std::sync::Arc;

use atex_fmf::{Map, Node, Tree, Value};

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::how::StepKind;
use crate::compile::inputs::Globs;
use crate::compile::metadata::location::ValueOrigin;
use crate::compile::metadata::names::{any_found, nearest};
use crate::compile::metadata::read::{NodeReader, ORDER, order};
use crate::compile::metadata::trees::{AdjustedTree, TreeId, Trees};
use crate::compile::metadata::unsupported::{self, Ignored};
use crate::compile::spec::{Interface, Request, Warning};
use crate::compile::test::interface;
use crate::compile::unusable::Unusable;
use context::Dimensions;
use environment::{Variables, merged, of_command_line};
use expansion::Expansion;
use phases::Phase;
use sections::Section;

/// The name that tmt gives to the plan of a tree without plans.
const DEFAULT_NAME: &str = "/default/plan";

/// A plan that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    /// By what the rules of its tests and phases are decided.
    pub(crate) context: Dimensions,
    pub(crate) environment: Variables,
    pub(crate) prepare: Vec<Phase>,
    pub(crate) finish: Vec<Phase>,
    pub(crate) sections: Vec<Section>,
    /// The command of the probe, and where it is written.
    pub(crate) probe: Option<(String, ValueOrigin)>,
    /// `extra-atex-inputs`, which replaces the files that prepare steps depend on.
    pub(crate) globs: Option<Globs>,
    /// `extra-atex-interface`: of its tests that say nothing else.
    pub(crate) interface: Option<Interface>,
    /// `extra-atex-shared-tree`.
    pub(crate) shared_tree: bool,
    /// The plan's metadata as JSON text.
    pub(crate) data: String,
    pub(crate) origin: Option<String>,
}

impl Plan {
    /// Returns whether something of the plan must be fetched.
    pub(crate) fn is_remote(&self) -> bool {
        self.sections.iter().any(|section| section.source.is_remote())
    }

    /// Returns the trees of the slot and their places in it. A plan without sections still has scripts, which run in its own
    /// tree.
    pub(crate) fn places(&self, trees: &Trees) -> Vec<(TreeId, String)> {
        if self.sections.is_empty() {
            return vec![(TreeId::OWN, String::new())];
        }
        self.sections
            .iter()
            .map(|section| (trees.of(&section.source), section.prefix()))
            .collect()
    }
}

/// Selects plans by name and reads them, in tmt's order: by `order`, and then in fmf's order.
pub(crate) fn select(
    own: AdjustedTree<'_>,
    request: &Request,
    (warnings, unusable): (&mut Vec<Warning>, &mut Vec<Unusable>),
) -> Result<Vec<Plan>, CompileError> {
    let tree = own.tree;
    let mut all: Vec<(i64, Node<'_>)> = Vec::new();
    let mut ignored = Ignored::default();
    for node in tree.climb(false) {
        if is_plan(node) {
            // What is wrong with the order of a plan is said of the plan when it is read.
            all.push((order(tree, node, "plan").unwrap_or(ORDER), node));
        } else if node.has_key("plan") && unsupported::imports(node) {
            ignored.import(tree, node);
        }
    }
    all.sort_by_key(|(order, _)| *order);
    if all.is_empty() {
        warnings.extend(ignored.into_warnings());
        return default_plan(request);
    }
    let nodes: Vec<Node<'_>> = all.into_iter().map(|(_, node)| node).collect();
    let chosen = choose(tree, &nodes, &request.plans)?;
    let chosen = nodes.into_iter().zip(chosen).filter(|(_, chosen)| *chosen);
    let chosen: Vec<Node<'_>> = chosen.map(|(node, _)| node).collect();
    for node in &chosen {
        ignored.plan(tree, *node);
    }
    warnings.extend(ignored.into_warnings());
    let mut plans = Vec::with_capacity(chosen.len());
    for node in chosen {
        let known = warnings.len();
        let read = match own.failure(node) {
            Some(error) => Err(error),
            None => read(tree, node, request, warnings).map_err(Arc::new),
        };
        match read {
            Ok(plan) => plans.push(plan),
            Err(error) => {
                warnings.truncate(known);
                unusable.push(Unusable::plan(node.name(), error));
            }
        }
    }
    Ok(plans)
}

/// Returns whether a node is a plan. A node with `execute` is one even if it is a test, too; its plan may then find itself.
fn is_plan(node: Node<'_>) -> bool {
    node.has_key("execute") || node.has_key("discover") && !node.has_key("test")
}

/// Returns for each plan whether it was asked for: by its exact name or, if it is enabled, by a regex. Without any names, all
/// enabled plans are.
fn choose(tree: &Tree, plans: &[Node<'_>], names: &[String]) -> Result<Vec<bool>, CompileError> {
    let enabled = |node: &Node<'_>| NodeReader::new(tree, *node).scope("plan").flag("enabled", true);
    if names.is_empty() {
        return Ok(plans.iter().map(enabled).collect());
    }
    let mut chosen = vec![false; plans.len()];
    for name in names {
        if let Some(exact) = plans.iter().position(|plan| plan.name() == name) {
            chosen[exact] = true;
            continue;
        }
        let (mut any, mut disabled) = (false, Vec::new());
        for (plan, chosen) in plans.iter().zip(&mut chosen) {
            if !any_found(std::slice::from_ref(name), plan.name())? {
                continue;
            }
            if enabled(plan) {
                (*chosen, any) = (true, true);
            } else {
                disabled.push(plan.name().to_owned());
            }
        }
        if !any {
            let nearest = nearest(name, plans.iter().map(|plan| plan.name()));
            return Err(CompileError::UnknownPlan {
                name: name.clone(),
                nearest,
                disabled,
            });
        }
    }
    Ok(chosen)
}

fn read(tree: &Tree, node: Node<'_>, request: &Request, warnings: &mut Vec<Warning>) -> Result<Plan, CompileError> {
    let written = NodeReader::new(tree, node).scope("plan");
    written.integer("order", ORDER)?;
    let dimensions = context::of_plan(&written, request)?;
    let context = context::for_rules(&dimensions);
    let files = environment_file::of_plan(&written, tree.root(), warnings)?;
    let own = environment::read(&written, true)?;
    let known = merged(&merged(&files, &own), &of_command_line(&request.environment));
    let expansion = Expansion::new(&known, &request.secrets.names, &dimensions);
    let expanded = node.data().with_texts(&|text| expansion.text(text));
    let own = own
        .iter()
        .map(|(name, variable)| (name.clone(), expansion.of_variable(variable)));
    let environment = merged(&files, &own.collect());
    if expansion.is_too_long() {
        return Err(written.error("environment", MetadataProblem::Expansion));
    }
    let scope = written.over(expanded.as_ref().unwrap_or(node.data()));
    let sections = sections::read(&scope, &context, warnings)?;
    let prepare = phases::read(&scope, StepKind::Prepare, &context, warnings)?;
    let finish = phases::read(&scope, StepKind::Finish, &context, warnings)?;
    let probe = scope.text("extra-atex-probe")?;
    if probe.is_some() && prepare.is_empty() {
        warnings.push(scope.warning(
            "extra-atex-probe",
            "has a probe, but no prepare step that it could be for",
        ));
    }
    Ok(Plan {
        name: node.name().to_owned(),
        enabled: scope.flag("enabled", true),
        context: dimensions,
        environment,
        prepare,
        finish,
        sections,
        probe: probe.map(|probe| (probe, scope.cause("extra-atex-probe"))),
        globs: scope.globs(node.dir())?,
        interface: interface::read(&scope)?,
        shared_tree: scope.boolean("extra-atex-shared-tree", false)?,
        data: json(node.data()),
        origin: scope.origin("execute").or_else(|| scope.origin("discover")),
    })
}

fn default_plan(request: &Request) -> Result<Vec<Plan>, CompileError> {
    for name in &request.plans {
        if name != DEFAULT_NAME && !any_found(std::slice::from_ref(name), DEFAULT_NAME)? {
            let nearest = vec![DEFAULT_NAME.to_owned()];
            return Err(CompileError::UnknownPlan {
                name: name.clone(),
                nearest,
                disabled: Vec::new(),
            });
        }
    }
    let step = |how: &str| Value::from([(Value::from("how"), Value::from(how))].into_iter().collect::<Map>());
    let data: Map = [
        (Value::from("discover"), step("fmf")),
        (Value::from("execute"), step("tmt")),
    ]
    .into_iter()
    .collect();
    Ok(vec![Plan {
        name: DEFAULT_NAME.to_owned(),
        enabled: true,
        context: context::of_request(request),
        environment: Variables::new(),
        prepare: Vec::new(),
        finish: Vec::new(),
        sections: vec![sections::all_tests()],
        probe: None,
        globs: None,
        interface: None,
        shared_tree: false,
        data: json(&data),
        origin: None,
    }])
}

/// Returns a node's data as JSON text, with the keys in fmf's order.
pub(crate) fn json(data: &Map) -> String {
    let mut text = String::new();
    data.write_json(&mut text);
    text
}
