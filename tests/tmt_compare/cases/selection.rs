//! Which tests a plan has, in which order, and under which names.

use super::Case;

/// Tests that have about every key that filters see.
const TESTS: &str = r"
/full:
    test: 'true'
    summary: A summary
    tag: [slow, T1]
    tier: 1
    component: [bash, vim]
    order: 30
    duration: 1h
    contact: Somebody <a@example.org>
    id: abc
    link: [{verifies: 'https://example.org/1'}]
    require: [bash]
    recommend: [no-such-package-at-all]
    environment: {K: v}
    extra-own: yes
    priority: high
/bare: {test: 'true'}
/tagged: {test: 'true', tag: fast, tier: '2'}
/two: {test: 'true', tag: [fast, slow], enabled: true}
/off: {test: 'true', tag: fast, enabled: false}
/by-hand: {test: 'true', tag: fast, manual: true}
";

macro_rules! filter {
    ($name:literal, $filter:literal) => {
        Case::new(
            $name,
            &[
                ("t.fmf", TESTS),
                (
                    "plan.fmf",
                    concat!(
                        "discover: {how: fmf, test: [^/CASE/], filter: '",
                        $filter,
                        "'}\nexecute: {how: tmt}\n"
                    ),
                ),
            ],
        )
    };
}

pub(super) const CASES: &[Case] = &[
    filter!("filter-not-tag", "tag:-slow").short(),
    filter!("filter-not-before", "-tag:slow"),
    filter!("filter-tag", "tag:fast"),
    filter!("filter-case", "tag:t1"),
    filter!("filter-regex", "tag:T."),
    filter!("filter-either", "tag:T1,fast"),
    filter!("filter-or", "tag:T1 | tier:2"),
    filter!("filter-and", "tag:fast & tag:slow"),
    filter!("filter-tier", "tier:1").short(),
    filter!("filter-no-tier", "tier:-1"),
    filter!("filter-any-tag", "tag:.*"),
    filter!("filter-id", "id:.*"),
    filter!("filter-no-summary", "summary:None"),
    filter!("filter-order", "order:50"),
    filter!("filter-enabled", "enabled:true"),
    filter!("filter-manual", "manual:False"),
    filter!("filter-duration", "duration:5m"),
    filter!("filter-framework", "framework:shell & result:respect"),
    filter!("filter-unknown-key", "order:30 | nosuch:1").short(),
    filter!("filter-not-unknown", "nosuch:-1"),
    filter!("filter-own-key", "priority:high"),
    filter!("filter-component", "component:bash"),
    filter!("filter-require", "require:bash"),
    filter!("filter-not-require", "require:-bash"),
    filter!("filter-name", "name:.*full"),
    filter!("filter-name-part", "name:full"),
    filter!("filter-environment", "environment:.*K.*"),
    filter!("filter-link", "link:.*verifies.*"),
    filter!("filter-path", "path:/CASE"),
    filter!("filter-where", "where:.*"),
    filter!("filter-restart", "restart-max-count:1"),
    filter!("filter-test", "test:true"),
    Case::new(
        "filters",
        &[
            ("t.fmf", TESTS),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/], filter: ['tag:slow', 'tier:1']}\nexecute: {how: tmt}\n"),
        ],
    ),
    Case::new(
        "order",
        &[("t.fmf", "/z: {test: 'true'}\n/a: {test: 'true', order: 60}\n/m: {test: 'true'}\n/B: {test: 'true'}\n/first: {test: 'true', order: -1}\n/m10: {test: 'true'}\n/m2: {test: 'true'}\n")],
    )
    .short(),
    Case::new(
        "test-list",
        &[
            ("t.fmf", "/one: {test: 'true'}\n/two: {test: 'true'}\n/three: {test: 'false'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [/CASE/t/two, /CASE/t/one]}\nexecute: {how: tmt}\n"),
        ],
    )
    .short(),
    Case::new(
        "test-twice",
        &[
            ("t.fmf", "/one: {test: 'true'}\n/two: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [/CASE/t/two, /CASE/t/one, /CASE/t/two]}\nexecute: {how: tmt}\n"),
        ],
    ),
    Case::new(
        "exclude",
        &[
            ("t.fmf", "/one: {test: 'true'}\n/two: {test: 'true'}\n/twofold: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, test: [^/CASE/], exclude: [two$]}\nexecute: {how: tmt}\n"),
        ],
    ),
    Case::new(
        "include",
        &[
            ("t.fmf", "/one: {test: 'true'}\n/two: {test: 'true', order: 10}\n/three: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, include: [/CASE/t/one, /CASE/t/two, /CASE/t/one]}\nexecute: {how: tmt}\n"),
        ],
    ),
    Case::new(
        "two-phases",
        &[
            ("t.fmf", "/one: {test: 'echo $TMT_TEST_NAME; tmt-report-result \"$TMT_TEST_NAME\" PASS'}\n/two: {test: 'true'}\n"),
            (
                "plan.fmf",
                "discover:\n- {how: fmf, name: zz, test: [/CASE/t/one]}\n- {how: fmf, test: [/CASE/t/two]}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "two-phases-one-off",
        &[
            ("t.fmf", "/one: {test: 'true'}\n/two: {test: 'true'}\n"),
            (
                "plan.fmf",
                "discover:\n- {how: fmf, name: a, test: [/CASE/t/one]}\n- {how: fmf, name: b, test: [/CASE/t/two], when: distro == rhel}\nexecute: {how: tmt}\n",
            ),
        ],
    ),
    Case::new(
        "one-named-phase",
        &[
            ("t.fmf", "/one: {test: 'true'}\n"),
            ("plan.fmf", "discover: {how: fmf, name: zz, test: [^/CASE/]}\nexecute: {how: tmt}\n"),
        ],
    ),
    Case::new(
        "plans",
        &[
            ("t.fmf", "test: 'true'\n"),
            (
                "p.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\n/on: {summary: a plan}\n/off: {enabled: false}\n/empty: {discover: {how: fmf, test: [nothing-has-this-name]}}\n",
            ),
        ],
    ),
    Case::new("no-plan", &[("t.fmf", "/a: {test: 'true'}\n/b: {test: 'false'}\n")]).alone(&[]),
    Case::new(
        "adjust",
        &[(
            "t.fmf",
            "test: 'false'\nadjust:\n- {when: distro == fedora-41, test: 'true'}\n- {when: arch == s390x, test: exit 7}\n/a: {}\n/b: {adjust+: [{when: distro < fedora-42, result: xfail}]}\n/c: {adjust+: [{enabled: false, when: distro ~= fedora}]}\n",
        )],
    ),
];
