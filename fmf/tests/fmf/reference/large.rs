//! Generated trees with values of about a megabyte.

use crate::random::Random;

/// How long a value is, in bytes, or a little more.
const LONG: usize = 1 << 20;

const WORDS: &[&str] = &[
    "alpha",
    "b",
    "gamma-delta",
    "é",
    "日本",
    "x: y",
    "# no",
    "10",
    "~",
    "a  b",
    "😀",
];

/// Words of the length, `between` them one of some texts.
fn words(random: &mut Random, between: &[&str]) -> String {
    let mut text = "text".to_owned();
    while text.len() < LONG {
        text.push_str(random.pick(between));
        text.push_str(random.pick(WORDS));
    }
    text
}

/// The file of a tree: one large value in one of the styles of YAML, which children inherit and add to.
pub(crate) fn tree(random: &mut Random) -> String {
    let style = random.below(8);
    let value = match style {
        0 => format!(" {}", words(random, &[" "]).replace(": ", ":").replace(" #", "#")),
        1 => format!(
            " {}",
            words(random, &[" ", "\n    "]).replace(": ", ":").replace('#', "")
        ),
        2 => format!(" \"{}\"", words(random, &[" ", "\\n", "\\u00e9", "\\\n    ", "\n    "])),
        3 => format!(" '{}'", words(random, &[" ", "''", "\n    ", "\n\n    "])),
        4 => format!(
            " |{}\n    {}",
            random.pick(&["", "-", "+"]),
            words(random, &[" ", "\n    ", "\n\n    "])
        ),
        5 => format!(
            " >{}\n    {}",
            random.pick(&["", "-", "+"]),
            words(random, &[" ", "\n    ", "\n\n      "])
        ),
        6 => format!(" ['{}']", words(random, &["', '"])),
        _ => format!("\n  - '{}'", words(random, &["'\n  - '"])),
    };
    let added = if style < 6 { "more" } else { "[more]" };
    format!("text:{value}\ntag: a\n/a:\n  tag: b\n/b:\n  text+: {added}\n/c:\n  text: small\n")
}
