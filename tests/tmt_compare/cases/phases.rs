//! Phases of prepare and finish: order, conditions, what they see and leave, how they fail.

use super::Case;

/// A test that keeps what prepare wrote.
const KEEPS: (&str, &str) = ("t.fmf", "/seen: {test: 'cp /var/tmp/CASE-made $TMT_TEST_DATA/made'}\n");

pub(super) const CASES: &[Case] = &[
    Case::new(
        "phase-order",
        &[
            KEEPS,
            (
                "plan.fmf",
                r"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
prepare:
- {how: shell, order: 99, script: 'echo 99 >>/var/tmp/CASE-made'}
- {how: shell, script: 'echo first of 50 >>/var/tmp/CASE-made'}
- {how: shell, name: aa, script: 'echo second of 50 >>/var/tmp/CASE-made'}
- {how: shell, order: 1, script: ['mkdir -p /var/tmp; : >/var/tmp/CASE-made', 'echo 1 >>/var/tmp/CASE-made']}
- {how: shell, order: 51, script: 'echo 51 >>/var/tmp/CASE-made'}
- {how: shell, order: -3, script: 'mkdir -p /var/tmp; echo early'}
",
            ),
        ],
    ),
    Case::new(
        "phase-when",
        &[
            KEEPS,
            (
                "plan.fmf",
                r"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
context: {trigger: [commit, push]}
prepare:
- {how: shell, script: 'mkdir -p /var/tmp; echo start >/var/tmp/CASE-made'}
- {how: shell, when: [distro == rhel, distro == fedora], script: 'echo either >>/var/tmp/CASE-made'}
- {how: shell, when: distro < fedora-42 and arch == x86_64, script: 'echo both >>/var/tmp/CASE-made'}
- {how: shell, when: trigger == push, script: 'echo push >>/var/tmp/CASE-made'}
- {how: shell, when: trigger is not defined, script: 'echo no trigger >>/var/tmp/CASE-made'}
- {how: shell, when: nothing is defined, script: 'echo nothing >>/var/tmp/CASE-made'}
- {how: shell, when: distro ~< fedora-42, script: 'echo minor >>/var/tmp/CASE-made'}
finish:
- {how: shell, when: distro == rhel, script: 'exit 1'}
",
            ),
        ],
    ),
    Case::new(
        "phase-environment",
        &[
            ("t.fmf", "/seen: {test: 'cp /var/tmp/CASE-* $TMT_TEST_DATA/', environment: {A: test}}\n"),
            ("of.env", "A=file\nC=file\n"),
            (
                "plan.fmf",
                r#"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
environment-file: [./CASE/of.env]
environment: {A: plan, B: true, N: null}
prepare:
- {how: shell, script: ['echo "D=from-file" >>$TMT_PLAN_ENVIRONMENT_FILE', 'echo "A=from-file" >>$TMT_PLAN_ENVIRONMENT_FILE']}
- {how: shell, script: 'mkdir -p /var/tmp; for v in A B C D N TMT_TEST_NAME TMT_REBOOT_COUNT REBOOTCOUNT TMT_VERSION TMT_SOURCE_DIR TMT_RESTRAINT_COMPATIBLE; do echo "$v=${!v-unset}"; done >/var/tmp/CASE-made'}
- {how: shell, script: 'E=local; export E', name: forgets}
- {how: shell, script: 'echo "E=${E-unset}" >>/var/tmp/CASE-made'}
- {how: shell, script: 'echo $- | tr -d hBc >/var/tmp/CASE-options; set -o | grep -E "^(pipefail|errexit|nounset)" >>/var/tmp/CASE-options; readlink /proc/self/fd/0 >>/var/tmp/CASE-options'}
"#,
            ),
        ],
    ),
    Case::new(
        "source-script",
        &[
            ("t.fmf", "/a: {test: '[ \"$S\" = sourced ]', environment: {S: test}}\n/b: {test: 'type -t of_prepare'}\n"),
            (
                "plan.fmf",
                r#"
discover: {how: fmf, test: [^/CASE/]}
execute: {how: tmt}
environment: {S: plan}
prepare:
- {how: shell, script: 'echo "S=sourced; of_prepare() { :; }" >$TMT_PLAN_SOURCE_SCRIPT'}
- {how: shell, script: ['[ "$S" = sourced ]', of_prepare]}
finish: {how: shell, script: of_prepare}
"#,
            ),
        ],
    ),
    Case::new(
        "source-script-fails",
        &[
            ("t.fmf", "/a: {test: 'true'}\n/b: {test: 'true'}\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: {how: shell, script: 'echo \"false; exit 3\" >$TMT_PLAN_SOURCE_SCRIPT'}\n",
            ),
        ],
    ),
    Case::new(
        "second-script-fails",
        &[
            ("t.fmf", "/a: {test: 'true'}\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare:\n- {how: shell, script: ['true', 'false | true', 'true']}\n- {how: shell, script: 'true'}\n",
            ),
        ],
    ),
    Case::new(
        "finish-fails",
        &[
            ("t.fmf", "/a: {test: 'true'}\n/b: {test: 'false'}\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nfinish:\n- {how: shell, script: 'false'}\n- {how: shell, script: 'true'}\n",
            ),
        ],
    ),
    Case::new(
        "no-script",
        &[
            ("t.fmf", "/a: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: [{how: shell}, {script: 'true'}, {how: install}]\nfinish: []\n"),
        ],
    ),
    Case::new(
        "script-of-lines",
        &[
            KEEPS,
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare:\n    how: shell\n    script: |\n        mkdir -p /var/tmp\n        made=/var/tmp/CASE-made\n        cat >$made <<'END'\n        'quoted' \"text\" \\ $HOME `date`\n        END\n        if [ -e $made ]; then echo yes >>$made; fi\n",
            ),
        ],
    ),
    Case::new(
        "prepare-in-tree",
        &[
            ("t.fmf", "/tree: {test: '[ -e $TMT_TREE/CASE/made ]'}\n/own: {test: '[ -e made ]'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: {how: shell, script: 'mkdir -p ./CASE; echo x >./CASE/made'}\n"),
        ],
    ),
    Case::new(
        "feature-unsupported",
        &[
            ("t.fmf", "/a: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: [{how: feature, epel: enabled}, {how: feature, crb: disabled}]\n"),
        ],
    ),
    Case::new(
        "feature-unknown",
        &[
            ("t.fmf", "/a: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: [{how: feature, nosuch: enabled}]\n"),
        ],
    ),
    Case::new(
        "ansible",
        &[
            KEEPS,
            (
                "one.yml",
                "- hosts: all\n  gather_facts: false\n  tasks:\n  - file: {path: /var/tmp, state: directory}\n  - copy: {content: \"{{ lookup('file', 'content.txt') }} {{ given | default('none') }}\\n\", dest: /var/tmp/CASE-made}\n",
            ),
            ("content.txt", "of a file\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: {how: ansible, playbook: ./CASE/one.yml, extra-args: '-e given=option'}\n",
            ),
        ],
    )
    // tmt looks for the playbook under its path in small letters, so all of this case is in such.
    .with_ansible(),
    Case::new(
        "ansible-fails",
        &[
            ("t.fmf", "/a: {test: 'true'}\n"),
            ("bad.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n  - fail: {msg: no}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: {how: ansible, playbook: ./CASE/bad.yml}\n"),
        ],
    )
    .with_ansible(),
    Case::new(
        "ansible-missing",
        &[
            ("t.fmf", "/a: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare: {how: ansible, playbook: ./CASE/nothing.yml}\n"),
        ],
    )
    .with_ansible(),
    Case::new("tty", &[("t.fmf", "/with: {test: '[ -t 1 ]', tty: true}\n/without: {test: '[ ! -t 1 ]'}\n/stdin: {test: '[ ! -t 0 ]'}\n")]),
    Case::new(
        "manual",
        &[("t.fmf", "/hand: {test: README.md, manual: true}\n/machine: {test: 'true', manual: false}\n/off: {test: 'false', enabled: false}\n")],
    ),
];
