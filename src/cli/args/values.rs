//! Parsers for the values of options and configuration keys: `KEY=VALUE`, `DIM=VALUE,VALUE`, ages, sizes, choices.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

use crate::cli::error::CliError;
use crate::cli::error::suggest::did_you_mean;
use crate::compile::lint::LintCode;
use crate::compile::plan::{environment, environment_file};
use crate::compile::spec::Interface;
use crate::exec::record::audit::Share;
use crate::exec::shard::Shard;

/// A text that is not a valid value.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct ValueError {
    problem: String,
    /// Advice on what would be valid.
    pub(crate) hint: String,
}

impl ValueError {
    fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        let (problem, hint) = (problem.into(), hint.into());
        Self { problem, hint }
    }
}

impl From<ValueError> for CliError {
    fn from(error: ValueError) -> Self {
        Self::usage(error.problem).hint(error.hint)
    }
}

/// Splits `KEY=VALUE`; the key must be a valid name of a shell variable.
pub(crate) fn variable(text: &str) -> Result<(String, String), ValueError> {
    let hint = "write `-e KEY=VALUE`";
    let Some((key, value)) = text.split_once('=') else {
        return Err(ValueError::new(format!("`-e {text}` has no `=`"), hint));
    };
    variable_name(key)?;
    variable_value(value)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads the variables of a file whose path is relative to a directory. A later variable wins.
pub(crate) fn environment_file(path: &str, from: &Path) -> Result<Vec<(String, String)>, ValueError> {
    let read = environment_file::of_file(path, &from.join(path));
    let assignments = read.map_err(|error| {
        let hint = "a file has words `KEY=VALUE`, or with a name in `.yaml` or `.yml` a flat mapping";
        ValueError::new(error.to_string(), hint)
    })?;
    Ok(assignments.into_iter().map(|one| (one.name, one.value)).collect())
}

/// Checks the name of an environment variable.
pub(crate) fn variable_name(name: &str) -> Result<(), ValueError> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if environment::is_kept_by_bash(name) {
        return Err(ValueError::new(
            format!("`{name}` is a variable that bash keeps for itself"),
            "a job would not see the value; take another name",
        ));
    }
    if starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    let problem = format!("`{name}` cannot be the name of an environment variable");
    Err(ValueError::new(
        problem,
        "names consist of letters, digits and `_`, and do not start with a digit",
    ))
}

/// Parses a share of the recorded tests: `5%`, `0.1%`, `all`.
pub(crate) fn share(text: &str) -> Result<Share, ValueError> {
    if text == "all" {
        return Ok(Share::ALL);
    }
    let bad = || {
        let problem = format!("`--audit {text}` is no share");
        ValueError::new(problem, "write `all`, or percent as in `5%` or `0.1%`; `0%` is none")
    };
    let number = text.strip_suffix('%').ok_or_else(bad)?;
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(rest) || rest.len() > 4 {
        return Err(bad());
    }
    let parts = format!("{whole}{rest:0<4}").parse().map_err(|_| bad())?;
    Share::of_million(parts).ok_or_else(bad)
}

/// Checks the value of an environment variable.
pub(crate) fn variable_value(value: &str) -> Result<(), ValueError> {
    if value.contains('\0') {
        return Err(ValueError::new(
            "the value of a variable has a NUL byte",
            "variables hold text without NUL",
        ));
    }
    Ok(())
}

/// Splits `DIM=VALUE[,VALUE]`.
pub(crate) fn dimension(text: &str) -> Result<(String, Vec<String>), ValueError> {
    let hint = "write `-c DIM=VALUE`, as in `-c distro=fedora-41`";
    let Some((dimension, values)) = text.split_once('=') else {
        return Err(ValueError::new(format!("`-c {text}` has no `=`"), hint));
    };
    let dimension = dimension.trim();
    let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
    if dimension.is_empty() || values.iter().any(String::is_empty) {
        return Err(ValueError::new(
            format!("`-c {text}` has an empty dimension or value"),
            hint,
        ));
    }
    Ok((dimension.to_owned(), values))
}

/// Parses an age: a number and a unit, as in `90s`, `12h`, `30d`, `2w`.
pub(crate) fn age(text: &str) -> Result<Duration, ValueError> {
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
    let bad = || {
        ValueError::new(
            format!("`{text}` is no age"),
            "write a number and a unit (s, m, h, d, w), as in `12h`",
        )
    };
    seconds.map(Duration::from_secs).ok_or_else(bad)
}

/// Parses a part of the tests: `M/N`.
pub(crate) fn shard(text: &str) -> Result<Shard, ValueError> {
    text.parse().map_err(|()| {
        ValueError::new(
            format!("`{text}` is no part"),
            "write which part and how many there are, as in `--shard 2/5`",
        )
    })
}

/// Parses how long a machine may be silent, as in `30s` or `2m`. It is at least a second.
pub(crate) fn silence(text: &str) -> Result<Duration, ValueError> {
    let bad = || {
        ValueError::new(
            format!("`{text}` is no time"),
            "write a number and a unit (s, m, h), as in `30s`",
        )
    };
    age(text).ok().filter(|time| !time.is_zero()).ok_or_else(bad)
}

/// Refuses an empty text.
pub(crate) fn not_empty(key: &str, text: &str) -> Result<String, ValueError> {
    if text.is_empty() {
        return Err(ValueError::new(
            format!("`{key}` is empty"),
            "give it a value, or leave the key out",
        ));
    }
    Ok(text.to_owned())
}

/// Parses a size in bytes: a number and a binary unit, as in `500M`, `10G`, `1GiB`.
pub(crate) fn size(text: &str) -> Result<u64, ValueError> {
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
    let bad = || {
        ValueError::new(
            format!("`{text}` is no size"),
            "write a number and a unit (K, M, G, T), as in `10G`",
        )
    };
    bytes.ok_or_else(bad)
}

/// Parses one of the values that an option has.
pub(crate) fn choice<T: ValueEnum>(text: &str) -> Result<T, ValueError> {
    T::from_str(text, false).map_err(|_| {
        let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let known: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        let hint = did_you_mean(text, known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("it is one of `{}`", known.join("`, `")));
        ValueError::new(format!("`{text}` is not possible here"), hint)
    })
}

/// Parses the word for the interface of tests.
pub(crate) fn interface(text: &str) -> Result<Interface, ValueError> {
    Interface::named(text).ok_or_else(|| {
        ValueError::new(
            format!("`{text}` is not possible here"),
            "it is one of `atex`, `tmt`".to_owned(),
        )
    })
}

/// Parses the code of a finding of `lint`.
pub(crate) fn lint_code(text: &str) -> Result<LintCode, ValueError> {
    LintCode::named(text).ok_or_else(|| {
        let hint = did_you_mean(text, LintCode::ALL.iter().map(|code| code.name()))
            .unwrap_or_else(|| "each finding shows its code".to_owned());
        ValueError::new(format!("`{text}` is no code of a finding"), hint)
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
    fn shares_are_percent_or_all() {
        let million = |parts| Share::of_million(parts).unwrap();
        assert_eq!(share("all").unwrap(), Share::ALL);
        for (text, parts) in [
            ("5%", 50_000),
            ("100%", 1_000_000),
            ("0.1%", 1_000),
            ("12.5%", 125_000),
            ("0.0001%", 1),
        ] {
            assert_eq!(share(text).unwrap(), million(parts), "{text}");
        }
        for bad in [
            "", "%", "5", "0%", "101%", "-1%", "5 %", "1e1%", ".5%", "5.%", "0.00001%", "none",
        ] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ages_need_a_unit() {
        assert_eq!(age("2w").unwrap(), Duration::from_hours(336));
        for bad in [
            "",
            "12",
            "h",
            "-1h",
            "1.5h",
            "99999999999999999999h",
            "18446744073709551615w",
        ] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        let said = ["7", "1K", "10G", "1GiB", "2MB"].map(|text| size(text).unwrap());
        assert_eq!(said, [7, 1024, 10 << 30, 1 << 30, 2 << 20]);
        for bad in ["", "G", "1X", "20000000T"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
