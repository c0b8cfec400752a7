//! Python's classes of characters, which its `str` methods and `re` use.
//!
//! Python decides by general category and numeric type, which differs from Rust's properties in rare cases: `\x1c` is a space,
//! and a combining mark is not a letter. ASCII is decided by simple code, and everything else by a compiled class.

use std::sync::LazyLock;

use fancy_regex::Regex;

/// A class of characters, compiled at first use.
struct Class(LazyLock<Regex>);

impl Class {
    fn contains(&self, c: char) -> bool {
        self.0.is_match(c.encode_utf8(&mut [0; 4]) as &str).unwrap_or(false)
    }
}

macro_rules! class {
    ($name:ident, $pattern:literal) => {
        static $name: Class = Class(LazyLock::new(|| {
            Regex::new($pattern).expect("a constant pattern compiles")
        }));
    };
}

class!(LETTER, r"\A\p{L}\z");
class!(NUMBER, r"\A\p{N}\z");
class!(DECIMAL, r"\A\p{Nd}\z");
class!(TITLE, r"\A\p{Lt}\z");
class!(HIDDEN, r"\A[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Z}]\z");
class!(NAME_START, r"\A[\p{XID_Start}_]\z");
class!(NAME_PART, r"\A[\p{XID_Continue}]\z");

/// Tells whether `str.isspace()` and the `\s` of `re` hold.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Tells whether `str.isalpha()` holds.
pub(crate) fn is_alpha(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic()
    } else {
        LETTER.contains(c)
    }
}

/// Tells whether `str.isnumeric()` holds for something that is not a letter, or `str.isdigit()`.
pub(crate) fn is_number(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        NUMBER.contains(c)
    }
}

/// Tells whether `str.isalnum()` holds.
pub(crate) fn is_alnum(c: char) -> bool {
    is_alpha(c) || is_number(c)
}

/// Tells whether the `\w` of `re` holds.
pub(crate) fn is_word(c: char) -> bool {
    c == '_' || is_alnum(c)
}

/// Tells whether `str.isdecimal()` and the `\d` of `re` hold.
pub(crate) fn is_decimal(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        DECIMAL.contains(c)
    }
}

/// Tells whether the character is a titlecase letter such as `ǅ`.
pub(crate) fn is_title(c: char) -> bool {
    !c.is_ascii() && TITLE.contains(c)
}

/// Tells whether `str.isprintable()` holds.
pub(crate) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        !c.is_ascii_control()
    } else {
        !HIDDEN.contains(c)
    }
}

/// Tells whether an identifier can begin with the character.
pub(crate) fn starts_name(c: char) -> bool {
    if c.is_ascii() {
        c == '_' || c.is_ascii_alphabetic()
    } else {
        NAME_START.contains(c)
    }
}

/// Tells whether an identifier can go on with the character.
pub(crate) fn continues_name(c: char) -> bool {
    if c.is_ascii() {
        c == '_' || c.is_ascii_alphanumeric()
    } else {
        NAME_PART.contains(c)
    }
}

/// Tells whether `str.isidentifier()` holds.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_name) && chars.all(continues_name)
}

/// Returns the value of a decimal digit of any script.
///
/// In Unicode, the digits of a script form a run that ascends from zero, and the length of every run is a multiple of ten.
pub(crate) fn digit_value(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.to_digit(10).and_then(|digit| u8::try_from(digit).ok());
    }
    if !is_decimal(c) {
        return None;
    }
    let code = u32::from(c);
    let run = (1..code)
        .take_while(|back| char::from_u32(code - back).is_some_and(is_decimal))
        .count();
    u8::try_from(run % 10).ok()
}

/// Strips what Python's `str.strip()` strips.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Returns `str.casefold()`.
///
/// Full case folding is lower(upper(lower(c))) for all characters but the dotless i and the Cherokee letters.
pub(crate) fn casefold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ı' | '\u{13a0}'..='\u{13f5}' => folded.push(c),
            '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => folded.extend(c.to_uppercase()),
            _ => {
                let lower = c.to_lowercase().flat_map(char::to_uppercase);
                folded.extend(lower.flat_map(char::to_lowercase));
            }
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_have_their_value() {
        for (c, value) in [('7', 7), ('٣', 3), ('९', 9), ('𝟘', 0), ('𝟿', 9), ('𝟡', 9), ('𝟢', 0)] {
            assert_eq!(digit_value(c), Some(value), "{c}");
        }
        assert_eq!(digit_value('²'), None);
        assert_eq!(digit_value('x'), None);
    }

    #[test]
    fn separators_of_information_are_spaces() {
        assert!(is_space('\x1c') && is_space('\u{85}') && is_space('\u{3000}') && !is_space('\u{200b}'));
        assert_eq!(strip("\x1f a \u{a0}"), "a");
    }

    #[test]
    fn marks_are_no_part_of_words() {
        assert!(is_word('ä') && is_word('½') && is_word('Ⅷ') && !is_word('\u{301}') && !is_word('‿'));
    }

    #[test]
    fn folding_expands_ligatures() {
        assert_eq!(casefold("Straße ẞ ﬁ ς İ ı"), "strasse ss fi σ i\u{307} ı");
    }
}
