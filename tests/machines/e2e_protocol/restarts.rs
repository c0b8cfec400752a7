//! Tests of `disconnect`, of `reconnect`, and of connections that end without either.
//!
//! On the local SUT, the connection is lost when the wrapper ends, so the tests kill the wrapper by `$PPID`.

use serde_json::json;

use crate::e2e_protocol::case::{Case, lives};

#[test]
fn the_noop_loop_gets_through_to_the_line_behind_it() {
    let done = Case::raw(
        r#"if [ "$TMT_REBOOT_COUNT" = 0 ]; then
            echo disconnect >&$ATEX_TEST_CONTROL
            while :; do echo noop >&$ATEX_TEST_CONTROL || break; sleep 0.1; done
            echo let go >> "$WORLD/behind"
            exit 0
        fi"#,
    )
    .run();
    assert_eq!(done.world.read("behind"), "let go\n");
    assert_eq!(done.result()["status"], "pass");
}

#[test]
fn both_counters_grow_by_one_with_each_restart_from_0() {
    let done = Case::new(
        r#"echo "$TMT_REBOOT_COUNT $TMT_TEST_RESTART_COUNT" >> "$WORLD/counts"
        [ "$TMT_REBOOT_COUNT" = 3 ] || let_go"#,
    )
    .run();
    assert_eq!(done.world.read("counts"), "0 0\n1 1\n2 2\n3 3\n");
    assert!(!done.was_tainted());
}

#[test]
fn how_the_test_ends_after_disconnect_does_not_count() {
    let done = Case::new(r#"[ "$TMT_REBOOT_COUNT" != 0 ] || { let_go; exit 1; }"#).run();
    assert_eq!(done.result()["status"], "pass");
}

#[test]
fn the_exit_code_counts_anew_after_a_restart() {
    let done = Case::new(r#"[ "$TMT_REBOOT_COUNT" != 0 ] || { say exitcode 0; let_go; exit 0; }; exit 9"#)
        .exits(1)
        .run();
    assert_eq!(done.result()["status"], "fail");
}

#[test]
fn a_test_that_dies_of_sigpipe_after_disconnect_is_started_again() {
    let done = Case::new(
        r#"if [ "$TMT_REBOOT_COUNT" = 0 ]; then
            say disconnect
            exec bash -c 'while :; do echo noop >&$ATEX_TEST_CONTROL; sleep 0.1; done'
        fi
        echo second"#,
    )
    .run();
    assert_eq!(done.output(), "second\n");
}

#[test]
fn programs_that_a_test_starts_have_the_default_for_sigpipe() {
    let done = Case::new(
        r#"set +e +o pipefail
        bash -c 'trap' | grep PIPE
        yes | head -n 1
        echo "${PIPESTATUS[0]}""#,
    )
    .run();
    assert_eq!(done.output(), "y\n141\n");
}

#[test]
fn the_failed_write_of_noop_is_an_error_of_the_command() {
    let done = Case::new(
        r#"if [ "$TMT_REBOOT_COUNT" = 0 ]; then
            say disconnect
            while :; do sleep 0.1; echo noop >&$ATEX_TEST_CONTROL; done
            echo not reached >> "$WORLD/reached"
        fi"#,
    )
    .run();
    assert_eq!(done.result()["status"], "pass");
    assert!(!done.world.path("reached").exists());
}

#[test]
fn results_and_output_from_before_a_restart_are_kept() {
    let done = Case::new(
        r#"echo "start $TMT_REBOOT_COUNT"
        result "{\"status\":\"pass\",\"name\":\"start $TMT_REBOOT_COUNT\"}"
        result '{"name":"open","list":[1],"partial":true}'
        [ "$TMT_REBOOT_COUNT" = 1 ] || let_go
        result '{"status":"pass","name":"open"}'"#,
    )
    .run();
    assert_eq!(done.results()[0]["name"], "start 0");
    assert_eq!(done.results()[1]["name"], "start 1");
    assert_eq!(
        done.results()[2],
        json!({"name": "open", "list": [1, 1], "status": "pass"})
    );
    assert_eq!(done.output(), "start 0\nstart 1\n");
}

#[test]
fn nothing_that_was_printed_before_disconnect_is_lost() {
    let done =
        Case::new(r#"if [ "$TMT_REBOOT_COUNT" = 0 ]; then head -c 60000 /dev/zero | tr '\0' x; let_go; fi"#).run();
    assert_eq!(done.output().len(), 60_000);
}

#[test]
fn a_disconnect_holds_for_one_disconnection() {
    let done = Case::new(
        r"case $TMT_REBOOT_COUNT in
            0) let_go ;;
            1) kill -9 $PPID; sleep 600 ;;
        esac",
    )
    .exits(3)
    .run();
    done.infra("aborted");
}

#[test]
fn a_connection_that_ends_without_disconnect_aborts_the_test_and_taints_the_sut() {
    let done = Case::new(
        r#"echo $$ > "$WORLD/pid"; result '{"status":"pass","name":"before"}'
        kill -9 $PPID; sleep 600"#,
    )
    .exits(3)
    .run();
    assert_eq!(done.results()[0]["name"], "before");
    let note = done.infra("aborted");
    assert!(note.contains("signal 9"), "{note}");
    assert!(done.was_tainted());
    assert!(!lives(done.pids("pid")[0]), "the test outlived its wrapper");
}

#[test]
fn a_stream_that_the_lost_connection_cut_is_no_fault_of_the_test() {
    let done = Case::new(r#"printf 'result 100\n{"status"' >&$ATEX_TEST_CONTROL; kill -9 $PPID; sleep 600"#)
        .exits(3)
        .run();
    done.infra("aborted");
}

#[test]
fn reconnect_means_one_loss_of_the_connection() {
    let script = |losses| {
        format!(
            r#"echo "$TMT_REBOOT_COUNT" >> "$WORLD/counts"
            [ "$TMT_REBOOT_COUNT" != 0 ] || say reconnect
            if [ "$TMT_REBOOT_COUNT" -lt {losses} ]; then kill -9 $PPID; sleep 600; fi"#
        )
    };
    let done = Case::new(&script(1)).run();
    assert_eq!(done.world.read("counts"), "0\n1\n");
    assert!(!done.was_tainted());
    Case::new(&script(2)).exits(3).run().infra("aborted");
}

#[test]
fn reconnect_always_means_each_loss_until_the_test_ends() {
    let done = Case::new(
        r#"echo "$TMT_REBOOT_COUNT" >> "$WORLD/counts"
        [ "$TMT_REBOOT_COUNT" != 0 ] || say reconnect always
        if [ "$TMT_REBOOT_COUNT" -lt 3 ]; then kill -9 $PPID; sleep 600; fi"#,
    )
    .run();
    assert_eq!(done.world.read("counts"), "0\n1\n2\n3\n");
}

#[test]
fn after_reconnect_the_channel_stays_open_until_the_loss() {
    let done = Case::new(
        r#"if [ "$TMT_REBOOT_COUNT" = 0 ]; then
            say reconnect
            result '{"status":"pass","name":"still heard"}'
            until grep -q heard "$WORLD/out/tests/t/results.jsonl"; do sleep 0.05; done
            kill -9 $PPID; sleep 600
        fi"#,
    )
    .run();
    assert_eq!(done.results()[0]["name"], "still heard");
}

#[test]
fn a_test_that_ends_by_itself_after_reconnect_has_ended() {
    let done = Case::new(r#"echo "$TMT_REBOOT_COUNT" >> "$WORLD/counts"; say reconnect; exit 4"#)
        .exits(1)
        .run();
    assert_eq!(done.world.read("counts"), "0\n");
}

#[test]
fn a_disconnect_that_never_ends_is_a_timeout_when_the_duration_is_over_and_no_further_start() {
    let done = Case::new(
        r#"echo $$ >> "$WORLD/pids"
        say disconnect; trap '' PIPE TERM; while :; do sleep 1; done"#,
    )
    .with("duration: 3s")
    .exits(3)
    .run();
    done.infra("timeout");
    assert!(done.was_tainted());
    let pids = done.pids("pids");
    assert_eq!(pids.len(), 1, "it was started again though its time was over");
    assert!(!lives(pids[0]));
}

#[test]
fn the_duration_runs_on_while_the_test_is_away() {
    let done = Case::new(
        r#"say duration 3s
        echo start >> "$WORLD/starts"
        [ "$TMT_REBOOT_COUNT" != 0 ] && sleep 600
        let_go"#,
    )
    .exits(3)
    .run();
    done.infra("timeout");
    assert_eq!(done.world.read("starts"), "start\nstart\n");
}
