//! Selects tests: those that the sections of a plan take, narrowed by the command line.

use std::borrow::Cow;
use std::collections::HashSet;

use atex_fmf::{Node, Selection, Tree};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use crate::compile::error::CompileError;
use crate::compile::metadata::names::{any_found, nearest};
use crate::compile::metadata::read::order;
use crate::compile::metadata::test_defaults::Demands;
use crate::compile::metadata::trees::{AdjustedTree, TreeId, Trees, is_test};
use crate::compile::plan::Plan;
use crate::compile::plan::sections::Section;
use crate::compile::spec::{Narrowing, Warning};

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
}

/// Returns the tests of a plan, in the order in which tmt runs them. Of tests that share a tree, either all are selected or none.
pub(crate) fn of_plan<'t>(
    plan: &'t Plan,
    trees: &'t Trees,
    narrowing: &Narrowing,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Selected<'t>>, CompileError> {
    let selected = narrowed(plan, trees, narrowing, warnings)?;
    if plan.shared_tree && !selected.is_empty() {
        return narrowed(plan, trees, &Narrowing::default(), &mut Vec::new());
    }
    Ok(selected)
}

fn narrowed<'t>(
    plan: &'t Plan,
    trees: &'t Trees,
    narrowing: &Narrowing,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Selected<'t>>, CompileError> {
    let mut selected = Vec::new();
    for section in &plan.sections {
        let within = trees.adjusted(&section.source, &plan.context);
        let tests = of_section(section, within.tree, narrowing, warnings).map_err(|error| section.blamed(error))?;
        for (order, node) in tests {
            let name = section.test_name(node.name());
            let named = narrowing.names.is_empty() || any_found(&narrowing.names, &name)?;
            if named && !any_found(&narrowing.exclude, &name)? {
                selected.push(Selected {
                    name,
                    within,
                    node,
                    section,
                    order,
                });
            }
        }
    }
    Ok(selected)
}

/// Returns the tests of a section. With `test`, they come regex by regex, each group by `order`; a test that several regexes
/// match comes once.
fn of_section<'t>(
    section: &Section,
    tree: &'t Tree,
    narrowing: &Narrowing,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<(i64, Node<'t>)>, CompileError> {
    let demands = Demands::new(
        section.filters.iter().chain(&narrowing.filters),
        section.conditions.iter().chain(&narrowing.conditions),
    );
    let selection = |names: Vec<String>| Selection {
        names,
        keys: vec!["test".to_owned()],
        ..Selection::default()
    };
    let groups = match section.tests.as_slice() {
        [] => vec![Vec::new()],
        tests => tests.iter().map(|test| vec![test.clone()]).collect(),
    };
    let judge = |node: Node<'t>| -> Result<_, CompileError> {
        let taken = is_test(node) && !any_found(&section.exclude, node.name())? && demands.are_met(node)?;
        Ok(if taken {
            Some((order(tree, node, "test")?, node))
        } else {
            None
        })
    };
    let many = groups.len() > 1;
    let (mut tests, mut seen, mut repeated) = (Vec::new(), HashSet::new(), false);
    for names in groups {
        let nodes = tree.prune(&selection(names))?;
        let judged: Vec<_> = nodes.into_par_iter().with_min_len(IN_A_ROW).map(judge).collect();
        let mut group = Vec::new();
        for judged in judged {
            let Some((order, node)) = judged? else { continue };
            if !many || seen.insert(node.name()) {
                group.push((order, node));
            } else {
                repeated = true;
            }
        }
        group.sort_by_key(|(order, _)| *order);
        tests.extend(group);
    }
    warnings.extend(section.repeats.clone().filter(|_| repeated));
    Ok(tests)
}

/// Keeps the tests that were asked for by name, in all plans. An exact name selects that test, and any other text is a regex. If
/// one of several tests that share a tree is kept, all are; `shared` says for each plan whether its tests share a tree.
pub(crate) fn keep_named(
    plans: &mut [Vec<Selected<'_>>],
    shared: &[bool],
    names: &[String],
) -> Result<(), CompileError> {
    if names.is_empty() {
        return Ok(());
    }
    let all: HashSet<&str> = plans.iter().flatten().map(|test| &*test.name).collect();
    let (mut exact, mut patterns) = (HashSet::new(), Vec::new());
    for name in names {
        if all.contains(name.as_str()) {
            exact.insert(name.as_str());
            continue;
        }
        let pattern = std::slice::from_ref(name);
        let mut found = false;
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
    for (tests, &shared) in plans.iter_mut().zip(shared) {
        let is_kept = |test: &Selected<'_>| Ok(exact.contains(&*test.name) || any_found(&patterns, &test.name)?);
        let kept: Vec<bool> = tests.iter().map(is_kept).collect::<Result<_, CompileError>>()?;
        if !shared || !kept.contains(&true) {
            let mut kept = kept.into_iter();
            tests.retain(|_| kept.next() == Some(true));
        }
    }
    Ok(())
}
