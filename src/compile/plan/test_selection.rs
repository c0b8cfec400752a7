//! Selects tests: those that the sections of a plan take, narrowed by the command line.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use atex_fmf::Node;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use crate::compile::error::CompileError;
use crate::compile::metadata::names::{any_found, nearest};
use crate::compile::metadata::read::order;
use crate::compile::metadata::test_defaults::Demands;
use crate::compile::metadata::trees::{AdjustedTree, TreeId, Trees, is_test};
use crate::compile::plan::Plan;
use crate::compile::plan::sections::Section;
use crate::compile::spec::{Narrowing, Warning};
use crate::compile::unusable::{Selection, Unusable};

/// How many nodes one core checks in a row.
const IN_A_ROW: usize = 256;

/// A test that a plan selects.
#[derive(Clone, Debug)]
pub(crate) struct Selected<'t> {
    /// The full name of the test, including the section's.
    pub(crate) name: Cow<'t, str>,
    /// The tree of the node, in the context of the plan.
    pub(crate) within: AdjustedTree<'t>,
    pub(crate) node: Node<'t>,
    section: &'t Section,
    pub(crate) order: i64,
}

impl<'t> Selected<'t> {
    /// Returns the tree of the test.
    pub(crate) fn tree(&self) -> TreeId {
        self.within.id
    }

    /// Returns what identifies the test's metadata: plans may have a test in different contexts.
    pub(crate) fn identity(&self) -> (TreeId, usize, &'t str) {
        (self.within.id, self.within.number, self.node.name())
    }

    /// Returns the section's directory in the slot: empty, or `name/`.
    pub(crate) fn prefix(&self) -> String {
        self.section.prefix()
    }

    /// Returns whether its plan says that it must be found, and not be skipped.
    pub(crate) fn is_required(&self) -> bool {
        self.section.required.iter().any(|name| name == self.node.name())
    }
}

/// Returns the tests of a plan, in the order in which tmt runs them. Of tests that share a tree, either all are selected or none.
pub(crate) fn of_plan<'t>(
    plan: &'t Plan,
    trees: &'t Trees,
    narrowing: &Narrowing,
    warnings: &mut Vec<Warning>,
) -> Result<(Vec<Selected<'t>>, Vec<Unusable>), CompileError> {
    let (selected, unusable) = narrowed(plan, trees, narrowing, warnings)?;
    if plan.sections.iter().any(|section| !section.required.is_empty()) {
        refuse_missing(plan, trees)?;
    }
    if plan.shared_tree && !selected.is_empty() {
        return narrowed(plan, trees, &Narrowing::default(), &mut Vec::new());
    }
    Ok((selected, unusable))
}

/// Refuses a plan that lacks a required test. What the command line leaves out is there all the same.
fn refuse_missing(plan: &Plan, trees: &Trees) -> Result<(), CompileError> {
    let (selected, unusable) = narrowed(plan, trees, &Narrowing::default(), &mut Vec::new())?;
    let selected = selected.iter().map(|test| &*test.name);
    let found: HashSet<&str> = selected
        .chain(unusable.iter().filter_map(|unusable| unusable.test.as_deref()))
        .collect();
    let required = plan
        .sections
        .iter()
        .flat_map(|section| section.required.iter().map(move |name| (section, name)));
    for (section, name) in required {
        if !found.contains(&*section.test_name(name)) {
            return Err(section.lacks(name));
        }
    }
    Ok(())
}

fn narrowed<'t>(
    plan: &'t Plan,
    trees: &'t Trees,
    narrowing: &Narrowing,
    warnings: &mut Vec<Warning>,
) -> Result<(Vec<Selected<'t>>, Vec<Unusable>), CompileError> {
    let (mut selected, mut unusable) = (Vec::new(), Vec::new());
    for section in &plan.sections {
        let adjustments = section.adjustments(&plan.context);
        let adjusted = |adjustment| trees.adjusted(plan.home.id, &section.source, adjustment);
        let within: Vec<AdjustedTree<'_>> = adjustments.iter().map(adjusted).collect();
        let tests = of_section(section, &within, narrowing, warnings).map_err(|error| section.blamed(error))?;
        for (order, within, node) in tests {
            let name = section.test_name(node.name());
            let named = narrowing.names.is_empty() || any_found(&narrowing.names, &name)?;
            if !named || any_found(&narrowing.exclude, &name)? {
                continue;
            }
            match order {
                Ok(order) => selected.push(Selected {
                    name,
                    within,
                    node,
                    section,
                    order,
                }),
                Err(error) => unusable.push(Unusable::test(plan, &name, error)),
            }
        }
    }
    Ok((selected, unusable))
}

/// The order of a test, or why it cannot be used.
type Order = Result<i64, Arc<CompileError>>;

/// Returns the tests of a section. With `test`, they come item by item, each from a tree of its own, and each group by `order`; a
/// test that several items select comes once.
fn of_section<'t>(
    section: &Section,
    within: &[AdjustedTree<'t>],
    narrowing: &Narrowing,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<(Order, AdjustedTree<'t>, Node<'t>)>, CompileError> {
    let demands = Demands::new(
        section.filters.iter().chain(&narrowing.filters),
        section.conditions.iter().chain(&narrowing.conditions),
    );
    let selection = |names: Vec<String>| atex_fmf::Selection {
        names,
        keys: vec!["test".to_owned()],
        ..atex_fmf::Selection::default()
    };
    let groups = match section.tests.as_slice() {
        [] if section.takes_all() => vec![Vec::new()],
        tests => tests.iter().map(|test| vec![test.pattern.clone()]).collect(),
    };
    let judge = |within: &AdjustedTree<'t>, node: Node<'t>| -> Result<_, CompileError> {
        let is_included = section.include.is_empty() || any_found(&section.include, node.name())?;
        if !is_included || any_found(&section.exclude, node.name())? {
            return Ok(None);
        }
        // What its rules would have made of a test is not known, so all that name it take it.
        let failure = within.failure(node);
        let taken = failure.is_some() || is_test(node) && is_linked(section, node)? && demands.are_met(node)?;
        let order = || match failure {
            Some(error) => Err(error),
            None => order(within.tree, node, "test").map_err(Arc::new),
        };
        Ok(taken.then(|| (order(), node)))
    };
    let many = groups.len() > 1;
    let (mut tests, mut seen, mut repeated) = (Vec::new(), HashSet::new(), false);
    for (names, within) in groups.into_iter().zip(within) {
        let nodes = within.tree.prune(&selection(names))?;
        let judge = |node| judge(within, node);
        let judged: Vec<_> = nodes.into_par_iter().with_min_len(IN_A_ROW).map(judge).collect();
        let mut group = Vec::new();
        for judged in judged {
            let Some((order, node)) = judged? else { continue };
            if !many || seen.insert(node.name()) {
                group.push((order, *within, node));
            } else {
                repeated = true;
            }
        }
        group.sort_by_key(|(order, ..): &(Order, _, _)| order.as_ref().ok().copied());
        tests.extend(group);
    }
    warnings.extend(section.repeats.clone().filter(|_| repeated));
    Ok(tests)
}

/// Returns whether a test has a link that the section asks for.
fn is_linked(section: &Section, node: Node<'_>) -> Result<bool, CompileError> {
    for link in &section.links {
        if link.fits(node)? {
            return Ok(true);
        }
    }
    Ok(section.links.is_empty())
}

/// Keeps the tests that were asked for by name, in all plans. An exact name selects that test, and any other text is a regex. If
/// one of several tests that share a tree is kept, all are. A name that fits no test may be that of a test in a plan that cannot be
/// used.
pub(crate) fn keep_named(selection: &mut Selection<'_>, names: &[String]) -> Result<(), CompileError> {
    let Selection { plans, unusable } = selection;
    let tests = plans.iter().flat_map(|(_, tests)| tests);
    let named = unusable.iter().filter_map(|unusable| unusable.test.as_deref());
    let all: HashSet<&str> = tests.map(|test| &*test.name).chain(named).collect();
    let some_plan_is_unusable = unusable.iter().any(|unusable| unusable.test.is_none());
    let (mut exact, mut patterns) = (HashSet::new(), Vec::new());
    for name in names {
        if all.contains(name.as_str()) {
            exact.insert(name.as_str());
            continue;
        }
        let pattern = std::slice::from_ref(name);
        let mut found = some_plan_is_unusable;
        for test in &all {
            found = found || any_found(pattern, test)?;
        }
        if !found {
            let nearest = nearest(name, all.iter().copied());
            return Err(CompileError::NothingMatched {
                name: name.clone(),
                nearest,
            });
        }
        patterns.push(name.clone());
    }
    let is_kept = |name: &str| Ok(exact.contains(name) || any_found(&patterns, name)?);
    for (plan, tests) in plans {
        let kept: Vec<bool> = tests
            .iter()
            .map(|test| is_kept(&test.name))
            .collect::<Result<_, CompileError>>()?;
        if !plan.shared_tree || !kept.contains(&true) {
            let mut kept = kept.into_iter();
            tests.retain(|_| kept.next() == Some(true));
        }
    }
    let kept = unusable
        .iter()
        .map(|unusable| unusable.test.as_deref().map_or(Ok(true), is_kept));
    let mut kept = kept.collect::<Result<Vec<bool>, CompileError>>()?.into_iter();
    unusable.retain(|_| kept.next() == Some(true));
    Ok(())
}
