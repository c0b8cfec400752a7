//! Tests of the result that the runner adds if a test gave none for itself.

use serde_json::json;

use crate::e2e_protocol::case::Case;

#[test]
fn a_test_without_results_passes_by_exit_code_0_with_its_output() {
    let done = Case::new("echo printed").run();
    assert_eq!(done.result(), json!({"status": "pass", "files": ["output.txt"]}));
    assert_eq!(done.output(), "printed\n");
}

#[test]
fn any_other_exit_code_is_fail() {
    for code in [1, 2, 77, 127, 255] {
        let done = Case::new(&format!("exit {code}")).exits(1).run();
        assert_eq!(
            done.result(),
            json!({"status": "fail", "files": ["output.txt"]}),
            "{code}"
        );
    }
}

#[test]
fn a_final_result_without_a_name_takes_the_place_of_the_fallback() {
    let done = Case::new("result '{\"status\":\"info\"}'; exit 3").run();
    assert_eq!(done.result(), json!({"status": "info"}));
}

#[test]
fn results_with_names_do_not() {
    let done = Case::new("result '{\"status\":\"pass\",\"name\":\"x\"}'").run();
    assert_eq!(done.last(), json!({"status": "pass", "files": ["output.txt"]}));
    assert_eq!(done.results().len(), 2);
}

#[test]
fn an_open_partial_result_without_a_name_is_the_base_and_its_status_stays() {
    let done = Case::new("result '{\"status\":\"warn\",\"note\":\"n\",\"partial\":true}'; exit 1").run();
    assert_eq!(
        done.result(),
        json!({"status": "warn", "note": "n", "files": ["output.txt"]})
    );
}

#[test]
fn an_open_partial_result_without_a_status_gets_that_of_the_exit_code() {
    let done = Case::new("result '{\"note\":\"n\",\"partial\":true}'; exit 1")
        .exits(1)
        .run();
    assert_eq!(
        done.result(),
        json!({"note": "n", "status": "fail", "files": ["output.txt"]})
    );
}

#[test]
fn output_txt_is_added_only_if_the_partial_result_names_no_output() {
    let done = Case::new("result '{\"partial\":true,\"testout\":\"my.log\"}'; echo x").run();
    assert_eq!(done.result(), json!({"status": "pass", "files": ["my.log"]}));
    assert_eq!(done.uploaded("my.log"), "x\n");
    let script =
        r#"result '{"partial":true,"files":[{"name":"output.txt","length":2}]}'; printf my >&$ATEX_TEST_CONTROL"#;
    let done = Case::new(script).run();
    assert_eq!(done.result(), json!({"status": "pass", "files": ["output.txt"]}));
    assert_eq!(done.output(), "my");
}

#[test]
fn the_infrastructure_overrides_what_a_partial_result_said() {
    let done = Case::new(
        r#"result '{"status":"pass","note":"mine","custom":1,"partial":true}'
        kill -9 $PPID; sleep 600"#,
    )
    .exits(3)
    .run();
    let result = done.result();
    assert_eq!(
        (&result["status"], &result["error"], &result["custom"]),
        (&json!("infra"), &json!("aborted"), &json!(1))
    );
    assert_ne!(result["note"], "mine");
}

#[test]
fn a_final_nameless_result_stays_the_only_one_also_where_the_test_was_ended_later() {
    let done = Case::new("result '{\"status\":\"pass\",\"note\":\"mine\"}'; sleep 600")
        .with("duration: 2s")
        .exits(3)
        .run();
    assert_eq!(done.result(), json!({"status": "pass", "note": "mine"}));
    let finished = done
        .ran
        .json()
        .into_iter()
        .find(|event| event["event"] == "node-finished")
        .unwrap();
    assert_eq!(finished["outcome"], "infra", "the run says all the same what happened");
    assert!(finished["note"].as_str().unwrap().starts_with("timeout"), "{finished}");
}
