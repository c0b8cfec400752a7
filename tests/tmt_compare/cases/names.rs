//! Names of tests and plans, and how trees inherit and merge what is in them.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "unicode",
        &[
            (
                "příliš/žluťoučký.fmf",
                "/kůň: {test: 'tmt-report-result \"$TMT_TEST_NAME ☃\" PASS; echo ☃ >$TMT_TEST_DATA/☃'}\n",
            ),
            (
                "t.fmf",
                "/日本: {test: 'true', summary: ☃, environment: {S: ☃}}\n/value: {test: '[ $S = ☃ ]', environment: {S: ☃}}\n",
            ),
        ],
    ),
    Case::new(
        "blanks",
        &[
            (
                "a directory/two words.fmf",
                "/and more: {test: 'tmt-report-result \"$TMT_TEST_NAME ${PWD##*/}\" PASS; [ -e \"two words.fmf\" ]'}\n",
            ),
            ("t.fmf", "/b c: {test: 'true'}\n/d: {test: 'false'}\n"),
            (
                "a plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "odd-names",
        &[(
            "t.fmf",
            "/a.b: {test: 'true'}\n/a+b: {test: 'true'}\n/a,b: {test: 'true'}\n/a@b: {test: 'true'}\n/(a): {test: 'true'}\n/a=b: {test: 'true'}\n/-a: {test: 'true'}\n/a%20b: {test: 'true'}\n/_: {test: 'true'}\n",
        )],
    ),
    Case::new(
        "deep",
        &[
            (
                "main.fmf",
                "test: 'echo $TMT_TEST_NAME >$TMT_TEST_DATA/name; [ \"$V\" = \"$W\" ]'\nenvironment: {V: a}\ntag: [top]\n",
            ),
            ("one/main.fmf", "environment+: {W: a}\ntag+: [one]\n"),
            (
                "one/two/three/four/five/six.fmf",
                "/seven:\n    /eight: {environment+: {V: b}}\n    /nine/ten: {tag-: [top]}\n",
            ),
            ("one/two/main.fmf", "/leaf: {environment+: {W: c}}\n"),
            (
                "plan.fmf",
                "test: null\ndiscover: {how: fmf, test: [^/CASE/one]}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "merge",
        &[(
            "t.fmf",
            r"
test: 'echo $A-$B-$N >$TMT_TEST_DATA/out'
duration: 1m
tag: [a, b, c]
environment: {A: '1', B: x, N: '5'}
description: text
/plus: {environment+: {B: y}, tag+: [d], duration+: ' 30s', description+: ' more'}
/minus: {tag-: [b], environment-: [B]}
/instead: {environment: {A: '7'}}
/replace: {'test~': ';echo;printf hello;', 'duration~': [';1m;2m;']}
/prepend: {test+<: 'true; '}
/plain-name: {name: ignored}
",
        )],
    ),
    Case::new(
        "path",
        &[
            (
                "t.fmf",
                "/root: {test: '[ -e .fmf/version ]', path: /}\n/below: {test: '[ -e here ]', path: /CASE/sub}\n/own: {test: '[ -e t.fmf ] && [ -d sub ]'}\n",
            ),
            ("sub/here", "x\n"),
            (
                "sub/u.fmf",
                "/in: {test: '[ -e here ]'}\n/up: {test: '[ -e here ] || [ -e t.fmf ]', path: /CASE}\n",
            ),
        ],
    ),
    Case::new(
        "path-relative",
        &[
            ("t.fmf", "/a: {test: 'true', path: sub}\n/b: {test: 'true'}\n"),
            ("sub/here", "x\n"),
        ],
    ),
    Case::new(
        "links",
        &[
            ("real/main.fmf", "test: 'bash ./run.sh'\n"),
            ("real/run.sh", "[ -e beside ] && echo x >$TMT_TEST_DATA/x\n"),
            ("real/beside", "x\n"),
            (
                "u/u.fmf",
                "/file: {test: '[ \"$(cat through)\" = x ] && [ -L through ]'}\n/broken: {test: '[ -L broken ] && [ ! -e broken ]'}\n",
            ),
            (
                "tmt-compare.sh",
                "ln -s real linked\nln -s ../real/beside u/through\nln -s nowhere u/broken\n",
            ),
        ],
    ),
    Case::new(
        "modes",
        &[
            (
                "t.fmf",
                "/runs: {test: ./run.sh}\n/does-not: {test: ./plain.sh}\n/group: {test: '[ \"$(stat -c %a run.sh)\" = 751 ]'}\n/empty: {test: '[ -d empty ]'}\n",
            ),
            ("run.sh", "#!/bin/bash\nexit 1\n"),
            ("plain.sh", "#!/bin/bash\nexit 1\n"),
            ("tmt-compare.sh", "chmod 751 run.sh\nmkdir empty\n"),
        ],
    ),
    Case::new(
        "same-names",
        &[
            ("t.fmf", "/one: {test: 'true'}\n/two: {test: 'false'}\n"),
            (
                "plan.fmf",
                "discover:\n- {name: a, how: fmf, test: [^/CASE/]}\n- {name: b, how: fmf, test: [/CASE/t/two]}\n- {name: c, how: shell, tests: [{name: /CASE/t/two, test: exit 3}]}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "many-plans",
        &[
            (
                "t.fmf",
                "/one: {test: '[ $P = 1 ]', tag: x}\n/two: {test: '[ $P = 2 ]', tag: y}\n/both: {test: '[ -n \"$P\" ]', tag: [x, y]}\n",
            ),
            (
                "p.fmf",
                r"
execute: {how: tmt}
discover: {how: fmf, test: [^/CASE/]}
/b: {environment: {P: '1'}, discover+: {filter: 'tag:x'}, order: 60}
/a: {environment: {P: '2'}, discover+: {filter: 'tag:y'}}
/c: {environment: {P: '2'}, discover+: {filter: 'tag:x'}, enabled: false}
/d:
    discover+: {filter: 'tag:y & tag:x'}
    environment: {P: '3'}
    /inner: {environment+: {Q: '4'}}
",
            ),
        ],
    ),
    Case::new(
        "plan-merge",
        &[
            (
                "t.fmf",
                "/one: {test: 'cat /var/tmp/CASE-made >$TMT_TEST_DATA/made; env | grep ^E_ | sort >$TMT_TEST_DATA/env'}\n",
            ),
            (
                "p/main.fmf",
                "execute: {how: tmt}\ndiscover: {how: fmf, test: [^/CASE/]}\nprepare:\n- {how: shell, name: first, script: 'mkdir -p /var/tmp; echo first >>/var/tmp/CASE-made'}\nenvironment: {E_A: '1'}\n",
            ),
            (
                "p/more.fmf",
                "prepare+:\n- {how: shell, name: second, script: 'echo second >>/var/tmp/CASE-made'}\nenvironment+: {E_B: '2'}\n",
            ),
            (
                "p/less.fmf",
                "/deep:\n    prepare+<:\n    - {how: shell, name: zeroth, script: 'rm -f /var/tmp/CASE-made; echo zeroth >>/var/tmp/CASE-made'}\n    environment: {E_C: '3'}\n    adjust: [{when: distro == fedora-41, environment+: {E_D: '4'}}]\n",
            ),
        ],
    ),
];
