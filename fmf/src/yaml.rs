//! YAML as ruamel's pure Python safe loader reads it: what it accepts, what it refuses, and which values it makes.
//!
//! Approach: [`reader`] walks the characters, [`scanner`] makes tokens, [`parser`] makes a tree of tagged nodes, and
//! [`construct`] makes values of them. The scanner and the parser follow the algorithm of the libyaml family, token for token,
//! because fmf's files are defined by what that algorithm accepts, not by the YAML specification. A parser that follows the
//! specification differs on tabs, comments without a space, keys in flow collections, block scalars, multi-line keys and more.
//!
//! This module does not know fmf. All limits are here. Nothing panics, and up to the limits nothing is worse than linear in the
//! input's size.

mod construct;
mod parser;
mod reader;
mod resolve;
mod scalar;
mod scanner;

use std::borrow::Cow;
use std::fmt::Write as _;

use super::value::Value;

/// The deepest nesting of collections. Python fails at this depth too, with a `RecursionError`.
pub(crate) const MAX_DEPTH: usize = 328;

/// The largest text that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// The most values that a document may stand for when its aliases are written out. A long text counts as one value for each
/// [`TEXT_AS_ONE`] bytes.
pub(crate) const MAX_VALUES: u64 = 8_000_000;

/// How many bytes of a text count as one value.
pub(crate) const TEXT_AS_ONE: usize = 64;

/// The reason why a text cannot be read, and the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong.
    pub text: String,
}

/// A position in the text, whose line and column both count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    line: u32,
    column: u32,
}

impl Position {
    fn problem(self, text: impl Into<String>) -> Problem {
        Problem {
            line: self.line + 1,
            column: self.column + 1,
            text: text.into(),
        }
    }
}

/// Reads the single document of a text. An empty document is `null`. Marks in its mappings have `file` as the file's number.
pub(crate) fn load(text: &str, file: u32) -> Result<Value, Problem> {
    if text.len() > MAX_BYTES {
        return Err(Position::default().problem(format!("the file is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let text = universal_newlines(text);
    check_printable(&text)?;
    let nodes = parser::parse(&text)?;
    construct::construct(nodes, file)
}

/// Turns all line ends into `\n`, as Python does when it opens a text file.
pub(crate) fn universal_newlines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Refuses the characters that YAML does not allow even in comments.
fn check_printable(text: &str) -> Result<(), Problem> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let Some((at, c)) = text.char_indices().find(|&(_, c)| !allowed(c)) else {
        return Ok(());
    };
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let position = Position {
        line: count(before.bytes().filter(|&byte| byte == b'\n').count()),
        column: count(before[line_start..].chars().count()),
    };
    let mut text = "the character ".to_owned();
    let _ = write!(text, "U+{:04X} is not allowed", u32::from(c));
    Err(position.problem(text))
}
