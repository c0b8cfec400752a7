//! Tests of the processes of a test: its group, its session, its standard streams.

use rustix::process::{Pid, Signal, kill_process};

use crate::e2e_protocol::case::{Case, lives};

#[test]
fn what_a_test_leaves_in_its_process_group_is_killed_when_it_ends() {
    let done = Case::new(
        r#"sleep 600 & echo $! >> "$WORLD/pids"
        (trap '' TERM HUP; while :; do sleep 1; done) & echo $! >> "$WORLD/pids"
        until [ -s "$WORLD/pids" ]; do :; done"#,
    )
    .run();
    assert_eq!(done.result()["status"], "pass");
    for pid in done.pids("pids") {
        assert!(!lives(pid), "{pid} outlived the test");
    }
}

#[test]
fn a_child_outside_of_the_group_that_holds_the_streams_ends_with_the_test_and_does_not_hang_the_run() {
    let done = Case::new(
        r#"echo printed; setsid bash -c 'echo $$ > "$WORLD/pid"; exec sleep 600' &
        until [ -s "$WORLD/pid" ]; do sleep 0.05; done"#,
    )
    .run();
    let stray = done.pids("pid")[0];
    assert!(!lives(stray), "{stray} outlived the test");
    assert_eq!(done.output(), "printed\n");
    assert_eq!(done.result()["status"], "pass");
}

#[test]
fn a_child_that_hides_from_the_test_lives_on_and_does_not_hang_the_run() {
    let done = Case::new(
        r#"echo printed; W=$WORLD; setsid env -i "W=$W" bash -c 'echo $$ > "$W/pid"; exec sleep 600' &
        until [ -s "$WORLD/pid" ]; do sleep 0.05; done"#,
    )
    .run();
    let stray = done.pids("pid")[0];
    assert!(lives(stray), "nothing tells whose it is");
    kill_process(Pid::from_raw(stray).unwrap(), Signal::KILL).unwrap();
    assert_eq!(done.output(), "printed\n");
    assert_eq!(done.result()["status"], "pass");
}

#[test]
fn a_test_leads_a_session_and_a_process_group_of_its_own() {
    let done = Case::new("read -r -a stat </proc/$$/stat; echo $(($$ == stat[4])) $(($$ == stat[5]))").run();
    assert_eq!(done.output(), "1 1\n");
}

#[test]
fn standard_input_is_dev_null() {
    let done = Case::new("readlink /proc/self/fd/0; cat; [ ! -t 0 ]").run();
    assert_eq!(done.output(), "/dev/null\n");
}

#[test]
fn a_test_holds_its_standard_streams_and_the_control_stream_only() {
    // bash keeps what is its own beyond 9.
    let script = r#"for fd in 0 1 2 3 4 5 6 7 8 9; do [ ! -e "/proc/$$/fd/$fd" ] || echo "$fd"; done
        echo "0 1 2 $ATEX_TEST_CONTROL""#;
    let done = Case::new(script).run();
    let output = done.output();
    let (open, expected) = output.trim().rsplit_once('\n').expect("several lines");
    assert_eq!(open.replace('\n', " "), expected);
}

#[test]
fn tty_true_gives_a_terminal_of_80_by_24_on_all_three_streams() {
    let done = Case::new(r#"[ -t 0 ] && [ -t 1 ] && [ -t 2 ]; stty size; echo "TERM=$TERM""#)
        .with("tty: true")
        .run();
    let output = done.output().replace('\r', "");
    assert!(output.starts_with("24 80\nTERM="), "{output}");
    assert!(output.len() > "24 80\nTERM=\n".len(), "{output}");
}

#[test]
fn a_test_with_a_terminal_speaks_the_protocol_all_the_same() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"x"}'; echo printed
        [ "$TMT_REBOOT_COUNT" = 1 ] || let_go
        exit 5"#,
    )
    .with("tty: true")
    .exits(1)
    .run();
    assert_eq!(done.results().len(), 3);
    assert_eq!(done.last()["status"], "fail");
}

#[test]
fn a_test_with_a_terminal_ends_at_its_deadline_with_all_its_children() {
    let done = Case::new(r#"(trap '' TERM HUP; echo $BASHPID >> "$WORLD/pids"; sleep 600) & echo $$ >> "$WORLD/pids"; trap '' TERM; sleep 600"#)
        .with("tty: true")
        .with("duration: 2s")
        .exits(3)
        .run();
    done.infra("timeout");
    for pid in done.pids("pids") {
        assert!(!lives(pid), "{pid} outlived the test");
    }
}
