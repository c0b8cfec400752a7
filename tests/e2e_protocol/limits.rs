//! A test is not trusted with the host: names and sizes.

use crate::case::{Case, Done};

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
