//! Variables: which are there, whose value wins, and how values become text.
//!
//! The tests report the values as names of their parts, so that they are compared too.

use super::Case;

/// Reports the value of each variable that it is given the name of.
const SHOW: (&str, &str) = (
    "show.sh",
    "for name; do tmt-report-result \"$name=${!name-not set}\" PASS; done\n",
);

pub(super) const CASES: &[Case] = &[
    Case::new(
        "values",
        &[
            SHOW,
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nenvironment: {P1: true, P2: 1.50, P3: null, P4: 0o17, P5: 0x1F, P6: '', P7: 1e3}\n"),
            (
                "t.fmf",
                r"
environment:
    V1: true
    V2: no
    V3: 1.50
    V4: null
    V5: 2024-01-01
    V6: 0o17
    V7: ''
    V8: 0x1f
    V9: 1_000
    V10: 012
    V11: 'two  words'
    V12: .5
    V13: 1e10
    V14: ~
    V15: yes
    V16: 12345678901234567890
    V17: 1.0
    V18: -0.0
    V19: .inf
    V20: 2024-01-01 10:20:30
    V21: 1e-7
    V22: 100000000000000000.0
    V23: 'with $HOME and `date`'
    V24: 0b11
test: bash show.sh V{1..24} P{1..7}
",
            ),
        ],
    )
    .short(),
    Case::new(
        "precedence",
        &[
            SHOW,
            (
                "plan.fmf",
                r#"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
environment: {A: plan, B: plan, E: plan, TMT_TEST_NAME: plan, TMT_VERSION: plan}
prepare:
- how: shell
  script:
  - 'echo "B=file" >>$TMT_PLAN_ENVIRONMENT_FILE; echo "C=file" >>$TMT_PLAN_ENVIRONMENT_FILE'
  - 'echo "D=$A" >>$TMT_PLAN_ENVIRONMENT_FILE'
- how: shell
  script: 'echo "F=$C" >>$TMT_PLAN_ENVIRONMENT_FILE'
"#,
            ),
            (
                "t.fmf",
                "environment: {A: test, B: test, C: test, E: test, G: test, TMT_REBOOT_COUNT: test}\ntest: bash show.sh A B C D E F G TMT_TEST_NAME TMT_VERSION TMT_REBOOT_COUNT\n",
            ),
        ],
    )
    .short(),
    Case::new(
        "precedence-of-options",
        &[
            SHOW,
            (
                "plan.fmf",
                r#"
discover: {how: fmf}
execute: {how: tmt}
environment: {A: plan}
prepare: {how: shell, script: 'echo "B=file" >>$TMT_PLAN_ENVIRONMENT_FILE'}
"#,
            ),
            ("t.fmf", "environment: {A: test, B: test, C: test}\ntest: bash show.sh A B C D\n"),
        ],
    )
    .alone(&["-e", "A=option", "-e", "B=option", "-e", "C=option", "-e", "D=option"]),
    Case::new(
        "variables",
        &[
            SHOW,
            (
                "t.fmf",
                r#"
/a:
    test: bash show.sh TMT_TEST_NAME TMT_TEST_SERIAL_NUMBER TMT_REBOOT_COUNT REBOOTCOUNT RSTRNT_REBOOTCOUNT TMT_TEST_RESTART_COUNT TMT_RESTRAINT_COMPATIBLE TMT_VERSION RSTRNT_TASKNAME
/b:
    test: bash show.sh TMT_TEST_NAME TMT_TEST_SERIAL_NUMBER
/data-is-empty:
    test: '[ -d "$TMT_TEST_DATA" ] && [ -z "$(ls -A "$TMT_TEST_DATA")" ]'
/data-is-in-the-invocation:
    test: '[ "$TMT_TEST_INVOCATION_PATH/data" -ef "$TMT_TEST_DATA" ]'
/metadata:
    summary: A summary
    tag: [x, y]
    tier: 1
    extra-own: 7
    environment: {V: true}
    test: |
        grep -q '^name: /CASE/t/metadata$' $TMT_TEST_METADATA
        for key in summary tag tier duration framework result order enabled; do
            tmt-report-result "$(grep "^$key:" $TMT_TEST_METADATA)" PASS
        done
/tree: {test: '[ -e "$TMT_TREE/.fmf/version" ] && [ -e "$TMT_TREE/CASE/t.fmf" ]'}
/plan-data: {test: '[ -d "$TMT_PLAN_DATA" ]'}
/source-dir: {test: '[ -n "$TMT_SOURCE_DIR" ] && [ ! -e "$TMT_SOURCE_DIR/x" ]'}
/source-script: {test: '[ -n "$TMT_PLAN_SOURCE_SCRIPT" ]'}
/environment-file: {test: '[ -f "$TMT_PLAN_ENVIRONMENT_FILE" ]'}
/topology-bash:
    test: |
        . $TMT_TOPOLOGY_BASH
        tmt-report-result "${TMT_GUEST[name]} ${TMT_GUEST[role]} ${TMT_GUEST[hostname]} $TMT_GUEST_NAMES ${TMT_GUESTS[default-0.name]} $TMT_ROLE_NAMES" PASS
/topology-yaml: {test: 'grep -q "name: default-0" $TMT_TOPOLOGY_YAML'}
/stdin: {test: '! read -r line'}
/directory: {test: '[ "${PWD##*/}" = "$(basename /CASE)" ] && [ -e t.fmf ]'}
/path: {path: /, test: '[ -e .fmf/version ]'}
"#,
            ),
        ],
    )
    .short(),
    Case::new(
        "plan-data",
        &[
            (
                "plan.fmf",
                r#"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
prepare: {how: shell, script: 'echo prepared >$TMT_PLAN_DATA/p; echo "export S=sourced" >$TMT_PLAN_SOURCE_SCRIPT'}
finish: {how: shell, script: 'grep -q tested $TMT_PLAN_DATA/t'}
"#,
            ),
            (
                "t.fmf",
                r#"
/a: {test: 'grep -q prepared $TMT_PLAN_DATA/p; echo tested >$TMT_PLAN_DATA/t'}
/b: {test: '[ "$S" = sourced ]'}
"#,
            ),
        ],
    ),
    Case::new(
        "plan-variables-in-steps",
        &[
            (
                "plan.fmf",
                r#"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
environment: {A: plan}
prepare:
- {how: shell, script: 'echo "GOT=$A-${T-none}-$(basename "$PWD" | grep -c .)" >>$TMT_PLAN_ENVIRONMENT_FILE'}
- {how: shell, script: ['[ "$PWD" = "$TMT_TREE" ]', '[ -z "$NOT_SET" ]', 'echo "N=$TMT_REBOOT_COUNT" >>$TMT_PLAN_ENVIRONMENT_FILE']}
"#,
            ),
            SHOW,
            ("t.fmf", "environment: {T: test}\ntest: bash show.sh GOT N\n"),
        ],
    ),
];
