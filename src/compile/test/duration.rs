//! Parses the `duration` of a test, with tmt's sums and factors (`1h 30m`, `10m *2`, `*1.5`).
//!
//! A text is a sequence of terms: a number with an optional unit is added, and a `*` with a number multiplies the whole sum,
//! wherever it occurs. The result is rounded up to full seconds. If the sum is zero (only factors, or `0`), the default is used.

use std::iter::Peekable;
use std::str::Chars;
use std::time::Duration;

/// How long a test without `duration` may run.
pub(crate) const DEFAULT: Duration = Duration::from_mins(5);

/// A thousand years, in seconds: a longer duration is a mistake.
const LONGEST: f64 = 1000.0 * 366.0 * 86400.0;

/// Parses a duration. Returns `None` if the text is not one.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim().chars().peekable();
    let (mut sum, mut factor, mut terms) = (0_u64, 1.0_f64, 0_u32);
    while let Some(&first) = rest.peek() {
        if first == '*' {
            rest.next();
            factor *= factor_term(&mut rest)?;
        } else {
            sum = sum.checked_add(time_term(&mut rest)?)?;
        }
        terms += 1;
        skip_spaces(&mut rest);
    }
    if terms == 0 {
        return None;
    }
    let base = if sum == 0 { DEFAULT } else { Duration::from_secs(sum) };
    let seconds = (base.as_secs_f64() * factor).ceil();
    (seconds <= LONGEST).then(|| Duration::from_secs_f64(seconds))
}

/// Parses a term such as `90`, `5m` or `5 m` into seconds. The term ends with its unit, or before a character that cannot belong
/// to it.
fn time_term(rest: &mut Peekable<Chars<'_>>) -> Option<u64> {
    let number: u64 = digits(rest)?.parse().ok()?;
    let spaced = skip_spaces(rest);
    let unit = match rest.peek() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86400,
        None | Some('*') => return Some(number),
        Some(next) if spaced && next.is_ascii_digit() => return Some(number),
        Some(_) => return None,
    };
    rest.next();
    match rest.peek() {
        Some(next) if next.is_alphabetic() || *next == '_' => None,
        _ => number.checked_mul(unit),
    }
}

/// Parses what follows a `*`: a number without a unit.
fn factor_term(rest: &mut Peekable<Chars<'_>>) -> Option<f64> {
    skip_spaces(rest);
    let mut number = digits(rest)?;
    if rest.peek() == Some(&'.') {
        rest.next();
        number.push('.');
        number.push_str(&digits(rest)?);
    }
    match rest.peek() {
        None => {}
        Some(next) if *next == '*' || next.is_whitespace() => {}
        Some(_) => return None,
    }
    number.parse().ok()
}

fn digits(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut digits = String::new();
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    (!digits.is_empty()).then_some(digits)
}

fn skip_spaces(rest: &mut Peekable<Chars<'_>>) -> bool {
    let mut any = false;
    while rest.next_if(|next| next.is_whitespace()).is_some() {
        any = true;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn seconds(text: &str) -> Option<u64> {
        parse(text).map(|duration| duration.as_secs())
    }

    #[test]
    fn units_sums_and_factors_are_what_tmt_makes_of_them() {
        for (text, expected) in [
            ("90", 90),
            ("5m", 300),
            ("5 m", 300),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("2 1m 4", 66),
            ("1d", 86400),
            ("10m *2", 1200),
            ("*2 10m", 1200),
            ("10m * 1.5 *2", 1800),
            ("7s *1.1", 8),
            ("2*3", 6),
            ("*3", 900),
            ("0", 300),
            ("1h\n 1s", 3601),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn a_text_that_is_no_duration_is_refused() {
        for text in [
            "",
            " ",
            "abc",
            "5x",
            "5mm",
            "1.5h",
            "*",
            "*2m",
            "m",
            "-5m",
            "5m,",
            "99999999999999999999",
            "999999999999999d",
            "10 m30 x",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
