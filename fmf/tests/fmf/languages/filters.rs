//! Filters.

use atex_fmf::filter::{Filter, FilterError, Mode};
use serde_json::{Value as Json, json};

use super::asked::{self, cases};
use super::oracle::{Answer, Differences, ask, data};
use crate::random::Random;

const KEYS: [&str; 8] = ["tag", "tier", "component", "none", "number", "missing", "Tag", "when"];
const VALUES: [&str; 24] = [
    "a",
    "b",
    "Tier1",
    "TIER1",
    "1",
    "2.5",
    "None",
    "True",
    "x|y",
    "x&y",
    "a,b",
    "",
    "-a",
    "['a', {'b': None}]",
    "2024-01-02",
    "é",
    "a\n",
    "a:b",
    "2024-01-02 03:04:05",
    "{'k': 'v'}",
    "a b",
    "İ",
    "1e+16",
    "\\",
];
const ATOMS: [&str; 26] = [
    "a",
    "b",
    "Tier1",
    "tier.",
    "1",
    "2.5",
    "None",
    "True",
    "x\\|y",
    "x\\&y",
    "x\\|",
    ".*",
    "",
    "[ab]",
    "(",
    "(?i)tier1",
    "a|b",
    "a.b",
    "\\d+",
    "é",
    ".*\\n",
    "\\[.*",
    "2024-.*",
    "a b",
    "a:b",
    "a$",
];

fn node(random: &mut Random) -> Json {
    let mut object = serde_json::Map::new();
    for key in ["tag", "tier", "component", "none", "number", "when"] {
        let item = match random.below(9) {
            0 => json!(null),
            1 => json!(random.once_in(2)),
            2 => json!(random.below(3)),
            3 => json!(2.5),
            4 => json!(1e16),
            5 => json!({"k": "v"}),
            6 => json!({"$date": "2024-01-02T03:04:05"}),
            _ => json!(random.pick(&VALUES)),
        };
        let item = match random.below(4) {
            0 => item,
            1 => json!([item, random.pick(&VALUES)]),
            2 => json!([["a", {"b": null}], random.pick(&VALUES)]),
            _ => json!((0..random.below(4)).map(|_| random.pick(&VALUES)).collect::<Vec<_>>()),
        };
        object.insert(key.to_owned(), item);
    }
    Json::Object(object)
}

fn literal(random: &mut Random) -> String {
    if random.once_in(6) {
        return random
            .pick(&["/tests", "/tests/core$", "^/x", "", " ", "(", "core", "x\\|y", "a\nb"])
            .to_owned();
    }
    let mut text = random.pick(&["", "", " "]).to_owned() + random.pick(&KEYS);
    text += random.pick(&[":", ": ", " :", ":\n"]);
    for index in 0..=random.below(3) {
        text += if index == 0 {
            ""
        } else {
            random.pick(&[",", ", ", " , "])
        };
        text += random.pick(&["", "", "-"]);
        text += random.pick(&ATOMS);
    }
    text
}

fn expression(random: &mut Random) -> String {
    let mut text = literal(random);
    for _ in 0..random.below(4) {
        text += random.pick(&[" & ", " | ", "&", "|", " \\& ", " \\| ", "\n& "]);
        text += &literal(random);
    }
    text
}

fn question(random: &mut Random) -> Json {
    let (regexp, sensitive) = (!random.once_in(5), !random.once_in(5));
    json!({
        "kind": "filter", "filter": expression(random), "data": node(random), "regexp": regexp, "sensitive": sensitive,
        "name": random.pick(&["/tests/core", "/tests/core/x|y", "/", "/x"]),
    })
}

#[test]
fn filters_match_as_in_python() {
    let mut random = asked::random(2);
    let questions: Vec<Json> = (0..cases(3000)).map(|_| question(&mut random)).collect();
    let Some(answers) = ask(&questions) else { return };
    let mut differences = Differences::default();
    for (question, answer) in questions.iter().zip(&answers) {
        let mode = Mode {
            regexp: question["regexp"] == true,
            sensitive: question["sensitive"] == true,
        };
        let filter = Filter::with_mode(question["filter"].as_str().expect("text"), mode);
        let native = filter.matches(&data(&question["data"]), question["name"].as_str().expect("text"));
        let same = match (&native, answer) {
            (Ok(matched), Answer::Result(expected)) => expected == matched,
            (Err(FilterError::Missing { .. }), Answer::Exception(name)) => name == "FilterError",
            (Err(FilterError::Pattern(_)), Answer::Exception(name)) => name == "error",
            _ => false,
        };
        if !same {
            differences.note(question, &format!("{native:?}"), answer);
        }
    }
    differences.none(questions.len());
}
