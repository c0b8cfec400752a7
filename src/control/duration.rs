//! Durations as the control protocol writes them: a number with an optional unit.
//!
//! Test metadata have a richer form, which is parsed where the metadata are read.

use std::time::Duration;

/// The error for a text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no duration")]
pub struct DurationError {
    text: String,
}

impl DurationError {
    /// Returns a hint that says what a duration looks like.
    pub fn hint(&self) -> &'static str {
        "a number of seconds, or with a unit: `90`, `15m`, `2h`, `1d`"
    }
}

/// Parses `[0-9]+[mhds]?`. Without a unit, the number is in seconds. A number that is too large becomes the longest
/// duration there is.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let seconds = number(&mut rest)
        .map(|count| count.saturating_mul(unit(&mut rest).unwrap_or(1)))
        .filter(|_| rest.is_empty());
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| DurationError { text: text.into() })
}

/// Removes the digits at the front and returns their value, which saturates.
fn number(rest: &mut &str) -> Option<u64> {
    let digits = take_digits(rest);
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX))
}

fn take_digits<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    digits
}

/// Removes a unit at the front and returns its length in seconds.
fn unit(rest: &mut &str) -> Option<u64> {
    let seconds = match rest.as_bytes().first()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return None,
    };
    *rest = &rest[1..];
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_durations_are_a_number_and_at_most_one_unit() {
        for (text, seconds) in [
            ("60", 60),
            ("0", 0),
            ("15m", 900),
            ("2h", 7200),
            ("1d", 86_400),
            ("007s", 7),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "", "m", "+5", "-5", "5 m", " 5", "5m ", "5x", "1h30m", "5M", "1.5h", "٣",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_too_large_to_count_saturates() {
        assert_eq!(
            parse_duration("99999999999999999999999d"),
            Ok(Duration::from_secs(u64::MAX))
        );
    }
}
