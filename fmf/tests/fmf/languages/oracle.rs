//! What Python says, and the differences from it.

use atex_fmf::{Map, Value};
use serde_json::Value as Json;

use crate::python;

/// What Python says: a result, or the name of an exception.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Result(Json),
    Exception(String),
}

/// Asks Python all questions at once; `None` where the comparison is to be left out.
pub(crate) fn ask(questions: &[Json]) -> Option<Vec<Answer>> {
    let requests: Vec<String> = questions.iter().map(Json::to_string).collect();
    let answers = python::answers("lang_oracle.py", &requests)?;
    Some(answers.iter().map(|line| answer(line)).collect())
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
