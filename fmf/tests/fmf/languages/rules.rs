//! Rules of contexts.

use atex_fmf::Value;
use atex_fmf::context::Context;
use serde_json::{Value as Json, json};

use super::asked::{self, cases};
use super::oracle::{Answer, Differences, ask};
use crate::random::Random;

const DIMENSIONS: [&str; 5] = ["distro", "arch", "x-y", "empty", "unknown"];
const OPERATORS: [&str; 21] = [
    "==",
    "=",
    "!=",
    "~=",
    "~!=",
    "<",
    "<=",
    ">",
    ">=",
    "~<",
    "~<=",
    "~>",
    "~>=",
    "~",
    "!~",
    "is defined",
    "is not defined",
    "===",
    "~==",
    "!",
    "= =",
];
const PARTS: [&str; 18] = [
    "centos", "fedora", "8", "9", "08", "10", "40", "rawhide", "Centos", "+8", " 8", "1_0", "٣", "x86_64", "stream",
    "", "8é", "-",
];

fn value(random: &mut Random) -> String {
    let parts: Vec<&str> = (0..=random.below(4)).map(|_| random.pick(&PARTS)).collect();
    parts.join(random.pick(&["-", ".", ":"]))
}

fn expression(random: &mut Random) -> String {
    if random.once_in(12) {
        return random
            .pick(&["true", "false", "trueish", "True", "", "and", "x", " true"])
            .to_owned();
    }
    let space = |random: &mut Random| random.pick(&["", " ", " ", " ", "\n", "\u{a0}"]).to_owned();
    let mut text = space(random) + random.pick(&DIMENSIONS) + &space(random) + random.pick(&OPERATORS) + &space(random);
    let values: Vec<String> = (0..=random.below(3)).map(|_| value(random)).collect();
    if !random.once_in(15) {
        text += &values.join(random.pick(&[",", ", ", " ,", ",\n"]));
    }
    if random.once_in(20) {
        text += random.pick(&["(", "[a", "\n", "=", " = x", "|os", "^", "$"]);
    }
    text
}

fn rule(random: &mut Random) -> Json {
    if random.once_in(40) {
        return [
            json!(true),
            json!(false),
            json!(null),
            json!(1),
            json!([]),
            json!({"a": 1}),
        ][random.below(6)]
        .clone();
    }
    let mut text = expression(random);
    for _ in 0..random.below(4) {
        text += random.pick(&[" and ", " or ", " and ", " or ", "and", " AND ", "-or-"]);
        text += &expression(random);
    }
    Json::from(text)
}

fn question(random: &mut Random) -> Json {
    let mut context = serde_json::Map::new();
    for dimension in ["distro", "arch", "x-y"] {
        if !random.once_in(4) {
            let values: Vec<String> = (0..=random.below(2)).map(|_| value(random)).collect();
            context.insert(dimension.to_owned(), json!(values));
        }
    }
    context.insert("empty".to_owned(), json!([]));
    json!({"kind": "rule", "context": context, "rule": rule(random)})
}

fn native(question: &Json) -> Result<Option<bool>, String> {
    let mut context = Context::new();
    for (dimension, values) in question["context"].as_object().expect("an object") {
        let values: Vec<&str> = values
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Json::as_str)
            .collect();
        context.set(dimension, &values);
    }
    let rule = match &question["rule"] {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::String(text) => Value::text(text.as_str()),
        Json::Number(_) => Value::Int(1),
        _ => Value::from(Vec::new()),
    };
    context.matches(&rule).map_err(|error| error.to_string())
}

/// Cases that differed once.
fn named() -> Vec<Json> {
    let context = json!({"distro": ["centos-8.4"], "x-y": ["a"], "empty": []});
    [
        "distro ~ ^c, (",
        "distro < = centos",
        "x-y==a and",
        "distro >= centos-\u{663}",
        "distro ==\ncentos",
        "distrois defined",
        "x-yis not defined",
        "is defined",
    ]
    .iter()
    .map(|rule| json!({"kind": "rule", "context": context, "rule": rule}))
    .collect()
}

#[test]
fn rules_are_decided_as_python_decides_them() {
    let mut random = asked::random(1);
    let mut questions = named();
    questions.extend((0..cases(3000)).map(|_| question(&mut random)));
    let Some(answers) = ask(&questions) else { return };
    let mut differences = Differences::default();
    for (question, answer) in questions.iter().zip(&answers) {
        let native = native(question);
        // Python takes a dimension's values in the order of a set, so either a match or an error may come first.
        let dimensions = question["context"].as_object().expect("an object");
        let unordered = dimensions
            .values()
            .any(|values| values.as_array().is_some_and(|values| values.len() > 1));
        let same = match (&native, answer) {
            (Ok(outcome), Answer::Result(expected)) => json!(outcome) == *expected,
            (Err(_), Answer::Exception(_)) => true,
            (Err(error), Answer::Result(_)) => unordered && error.starts_with("invalid pattern"),
            (Ok(_), Answer::Exception(name)) => unordered && name == "error",
        };
        if !same {
            differences.note(question, &format!("{native:?}"), answer);
        }
    }
    differences.none(questions.len());
}
