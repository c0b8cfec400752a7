//! Tests of limits on names and sizes, because a test is not trusted with the host.

use crate::e2e_protocol::case::{Case, Done};

#[track_caller]
fn upload(name: &str) -> Done {
    let json = format!(r#"{{"status":"pass","files":[{{"name":"{name}","length":4}}]}}"#);
    let script = format!("result '{json}'; printf evil >&$ATEX_TEST_CONTROL; sleep 600");
    Case::new(&script).exits(3).run()
}

#[test]
fn file_names_that_lead_out_of_the_tests_directory_are_refused() {
    for name in ["/tmp/x", "../x", "a/../../x", "..", "a/..", r"a\u0000b", ""] {
        upload(name).infra("control");
    }
}

#[test]
fn names_of_subtests_that_lead_out_are_refused_with_files() {
    for name in ["../../x", "a/../../../x"] {
        let json = format!(r#"{{"status":"pass","name":"{name}","files":[{{"name":"x","length":0}}]}}"#);
        let done = Case::new(&format!("result '{json}'; sleep 600")).exits(3).run();
        done.infra("control");
        let json = format!(r#"{{"status":"pass","name":"{name}","testout":"x"}}"#);
        let done = Case::new(&format!("result '{json}'; sleep 600")).exits(3).run();
        done.infra("control");
        assert!(!done.world.path("out/x").exists() && !done.world.path("out/tests/x").exists());
    }
}

#[test]
fn a_link_in_the_tests_own_directory_leads_nowhere() {
    let done = Case::new(
        r#"mkdir "$WORLD/outside"; ln -s "$WORLD/outside" "$WORLD/out/tests/t/files/dir"
        ln -s "$WORLD/outside/target" "$WORLD/out/tests/t/files/file"
        result '{"status":"pass","name":"dir","files":[{"name":"x","length":4}]}'; printf evil >&$ATEX_TEST_CONTROL; sleep 600"#,
    )
    .exits(3)
    .run();
    done.infra("control");
    assert_eq!(std::fs::read_dir(done.world.path("outside")).unwrap().count(), 0);
    let done = Case::new(
        r#"ln -s "$WORLD/target" "$WORLD/out/tests/t/files/file"
        result '{"status":"pass","files":[{"name":"file","length":4}]}'; printf evil >&$ATEX_TEST_CONTROL; sleep 600"#,
    )
    .exits(3)
    .run();
    done.infra("control");
    assert!(!done.world.path("target").exists());
}

#[test]
fn a_control_line_has_at_most_4096_bytes_with_its_newline() {
    Case::new(r"printf 'noop %4090s\n' x >&$ATEX_TEST_CONTROL").run();
    let done = Case::new(r"printf 'noop %4091s\n' x >&$ATEX_TEST_CONTROL; sleep 600")
        .exits(3)
        .run();
    let note = done.infra("control");
    assert!(note.contains("4096"), "{note}");
}

#[test]
fn the_json_of_a_result_has_at_most_16_mib() {
    let script = |length: u32| {
        let padding = length - 17;
        format!(
            r#"{{ printf 'result {length}\n{{"status":"pass"'; head -c {padding} /dev/zero | tr '\0' ' '; printf '}}'; }} >&$ATEX_TEST_CONTROL"#
        )
    };
    let done = Case::new(&script(16 << 20)).run();
    assert_eq!(done.world.read("out/tests/t/results.jsonl"), "{\"status\":\"pass\"}\n");
    let done = Case::new(&format!("{}; sleep 600", script((16 << 20) + 1)))
        .exits(3)
        .run();
    let note = done.infra("control");
    assert!(note.contains("16777216"), "{note}");
}

#[test]
fn open_partial_results_hold_at_most_64_mib() {
    let done = Case::new(
        r#"for i in 1 2 3 4 5; do
            { printf 'result 16000000\n{"partial":true,"name":"%d","x":"' $i; head -c $((16000000 - 34)) /dev/zero | tr '\0' x; printf '"}'; } >&$ATEX_TEST_CONTROL
        done
        sleep 600"#,
    )
    .exits(3)
    .run();
    let note = done.infra("control");
    assert!(note.contains("67108864"), "{note}");
    assert!(note.contains("`5`"), "{note}");
}

#[test]
fn results_nested_without_end_are_refused() {
    let done = Case::new(
        r#"json="{\"a\":$(head -c 5000 /dev/zero | tr '\0' '[')$(head -c 5000 /dev/zero | tr '\0' ']')}"
        result "$json"; sleep 600"#,
    )
    .exits(3)
    .run();
    done.infra("control");
}

#[test]
fn output_beyond_what_is_kept_is_dropped_with_a_mark_and_the_test_goes_on() {
    let script =
        r#"head -c 300000 /dev/zero | tr '\0' x; result '{"status":"pass","name":"after"}'; head -c 300000 /dev/zero"#;
    let done = Case::new(script).arg("--max-output").arg("100K").run();
    assert_eq!(done.results()[0]["name"], "after");
    let expected = "x".repeat(100 << 10) + "\n[output beyond 102400 bytes was dropped]\n";
    assert_eq!(done.world.read("out/tests/t/files/output.txt"), expected);
}

#[test]
fn what_a_test_says_does_not_act_on_a_terminal() {
    let json =
        r#"{"status":"fail\u001b[2J","name":"a\u001b]0;title\u0007\u009b31m\u202e","note":"\u001bc\rnote\u0008"}"#;
    let script = format!(
        "printf '\\033]0;title\\007printed\\033[2J\\n'; result '{json}'; result '{}'; exit 1",
        json.replace(r#""name""#, r#""not-a-name""#)
    );
    let case = Case::new(&script).exits(1);
    let world = case.world();
    case.run();
    world.write(
        "tree/plan.fmf",
        "discover: {how: fmf}\nexecute: {how: tmt}\nprepare: {script: \"printf '\\\\033[2Jprepared\\\\n'; exit 1\"}\n",
    );
    let commands: [&[&str]; 8] = [
        &["results", "../out"],
        &["results", "../out", "-v"],
        &["test", "/t", "-v", "--sut-dir", "../sut"],
        &["build", "/plan", "-v", "--sut-dir", "../sut"],
        &["cache", "ls"],
        &["graph"],
        &["why", "/t"],
        &["sut", "show", "--sut-dir", "../sut"],
    ];
    let mut shown = String::new();
    for command in commands {
        let ran = world.atex().args(command.iter().copied()).run();
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let acts = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(ran.code != 2, "{command:?} says {said:?}");
        assert!(!said.contains(acts), "{command:?} says {said:?}");
        shown.push_str(&said);
    }
    assert!(shown.contains("\\x1b"), "it is shown as what it is: {shown}");
}
