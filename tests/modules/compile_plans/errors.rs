//! Tests of metadata that cannot be used: the message names the place, shows the line with marks, and says what made the value.

use atex::compile::spec::Workload;
use atex::compile::{CompileError, compile};

use crate::compile_plans::trial::{PLAIN, Trial};

/// The error of a request or of the first plan or test of it, and the lines that are shown with it.
fn refused(files: &[(&str, &str)]) -> (String, Option<String>) {
    let trial = Trial::new(files);
    shown(compile(&trial.request()))
}

fn shown(compiled: Result<Workload, CompileError>) -> (String, Option<String>) {
    match compiled {
        Err(error) => (error.to_string(), error.excerpt()),
        Ok(workload) => {
            assert!(workload.tests.is_empty(), "what cannot be used does not run");
            let error = &workload.unusable.first().expect("it is refused").error;
            (error.to_string(), error.excerpt())
        }
    }
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (tests, message, excerpt) in [
        (
            "test: [a]\n",
            "t.fmf:1: test `/t`: `test` must be a text, not a list",
            "1 | test: [a]\n  | ^^^^",
        ),
        (
            "test: a\nduration: soon\n",
            "t.fmf:2: test `/t`: duration `soon` is none",
            "2 | duration: soon\n  |           ^^^^",
        ),
        (
            "test: a\nenvironment: [A]\n",
            "t.fmf:2: test `/t`: `A` in `environment` is not of the form `KEY=VALUE`",
            "2 | environment: [A]\n  |               ^",
        ),
        (
            "test: a\nenvironment:\n    A: 1\n    a-b: 1\n",
            "t.fmf:2: test `/t`: environment variable `a-b` has no name that bash can export",
            "4 |     a-b: 1\n  |     ^^^",
        ),
        (
            "test: a\npath: /../x\n",
            "t.fmf:2: test `/t`: `path` `/../x` leads out of the tree",
            "2 | path: /../x\n  |       ^^^^^",
        ),
        (
            "test: a\norder: x\n",
            "t.fmf:2: test `/t`: `order` must be an integer, not a text",
            "2 | order: x\n  | ^^^^^",
        ),
    ] {
        let (error, shown) = refused(&[("t.fmf", tests), PLAIN]);
        assert_eq!(error, message);
        assert_eq!(shown.as_deref(), Some(excerpt), "{message}");
    }
}

#[test]
fn what_made_a_wrong_value_is_told_with_it() {
    let parent = "test: a\nduration: 5m\n";
    let child = "/x:\n    adjust:\n    - when: distro is not defined\n      duration: soon\n";
    let (error, shown) = refused(&[("t/main.fmf", parent), ("t/s.fmf", child), PLAIN]);
    assert_eq!(error, "t/s.fmf:4: test `/t/s/x`: duration `soon` is none");
    let excerpt = "4 |       duration: soon\n  |                 ^^^^\nadjust rule: \"distro is not defined\" at t/s.fmf:3\n\
                   made by: t/main.fmf:2, adjust \"distro is not defined\" at t/s.fmf:4";
    assert_eq!(shown.as_deref(), Some(excerpt));
}

#[test]
fn of_a_long_history_the_beginning_and_the_end_are_told() {
    let rules: String = (0..20).map(|_| "- environment+: {A: 1}\n").collect();
    let test = format!("test: a\nenvironment: {{A: 1}}\nadjust:\n{rules}- environment+: {{'A B': 1}}\n");
    let (_, shown) = refused(&[("t.fmf", &test), PLAIN]);
    let made = "made by: t.fmf:2, adjust at t.fmf:4, … 16 more …, adjust at t.fmf:21, adjust at t.fmf:22, adjust at t.fmf:23, \
                adjust at t.fmf:24";
    assert_eq!(shown.unwrap_or_default().lines().last(), Some(made));
}

#[test]
fn a_phase_that_a_rule_added_is_told_with_the_rule() {
    let plan = "discover: {how: fmf}\nprepare:\n- how: shell\n  script: a\nadjust:\n  prepare+:\n  - how: shell\n    script: {b: 1}\n";
    let (error, shown) = refused(&[("t.fmf", "test: a\n"), ("plan.fmf", plan)]);
    let message = "plan.fmf:8: plan `/plan`, prepare phase 2 (`shell`): `script` must be a text or a list of texts, not a mapping";
    assert_eq!(error, message);
    let excerpt = "8 |     script: {b: 1}\n  |     ^^^^^^\nadjust rule: always, at plan.fmf:6\n\
                   made by: plan.fmf:2, adjust at plan.fmf:6";
    assert_eq!(shown.as_deref(), Some(excerpt));
}

#[test]
fn what_a_section_cannot_select_with_is_told_with_its_place() {
    for (key, line, problem, mark) in [
        (
            "test",
            "test: [a, 'b[']",
            "invalid pattern `b[`: unterminated character set at position 2",
            "           ^^",
        ),
        (
            "exclude",
            "exclude: 'b['",
            "invalid pattern `b[`: unterminated character set at position 2",
            "          ^^",
        ),
        (
            "condition",
            "condition: tag [",
            "invalid condition `tag [`: a bracket was never closed at ``",
            "           ^^^^^",
        ),
        ("path", "path: /not/there", "cannot list directory `/not/there`", "^^^^"),
    ] {
        let plan = format!("discover:\n  how: fmf\n  {line}\n");
        let (error, shown) = refused(&[("t.fmf", "test: a\n"), ("plan.fmf", &plan)]);
        let place = "plan.fmf:3: plan `/plan`, discover section 1";
        assert_eq!(error, format!("{place}: {problem}"), "{key}");
        let excerpt = format!("3 |   {line}\n  |   {mark}");
        assert_eq!(shown, Some(excerpt), "{key}");
    }
}

#[test]
fn what_the_command_line_cannot_select_with_is_no_fault_of_a_plan() {
    let trial = Trial::new(&[("t.fmf", "test: a\n"), PLAIN]);
    let mut request = trial.request();
    request.narrowing.names = vec!["b[".to_owned()];
    let (error, shown) = shown(compile(&request));
    assert_eq!(error, "invalid pattern `b[`: unterminated character set at position 2");
    assert_eq!(shown, None);
}

#[test]
fn a_probe_that_fails_is_told_with_its_place() {
    let plan = "discover: {how: fmf}\nprepare: {how: shell, script: a}\nextra-atex-probe: exit 3\n";
    let (error, shown) = refused(&[("t.fmf", "test: a\n"), ("plan.fmf", plan)]);
    assert_eq!(
        error,
        "plan.fmf:3: plan `/plan`: probe `exit 3` failed with exit status: 3"
    );
    let excerpt = "3 | extra-atex-probe: exit 3\n  |                   ^^^^^^";
    assert_eq!(shown.as_deref(), Some(excerpt));
}

#[test]
fn what_cannot_be_merged_is_told_with_the_rule_and_the_value_before() {
    let test = "test: a\ntag: [x]\n/b:\n  tag+: [y]\n  adjust:\n  - when: distro is not defined\n    tag+: 5\n";
    let (error, _) = refused(&[("t.fmf", test), PLAIN]);
    let message = "t.fmf:7:5: cannot merge key `tag+` in node `/t/b`: `list` and `int` cannot be added\n\
                   7 |     tag+: 5\n  |     ^^^^\n\
                   adjust rule: \"distro is not defined\" at t.fmf:6\nmerged into: t.fmf:2, t.fmf:4";
    assert_eq!(error, message);
}
