//! Python's reading of integers from text.

use super::chars::{digit_value, strip};

/// The most digits that `int()` reads and `str()` writes (`sys.get_int_max_str_digits()`).
pub(crate) const MAX_DIGITS: usize = 4300;

/// Reads an integer as `int(text)` does, and returns its sign and its ASCII digits without leading zeros.
///
/// Surrounding space, a sign, single underscores between digits and digits of every script are allowed. Zero has no digits.
/// `None` stands for Python's `ValueError`.
pub(crate) fn read_int(text: &str) -> Option<(bool, String)> {
    let text = strip(text);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut digits = String::new();
    let mut underscore = true;
    for c in text.chars() {
        if c == '_' {
            if underscore {
                return None;
            }
            underscore = true;
        } else {
            digits.push(char::from(b'0' + digit_value(c)?));
            underscore = false;
        }
    }
    if underscore || digits.len() > MAX_DIGITS {
        return None;
    }
    let significant = digits.trim_start_matches('0').to_owned();
    Some((negative && !significant.is_empty(), significant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_python_reads_them() {
        let read =
            |text| read_int(text).map(|(negative, digits)| format!("{}{digits}", if negative { "-" } else { "" }));
        assert_eq!(read(" +1_000\n").as_deref(), Some("1000"));
        assert_eq!(read("-007").as_deref(), Some("-7"));
        assert_eq!(read("-0").as_deref(), Some(""));
        assert_eq!(read("٣٤").as_deref(), Some("34"));
        for wrong in [
            "",
            "-",
            "1__0",
            "_1",
            "1_",
            "0x1",
            "1.0",
            "+-1",
            "- 1",
            &"9".repeat(4301),
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
