//! Tests of results as they are stored.

use serde_json::json;

use crate::e2e_protocol::case::Case;

#[test]
fn a_result_is_stored_with_all_keys_that_it_has() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"one","note":"short","custom":{"deep":[1,2.50,null]},"number":10000000000000000000000}'"#,
    )
    .run();
    let text = done.world.read("out/tests/t/results.jsonl");
    assert_eq!(
        text.lines().next(),
        Some(
            r#"{"status":"pass","name":"one","note":"short","custom":{"deep":[1,2.50,null]},"number":10000000000000000000000}"#
        )
    );
}

#[test]
fn every_known_status_is_kept_and_unknown_ones_too() {
    let done = Case::new(
        r#"for status in pass fail info warn skip error weird; do result "{\"status\":\"$status\",\"name\":\"$status\"}"; done"#,
    )
    .exits(1)
    .run();
    for (result, status) in done
        .results()
        .iter()
        .zip(["pass", "fail", "info", "warn", "skip", "error", "weird"])
    {
        assert_eq!(*result, json!({"status": status, "name": status}));
    }
}

#[test]
fn pass_info_warn_and_skip_fail_nothing() {
    let done =
        Case::new(r#"for status in pass info warn skip; do result "{\"status\":\"$status\",\"name\":\"x\"}"; done"#)
            .run();
    assert_eq!(done.results().len(), 5);
}

#[test]
fn fail_error_and_unknown_statuses_fail_the_test_though_its_exit_code_is_0() {
    for status in ["fail", "error", "weird"] {
        let done = Case::new(&format!(r#"result '{{"status":"{status}","name":"x"}}'"#))
            .exits(1)
            .run();
        assert_eq!(done.last()["status"], "pass", "the exit code was 0");
    }
}

#[test]
fn a_result_without_a_name_is_for_the_test_itself() {
    let done = Case::new(r#"result '{"status":"skip","note":"not here"}'"#).run();
    assert_eq!(done.result(), json!({"status": "skip", "note": "not here"}));
}

#[test]
fn names_of_subtests_may_contain_slashes_and_files_lie_below_them() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"a/b","files":[{"name":"log","length":3},{"name":"deep/er","length":2}]}'
        printf 'onetw' >&$ATEX_TEST_CONTROL"#,
    )
    .run();
    assert_eq!(
        done.results()[0],
        json!({"status": "pass", "name": "a/b", "files": ["deep/er", "log"]})
    );
    assert_eq!(
        (done.uploaded("a/b/log"), done.uploaded("a/b/deep/er")),
        ("one".into(), "tw".into())
    );
}

#[test]
fn bytes_of_files_follow_in_the_order_of_the_array_and_names_are_stored_sorted() {
    let done = Case::new(
        r#"result '{"status":"pass","files":[{"name":"z","length":1},{"name":"a","length":2}]}'
        printf 'Zaa' >&$ATEX_TEST_CONTROL"#,
    )
    .run();
    assert_eq!(done.result(), json!({"status": "pass", "files": ["a", "z"]}));
    assert_eq!((done.uploaded("z"), done.uploaded("a")), ("Z".into(), "aa".into()));
}

#[test]
fn the_same_file_name_twice_in_a_result_appends() {
    let done = Case::new(
        r#"result '{"status":"pass","files":[{"name":"log","length":2},{"name":"log","length":3}]}'
        printf 'onTWO' >&$ATEX_TEST_CONTROL"#,
    )
    .run();
    assert_eq!(done.uploaded("log"), "onTWO");
}

#[test]
fn the_same_file_name_in_a_later_result_of_the_same_name_appends() {
    let done = Case::new(
        r#"for part in first second; do
            result "{\"status\":\"pass\",\"name\":\"sub\",\"files\":[{\"name\":\"log\",\"length\":${#part}}]}"
            printf '%s' "$part" >&$ATEX_TEST_CONTROL
        done"#,
    )
    .run();
    assert_eq!(done.uploaded("sub/log"), "firstsecond");
    assert_eq!(done.results().len(), 3);
}

#[test]
fn files_is_absent_where_none_were_given_and_empty_where_an_empty_array_was() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"none"}'
        result '{"status":"pass","name":"empty","files":[]}'"#,
    )
    .run();
    assert_eq!(done.results()[0], json!({"status": "pass", "name": "none"}));
    assert_eq!(
        done.results()[1],
        json!({"status": "pass", "name": "empty", "files": []})
    );
}

#[test]
fn uploaded_bytes_are_any_bytes() {
    let done = Case::new(
        r#"head -c 100000 /dev/zero | tr '\0' '\377' > "$WORLD/blob"; printf 'result 7\n\0' >> "$WORLD/blob"
        size=$(stat -c %s "$WORLD/blob")
        result "{\"status\":\"pass\",\"files\":[{\"name\":\"blob\",\"length\":$size}]}"
        cat "$WORLD/blob" >&$ATEX_TEST_CONTROL"#,
    )
    .run();
    let bytes = std::fs::read(done.world.path("out/tests/t/files/blob")).unwrap();
    assert_eq!(bytes, std::fs::read(done.world.path("blob")).unwrap());
}

#[test]
fn testout_is_complete_also_with_what_comes_after_the_result() {
    let done = Case::new(
        r#"echo before; echo on stderr >&2
        result '{"status":"pass","name":"sub","testout":"log.txt","files":[{"name":"a","length":1}]}'
        printf x >&$ATEX_TEST_CONTROL
        echo after; echo after on stderr >&2"#,
    )
    .run();
    assert_eq!(
        done.results()[0],
        json!({"status": "pass", "name": "sub", "files": ["log.txt", "a"]})
    );
    assert_eq!(
        done.uploaded("sub/log.txt"),
        "before\non stderr\nafter\nafter on stderr\n"
    );
}

#[test]
fn the_name_of_testout_comes_first_among_the_files() {
    let done = Case::new(
        r#"result '{"status":"pass","testout":"zzz","files":[{"name":"b","length":0},{"name":"a","length":0}]}'"#,
    )
    .run();
    assert_eq!(done.result(), json!({"status": "pass", "files": ["zzz", "a", "b"]}));
}

#[test]
fn several_results_may_name_the_same_output() {
    let done = Case::new(
        r#"echo printed
        result '{"status":"pass","name":"one","testout":"out"}'
        result '{"status":"pass","name":"two","testout":"out"}'
        result '{"status":"pass","testout":"output.txt"}'"#,
    )
    .run();
    for path in ["one/out", "two/out", "output.txt"] {
        assert_eq!(done.uploaded(path), "printed\n");
    }
    assert_eq!(done.results().len(), 3);
}

#[test]
fn a_line_is_in_the_file_in_the_moment_the_result_is_final() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"early"}'
        for try in $(seq 600); do
            grep -q '"early"' "$WORLD/out/tests/t/results.jsonl" && exit 0
            sleep 0.1
        done
        exit 1"#,
    )
    .run();
    assert_eq!(done.last()["status"], "pass");
}

#[test]
fn an_uploaded_file_named_output_txt_is_the_tests_own_and_the_output_is_kept_beside() {
    let done = Case::new(
        r#"echo printed
        result '{"status":"pass","name":"x"}'
        result '{"status":"pass","files":[{"name":"output.txt","length":4}]}'
        printf mine >&$ATEX_TEST_CONTROL"#,
    )
    .run();
    assert_eq!(done.output(), "mine");
    assert_eq!(done.world.read("out/tests/t/output.txt"), "printed\n");
}

#[test]
fn many_results_keep_their_order() {
    let done = Case::new(r#"for i in $(seq 2000); do result "{\"status\":\"pass\",\"name\":\"$i\"}"; done"#).run();
    let names: Vec<_> = done
        .results()
        .iter()
        .take(2000)
        .map(|result| result["name"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (1..=2000).map(|number| number.to_string()).collect();
    assert_eq!(names, expected);
}
