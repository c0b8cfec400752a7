//! Tests of the environment in which a test runs: variables, files, its working directory.

use crate::e2e_protocol::case::Case;

#[test]
fn the_promised_variables_are_there_and_no_others_of_tmt() {
    let done = Case::new("env | grep -o '^TMT_[A-Z_]*\\|^ATEX_[A-Z_]*' | sort | tr '\\n' ' '").run();
    assert_eq!(
        done.output(),
        "ATEX_JOB ATEX_TEST_CONTROL TMT_PLAN_ENVIRONMENT_FILE TMT_REBOOT_COUNT TMT_TEST_METADATA TMT_TEST_NAME \
         TMT_TEST_RESTART_COUNT TMT_TREE "
    );
}

#[test]
fn the_number_of_the_control_stream_has_one_digit_because_dash_takes_no_more() {
    let done = Case::new("expr length \"$ATEX_TEST_CONTROL\"").run();
    assert_eq!(done.output(), "1\n");
}

#[test]
fn the_test_runs_where_its_metadata_lie_with_name_tree_and_metadata_at_hand() {
    let done = Case::new(
        r#"[ "$PWD" -ef "$TMT_TREE/t" ]; cat beside; echo "$TMT_TEST_NAME"; grep -c '^custom: 5$' "$TMT_TEST_METADATA""#,
    )
    .with("custom: 5")
    .file("t/beside", "here\n")
    .run();
    assert_eq!(done.output(), "here\n/t\n1\n");
}

#[test]
fn the_environment_of_the_test_wins_over_the_plan_and_the_command_line_over_both() {
    let done = Case::new(r#"echo "$A $B $C""#)
        .file(
            "plan.fmf",
            "execute:\n    how: tmt\ndiscover:\n    how: fmf\nenvironment:\n    A: plan\n    B: plan\n    C: plan\n",
        )
        .with("environment:\n    B: test\n    C: test")
        .arg("-eC=cli")
        .run();
    assert_eq!(done.output(), "plan test cli\n");
}
