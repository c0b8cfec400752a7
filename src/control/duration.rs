//! Texts that say how long: the protocol's own form, and the richer one of test metadata.

use std::time::Duration;

/// What a test may take where its metadata says nothing.
const DEFAULT_SECONDS: u64 = 5 * 60;

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no duration")]
pub struct DurationError {
    text: String,
}

impl DurationError {
    /// What a duration looks like.
    pub fn hint(&self) -> &'static str {
        "a number of seconds, or with a unit: `90`, `15m`, `2h`, `1d`; in metadata also `1h 30m` and `10m *2`"
    }
}

/// Parses `[0-9]+[mhds]?`: seconds without a unit. What is too large to count is as long as can be counted.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let seconds = number(&mut rest)
        .map(|count| count.saturating_mul(unit(&mut rest).unwrap_or(1)))
        .filter(|_| rest.is_empty());
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| DurationError { text: text.into() })
}

/// Parses the duration of a test as tmt does: terms that add up (`1h 30m`), factors that multiply the whole sum wherever
/// they stand (`10m *1.5`), the result rounded up to seconds. A sum of nothing stands for the default, so `*2` is twice
/// the default.
///
/// The semantics are those of `duration_to_seconds` in tmt 1.78.
pub fn parse_metadata_duration(text: &str) -> Result<Duration, DurationError> {
    let fault = || DurationError { text: text.into() };
    let mut rest = text.trim_end();
    let (mut sum, mut factor) = (0_u64, 1.0_f64);
    if rest.is_empty() {
        return Err(fault());
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('*') {
            rest = after.trim_start();
            factor *= decimal(&mut rest).ok_or_else(fault)?;
            // `*2m` would multiply by a time.
            if rest.starts_with(|next: char| next.is_alphanumeric() || next == '_' || next == '.') {
                return Err(fault());
            }
        } else {
            let count = number(&mut rest).ok_or_else(fault)?;
            let mut ahead = rest.trim_start();
            if let Some(seconds) = unit(&mut ahead) {
                rest = ahead;
                sum = sum.saturating_add(count.saturating_mul(seconds));
            } else {
                sum = sum.saturating_add(count);
            }
        }
        rest = rest.trim_start();
    }
    if sum == 0 {
        sum = DEFAULT_SECONDS;
    }
    Ok(Duration::from_secs(scaled(sum, factor)))
}

/// `ceil(sum * factor)`, exact where the factor is one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tmt computes in floats; the cast saturates and the product is never negative"
)]
fn scaled(sum: u64, factor: f64) -> u64 {
    let factor_is_one = (factor - 1.0).abs() < f64::EPSILON;
    if factor_is_one {
        sum
    } else {
        (sum as f64 * factor).ceil() as u64
    }
}

/// Takes digits off the front; too many of them saturate.
fn number(rest: &mut &str) -> Option<u64> {
    let digits = take_digits(rest);
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Takes `[0-9]+(\.[0-9]+)?` off the front.
fn decimal(rest: &mut &str) -> Option<f64> {
    let start = *rest;
    if take_digits(rest).is_empty() {
        return None;
    }
    if let Some(mut fraction) = rest.strip_prefix('.')
        && !take_digits(&mut fraction).is_empty()
    {
        *rest = fraction;
    }
    start[..start.len() - rest.len()].parse().ok()
}

fn take_digits<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    digits
}

/// Takes a unit off the front; gives its seconds.
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
        assert_eq!(
            parse_metadata_duration("99999999999999999999999d *9"),
            Ok(Duration::from_secs(u64::MAX))
        );
    }

    /// The expected values were computed by tmt 1.78's `duration_to_seconds(text, '5m')`.
    #[test]
    fn metadata_durations_are_tmts_sums_and_factors() {
        for (text, seconds) in [
            ("300", 300),
            ("5m", 300),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("1h   30m 3", 5403),
            ("10 m", 600),
            ("10m *2", 1200),
            ("10m*2", 1200),
            ("*2 10m", 1200),
            ("* 1.5 10m 10m", 1800),
            ("*2 *2 1m", 240),
            ("3 *0.5", 2),
            ("*2", 600),
            ("*2 3", 6),
            ("0", 300),
            ("2 1m 4", 66),
            ("5m\n", 300),
            ("5s5", 10),
        ] {
            assert_eq!(
                parse_metadata_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text:?}"
            );
        }
        for text in [
            "", " ", " 5m", "5x", "5mm", "1.5h", "*", "5 *", "*2m", "*2.5m", "*2.5.5", "*2x", "5,", "-5m", "five",
        ] {
            assert!(parse_metadata_duration(text).is_err(), "{text:?}");
        }
    }
}
