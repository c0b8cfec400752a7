//! Selects and reads plans: which nodes are plans, which of them were asked for, and what they say.

pub(crate) mod context;
pub(crate) mod environment;
pub(crate) mod environment_file;
pub(crate) mod execute;
mod expansion;
pub(crate) mod guests;
pub(crate) mod import;
pub(crate) mod inline_tests;
pub(crate) mod links;
pub(crate) mod modified;
pub(crate) mod phase_names;
pub(crate) mod phases;
pub(crate) mod probe;
pub(crate) mod provision;
pub(crate) mod sections;
pub(crate) mod test_selection;

use std::sync::Arc;

use atex_fmf::{Map, Node, Tree, Value};

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::fetch::Network;
use crate::compile::how::{self, StepKind};
use crate::compile::inputs::Globs;
use crate::compile::metadata::location::ValueOrigin;
use crate::compile::metadata::names::{any_found, nearest};
use crate::compile::metadata::read::{NodeReader, ORDER, order};
use crate::compile::metadata::trees::{AdjustedTree, TreeId, Trees};
use crate::compile::metadata::unsupported::Ignored;
use crate::compile::spec::{ExecuteSpec, Interface, Request, Warning};
use crate::compile::test::interface;
use crate::compile::unusable::Unusable;
use context::Dimensions;
use environment::{Variables, merged, of_command_line};
use environment_file::FileVariables;
use expansion::Expansion;
use import::{Home, Import, Inherited};
use phases::Phase;
use sections::Section;

/// The name that tmt gives to the plan of a tree without plans.
const DEFAULT_NAME: &str = "/default/plan";

/// A plan that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    /// The name of its node, which differs if it is imported.
    pub(crate) written_name: String,
    /// The tree that it comes from.
    pub(crate) home: Home,
    /// What it imports. Others take its place then.
    pub(crate) import: Option<Import>,
    pub(crate) order: i64,
    pub(crate) enabled: bool,
    /// Whether it has an environment file that would have to be fetched, and that was not.
    pub(crate) lacks_pages: bool,
    /// By what the rules of its tests and phases are decided.
    pub(crate) context: Dimensions,
    pub(crate) environment: Variables,
    pub(crate) prepare: Vec<Phase>,
    pub(crate) finish: Vec<Phase>,
    pub(crate) sections: Vec<Section>,
    pub(crate) execute: ExecuteSpec,
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
        let mut phases = self.prepare.iter().chain(&self.finish);
        self.lacks_pages
            || self.import.as_ref().is_some_and(Import::is_remote)
            || self.sections.iter().any(Section::is_remote)
            || phases.any(|phase| how::is_remote(&phase.action))
    }

    /// Returns the patterns of what was modified, if tests are selected by that.
    pub(crate) fn modified(&self) -> Vec<String> {
        let sections = self.sections.iter().filter(|section| section.modified.is_some());
        sections
            .map(|section| section.modified_pattern.clone().unwrap_or_default())
            .collect()
    }

    /// Fetches what the plan's phases need from elsewhere.
    pub(crate) fn fetch(&mut self) -> Result<(), CompileError> {
        for phase in self.prepare.iter_mut().chain(&mut self.finish) {
            how::fetch(&mut phase.action).map_err(|source| CompileError::Phase {
                cause: Box::new(phase.cause.clone()),
                subject: phase.subject.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Returns the trees of the slot and their places in it. A plan without sections still has scripts, which run in its own
    /// tree.
    pub(crate) fn places(&self, trees: &Trees) -> Vec<(TreeId, String)> {
        if self.sections.is_empty() {
            return vec![(self.home.id, String::new())];
        }
        self.sections
            .iter()
            .map(|section| (trees.of(self.home.id, &section.source), section.prefix()))
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
        if is_plan(node) || imports(node) {
            // What is wrong with the order of a plan is said of the plan when it is read.
            all.push((order(tree, node, "plan").unwrap_or(ORDER), node));
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
            None => read((tree, node), request, Inherited::nothing(), Network::Unused, warnings).map_err(Arc::new),
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
pub(crate) fn is_plan(node: Node<'_>) -> bool {
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
            // The names of the plans that it imports are not known yet.
            if imports_below(*plan) && enabled(plan) {
                (*chosen, any) = (true, true);
            }
        }
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

/// Returns whether a node imports plans.
pub(crate) fn imports(node: Node<'_>) -> bool {
    let plan = node.value(import::KEY);
    let map = plan.as_ref().and_then(Value::as_map);
    map.is_some_and(|map| map.contains_key("import"))
}

/// Returns whether a node imports plans that are named below it.
fn imports_below(node: Node<'_>) -> bool {
    let value = node.value(import::KEY);
    let import = value.as_ref().and_then(Value::as_map).and_then(|map| map.get("import"));
    let importing = import
        .and_then(Value::as_map)
        .and_then(|import| import.get("importing"));
    importing.and_then(Value::as_str) == Some("become-parent")
}

/// Puts the plans in order and keeps, of those that are imported, the ones that were asked for.
pub(crate) fn keep_asked_for(
    plans: &mut Vec<Plan>,
    unusable: &[Unusable],
    names: &[String],
) -> Result<(), CompileError> {
    if plans
        .iter()
        .all(|plan| plan.home.importing().is_none() && plan.import.is_none())
    {
        return Ok(());
    }
    plans.sort_by_key(|plan| plan.order);
    let mut kept = vec![names.is_empty(); plans.len()];
    for name in names {
        let is_named = |plan: &Plan| plan.name == *name || plan.home.importing() == Some(name);
        let exact = plans.iter().any(is_named);
        let mut any = false;
        for (plan, kept) in plans.iter().zip(&mut kept) {
            // What a plan imports that is not looked at yet may have any name.
            let found =
                is_named(plan) || plan.import.is_some() || !exact && any_found(std::slice::from_ref(name), &plan.name)?;
            *kept |= found;
            any |= found;
        }
        for unusable in unusable {
            any |= unusable.plan == *name || any_found(std::slice::from_ref(name), &unusable.plan)?;
        }
        if !any {
            return Err(CompileError::UnknownPlan {
                name: name.clone(),
                nearest: nearest(name, plans.iter().map(|plan| plan.name.as_str())),
                disabled: Vec::new(),
            });
        }
    }
    let mut kept = kept.into_iter();
    plans.retain(|_| kept.next() == Some(true));
    Ok(())
}

/// Reads a plan of the request's own tree again, with the pages that it lacks.
pub(crate) fn with_pages(
    own: AdjustedTree<'_>,
    plan: Plan,
    request: &Request,
    warnings: &mut Vec<Warning>,
) -> Result<Plan, CompileError> {
    let Some(node) = own.tree.find(&plan.written_name).filter(|_| plan.lacks_pages) else {
        return Ok(plan);
    };
    let mut said = Vec::new();
    let read = read(
        (own.tree, node),
        request,
        Inherited::nothing(),
        Network::Used,
        &mut said,
    )?;
    said.retain(|warning| !warnings.contains(warning));
    warnings.append(&mut said);
    Ok(read)
}

/// Reads a plan. What it inherits wins over what it says itself.
fn read(
    (tree, node): (&Tree, Node<'_>),
    request: &Request,
    inherited: Inherited,
    network: Network,
    warnings: &mut Vec<Warning>,
) -> Result<Plan, CompileError> {
    let written = NodeReader::new(tree, node).scope("plan");
    let order = written.integer("order", ORDER)?;
    let own_context = context::of_plan(&written, &inherited.context)?;
    let dimensions = context::beneath(&own_context, request);
    let context = context::for_rules(&dimensions);
    let FileVariables { variables: files, left } = environment_file::of_plan(&written, tree.root(), network, warnings)?;
    let own = environment::read(&written, true)?;
    let known = merged(&merged(&files, &own), &inherited.environment);
    let known = merged(&known, &of_command_line(&request.environment));
    let expansion = Expansion::new(&known, &request.secrets.names, &dimensions);
    let expanded = node.data().with_texts(&|text| expansion.text(text));
    let own = own
        .iter()
        .map(|(name, variable)| (name.clone(), expansion.of_variable(variable)));
    let environment = merged(&merged(&files, &own.collect()), &inherited.environment);
    if expansion.is_too_long() {
        return Err(written.error("environment", MetadataProblem::Expansion));
    }
    let scope = written.over(expanded.as_ref().unwrap_or(node.data()));
    let import = import::of_plan(&scope, own_context, warnings)?;
    if import.is_none() {
        guests::check(&scope, &mut |part| phases::applies(part, &context))?;
    }
    let steps = |step, warnings: &mut Vec<Warning>| match &import {
        None => phases::read(&scope, step, &context, warnings),
        Some(_) => Ok(Vec::new()),
    };
    let name = inherited.name.unwrap_or_else(|| node.name().to_owned());
    let mut sections = match &import {
        None => sections::read(&scope, &context, warnings)?,
        Some(_) => Vec::new(),
    };
    for section in &mut sections {
        section.source.name_plan(&name);
    }
    let prepare = steps(StepKind::Prepare, warnings)?;
    let finish = steps(StepKind::Finish, warnings)?;
    let probe = scope.text("extra-atex-probe")?;
    if probe.is_some() && prepare.is_empty() && import.is_none() {
        warnings.push(scope.warning(
            "extra-atex-probe",
            "has a probe, but no prepare step that it could be for",
        ));
    }
    Ok(Plan {
        name,
        written_name: node.name().to_owned(),
        home: inherited.home,
        import,
        order,
        enabled: scope.flag("enabled", true),
        lacks_pages: !left.is_empty(),
        context: dimensions,
        environment,
        prepare,
        finish,
        sections,
        execute: execute::of_plan(&scope)?,
        probe: probe.map(|probe| (probe, scope.cause("extra-atex-probe"))),
        globs: scope.globs(node.dir())?,
        interface: interface::read(&scope)?,
        shared_tree: scope.boolean("extra-atex-shared-tree", false)?,
        data: json(node.data()),
        origin: scope
            .origin("execute")
            .or_else(|| scope.origin("discover"))
            .or_else(|| scope.origin(import::KEY)),
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
        written_name: DEFAULT_NAME.to_owned(),
        home: Home::own(),
        import: None,
        order: ORDER,
        enabled: true,
        lacks_pages: false,
        context: context::of_request(request),
        environment: Variables::new(),
        prepare: Vec::new(),
        finish: Vec::new(),
        sections: vec![sections::all_tests()],
        execute: ExecuteSpec::default(),
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
