//! `atex test NAME` without `--plan`: decides which plan is meant if several plans discover the test.
//!
//! If the test is the same node in all of them, there is nothing to decide. Otherwise, the plan is meant for which a SUT is
//! prepared. If there is no such plan, or more than one, the command fails and asks the user to name one.

use std::collections::{BTreeMap, BTreeSet};

use atex_cache::Store;

use crate::cli::error::CliError;
use crate::compile::spec::{PlanId, TestId, Workload};
use crate::exec::record::observed_inputs;
use crate::sut::{Project, SutState};

/// For each test name, keeps in the workload only the tests of the plan that is meant. The machines are asked only if there is
/// something to decide.
pub(super) fn settle(
    work: &mut Workload,
    store: &Store,
    project: &Project,
    ask: impl FnOnce() -> Vec<SutState>,
) -> Result<(), CliError> {
    let mut by_name: BTreeMap<&str, Vec<TestId>> = BTreeMap::new();
    for id in work.plans.iter().flat_map(|plan| &plan.tests) {
        by_name.entry(&work.test(*id).name).or_default().push(*id);
    }
    let is_question = |tests: &Vec<TestId>| {
        let nodes: BTreeSet<_> = tests.iter().map(|&id| work.test(id).node).collect();
        nodes.len() > 1
    };
    by_name.retain(|_, tests| is_question(tests));
    let mut states = if by_name.is_empty() { Vec::new() } else { ask() };
    states.retain(|state| state.is_prepared_for(project));
    let mut dropped = BTreeSet::new();
    for (name, tests) in by_name {
        let prepared: Vec<TestId> = tests
            .iter()
            .copied()
            .filter(|&id| is_prepared((work, store), work.test(id).plan, &states))
            .collect();
        let [meant] = prepared[..] else {
            let plans: Vec<_> = tests
                .iter()
                .map(|&id| format!("`{}`", work.plan(work.test(id).plan).name))
                .collect();
            return Err(CliError::usage(format!(
                "several plans run `{name}`, each in its own way: {}",
                plans.join(", ")
            ))
            .hint("say which one with `--plan PLAN`"));
        };
        dropped.extend(tests.into_iter().filter(|&id| id != meant));
    }
    for plan in &mut work.plans {
        let goes = |id: &TestId| dropped.contains(id);
        // Of the tests that share a tree, either all run or none.
        if !plan.shared_tree || plan.tests.iter().all(goes) {
            plan.tests.retain(|id| !goes(id));
        }
    }
    Ok(())
}

/// Returns whether a SUT reports the state that the tests of the plan need.
fn is_prepared((work, store): (&Workload, &Store), plan: PlanId, states: &[SutState]) -> bool {
    let Some(&step) = work.plan(plan).chain.last() else {
        return false;
    };
    let says_so = |state: &SutState| {
        let last = state.chain.last().filter(|_| state.taint.is_none());
        last.is_some_and(|last| observed_inputs::is_in_state(work, store, step, last))
    };
    states.iter().any(says_so)
}
