//! Tests of partial results: what is merged, and when the result becomes final.

use serde_json::json;

use crate::e2e_protocol::case::Case;

#[test]
fn a_result_with_partial_false_or_without_it_merges_and_is_final() {
    for end in [r#","partial":false"#, ""] {
        let done = Case::new(&format!(
            r#"result '{{"status":"fail","name":"a","partial":true,"note":"x"}}'
            result '{{"status":"pass","name":"a"{end}}}'"#
        ))
        .run();
        assert_eq!(done.results()[0], json!({"status": "pass", "name": "a", "note": "x"}));
        assert_eq!(done.results().len(), 2);
    }
}

#[test]
fn null_removes_new_keys_are_added_arrays_append_objects_merge_and_others_replace() {
    let done = Case::new(
        r#"result '{"name":"a","partial":true,"gone":1,"list":[1],"object":{"keep":1,"gone":2,"list":["x"]},"scalar":1,"type":[1]}'
        result '{"name":"a","gone":null,"new":"n","list":[2,3],"object":{"gone":null,"more":3,"list":["y"]},"scalar":2,"type":"text"}'"#,
    )
    .exits(1)
    .run();
    let merged = json!({
        "name": "a", "new": "n", "list": [1, 2, 3], "object": {"keep": 1, "more": 3, "list": ["x", "y"]},
        "scalar": 2, "type": "text",
    });
    assert_eq!(done.results()[0], merged);
}

#[test]
fn what_is_open_when_the_test_ends_becomes_final_in_the_order_of_first_appearance() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"first","partial":true}'
        result '{"status":"pass","name":"second","partial":true}'
        result '{"status":"pass","name":"third","partial":true}'
        result '{"note":"again","name":"first","partial":true}'
        result '{"name":"second"}'"#,
    )
    .run();
    let names: Vec<_> = done
        .results()
        .into_iter()
        .map(|result| result["name"].clone())
        .collect();
    assert_eq!(names, [json!("second"), json!("first"), json!("third"), json!(null)]);
}

#[test]
fn a_partial_result_waits_under_its_name_and_is_not_stored_before_it_is_final() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"open","partial":true}'
        result '{"status":"pass","name":"mark"}'
        until grep -q mark "$WORLD/out/tests/t/results.jsonl"; do sleep 0.05; done
        ! grep -q open "$WORLD/out/tests/t/results.jsonl""#,
    )
    .run();
    assert_eq!(done.results().len(), 3);
}

#[test]
fn files_of_a_partial_result_are_stored_at_once_and_appended_to_by_the_next() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"a","partial":true,"files":[{"name":"log","length":5}]}'
        printf first >&$ATEX_TEST_CONTROL
        for try in $(seq 600); do [ "$(cat "$WORLD/out/tests/t/files/a/log" 2>/dev/null)" = first ] && break; sleep 0.1; done
        [ "$(cat "$WORLD/out/tests/t/files/a/log")" = first ]
        result '{"name":"a","files":[{"name":"log","length":4},{"name":"b","length":0}]}'
        printf more >&$ATEX_TEST_CONTROL"#,
    )
    .run();
    assert_eq!(
        done.results()[0],
        json!({"status": "pass", "name": "a", "files": ["b", "log"]})
    );
    assert_eq!(done.uploaded("a/log"), "firstmore");
}

#[test]
fn names_after_a_final_result_start_anew() {
    let done = Case::new(
        r#"result '{"status":"pass","name":"a","partial":true,"note":"old"}'
        result '{"name":"a"}'
        result '{"status":"skip","name":"a"}'"#,
    )
    .run();
    assert_eq!(done.results()[1], json!({"status": "skip", "name": "a"}));
}
