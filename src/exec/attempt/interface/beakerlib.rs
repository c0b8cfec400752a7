//! The framework beakerlib: its verdict is in the file `TestResults` that it keeps in `BEAKERLIB_DIR`. The exit code does not count, and what
//! was reported of phases are parts of the test that change nothing of its verdict.
//!
//! The file is written anew when the journal starts, at the end of each phase and at that of the journal; only the last of these says
//! `complete`. So a test that ended before is an error.

use std::path::Path;

use super::{DATA, Outcome, reports};
use crate::control::{Judged, Status, files_dir};

/// Where the file lies below the files of a test.
const FILE: &str = "beakerlib/TestResults";

/// Says that the time of a test was over, when `timeout` ended it.
const TIMEOUT: i32 = 124;

/// Outcome and parts of a test whose results lie in the directory `test`.
pub(super) fn outcome(code: i32, test: &Path) -> (Outcome, Vec<Judged>) {
    let files = files_dir(test);
    let text = super::text_of(&files, FILE).ok().flatten();
    let outcome = match reports::read(&files.join(DATA)) {
        Ok(parts) => return (of_file(code, text.as_deref()), parts),
        Err(why) => Outcome::error(why),
    };
    (outcome, Vec::new())
}

fn of_file(code: i32, text: Option<&str>) -> Outcome {
    let Some(text) = text else {
        return Outcome::error("beakerlib: TestResults FileError");
    };
    let (Some(result), Some(state)) = (
        after(text, "TESTRESULT_RESULT_STRING="),
        after(text, "TESTRESULT_STATE="),
    ) else {
        return Outcome::error("beakerlib: Result/State missing");
    };
    if code == TIMEOUT {
        return Outcome::error(format!("exit code {TIMEOUT}"));
    }
    let state = state.strip_prefix('"').unwrap_or(state);
    let end = state.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    let state = &state[..end.unwrap_or(state.len())];
    if state != "complete" {
        return Outcome::error(format!("beakerlib: State '{state}'"));
    }
    match Status::said(&result.to_lowercase()) {
        Status::Other(word) => Outcome::error(format!("beakerlib: Result '{word}'")),
        status => Outcome::new(status, ""),
    }
}

/// The rest of the first line that has this text.
fn after<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(key)?;
    rest.lines().next()
}

#[cfg(test)]
mod tests {
    use super::of_file;

    fn told(code: i32, text: &str) -> (String, String) {
        let outcome = of_file(code, Some(text));
        (outcome.status.to_string(), outcome.note)
    }

    fn file(state: &str, result: &str) -> String {
        format!("# results\nTESTRESULT_STATE={state}\nTESTRESULT_RESULT_STRING={result}\nTESTRESULT_RESULT_ECODE=0\n")
    }

    #[test]
    fn only_a_complete_file_says_what_came_of_a_test() {
        let status = |code, text: &str| told(code, text).0;
        for (word, expected) in [("PASS", "pass"), ("WARN", "warn"), ("FAIL", "fail"), ("skip", "skip")] {
            for code in [0, 1, 7, 122] {
                assert_eq!(status(code, &file("complete", word)), expected);
                assert_eq!(status(code, &file("\"complete\"", word)), expected);
            }
            for state in ["started", "incomplete", "", "completed"] {
                assert_eq!(status(0, &file(state, word)), "error", "{state}");
            }
            assert_eq!(status(124, &file("complete", word)), "error");
        }
        for word in ["BANANA", "", "\"PASS\"", "pending"] {
            assert_eq!(status(0, &file("complete", word)), "error", "{word}");
        }
        assert_eq!(told(0, &file("started", "PASS")).1, "beakerlib: State 'started'");
        for text in ["", "TESTRESULT_STATE=complete\n", "TESTRESULT_RESULT_STRING=PASS\n"] {
            assert_eq!(told(0, text).1, "beakerlib: Result/State missing");
        }
        assert_eq!(of_file(0, None).note, "beakerlib: TestResults FileError");
    }
}
