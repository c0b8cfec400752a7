//! Tests of the context of plans: for which rules it counts, and what wins over it.

use std::collections::BTreeMap;

use atex::compile::compile;
use atex::compile::spec::{PhaseAction, PlanSpec, Request, TestId, Workload};

use crate::compile_plans::trial::Trial;

const TESTS: (&str, &str) = (
    "t.fmf",
    "test: 'true'\n/always: {}\n/new:\n    adjust: [{when: distro < centos-9, enabled: false}]\n\
     /odd:\n    adjust: [{when: foo == x, require: [odd]}]\n",
);

fn trial(plans: &str) -> Trial {
    Trial::new(&[("plan.fmf", plans), TESTS])
}

fn request(trial: &Trial, context: &[(&str, &str)]) -> Request {
    let dimension = |(name, value): &(&str, &str)| ((*name).to_owned(), vec![(*value).to_owned()]);
    Request {
        default_context: BTreeMap::from([("distro".to_owned(), vec!["centos-9".to_owned()])]),
        context: context.iter().map(dimension).collect(),
        ..trial.request()
    }
}

/// Returns the names of the tests of each plan, and the packages that they require.
fn tests(work: &Workload) -> Vec<(&str, Vec<String>)> {
    let name = |id: &TestId| {
        let test = work.test(*id);
        [std::slice::from_ref(&test.name), &*test.requires].concat().join(" ")
    };
    let of_plan = |plan: &PlanSpec| plan.tests.iter().map(name).collect();
    work.plans
        .iter()
        .map(|plan| (plan.name.as_str(), of_plan(plan)))
        .collect()
}

#[test]
fn the_context_of_a_plan_decides_the_rules_of_its_tests_and_of_no_others() {
    let plans = "discover: {how: fmf}\n/new: {}\n/old:\n    context: {distro: centos-8, foo: [y, x]}\n";
    let trial = trial(plans);
    let work = compile(&request(&trial, &[])).expect("it compiles");
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        tests(&work),
        [
            ("/plan/new", all(&["/t/always", "/t/new", "/t/odd"])),
            ("/plan/old", all(&["/t/always", "/t/odd odd"])),
        ]
    );
    let label = |id: &TestId| work.graph.node(work.test(*id).node).to_string();
    let labels: Vec<String> = work.plans[1].tests.iter().map(label).collect();
    assert_eq!(
        labels,
        ["test /t/always", "test /t/odd (/plan/old)"],
        "a test that the context does not change is one node for both plans"
    );
}

#[test]
fn the_command_line_wins_over_a_plan_by_dimension_and_a_plan_over_the_machine() {
    let trial = trial("discover: {how: fmf}\nexecute: {how: tmt}\ncontext: {distro: centos-8, foo: x}\n");
    let names = |context: &[(&str, &str)]| {
        let work = compile(&request(&trial, context)).expect("it compiles");
        tests(&work)[0].1.join(", ")
    };
    assert_eq!(names(&[]), "/t/always, /t/odd odd");
    assert_eq!(names(&[("distro", "centos-9")]), "/t/always, /t/new, /t/odd odd");
    assert_eq!(names(&[("foo", "z")]), "/t/always, /t/odd");
}

#[test]
fn the_context_of_a_plan_decides_its_phases_and_not_its_own_rules() {
    let trial = trial(
        "discover:\n  - {how: fmf, name: one, when: foo == x}\n  - {how: fmf, name: two, when: foo == y}\n\
         execute: {how: tmt}\ncontext: {foo: x}\nenvironment: {A: first}\n\
         adjust: [{when: foo == x, environment: {A: second}}]\n\
         prepare:\n  - {how: shell, script: of x, when: foo == x}\n  - {how: shell, script: of y, when: foo == y}\n",
    );
    let work = compile(&request(&trial, &[])).expect("it compiles");
    assert_eq!(work.plans[0].environment, [("A".to_owned(), "first".to_owned())]);
    assert_eq!(tests(&work)[0].1[0], "/one/t/always");
    let scripts: Vec<_> = work.steps.iter().map(|step| step.action.clone()).collect();
    let of_x = PhaseAction::Shell {
        scripts: vec!["of x".to_owned()],
    };
    assert_eq!(scripts, [of_x]);
}

#[test]
fn a_context_that_is_none_is_refused_at_its_place() {
    for wrong in ["[a]", "a"] {
        let trial = trial(&format!(
            "discover: {{how: fmf}}\nexecute: {{how: tmt}}\ncontext: {wrong}\n"
        ));
        let error = trial.refused();
        let text = error.to_string();
        assert!(
            text.starts_with("plan.fmf:3: plan `/plan`: `context` must be a mapping"),
            "{text}"
        );
    }
}
