//! The Python process that answers.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use atex::fmf::{Map, Value};
use serde_json::Value as Json;

/// What Python says: a result, or the name of an exception.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Result(Json),
    Exception(String),
}

/// Asks Python all questions at once; `None` where the comparison is to be left out.
pub(crate) fn ask(questions: &[Json]) -> Option<Vec<Answer>> {
    if env::var_os("ATEX_SKIP_REFERENCE").is_some_and(|value| value == "1") {
        eprintln!("ATEX_SKIP_REFERENCE is set: not compared with Python's fmf");
        return None;
    }
    let python = env::var("ATEX_FMF_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let hint = "`python3 -m venv DIR && DIR/bin/pip install fmf==1.7.0`, then ATEX_FMF_PYTHON=DIR/bin/python \
                (or ATEX_SKIP_REFERENCE=1 to leave the comparison out)";
    let mut child = Command::new(&python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/lang_oracle.py"))
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{python}`: {error}; {hint}"));
    let mut stdin = child.stdin.take().expect("piped");
    let lines: Vec<String> = questions.iter().map(Json::to_string).collect();
    let input = lines.join("\n");
    // A write error means that Python is gone; its status tells.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the process can be waited for");
    drop(writer.join().expect("the writer does not panic"));
    assert!(output.status.success(), "`{python}` cannot answer for fmf; {hint}");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let answers: Vec<Answer> = text.lines().map(answer).collect();
    assert_eq!(answers.len(), questions.len(), "one answer for each question");
    Some(answers)
}

fn answer(line: &str) -> Answer {
    let mut json: Json = serde_json::from_str(line).expect("an answer is JSON");
    match json["e"].as_str() {
        Some(exception) => Answer::Exception(exception.to_owned()),
        None => Answer::Result(json["r"].take()),
    }
}

/// Collects differences, so that one run shows all.
#[derive(Default)]
pub(crate) struct Differences(Vec<String>);

impl Differences {
    /// Notes a case that differs.
    pub(crate) fn note(&mut self, question: &Json, native: &str, python: &Answer) {
        self.0
            .push(format!("{question}\n    native: {native}\n    python: {python:?}"));
    }

    /// Fails if there are any.
    pub(crate) fn none(&self, compared: usize) {
        let shown: Vec<&str> = self.0.iter().take(20).map(String::as_str).collect();
        assert!(
            self.0.is_empty(),
            "{} of {compared} differ:\n{}",
            self.0.len(),
            shown.join("\n")
        );
        assert!(compared > 0, "nothing was compared");
    }
}

/// Makes the data of a node from JSON; `{"$date": iso}` is a date.
pub(crate) fn data(json: &Json) -> Map {
    let entries = json.as_object().expect("data is an object");
    entries
        .iter()
        .map(|(key, item)| (Value::text(key.as_str()), value(item)))
        .collect()
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Value::Int(int),
            (None, float) => Value::Float(float.expect("a number")),
        },
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(value).collect::<Vec<_>>()),
        Json::Object(object) => match object.get("$date").and_then(Json::as_str) {
            Some(date) => Value::Date(date.into()),
            None => Value::from(data(json)),
        },
    }
}
