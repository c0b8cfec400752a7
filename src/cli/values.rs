//! The small languages of option values: `KEY=VALUE`, `DIM=VALUE,VALUE`, ages, sizes, choices.

use std::time::Duration;

use clap::ValueEnum;

use super::error::CliError;
use super::nearest::did_you_mean;

/// Splits `KEY=VALUE`; the key must be a name that a shell takes for a variable.
pub(crate) fn variable(text: &str) -> Result<(String, String), CliError> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(CliError::usage(format!("`-e {text}` has no `=`")).hint("write `-e KEY=VALUE`"));
    };
    variable_name(key)?;
    if value.contains('\0') {
        return Err(CliError::usage(format!("the value of variable `{key}` has a NUL byte")));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Checks the name of an environment variable.
pub(crate) fn variable_name(name: &str) -> Result<(), CliError> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(CliError::usage(format!("`{name}` cannot be the name of an environment variable"))
        .hint("names consist of letters, digits and `_`, and do not start with a digit"))
}

/// Splits `DIM=VALUE[,VALUE]`.
pub(crate) fn dimension(text: &str) -> Result<(String, Vec<String>), CliError> {
    let hint = "write `-c DIM=VALUE`, as in `-c distro=fedora-41`";
    let Some((dimension, values)) = text.split_once('=') else {
        return Err(CliError::usage(format!("`-c {text}` has no `=`")).hint(hint));
    };
    let dimension = dimension.trim();
    let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
    if dimension.is_empty() || values.iter().any(String::is_empty) {
        return Err(CliError::usage(format!("`-c {text}` has an empty dimension or value")).hint(hint));
    }
    Ok((dimension.to_owned(), values))
}

/// Parses an age: a number and a unit, as in `90s`, `12h`, `30d`, `2w`.
pub(crate) fn age(option: &str, text: &str) -> Result<Duration, CliError> {
    let seconds = number_with_unit(text, |unit| {
        Some(match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return None,
        })
    });
    seconds.map(Duration::from_secs).ok_or_else(|| {
        CliError::usage(format!("`{text}` is no age for `{option}`"))
            .hint("write a number and a unit (s, m, h, d, w), as in `12h`")
    })
}

/// Parses a size in bytes: a number and a binary unit, as in `500M`, `10G`, `1GiB`.
pub(crate) fn size(option: &str, text: &str) -> Result<u64, CliError> {
    let bytes = number_with_unit(text, |unit| {
        let exponent = match unit.trim_end_matches("iB").trim_end_matches('B') {
            "" => 0,
            "K" | "k" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return None,
        };
        Some(1 << exponent)
    });
    bytes.ok_or_else(|| {
        CliError::usage(format!("`{text}` is no size for `{option}`"))
            .hint("write a number and a unit (K, M, G, T), as in `10G`")
    })
}

/// Parses one of the values that an option has, for values from a configuration file.
pub(crate) fn choice<T: ValueEnum>(key: &str, text: &str) -> Result<T, CliError> {
    T::from_str(text, false).map_err(|_| {
        let known: Vec<String> =
            T::value_variants().iter().filter_map(|v| Some(v.to_possible_value()?.get_name().to_owned())).collect();
        let hint = did_you_mean(text, known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("it is one of `{}`", known.join("`, `")));
        CliError::usage(format!("`{text}` is no value for `{key}` of the configuration")).hint(hint)
    })
}

fn number_with_unit(text: &str, factor: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    number.parse::<u64>().ok()?.checked_mul(factor(unit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_keep_everything_after_the_first_equals_sign() {
        assert_eq!(variable("A=b=c").unwrap(), ("A".into(), "b=c".into()));
        assert_eq!(variable("_X9=").unwrap(), ("_X9".into(), String::new()));
        for bad in ["A", "=x", "1A=x", "A B=x", "Ä=x"] {
            assert!(variable(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dimensions_take_several_values() {
        assert_eq!(dimension("distro=rhel-9, rhel-10").unwrap().1, ["rhel-9", "rhel-10"]);
        for bad in ["distro", "=x", "distro=", "distro=a,,b"] {
            assert!(dimension(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ages_need_a_unit() {
        assert_eq!(age("--keep", "2w").unwrap(), Duration::from_secs(14 * 86_400));
        for bad in ["", "12", "h", "-1h", "1.5h", "99999999999999999999h", "18446744073709551615w"] {
            assert!(age("--keep", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        let said = ["7", "1K", "10G", "1GiB", "2MB"].map(|text| size("--max-size", text).unwrap());
        assert_eq!(said, [7, 1024, 10 << 30, 1 << 30, 2 << 20]);
        for bad in ["", "G", "1X", "20000000T"] {
            assert!(size("--max-size", bad).is_err(), "{bad}");
        }
    }
}
