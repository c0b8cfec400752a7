//! Python's `re`.

use atex_fmf::regex::{Pattern, PatternError};
use serde_json::{Value as Json, json};

use super::asked::{self, cases};
use super::oracle::{Answer, Differences, ask};
use crate::random::Random;

const ATOMS: [&str; 66] = [
    "a",
    "b",
    "c",
    "A",
    "é",
    "É",
    "ß",
    "i",
    "İ",
    "ı",
    "k",
    "1",
    "٣",
    "_",
    "-",
    ".",
    "^",
    "$",
    "\\A",
    "\\Z",
    "\\b",
    "\\B",
    "\\d",
    "\\D",
    "\\s",
    "\\S",
    "\\w",
    "\\W",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[]a]",
    "[^]a]",
    "[[a]",
    "[a&&b]",
    "[a--b]",
    "[a~~b]",
    "[\\w-]",
    "[\\Wa]",
    "[^\\s\\d]",
    "[é-ü]",
    "\\n",
    "\\x41",
    "\\u0061",
    "\\141",
    "\\0",
    "\\1",
    "\\2",
    "(?P=n)",
    "\\-",
    "\\.",
    "\n",
    " ",
    "#",
    "{",
    "}",
    "{2",
    "]",
    "(?#c)",
    "[\\b]",
    "\\/",
    "[A-z]",
    "\\udc00",
    "[^\\ud800-\\udfff]",
    "\\e",
    "ab",
];
const QUANTIFIERS: [&str; 18] = [
    "*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{,2}", "{1,}", "{1,2}?", "{0}", "{2}+", "{",
    "**",
];
const OPENERS: [&str; 20] = [
    "(", "(", "(", "(?:", "(?:", "(?P<n>", "(?P<m>", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?s-i:", "(?x:",
    "(?a:", "(?m:", "(?(1)", "(?(n)", "(?-i:",
];

fn pattern(random: &mut Random, depth: usize) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(4) {
        match random.below(10) {
            0 | 1 if depth > 0 => {
                text += random.pick(&OPENERS);
                text += &pattern(random, depth - 1);
                text += ")";
            }
            2 if depth > 0 => text += "|",
            _ => text += random.pick(&ATOMS),
        }
        if random.once_in(3) {
            text += random.pick(&QUANTIFIERS);
        }
    }
    text
}

fn whole_pattern(random: &mut Random) -> String {
    let flags = random.pick(&["", "", "", "", "", "(?i)", "(?m)", "(?s)", "(?x)", "(?ai)", "(?im)"]);
    flags.to_owned() + &pattern(random, 3)
}

fn text(random: &mut Random) -> String {
    random.text(
        7,
        &[
            "a", "b", "c", "A", "B", "ab", "1", "_", "-", " ", "\n", "a", "b", "a\n", "\\",
        ],
    ) + &if random.once_in(3) {
        random.text(
            3,
            &[
                "é", "É", "ß", "İ", "ı", "I", "٣", "K", "\u{301}", "\u{1c}", "ü", "a", "\n",
            ],
        )
    } else {
        String::new()
    }
}

fn question(random: &mut Random) -> Json {
    if random.once_in(5) {
        let template = random.text(
            4,
            &[
                "x", "\\1", "\\2", "\\g<0>", "\\g<n>", "\\g<1>", "\\n", "\\\\", "\\0", "\\12", "\\101", "\\q", "\\.",
                "\\g<", "é", "\\g<01>",
            ],
        );
        return json!({"kind": "sub", "pattern": whole_pattern(random), "template": template, "text": text(random)});
    }
    json!({"kind": "pattern", "pattern": whole_pattern(random), "text": text(random)})
}

/// Cases that differed once.
fn named() -> Vec<Json> {
    [
        ("|a", "a"),
        ("x*", "abxd"),
        ("\\B", ""),
        ("(?i)ı", "I"),
        ("(a|b*)*", "ab"),
        ("(?(1)x)(A{0}){1,}", "ab"),
        ("(a??A)*+", "aA Ac"),
        ("(?=a)*b", "ab"),
        ("(?:(?#c)){0}a", "a"),
        ("(?<!}){1,}", ""),
    ]
    .iter()
    .map(|(pattern, text)| json!({"kind": "pattern", "pattern": pattern, "text": text}))
    .collect()
}

fn native(question: &Json, answer: &Answer) -> Result<Json, PatternError> {
    let field = |name: &str| question[name].as_str().expect("text");
    let pattern = Pattern::new(field("pattern"))?;
    let text = field("text");
    if question["kind"] == "sub" {
        return Ok(json!(pattern.sub(field("template"), text)?));
    }
    // Python knows how many groups there are to show.
    let groups = if let Answer::Result(expected) = answer {
        expected[3].as_str().unwrap_or_default()
    } else {
        ""
    };
    let whole = pattern.sub(r"<\g<0>>", text)?;
    Ok(json!([
        pattern.search(text)?,
        pattern.match_start(text)?,
        whole,
        groups,
        pattern.sub(groups, text)?
    ]))
}

fn same(native: &Result<Json, PatternError>, answer: &Answer) -> bool {
    match (native, answer) {
        (_, Answer::Exception(name)) if name == "timeout" => true,
        (Ok(result), Answer::Result(expected)) => result == expected,
        (Err(PatternError::Unsupported { .. } | PatternError::Backtracking { .. }), _)
        | (Err(PatternError::Invalid { .. }), Answer::Exception(_)) => true,
        _ => false,
    }
}

#[test]
fn patterns_match_and_substitute_as_in_python() {
    let mut random = asked::random(3);
    let mut questions = named();
    questions.extend((0..cases(1500)).map(|_| question(&mut random)));
    let Some(answers) = ask(&questions) else { return };
    let mut differences = Differences::default();
    for (question, answer) in questions.iter().zip(&answers) {
        let native = native(question, answer);
        if !same(&native, answer) {
            differences.note(question, &format!("{native:?}"), answer);
        }
    }
    differences.none(questions.len());
}
