//! Conditions.
//!
//! Python says what an expression's value looks like; natively, `repr(expression)` must look the same.

use std::fmt;

use atex_fmf::condition::{Condition, ConditionError, Outcome};
use serde_json::{Value as Json, json};

use super::asked::{self, cases};
use super::oracle::{Answer, Differences, ask, data};
use super::typed;
use crate::random::Random;

/// Cases that differed once, and the corners of the grammar: one a line, `␤` for a newline.
const CORNERS: &str = include_str!("../python/lang_conditions.txt");

const NAMES: [&str; 14] = [
    "tag", "tier", "order", "enabled", "nested", "none", "ratio", "when", "x", "y", "missing", "len", "empty", "text",
];
const LITERALS: [&str; 44] = [
    "1",
    "0",
    "-1",
    "2",
    "10",
    "3.5",
    "0.0",
    "1e3",
    "1e16",
    "True",
    "False",
    "None",
    "'a'",
    "''",
    "'Tier1'",
    "'slow'",
    "\"it's\"",
    "'a b  c'",
    "'é'",
    "[]",
    "()",
    "{}",
    "[1, 2, 3]",
    "(1,)",
    "['a', 'b']",
    "{'a': 1, 'b': [2]}",
    "{1, 2}",
    "{'a'}",
    "set()",
    "0x1f",
    "1_000",
    "'x' 'y'",
    "r'\\d'",
    "b'ab'",
    "'''t\n'''",
    "f'{tier}!'",
    "10**20",
    "range(3)",
    "'1'",
    "' a '",
    "frozenset({1})",
    "'ǅ'",
    "'٣'",
    "\"\\u00e9\\n\"",
];
const BINARY: [&str; 32] = [
    "+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>", "==", "!=", "<", "<=", ">", ">=", "in", "not in",
    "is", "is not", "and", "or", "==", "in", "+", "and", "or", "<", "-", "*",
];
const METHODS: [&str; 60] = [
    "upper()",
    "lower()",
    "strip()",
    "split()",
    "split(',')",
    "split(None, 1)",
    "rsplit(' ', 1)",
    "startswith('T')",
    "endswith(('w', '1'))",
    "count('a')",
    "find('l')",
    "index('a')",
    "replace('a', 'bb')",
    "title()",
    "capitalize()",
    "swapcase()",
    "isdigit()",
    "isalpha()",
    "isupper()",
    "islower()",
    "isspace()",
    "isalnum()",
    "isidentifier()",
    "istitle()",
    "center(7, '*')",
    "ljust(5)",
    "rjust(5, 'é')",
    "zfill(6)",
    "partition('a')",
    "rpartition('l')",
    "splitlines()",
    "join(['a', 'b'])",
    "join(tag)",
    "removeprefix('T')",
    "removesuffix('w')",
    "expandtabs(2)",
    "casefold()",
    "get('a')",
    "get('a', 0)",
    "get('zz', 'd')",
    "keys()",
    "values()",
    "items()",
    "copy()",
    "count(1)",
    "index('slow')",
    "union([1])",
    "issubset({1, 2, 3})",
    "isdisjoint(tag)",
    "bit_length()",
    "is_integer()",
    "intersection({1})",
    "difference([2])",
    "isoformat()",
    "year",
    "find('a', 1)",
    "count('', 1, 3)",
    "strip('Ta')",
    "isprintable()",
    "rfind('a', -3)",
];
const CALLS: [&str; 40] = [
    "len(@)",
    "any(@)",
    "all(@)",
    "sum(@)",
    "min(@)",
    "max(@)",
    "sorted(@)",
    "list(reversed(@))",
    "str(@)",
    "int(@)",
    "float(@)",
    "bool(@)",
    "list(@)",
    "dict(@)",
    "set(@)",
    "tuple(@)",
    "list(enumerate(@))",
    "list(zip(@, @))",
    "list(map(str, @))",
    "list(filter(None, @))",
    "isinstance(@, str)",
    "isinstance(@, (int, list))",
    "type(@)",
    "type(@) == str",
    "abs(@)",
    "round(@)",
    "round(@, 1)",
    "repr(@)",
    "hasattr(@, 'lower')",
    "getattr(@, 'real', 1)",
    "callable(@)",
    "sorted(@, key=lambda v: str(v), reverse=True)",
    "max(@, key=len)",
    "ord(@)",
    "chr(@)",
    "hex(@)",
    "divmod(@, @)",
    "next(iter(@), 0)",
    "min(@, default=7)",
    "list(range(@))",
];
const TEMPLATES: [&str; 34] = [
    "[x for x in @]",
    "[x for x in @ if @]",
    "{x: y for x, y in @}",
    "{x for x in @}",
    "any(x for x in @)",
    "all(x == @ for x in @)",
    "[(x, y) for x in @ for y in @]",
    "[y for x in @ if x for y in x]",
    "(lambda x: @)(@)",
    "(lambda x, y=@: x)(@)",
    "(lambda *x: x)(@, *@)",
    "@ if @ else @",
    "not @",
    "-@",
    "+@",
    "~@",
    "@[0]",
    "@[-1]",
    "@['a']",
    "@[1:]",
    "@[::-1]",
    "@[:@]",
    "@[@]",
    "(@, @)",
    "[@, @]",
    "[*@, @]",
    "{'k': @}",
    "{**@}",
    "@ < @ < @",
    "@ == @ != @",
    "f'{@}-{@!r}'",
    "'%s|%r' % (@, @)",
    "'%d' % @",
    "[x for x, *y in @ if y]",
];

fn expression(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        return if random.once_in(2) {
            random.pick(&NAMES)
        } else {
            random.pick(&LITERALS)
        }
        .to_owned();
    }
    match random.below(8) {
        0 | 1 => {
            let (left, right) = (operand(random, depth - 1), operand(random, depth - 1));
            format!("{left} {} {right}", random.pick(&BINARY))
        }
        2 => format!("{}.{}", operand(random, depth - 1), random.pick(&METHODS)),
        3 | 4 => filled(random, random_template(&CALLS), depth),
        5 | 6 => filled(random, random_template(&TEMPLATES), depth),
        _ => expression(random, depth - 1),
    }
}

fn random_template(templates: &'static [&'static str]) -> impl Fn(&mut Random) -> &'static str {
    move |random| templates[random.below(templates.len())]
}

fn operand(random: &mut Random, depth: usize) -> String {
    let text = expression(random, depth);
    if random.once_in(3) || text.contains('\n') {
        format!("({text})")
    } else {
        text
    }
}

fn filled(random: &mut Random, template: impl Fn(&mut Random) -> &'static str, depth: usize) -> String {
    let template = template(random);
    let mut text = String::new();
    for (index, piece) in template.split('@').enumerate() {
        if index > 0 {
            // A field of an f-string takes no quotes of its own kind.
            text += &if template.starts_with("f'") {
                random.pick(&NAMES).to_owned()
            } else {
                operand(random, depth - 1)
            };
        }
        text += piece;
    }
    text
}

fn node(random: &mut Random) -> Json {
    let text = random
        .pick(&["Tier1", "", "a b  c", "1", "-2.5", "slow\tx", "été", "TRUE", " x "])
        .to_owned();
    let tags = [
        json!(["Tier1", "slow"]),
        json!([]),
        json!(["a"]),
        json!("solo"),
        json!([1, 2.5, true]),
        json!([[1, 2], [3, 4]]),
    ];
    let tiers = [json!("1"), json!(1), json!(null), json!(2.0)];
    let dates = ["2024-01-02", "2024-01-02T03:04:05"];
    json!({
        "tag": tags[random.below(tags.len())], "tier": tiers[random.below(tiers.len())], "order": random.below(100),
        "enabled": random.once_in(2), "nested": {"a": 1, "b": {"c": [1, 2]}, "d": "x"}, "none": null,
        "ratio": f64::from(u8::try_from(random.below(7)).expect("small")) * 12.5 - 25.0, "when": {"$date": random.pick(&dates)}, "empty": [], "text": text, "tags": ["Tier1", "slow", "a b"], "x_text": "x", "y": [1, 2, 3],
    })
}

fn named() -> Vec<Json> {
    let node = json!({
        "tag": ["Tier1", "slow"], "tier": "1", "order": 50, "nested": {"a": 1}, "len": 3, "when": {"$date": "2024-01-02"},
    });
    CORNERS
        .lines()
        .map(|line| json!({"kind": "condition", "expression": line.replace('␤', "\n"), "data": node}))
        .collect()
}

enum Native {
    Same,
    Refused,
    Missing,
    Raised(String),
    Differs(String),
}

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("the same"),
            Self::Refused => f.write_str("refused"),
            Self::Missing => f.write_str("missing"),
            Self::Raised(what) | Self::Differs(what) => f.write_str(what),
        }
    }
}

/// Tells how the native evaluation compares with what Python says.
fn native(question: &Json, answer: &Answer) -> Native {
    let expression = question["expression"].as_str().expect("text");
    let data = data(&question["data"]);
    let evaluate = |expression: &str| Condition::parse(expression)?.evaluate(&data, "/test");
    let outcome = match evaluate(expression) {
        Ok(Outcome::Missing(_)) => return Native::Missing,
        Err(ConditionError::Unsupported { .. } | ConditionError::Limit { .. }) => return Native::Refused,
        Err(ConditionError::Syntax { message, .. }) => return Native::Raised(format!("SyntaxError: {message}")),
        Err(ConditionError::Raised { exception, .. }) => return Native::Raised(exception.to_owned()),
        Ok(outcome) => outcome == Outcome::Holds,
    };
    let Answer::Result(expected) = answer else {
        return Native::Differs(outcome.to_string());
    };
    if expected[0] != outcome {
        return Native::Differs(outcome.to_string());
    }
    // Lines end an expression; in parentheses they do not, but a comment would swallow the parenthesis.
    let shown = expected[1].as_str().expect("text");
    match evaluate(&format!("repr((\n{expression}\n)) == {}", literal(shown))) {
        Ok(Outcome::Holds) => Native::Same,
        Err(ConditionError::Unsupported { .. }) => Native::Refused,
        // The order of a set's members is the interpreter's own.
        _ if ["set(", "{x for", "{*", "{1, 2}", "{1, True"]
            .iter()
            .any(|set| expression.contains(set)) =>
        {
            Native::Same
        }
        other => Native::Differs(format!("repr: {other:?}")),
    }
}

/// Writes text as a literal of Python.
fn literal(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| format!("\\U{:08x}", u32::from(c)).chars().collect::<Vec<_>>())
        .collect();
    format!("'{escaped}'")
}

fn compatible(native: &Native, answer: &Answer) -> bool {
    match (native, answer) {
        (Native::Same | Native::Refused, _) => true,
        (_, Answer::Exception(name)) if name == "timeout" => true,
        (Native::Missing, Answer::Exception(name)) => name == "FilterError",
        (Native::Raised(native), Answer::Exception(python)) => {
            native.split(':').next() == Some(python)
                || (native.starts_with("SyntaxError") && python == "IndentationError")
        }
        _ => false,
    }
}

#[test]
fn conditions_have_the_value_that_python_gives() {
    let mut random = asked::random(4);
    let mut questions = named();
    questions.extend((0..cases(4000)).map(|_| {
        let depth = 1 + random.below(3);
        let expression = if random.once_in(3) {
            expression(&mut random, depth)
        } else {
            typed::expression(&mut random, depth)
        };
        json!({"kind": "condition", "expression": expression, "data": node(&mut random)})
    }));
    let Some(answers) = ask(&questions) else { return };
    let mut differences = Differences::default();
    let (mut same, mut refused) = (0, 0);
    for (question, answer) in questions.iter().zip(&answers) {
        let native = native(question, answer);
        if !compatible(&native, answer) {
            differences.note(question, &native.to_string(), answer);
        }
        same += usize::from(matches!(native, Native::Same));
        refused += usize::from(matches!(native, Native::Refused));
    }
    differences.none(questions.len());
    assert!(
        same > refused,
        "{same} have a value, {refused} are refused: too few are compared"
    );
}
