//! What needs a repository: tests and plans from another one, tests that were changed, links.

use super::Case;

/// Makes the repository `/var/tmp/CASE/other`, with tests and plans.
const OTHER: (&str, &str) = (
    "tmt-compare.sh",
    r#"
mkdir -p /var/tmp/CASE/other/{.fmf,sub/.fmf}
cd /var/tmp/CASE/other
echo 1 | tee .fmf/version >sub/.fmf/version
cat >t.fmf <<'END'
/one: {test: '[ -e t.fmf ] && [ "${V-none}" = "$W" ]', environment: {W: theirs}}
/two: {test: 'false', tag: fails}
END
cat >p.fmf <<'END'
discover: {how: fmf}
execute: {how: tmt}
environment: {V: theirs}
context: {side: theirs}
/base: {prepare: {how: shell, script: 'echo prepared; [ -e t.fmf ]'}}
/basement: {discover+: {filter: 'tag:fails'}}
/second: {discover+: {test: [one]}, adjust: [{when: side == ours, enabled: false}]}
/off: {enabled: false}
END
echo "/below: {test: '[ -e s.fmf ]'}" >sub/s.fmf
git init -q -b main .
git add -A
git -c user.name=a -c user.email=a@example.org commit -q -m all
git checkout -q -b branch
echo '/three: {test: "true"}' >>t.fmf
git -c user.name=a -c user.email=a@example.org commit -q -a -m branch
git checkout -q main
"#,
);

macro_rules! changed {
    ($name:literal, $keys:literal, $change:literal) => {
        Case::new(
            $name,
            &[
                ("a/main.fmf", "/b: {test: 'true'}\n"),
                ("ab.fmf", "test: 'true'\n"),
                ("c/main.fmf", "/x: {test: 'true'}\n/y: {test: 'false'}\n"),
                ("root.fmf", "test: 'true'\n"),
                (
                    "plan.fmf",
                    concat!(
                        "discover: {how: fmf, modified-only: true, ",
                        $keys,
                        "}\nexecute: {how: tmt}\n"
                    ),
                ),
                (
                    "tmt-compare.sh",
                    concat!(
                        "git config --global user.name a; git config --global user.email a@example.org\n",
                        "git config --global --add safe.directory '*'\n",
                        "git init -q -b main .; git add -A; git commit -q -m base; git checkout -q -b work\n",
                        $change,
                        "\n"
                    ),
                ),
            ],
        )
        .alone(&[])
    };
}

pub(super) const CASES: &[Case] = &[
    Case::new(
        "discover-url",
        &[
            OTHER,
            (
                "plan.fmf",
                "discover: {how: fmf, url: /var/tmp/CASE/other}\nexecute: {how: tmt}\nenvironment: {V: theirs}\n",
            ),
        ],
    ),
    Case::new(
        "discover-ref",
        &[
            OTHER,
            (
                "plan.fmf",
                "discover: {how: fmf, url: /var/tmp/CASE/other, ref: branch, exclude: [one]}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "discover-url-path",
        &[
            OTHER,
            (
                "plan.fmf",
                "discover: {how: fmf, url: /var/tmp/CASE/other, path: /sub}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "discover-no-such-ref",
        &[
            OTHER,
            (
                "plan.fmf",
                "discover: {how: fmf, url: /var/tmp/CASE/other, ref: nosuch}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "discover-path",
        &[
            ("below/t.fmf", "/own: {test: '[ -e t.fmf ]'}\n"),
            ("tmt-compare.sh", "mkdir below/.fmf; echo 1 >below/.fmf/version\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, path: /CASE/below}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "discover-shell-url",
        &[
            OTHER,
            (
                "plan.fmf",
                "discover: {how: shell, url: /var/tmp/CASE/other, tests: [{name: /there, test: '[ -e t.fmf ]'}, {name: /git, test: '[ ! -e .git ]'}, {name: /below, test: '[ -e s.fmf ]', path: /sub}]}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "import",
        &[
            OTHER,
            (
                "plan.fmf",
                "/first: {plan: {import: {url: /var/tmp/CASE/other, name: /p/base}}}\n# execute: is theirs\n",
            ),
        ],
    ),
    Case::new(
        "import-keys",
        &[
            OTHER,
            (
                "plan.fmf",
                r"
# execute: is theirs
/environment: {environment: {V: ours}, plan: {import: {url: /var/tmp/CASE/other, name: /p/second}}}
/own-environment: {environment: {V: ours}, plan: {import: {url: /var/tmp/CASE/other, name: /p/second, inherit-environment: false}}}
/ref: {plan: {import: {url: /var/tmp/CASE/other, ref: branch, name: /p/base$}}}
/context: {context: {side: ours}, plan: {import: {url: /var/tmp/CASE/other, name: /p/second}}}
/adjust: {plan: {import: {url: /var/tmp/CASE/other, name: /p/second, adjust-plans: [{environment: {V: adjusted}}]}}}
",
            ),
        ],
    ),
    Case::new(
        "import-all",
        &[
            OTHER,
            (
                "plan.fmf",
                "# execute: is theirs\n/all: {plan: {import: {url: /var/tmp/CASE/other, name: /p, scope: all-plans, importing: become-parent}}}\n",
            ),
        ],
    ),
    Case::new(
        "import-missing",
        &[
            OTHER,
            ("t.fmf", "/a: {test: 'true'}\n"),
            (
                "plan.fmf",
                "/good: {discover: {how: fmf, test: [^/CASE/]}, execute: {how: tmt}}\n/gone: {plan: {import: {url: /var/tmp/CASE/other, name: /nosuch}}}\n/off: {plan: {import: {url: /var/tmp/CASE/other, name: /p/off}}}\n",
            ),
        ],
    ),
    changed!(
        "modified-below",
        "modified-ref: main",
        "echo x >a/new; git add -A; git commit -q -m new"
    )
    .short(),
    changed!(
        "modified-two",
        "modified-ref: main, exclude: [x]",
        "echo x >c/new; git add -A; git commit -q -m new; git rm -q c/new; git commit -q -m back"
    ),
    changed!(
        "modified-and-named",
        "modified-ref: main, test: [/root]",
        "echo x >c/new; git add -A; git commit -q -m new"
    ),
    changed!(
        "modified-root-only",
        "modified-ref: main",
        "echo x >new; git add -A; git commit -q -m new"
    ),
    changed!("modified-not-committed", "modified-ref: main", "echo x >a/new"),
    changed!(
        "modified-no-base",
        "test: [/root]",
        "echo x >a/new; git add -A; git commit -q -m new"
    ),
    Case::new(
        "link",
        &[
            (
                "t.fmf",
                "test: 'true'\n/one: {link: [{verifies: 'https://example.org/1'}]}\n/two: {link: [{relates: 'https://example.org/1'}, {verifies: /s}]}\n/three: {link: 'https://example.org/2'}\n/none: {}\n",
            ),
            (
                "p.fmf",
                r"
execute: {how: tmt}
discover: {how: fmf, test: [^/CASE/]}
/target: {discover+: {link: 'example.org/1'}}
/relation: {discover+: {link: 'verifies:.*org/1'}}
/any: {discover+: {link: ['verifies:/s', 'relates:.*/2']}}
/all: {discover+: {link: '.*'}}
",
            ),
        ],
    ),
];
