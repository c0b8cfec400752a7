//! Tests that the examples of `docs/control.md` do what the text around them says.

use serde_json::Value;

use crate::e2e_protocol::case::Case;

const DOCUMENT: &str = include_str!("../../../docs/control.md");

/// An example: how atex ends, the test, and the results.
struct Example {
    code: i32,
    script: String,
    results: Vec<Value>,
}

/// Reads a block that begins with ```` ```LANGUAGE ````, if it comes next.
fn block<'a>(text: &'a str, language: &str) -> (&'a str, &'a str) {
    let rest = text.trim_start().strip_prefix(&format!("```{language}\n"));
    let rest = rest.unwrap_or_else(|| panic!("a `{language}` block comes next: {:.80}", text.trim_start()));
    rest.split_once("```").expect("a block has an end")
}

fn examples() -> Vec<Example> {
    let mut pieces = DOCUMENT.split("<!-- atex ends with ");
    pieces.next();
    let example = |piece: &str| {
        let (code, text) = piece.split_once(" -->").expect("the comment has an end");
        let (script, text) = block(text, "bash");
        let (results, _) = block(text, "json");
        Example {
            code: code.parse().expect("an exit code"),
            script: script.to_owned(),
            results: results
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .collect(),
        }
    };
    pieces.map(example).collect()
}

#[test]
fn every_example_ends_and_reports_as_the_document_says() {
    for Example { code, script, results } in examples() {
        // This machine stays up.
        let script = script.replace("        reboot\n        sleep infinity\n", "        exit 1\n");
        assert!(!script.contains("reboot\n"), "{script}");
        let done = Case::raw(&script).with("duration: 2m").exits(code).run();
        assert_eq!(done.results(), results, "{script}");
    }
}

#[test]
fn every_block_of_bash_is_an_example_that_is_run() {
    assert_eq!(DOCUMENT.matches("```bash\n").count(), examples().len());
    assert!(examples().len() > 5);
}

#[test]
fn every_kind_of_failure_and_every_control_word_is_told_of() {
    for word in [
        "timeout",
        "aborted",
        "control",
        "setup",
        "prepare",
        "unreachable",
        "cancelled",
        "result N",
        "duration save",
        "duration restore",
        "disconnect",
        "noop",
        "reconnect",
        "reconnect always",
        "exitcode N",
    ] {
        assert!(DOCUMENT.contains(&format!("`{word}`")), "{word}");
    }
}
