//! The exit code of a whole run.

use super::Case;

const PLAN: (&str, &str) = ("plan.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\n");

pub(super) const CASES: &[Case] = &[
    Case::new("exit-passed", &[("t.fmf", "/a: {test: 'true'}\n/b: {test: 'false', result: info}\n"), PLAN])
        .alone(&[])
        .short(),
    Case::new("exit-failed", &[("t.fmf", "/a: {test: 'true'}\n/b: {test: 'false'}\n"), PLAN]).alone(&[]),
    Case::new("exit-warned", &[("t.fmf", "/a: {test: 'tmt-report-result x WARN'}\n"), PLAN]).alone(&[]),
    Case::new("exit-error", &[("t.fmf", "/a: {test: exit 7}\n/b: {test: 'false'}\n"), PLAN]).alone(&[]),
    Case::new("exit-skipped", &[("t.fmf", "/a: {test: 'tmt-report-result x SKIP'}\n"), PLAN]).alone(&[]),
    Case::new("exit-prepare", &[("t.fmf", "/a: {test: 'true'}\n"), ("plan.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {how: shell, script: 'false'}\n")]).alone(&[]),
    Case::new("exit-finish", &[("t.fmf", "/a: {test: 'true'}\n"), ("plan.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\nfinish: {how: shell, script: 'false'}\n")]).alone(&[]),
    Case::new("exit-no-discover", &[("t.fmf", "/a: {test: 'true'}\n"), ("plan.fmf", "execute: {how: tmt}\n")]).alone(&[]),
    Case::new("exit-nothing-selected", &[("t.fmf", "/a: {test: 'true'}\n"), ("plan.fmf", "discover: {how: fmf, test: [nothing-has-this-name]}\nexecute: {how: tmt}\n")]).alone(&[]),
    Case::new("exit-all-disabled", &[("t.fmf", "/a: {test: 'true', enabled: false}\n/b: {test: 'true', manual: true}\n"), PLAN]).alone(&[]),
    Case::new("exit-plan-disabled", &[("t.fmf", "/a: {test: 'true'}\n"), ("plan.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\nenabled: false\n")]).alone(&[]),
    Case::new("no-plan-no-test", &[("s.fmf", "story: As a user\n")]).alone(&[]),
    Case::new(
        "exit-bad-plan",
        &[("t.fmf", "/a: {test: 'true'}\n"), ("plan.fmf", "/good: {discover: {how: fmf}, execute: {how: tmt}}\n/wrong: {discover: [{how: fmf, name: a}, {how: fmf, name: a}], execute: {how: tmt}}\n")],
    )
    .alone(&[]),
];
