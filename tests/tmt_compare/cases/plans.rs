//! What plans say: steps, context, expansion, tests written in the plan.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "prepare",
        &[
            ("t.fmf", "test: 'grep -q two /var/tmp/CASE-made && [ \"$(wc -l </var/tmp/CASE-made)\" = 3 ]'\n"),
            (
                "plan.fmf",
                r"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
prepare:
- {how: shell, order: 60, script: 'echo three >>/var/tmp/CASE-made'}
- {how: shell, script: [mkdir -p /var/tmp/CASE-dir, 'mkdir -p /var/tmp; echo one >/var/tmp/CASE-made']}
- {how: shell, script: 'echo two >>/var/tmp/CASE-made', when: distro == fedora}
- {how: shell, script: 'exit 1', when: distro == rhel}
- {script: 'cd /'}
",
            ),
        ],
    ),
    Case::new(
        "prepare-fails",
        &[
            ("t.fmf", "/a: {test: 'true'}\n/b: {test: 'true'}\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: {how: shell, script: 'false; true'}\n",
            ),
        ],
    ),
    Case::new(
        "finish",
        &[
            ("t.fmf", "/a: {test: 'true'}\n/b: {test: 'false'}\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nfinish: {how: shell, script: 'true'}\n",
            ),
        ],
    ),
    Case::new(
        "require-missing",
        &[
            ("t.fmf", "/a: {test: 'true', require: [no-such-package-at-all]}\n"),
        ],
    ),
    Case::new(
        "recommend-missing",
        &[("t.fmf", "/a: {test: 'true', recommend: [no-such-package-at-all]}\n")],
    ),
    Case::new(
        "require-installed",
        &[("t.fmf", "/a: {test: 'true', require: [bash, /usr/bin/tar, {type: file, pattern: /x}]}\n")],
    ),
    Case::new(
        "context",
        &[
            (
                "t.fmf",
                "/a: {test: 'false', adjust: [{when: colour == red, result: xfail}]}\n/b: {test: 'true', adjust: [{when: distro == other-1, test: 'false'}]}\n",
            ),
            (
                "plan.fmf",
                r"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
context: {colour: red, distro: other-1}
environment: {A: '0'}
adjust: [{when: colour == red, environment: {A: '1'}}]
prepare:
- {how: shell, script: 'exit 1', when: colour == blue}
- {how: shell, script: '[ $A = 0 ]', when: colour == red}
",
            ),
        ],
    ),
    Case::new(
        "expansion",
        &[
            (
                "t.fmf",
                "environment: {T: $A}\ntest: 'tmt-report-result \"$T $B $C $D $E $F $G\" PASS'\n",
            ),
            (
                "plan.fmf",
                r"
discover: {how: fmf, test: ['^/$W/']}
execute: {how: tmt}
environment: {A: plan, B: $A, C: '${A}x', D: $UNDEFINED, E: '$@arch-$@{distro}', F: $@nothing, G: $$A, W: expansion}
",
            ),
        ],
    ),
    Case::new(
        "environment-file",
        &[
            ("t.fmf", "environment: {A: test}\ntest: 'tmt-report-result \"$A $B $C $D $E\" PASS'\n"),
            ("one.env", "A=file B='two words'\n# a comment\nC=a#b\n"),
            ("two.yaml", "D: true\nC: yaml\nE: 1.50\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nenvironment-file: [./CASE/one.env, ./CASE/two.yaml]\nenvironment: {E: plan}\n",
            ),
        ],
    ),
    Case::new(
        "discover-shell",
        &[(
            "plan.fmf",
            r"
execute: {how: tmt}
discover:
    how: shell
    tests:
    - {name: /b, test: 'true'}
    - {name: a, test: 'false'}
    - {name: /expected, test: 'false', result: xfail}
    - {name: /first, test: '[ -e .fmf/version ]', order: 10}
    - {name: /below, test: '[ -e plan.fmf ]', path: /CASE}
    - {name: /off, test: 'true', enabled: false}
    - {name: /hand, test: 'true', manual: true}
    - {name: /env, test: '[ $K = True ]', environment: {K: true}}
    - {name: /name, test: 'tmt-report-result $TMT_TEST_NAME PASS'}
    - {name: /b, test: 'exit 2'}
",
        )],
    ),
    Case::new(
        "execute-script",
        &[("plan.fmf", "execute: {how: tmt, script: ['true', exit 7, '[ -e .fmf/version ]']}\n")],
    ),
    Case::new(
        "exit-first",
        &[
            ("t.fmf", "/a: {test: 'true'}\n/b: {test: 'false'}\n/c: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt, exit-first: true}\n"),
        ],
    )
    .short(),
    Case::new(
        "exit-first-warns",
        &[
            (
                "t.fmf",
                "/a: {test: 'true', result: warn}\n/b: {test: 'false', result: xfail}\n/c: {test: 'exit 2'}\n/d: {test: 'true'}\n",
            ),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt, exit-first: true}\n"),
        ],
    ),
    Case::new(
        "exit-first-parts",
        &[
            (
                "t.fmf",
                r"
/a: {test: 'tmt-report-result /x FAIL', result: info}
/b: {test: 'printf ''- {name: /, result: pass}\n- {name: /x, result: fail}\n'' >$TMT_TEST_DATA/results.yaml', result: custom}
/a-part: {test: 'printf ''- {name: /, result: pass, subresult: [{name: /x, result: fail}]}\n'' >$TMT_TEST_DATA/results.yaml', result: custom}
/c: {test: 'true'}
",
            ),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt, exit-first: true}\n"),
        ],
    ),
    Case::new(
        "ignore-duration",
        &[
            ("t.fmf", "test: sleep 4\nduration: 2s\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE]}\nexecute: {how: tmt, ignore-duration: true}\n"),
        ],
    ),
    Case::new(
        "restraint-compatible",
        &[
            (
                "t.fmf",
                "/names: {test: 'tmt-report-result \"$RSTRNT_TASKNAME $TMT_RESTRAINT_COMPATIBLE\" PASS'}\n/output: {test: 'echo x >o; OUTPUTFILE=$PWD/o tmt-report-result /x FAIL'}\n",
            ),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt, restraint-compatible: true}\n"),
        ],
    )
    .short(),
    Case::new(
        "adjust-tests",
        &[
            ("t.fmf", "/a: {test: 'false', adjust: [{when: distro == fedora, result: info}]}\n/b: {test: 'false'}\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/], adjust-tests: [{result: xfail, when: distro == fedora}]}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new("test-and-plan", &[("t.fmf", "/both: {test: 'true', discover: {how: fmf, test: [^/CASE/]}, execute: {how: tmt}}\n")]),
    Case::new(
        "no-discover",
        &[("t.fmf", "test: 'true'\n"), ("plan.fmf", "execute: {how: tmt}\n")],
    ),
];
