//! Expressions whose parts fit together, as people write them: most have a value.

use crate::random::Random;

const TEXTS: [&str; 16] = [
    "text",
    "'Tier1'",
    "'a b  c'",
    "''",
    "' x\\ty '",
    "'été'",
    "\"it's\"",
    "'a,b,,c'",
    "'banana'",
    "'-5'",
    "'ABC'",
    "r'\\d'",
    "x_text",
    "'slow'",
    "'1'",
    "'ß'",
];
const CHANGES: [&str; 22] = [
    "upper()",
    "lower()",
    "strip()",
    "title()",
    "replace('a', 'oo')",
    "replace('', '.', 2)",
    "swapcase()",
    "center(9, '*')",
    "zfill(5)",
    "ljust(4, '_')",
    "rjust(6)",
    "removeprefix('T')",
    "removesuffix('a')",
    "strip('ab ')",
    "lstrip()",
    "rstrip('c')",
    "casefold()",
    "expandtabs(3)",
    "partition(' ')[2]",
    "rpartition('a')[0]",
    "capitalize()",
    "replace(',', ' ', 1)",
];
const SPLITS: [&str; 8] = [
    "split()",
    "split(',')",
    "split(None, 1)",
    "rsplit(None, 1)",
    "rsplit('a', 1)",
    "splitlines()",
    "split(maxsplit=1)",
    "partition('a')",
];
const ASKS: [&str; 12] = [
    "isdigit()",
    "isalpha()",
    "islower()",
    "isupper()",
    "isspace()",
    "isalnum()",
    "istitle()",
    "startswith('T')",
    "endswith(('a', '1'))",
    "isascii()",
    "startswith('a', 1)",
    "isidentifier()",
];

/// Makes an expression of some type.
pub(crate) fn expression(random: &mut Random, depth: usize) -> String {
    match random.below(6) {
        0 => text(random, depth),
        1 => number(random, depth),
        2 => list(random, depth),
        3 => dict(random, depth),
        _ => condition(random, depth),
    }
}

fn text(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        return random.pick(&TEXTS[..12]).to_owned();
    }
    let inner = text(random, depth - 1);
    match random.below(10) {
        0..=2 => format!("{}.{}", grouped(&inner), random.pick(&CHANGES)),
        3 => format!("{inner} + {}", text(random, depth - 1)),
        4 => format!("({inner})[{}:{}]", slice(random), slice(random)),
        5 => format!("({inner})[::{}]", random.pick(&["-1", "2", "-2", "3"])),
        6 => format!("'{}'.join({})", random.pick(&["", "-", ", "]), texts(random, depth - 1)),
        7 => format!("str({})", expression(random, depth - 1)),
        8 => format!("repr({})", expression(random, depth - 1)),
        _ => format!(
            "({inner} if {} else {})",
            condition(random, depth - 1),
            text(random, depth - 1)
        ),
    }
}

fn slice(random: &mut Random) -> &'static str {
    ["", "0", "1", "-1", "2", "-3", "10", "-10", "None"][random.below(9)]
}

fn grouped(text: &str) -> String {
    format!("({text})")
}

fn number(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        return random
            .pick(&[
                "order", "1", "2", "7", "-3", "0", "10", "2.5", "ratio", "True", "10**20", "0.1", "1e16",
            ])
            .to_owned();
    }
    let (a, b) = (number(random, depth - 1), number(random, depth - 1));
    match random.below(10) {
        0..=2 => format!("({a}) {} ({b})", random.pick(&["+", "-", "*", "/", "//", "%"])),
        3 => format!("len({})", list(random, depth - 1)),
        4 => format!("({}).count({})", text(random, depth - 1), text(random, depth - 1)),
        5 => format!("({}).find({})", text(random, depth - 1), text(random, depth - 1)),
        6 => format!("{}({a}, {b})", random.pick(&["max", "min"])),
        7 => format!("sum(len(w) for w in {})", texts(random, depth - 1)),
        8 => format!("abs({a})"),
        _ => format!("sum({})", numbers(random, depth - 1)),
    }
}

fn numbers(random: &mut Random, depth: usize) -> String {
    match random.below(4) {
        0 => format!("range({})", random.below(5)),
        1 => format!("[{}, {}]", number(random, depth), number(random, depth)),
        2 => format!("[len(w) for w in {}]", texts(random, depth)),
        _ => "[3, 1, 2.5, True]".to_owned(),
    }
}

fn texts(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        return random
            .pick(&["tags", "['a', 'b']", "[]", "tags[1:]", "('x', 'ab', 'b')"])
            .to_owned();
    }
    let inner = texts(random, depth - 1);
    match random.below(9) {
        0 => format!("({}).{}", text(random, depth - 1), random.pick(&SPLITS)),
        1 => format!("[w.{} for w in {inner}]", random.pick(&CHANGES)),
        2 => format!("[w for w in {inner} if w.{}]", random.pick(&ASKS)),
        3 => format!("sorted({inner})"),
        4 => format!(
            "sorted({inner}, key={}, reverse={})",
            random.pick(&["len", "str.lower", "lambda w: w[::-1]"]),
            random.once_in(2)
        ),
        5 => format!("list(map(str.{}, {inner}))", random.pick(&["upper", "strip", "title"])),
        6 => format!("[w for v in {inner} for w in v.split()]"),
        7 => format!("[*{inner}, {}]", text(random, depth - 1)),
        _ => format!("list(reversed({inner}))"),
    }
}

fn list(random: &mut Random, depth: usize) -> String {
    match random.below(7) {
        0 => numbers(random, depth),
        1 => format!("list(enumerate({}, {}))", texts(random, depth), random.below(3)),
        2 => format!("list(zip({}, {}))", texts(random, depth), numbers(random, depth)),
        3 => format!("sorted({{{}, {}}})", text(random, depth), text(random, depth)),
        4 => format!(
            "[({}, w) for w in {} if {}]",
            number(random, depth),
            texts(random, depth),
            condition(random, depth)
        ),
        _ => texts(random, depth),
    }
}

fn dict(random: &mut Random, depth: usize) -> String {
    match random.below(6) {
        0 => format!("{{w: len(w) for w in {}}}", texts(random, depth)),
        1 => format!(
            "sorted(nested.{}(), key=str)",
            random.pick(&["items", "keys", "values"])
        ),
        2 => format!("dict(zip({}, {}))", texts(random, depth), list(random, depth)),
        3 => format!("{{**nested, {}: {}}}", text(random, depth), number(random, depth)),
        4 => format!(
            "{{w: i for i, w in enumerate({})}}.get({}, {})",
            texts(random, depth),
            text(random, depth),
            number(random, depth)
        ),
        _ => "nested".to_owned(),
    }
}

fn condition(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        return random
            .pick(&[
                "enabled",
                "tags",
                "'x' in tags",
                "text",
                "none is None",
                "order > 10",
                "not empty",
            ])
            .to_owned();
    }
    let d = depth - 1;
    let order = random.pick(&["<", "<=", ">", ">=", "==", "!="]).to_owned();
    match random.below(12) {
        0 => format!("({}) {order} ({})", text(random, d), text(random, d)),
        1 => format!("({}) {order} ({})", number(random, d), number(random, d)),
        2 => format!("{} {order} {}", texts(random, d), texts(random, d)),
        3 => format!(
            "({}) {} {}",
            text(random, d),
            random.pick(&["in", "not in"]),
            texts(random, d)
        ),
        4 => format!("({}) in ({})", text(random, d), text(random, d)),
        5 => format!(
            "{}(w.{} for w in {})",
            random.pick(&["any", "all"]),
            random.pick(&ASKS),
            texts(random, d)
        ),
        6 => format!("({}).{}", text(random, d), random.pick(&ASKS)),
        7 => format!(
            "({}) {} ({})",
            condition(random, d),
            random.pick(&["and", "or"]),
            condition(random, d)
        ),
        8 => format!("not ({})", condition(random, d)),
        9 => format!(
            "isinstance({}, {})",
            expression(random, d),
            random.pick(&["str", "int", "(list, dict)", "bool", "float", "object"])
        ),
        10 => format!(
            "({}) {order} ({}) {order} ({})",
            number(random, d),
            number(random, d),
            number(random, d)
        ),
        _ => format!(
            "{{*{}}} {} {{*{}}}",
            texts(random, d),
            random.pick(&["<", "<=", "==", "&", "|", "-", "^"]),
            texts(random, d)
        ),
    }
}
