//! `result: custom`: the results are in a file that the test writes.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "custom",
        &[(
            "t.fmf",
            r#"
result: custom
/own-and-part:
    test: |
        printf -- '- {name: /, result: pass}\n- {name: /s, result: fail}\n' >$TMT_TEST_DATA/results.yaml
        exit 5
/only-parts:
    test: |
        printf -- '- {name: /a, result: pass}\n- {name: /b/c, result: info}\n' >$TMT_TEST_DATA/results.yaml
/no-slash:
    test: |
        printf -- '- {name: a, result: pass}\n' >$TMT_TEST_DATA/results.yaml
/json:
    test: |
        echo '[{"name": "/", "result": "warn"}, {"name": "/x", "result": "skip"}]' >$TMT_TEST_DATA/results.json
/both:
    test: |
        echo '[{"name": "/", "result": "warn"}]' >$TMT_TEST_DATA/results.json
        printf -- '- {name: /, result: info}\n' >$TMT_TEST_DATA/results.yaml
/nothing: {test: exit 0}
/empty: {test: ': >$TMT_TEST_DATA/results.yaml'}
/empty-list: {test: 'echo [] >$TMT_TEST_DATA/results.yaml'}
/elsewhere: {test: 'echo "- {name: /, result: pass}" >$TMT_TEST_INVOCATION_PATH/results.yaml'}
/same-name:
    test: |
        printf -- '- {name: /a, result: pass}\n- {name: /b, result: pass}\n- {name: /a, result: fail}\n' >$TMT_TEST_DATA/results.yaml
/no-result:
    test: |
        printf -- '- {name: /}\n' >$TMT_TEST_DATA/results.yaml
/reports-too:
    test: |
        tmt-report-result /x FAIL
        printf -- '- {name: /, result: pass}\n' >$TMT_TEST_DATA/results.yaml
/every-field:
    test: |
        cat >$TMT_TEST_DATA/results.yaml <<'END'
        - name: /
          result: info
          note: [one, two]
          log: [a.log, /absolute.log]
          duration: 00:11:22
          start-time: yesterday
          end-time: today
          serial-number: 77
          ids: {id: x}
          context: {distro: [x]}
          data-path: somewhere
          original-result: fail
        - name: /text-for-note
          result: pass
          note: only a text
        - name: /parts
          result: pass
          subresult:
          - {name: /one, result: fail, log: [b.log], note: [three]}
          - {name: /two, result: info}
        END
/all-outcomes:
    test: |
        for word in pass fail info warn error skip; do echo "- {name: /$word, result: $word}"; done >$TMT_TEST_DATA/results.yaml
"#,
        )],
    )
    .short(),
    Case::new(
        "custom-timeout",
        &[(
            "t.fmf",
            r"
result: custom
duration: 2s
test: |
    printf -- '- {name: /, result: pass}\n' >$TMT_TEST_DATA/results.yaml
    sleep 9
",
        )],
    ),
    Case::new("custom-mapping", &[("t.fmf", "result: custom\ntest: 'echo \"{name: /}\" >$TMT_TEST_DATA/results.yaml'\n")]),
    Case::new(
        "custom-broken",
        &[("t.fmf", "result: custom\ntest: 'echo \"- {name: [\" >$TMT_TEST_DATA/results.yaml'\n")],
    ),
    Case::new("custom-no-name", &[("t.fmf", "result: custom\ntest: 'echo \"- {result: pass}\" >$TMT_TEST_DATA/results.yaml'\n")]),
    Case::new(
        "custom-capitals",
        &[("t.fmf", "result: custom\ntest: 'echo \"- {name: /, result: PASS}\" >$TMT_TEST_DATA/results.yaml'\n")],
    ),
    Case::new(
        "custom-unknown-key",
        &[("t.fmf", "result: custom\ntest: 'echo \"- {name: /, result: pass, extra: 1}\" >$TMT_TEST_DATA/results.yaml'\n")],
    )
    .short(),
    Case::new("custom-texts", &[("t.fmf", "result: custom\ntest: 'echo \"[a, b]\" >$TMT_TEST_DATA/results.yaml'\n")]),
    Case::new(
        "custom-pending",
        &[("t.fmf", "result: custom\ntest: 'echo \"- {name: /, result: pending}\" >$TMT_TEST_DATA/results.yaml'\n")],
    ),
];
