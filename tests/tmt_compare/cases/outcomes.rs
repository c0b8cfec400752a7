//! Outcomes of tests: exit codes, `result`, and what tests report.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "exit-codes",
        &[(
            "t.fmf",
            r"
/a-0: {test: exit 0}
/b-1: {test: exit 1}
/c-2: {test: exit 2}
/d-79: {test: exit 79}
/e-126: {test: exit 126}
/f-127: {test: no-such-command}
/g-130: {test: exit 130}
/h-143: {test: exit 143}
/i-255: {test: exit 255}
/j-killed: {test: kill -9 $$}
/k-ended: {test: kill -15 $$}
/l-errexit: {test: false; true}
/m-pipefail: {test: 'false | true'}
/n-unset-is-empty: {test: 'test -z $NOT_SET_AT_ALL'}
",
        )],
    )
    .short(),
    Case::new(
        "interpretation",
        &[(
            "t.fmf",
            r"
/respect-0: {test: exit 0, result: respect}
/xfail-0: {test: exit 0, result: xfail}
/xfail-1: {test: exit 1, result: xfail}
/xfail-2: {test: exit 2, result: xfail}
/pass-1: {test: exit 1, result: pass}
/pass-9: {test: exit 9, result: pass}
/info-0: {test: exit 0, result: info}
/info-2: {test: exit 2, result: info}
/warn-0: {test: exit 0, result: warn}
/error-0: {test: exit 0, result: error}
/fail-0: {test: exit 0, result: fail}
/custom-nothing: {test: exit 0, result: custom}
",
        )],
    )
    .short(),
    Case::new("restraint-silent", &[("t.fmf", "test: 'true'\nresult: restraint\n")]).short(),
    Case::new(
        "timeout",
        &[(
            "t.fmf",
            "/slow: {test: sleep 9, duration: 2s}\n/after: {test: 'true'}\n",
        )],
    )
    .short(),
    Case::new(
        "reports",
        &[(
            "t.fmf",
            r"
/pass-and-1: {test: tmt-report-result /x PASS; exit 1}
/pass-and-255: {test: tmt-report-result /x PASS; exit 255}
/worst: {test: 'tmt-report-result /x PASS; tmt-report-result /y FAIL; tmt-report-result /z WARN'}
/skip: {test: 'tmt-report-result x: SKIP; exit 1'}
/warn: {test: 'tmt-report-result /x skip; tmt-report-result /y pass; tmt-report-result /z warn'}
/skip-and-pass: {test: 'tmt-report-result /x skip; tmt-report-result /y pass'}
/xfail: {test: 'tmt-report-result /x FAIL; exit 0', result: xfail}
/xfail-skip: {test: 'tmt-report-result /x SKIP', result: xfail}
/info: {test: 'tmt-report-result /x FAIL', result: info}
/same-name: {test: 'tmt-report-result /x PASS; tmt-report-result /x FAIL; tmt-report-result /x PASS'}
/root: {test: tmt-report-result / PASS}
/spaces: {test: 'tmt-report-result /two\ words PASS'}
/score: {test: tmt-report-result /x PASS 77}
/options: {test: 'echo l >l; tmt-report-result -t a --message b -s c -p d --port 1 --no-plugins /x PASS 1 -o l'}
/no-log: {test: tmt-report-result -o nothing /x PASS}
/usage: {test: tmt-report-result /x}
/bad-option: {test: tmt-report-result --nothing /x PASS}
/empty-name: {test: 'tmt-report-result '''' PASS'}
/rhts: {test: 'echo l >l; rhts-report-result /x PASS l 5'}
/rhts-no-log: {test: rhts-report-result /x PASS}
/rstrnt: {test: rstrnt-report-result /x FAIL 5}
",
        )],
    )
    .short(),
    Case::new(
        "report-info",
        &[(
            "t.fmf",
            "/bad: {test: tmt-report-result /x INFO}\n/later: {test: 'true'}\n",
        )],
    )
    .short(),
    Case::new(
        "report-unknown",
        &[(
            "t.fmf",
            "/bad: {test: tmt-report-result /x NONSENSE}\n/later: {test: 'true'}\n",
        )],
    ),
    Case::new(
        "restraint",
        &[(
            "t.fmf",
            r"
result: restraint
/two: {test: 'tmt-report-result /x PASS; tmt-report-result /y/z FAIL; exit 3'}
/info: {test: 'tmt-report-result /x INFO'}
/warn: {test: 'rstrnt-report-result x WARN'}
",
        )],
    )
    .short(),
];
