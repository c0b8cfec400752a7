//! Tests of plans that import plans: which are taken, what they are named, and what they inherit.

use std::process::Command;

use atex::compile::spec::{PhaseAction, Request, Workload};
use atex::compile::{CompileError, compile};

use crate::compile_plans::trial::{Trial, refused};

/// A tree with plans to import.
const PLANS: &str = "\
discover: {how: fmf}
execute: {how: tmt}
environment: {E: theirs, R: $I}
/base:
  context: {foo: theirs, only: theirs}
  adjust: [{when: foo == ours, environment+: {ADJUSTED: '1'}}]
  prepare: {how: shell, script: 'echo $E $I $@foo $@only'}
/basement: {}
/off: {enabled: false}
";

struct Imports {
    ours: Trial,
    theirs: Trial,
    cache: tempfile::TempDir,
}

/// Runs git in a tree.
pub(crate) fn git(trial: &Trial, arguments: &[&str]) {
    let identity = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=main",
    ];
    let mut git = Command::new("git");
    git.arg("-C").arg(trial.dir.path()).args(identity).args(arguments);
    assert!(git.status().expect("git runs").success(), "{arguments:?}");
}

impl Imports {
    fn new(plans: &str) -> Self {
        let theirs = Trial::new(&[("plans.fmf", PLANS), ("their.fmf", "test: ./their\n"), ("their", "")]);
        git(&theirs, &["init", "-q"]);
        git(&theirs, &["add", "."]);
        git(&theirs, &["commit", "-qm", "plans"]);
        let url = format!("url: 'file://{}'", theirs.dir.path().display());
        let ours = Trial::new(&[("p.fmf", &plans.replace("URL", &url)), ("our.fmf", "test: ./our\n")]);
        let cache = tempfile::tempdir().expect("a directory");
        Self { ours, theirs, cache }
    }

    fn request(&self, names: &[&str]) -> Request {
        Request {
            plans: names.iter().map(|name| (*name).to_owned()).collect(),
            fetch_cache: self.cache.path().to_owned(),
            ..self.ours.request()
        }
    }

    fn compiled(&self) -> Workload {
        compile(&self.request(&[])).unwrap_or_else(|error| panic!("{error}"))
    }

    fn plans(&self, names: &[&str]) -> Vec<String> {
        let work = compile(&self.request(names)).unwrap_or_else(|error| panic!("{error}"));
        work.plans.into_iter().map(|plan| plan.name).collect()
    }

    fn refused(&self) -> String {
        refused(&self.request(&[]))
    }
}

fn environment(work: &Workload, plan: usize) -> String {
    let words = work.plans[plan]
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn an_imported_plan_has_its_own_tree_and_inherits_environment_and_context() {
    let imports = Imports::new(
        "context: {foo: ours}\nenvironment: {E: ours, I: i}\n/p:\n  plan: {import: {URL, name: /plans/base}}\n\
         /q:\n  plan: {import: {URL, name: /plans/base, inherit-environment: false, inherit-context: false}}\n",
    );
    let work = imports.compiled();
    let names: Vec<_> = work.plans.iter().map(|plan| plan.name.as_str()).collect();
    assert_eq!(names, ["/p/p", "/p/q"]);
    assert_eq!(work.tests[0].name, "/their");
    assert_ne!(work.upload(work.plans[0].upload).slot, "main");
    assert_eq!(environment(&work, 0), "ADJUSTED=1 E=ours I=i R=i");
    assert_eq!(environment(&work, 1), "E=theirs R=$I");
    let scripts: Vec<_> = work.steps.iter().map(|step| step.action.clone()).collect();
    let script = |text: &str| PhaseAction::Shell {
        scripts: vec![text.to_owned()],
    };
    assert_eq!(
        scripts,
        [
            script("echo ours i ours theirs"),
            script("echo theirs $I theirs theirs")
        ]
    );
}

#[test]
fn a_name_is_tied_to_the_start_and_the_first_plan_is_taken() {
    let imports = Imports::new("plan: {import: {URL, name: /plans/b}}\n");
    let work = imports.compiled();
    assert_eq!(work.steps.len(), 1, "`/plans/base` comes before `/plans/basement`");
    assert_eq!(
        work.warnings[0].to_string(),
        "p.fmf:1: plan `/p`, import: only the first of 2 plans that begin with `/plans/b` is imported, `/plans/base`"
    );
    let tied = Imports::new("plan: {import: {URL, name: base}}\n");
    assert_eq!(
        tied.refused(),
        "p.fmf:1: plan `/p`, import: no plan there begins with `base`"
    );
}

#[test]
fn all_plans_are_named_below_the_one_that_imports_them() {
    let import = "/p:\n  plan: {import: {URL, name: /plans, scope: all-plans, importing: become-parent}}\n/own:\n  execute: {how: tmt}\n  discover: {how: fmf}\n";
    let imports = Imports::new(import);
    let below = ["/p/p/plans/base", "/p/p/plans/basement"];
    assert_eq!(imports.plans(&[]), [&["/p/own"], &below[..]].concat());
    assert_eq!(imports.plans(&["/p/p"]), below);
    assert_eq!(imports.plans(&["/p/p/plans/base"]), below[..1]);
    assert_eq!(imports.plans(&["basement"]), below[1..]);
    assert_eq!(imports.plans(&["/p/own"]), ["/p/own"]);
    let Err(CompileError::UnknownPlan { nearest, .. }) = compile(&imports.request(&["/p/p/plans/bose"])) else {
        panic!("there is none")
    };
    assert_eq!(nearest[0], "/p/p/plans/base");
}

#[test]
fn several_plans_cannot_take_the_place_of_one() {
    for scope in ["all-plans", "single-plan-only"] {
        let imports = Imports::new(&format!("plan:\n  import: {{URL, name: /plans/b, scope: {scope}}}\n"));
        assert_eq!(
            imports.refused(),
            "p.fmf:2: plan `/p`, import: 2 plans there begin with `/plans/b`: `/plans/base`, `/plans/basement`"
        );
    }
    let imports = Imports::new(
        "plan:\n  import:\n    URL\n    name: x\n    scope: some\n"
            .replace("    URL\n", "")
            .as_str(),
    );
    assert_eq!(
        imports.refused(),
        "p.fmf:4: plan `/p`, import: `scope` is one of `first-plan-only`, `single-plan-only` and `all-plans`, not `some`"
    );
}

#[test]
fn rules_for_imported_plans_come_after_their_own() {
    let imports = Imports::new(
        "context: {foo: ours}\nplan:\n  import:\n    URL\n    name: /plans/base\n    adjust-plans:\n\
         \x20     - {when: foo == ours, environment+: {ADJUSTED: '2', MORE: m}}\n      - {when: foo == x, environment: {}}\n",
    );
    assert_eq!(environment(&imports.compiled(), 0), "ADJUSTED=2 E=theirs MORE=m R=$I");
}

#[test]
fn the_commit_of_an_imported_plan_is_in_the_keys() {
    let imports = Imports::new("plan: {import: {URL, name: /plans/base}}\n");
    let key = || {
        let work = imports.compiled();
        work.graph.node(work.tests[0].node).key().to_string()
    };
    let before = key();
    assert_eq!(key(), before);
    imports.theirs.write("their", "changed");
    git(&imports.theirs, &["commit", "-qam", "other"]);
    assert_ne!(key(), before);
}

#[test]
fn without_a_url_the_plans_of_the_tree_itself_are_imported_and_no_plan_imports_itself() {
    let local = "/base:\n  discover: {how: fmf}\n  execute: {how: tmt}\n  enabled: true\n  environment: {A: base}\n";
    let imports = Imports::new(&format!(
        "{local}/p:\n  environment: {{A: p}}\n  plan: {{import: {{name: /p/base}}}}\n"
    ));
    let work = imports.compiled();
    assert_eq!(environment(&work, 1), "A=p");
    assert_eq!(work.upload(work.plans[1].upload).slot, "main");
    assert_eq!(work.plans[1].tests.len(), 1);
    let circle = Imports::new("/a:\n  plan: {import: {name: /p/b}}\n/b:\n  plan: {import: {name: /p/a}}\n");
    assert_eq!(
        circle.refused(),
        "p.fmf:4: plan `/p/b`, import: the plan `/p/a` imports itself"
    );
    let chain = |number| format!("/c{number}:\n  plan: {{import: {{name: /p/c{}$}}}}\n", number + 1);
    let chain: String = (0..20).map(chain).collect();
    let deep = Imports::new(&format!("{chain}/c20:\n  execute: {{how: tmt}}\n"));
    assert!(
        deep.refused().ends_with("more than 8 plans import each other in a row"),
        "{}",
        deep.refused()
    );
}

#[test]
fn a_repository_that_is_not_there_is_told_with_the_place_of_its_url() {
    let imports = Imports::new("plan:\n  import: {url: 'file:///nonexistent/x', name: /x}\n");
    assert!(
        imports
            .refused()
            .starts_with("p.fmf:2: plan `/p`, import: cannot fetch `file:///nonexistent/x`"),
        "{}",
        imports.refused()
    );
}

#[test]
fn a_command_for_this_host_is_not_imported() {
    let imports = Imports::new("plan:\n  import: {URL, name: /plans/base, adjust-plans: {extra-atex-probe: date}}\n");
    assert!(imports.refused().contains("has a probe"), "{}", imports.refused());
}
