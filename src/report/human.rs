//! Formats numbers for people: durations, ages, sizes and counts.
//!
//! The functions are pure, so times are passed in. Nothing that they return is ever parsed again.

/// Formats a duration in milliseconds: `0.04s`, `59.9s`, `2m 03s`, `1h 02m`, `3d 4h`.
pub fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..10 => format!("{}.{:02}s", seconds, milliseconds % 1000 / 10),
        10..60 => format!("{}.{}s", seconds, milliseconds % 1000 / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Formats a duration in milliseconds that is still growing, without fractions that would flicker: `4s`, `2m 03s`.
pub fn running(milliseconds: u64) -> String {
    if milliseconds < 60_000 {
        format!("{}s", milliseconds / 1000)
    } else {
        span(milliseconds)
    }
}

/// Formats an age in seconds with its largest unit: `just now`, `12s ago`, `3m ago`, `2h ago`, `5d ago`.
pub fn age(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0 => return "just now".to_owned(),
        1..60 => (seconds, 's'),
        60..3600 => (seconds / 60, 'm'),
        3600..86_400 => (seconds / 3600, 'h'),
        _ => (seconds / 86_400, 'd'),
    };
    format!("{number}{unit} ago")
}

/// Formats a size in bytes with one decimal in binary units: `0 B`, `512 B`, `1.2 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths = tenths.div_ceil(2) / 512;
        unit += 1;
    }
    if unit == 0 {
        return format!("{bytes} B");
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Formats a number of things: `1 test`, `3 tests`.
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_keep_two_units_at_most() {
        let said = [0, 340, 59_999, 60_000, 123_000, 3_599_999, 3_720_000, 273_600_000].map(span);
        assert_eq!(
            said,
            [
                "0.00s", "0.34s", "59.9s", "1m 00s", "2m 03s", "59m 59s", "1h 02m", "3d 4h"
            ]
        );
    }

    #[test]
    fn a_running_clock_shows_whole_seconds() {
        assert_eq!([0, 4_900, 61_000].map(running), ["0s", "4s", "1m 01s"]);
    }

    #[test]
    fn ages_use_the_largest_unit() {
        let said = [0, 12, 60, 3_599, 7_200, 86_400 * 5 + 1].map(age);
        assert_eq!(said, ["just now", "12s ago", "1m ago", "59m ago", "2h ago", "5d ago"]);
    }

    #[test]
    fn sizes_are_binary_and_never_overflow() {
        let said = [0, 1023, 1024, 1_258_291, 1 << 30, u64::MAX].map(size);
        assert_eq!(said, ["0 B", "1023 B", "1.0 KiB", "1.2 MiB", "1.0 GiB", "16.0 EiB"]);
    }

    #[test]
    fn one_has_no_plural() {
        assert_eq!([0, 1, 2].map(|n| count(n, "test")), ["0 tests", "1 test", "2 tests"]);
    }
}
