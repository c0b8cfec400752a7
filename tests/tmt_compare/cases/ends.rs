//! Ways in which a test does not end by itself once: aborts, reboots, restarts, durations; and checks around it.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "abort",
        &[("t.fmf", "/a: {test: 'tmt-abort; sleep 1'}\n/b: {test: 'true'}\n")],
    )
    .short(),
    Case::new(
        "abort-after-report",
        &[(
            "t.fmf",
            "/a: {test: 'tmt-report-result /x PASS; rstrnt-abort; sleep 1'}\n/b: {test: 'true'}\n",
        )],
    ),
    Case::new(
        "abort-by-any-means",
        &[(
            "t.fmf",
            r"
/a:
    /custom: {test: 'printf ''- {name: /, result: pass}\n'' >$TMT_TEST_DATA/results.yaml; rhts-abort; sleep 1', result: custom}
    /after: {test: 'true'}
",
        )],
    ),
    Case::new(
        "abort-file",
        &[(
            "t.fmf",
            "/a: {test: 'touch $TMT_TEST_DATA/abort'}\n/b: {test: 'true'}\n",
        )],
    ),
    Case::new(
        "submit",
        &[(
            "t.fmf",
            r"
/plain: {test: 'echo x >f; tmt-file-submit f f; [ -e $TMT_TEST_DATA/f ]'}
/option: {test: 'echo x >f; tmt-file-submit -l f; rhts-submit-log -T 5 -l f -S x || true; [ -s $TMT_TEST_SUBMITTED_FILES ]'}
/missing: {test: tmt-file-submit -l nothing}
/nothing: {test: tmt-file-submit}
/names:
    test: |
        for name in tmt-report-result rstrnt-report-result rhts-report-result tmt-file-submit rhts-submit-log rhts_submit_log \
            rstrnt-report-log tmt-abort rhts-abort rstrnt-abort tmt-reboot rhts-reboot rstrnt-reboot; do
            if type -P $name >/dev/null; then tmt-report-result $name PASS; else tmt-report-result $name FAIL; fi
        done
",
        )],
    ),
    Case::new(
        "restart",
        &[(
            "t.fmf",
            r"
/once: {test: '[ $TMT_TEST_RESTART_COUNT = 1 ]', restart-on-exit-code: 1}
/list: {test: 'case $TMT_TEST_RESTART_COUNT in 0) exit 5;; 1) exit 6;; *) exit 0;; esac', restart-on-exit-code: [5, 6], restart-max-count: 2}
/too-often: {test: exit 1, restart-on-exit-code: 1}
/expected: {test: exit 1, restart-on-exit-code: 1, result: xfail}
/passes-too-often: {test: exit 0, restart-on-exit-code: 0}
/never: {test: exit 1, restart-on-exit-code: 1, restart-max-count: 0}
/other-code: {test: exit 1, restart-on-exit-code: 2}
/keeps-data: {test: 'echo x >>$TMT_TEST_DATA/f; [ $(wc -l <$TMT_TEST_DATA/f) = 2 ]', restart-on-exit-code: 1}
/reports: {test: 'tmt-report-result /n$TMT_TEST_RESTART_COUNT PASS; [ $TMT_TEST_RESTART_COUNT = 1 ]', restart-on-exit-code: 1}
/after: {test: 'true'}
",
        )],
    ),
    Case::new(
        "checks",
        &[(
            "t.fmf",
            r"
/dmesg: {test: 'true', check: dmesg}
/dmesg-fails: {test: 'echo Call Trace: >/dev/kmsg', check: [dmesg]}
/dmesg-xfail: {test: 'echo Call Trace: >/dev/kmsg', check: [{how: dmesg, result: xfail}]}
/dmesg-xfail-passes: {test: 'true', check: [{how: dmesg, result: xfail}]}
/dmesg-info: {test: 'echo Call Trace: >/dev/kmsg', check: [{how: dmesg, result: info}]}
/dmesg-off: {test: 'echo Call Trace: >/dev/kmsg', check: [{how: dmesg, enabled: false}]}
/test-xfail: {test: 'echo Call Trace: >/dev/kmsg', check: [dmesg], result: xfail}
/skips: {test: 'true', check: [avc, coredump]}
/fails: {test: 'false', check: avc}
",
        )],
    ),
    Case::new(
        "durations",
        &[(
            "t.fmf",
            r"
test: 'true'
/seconds: {duration: '30'}
/number: {duration: 30}
/s: {duration: 30s}
/m: {duration: 1m}
/h: {duration: 1h}
/d: {duration: 2d}
/sum: {duration: 1h 30m}
/sum-of-seconds: {duration: 10s 20s}
/product: {duration: 5m *2}
/product-first: {duration: '*2 10s'}
/product-of-text: {duration: 1h *1.5}
/products: {duration: 10s *1.25 *2}
/only-product: {duration: '*2'}
",
        )],
    ),
    Case::new("duration-fraction", &[("t.fmf", "test: 'true'\nduration: 0.05m\n")]).alone(&[]),
    Case::new("duration-weeks", &[("t.fmf", "test: 'true'\nduration: 1w\n")]).alone(&[]),
    Case::new("result-skip", &[("t.fmf", "test: 'true'\nresult: skip\n")]).alone(&[]),
    Case::new("result-upper-case", &[("t.fmf", "test: 'true'\nresult: PASS\n")]).alone(&[]),
    Case::new(
        "no-such-path",
        &[("t.fmf", "/a: {test: 'true', path: /nowhere}\n/b: {test: 'true'}\n")],
    )
    .alone(&[]),
    Case::new("framework-unknown", &[("t.fmf", "test: 'true'\nframework: nosuch\n")]).alone(&[]),
    Case::new(
        "left-files",
        &[(
            "t.fmf",
            r"
/a-makes: {test: 'echo x >left'}
/b-background: {test: 'sleep 60 >/dev/null 2>&1 & echo'}
/c-output: {test: 'head -c 300000 /dev/zero | base64 -w 0'}
/d-binary: {test: 'printf ''\001\377\200\n'''}
/f-no-tty: {test: '[ ! -t 1 ]'}
",
        )],
    ),
];
