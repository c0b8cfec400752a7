//! Parses control lines: a word, then at most one space and an argument whose form depends on the word.
//!
//! `disconnect` and `noop` have no argument, and what follows them is ignored. Numbers consist of digits only.
//!
//! The lines `exitcode N SEAL` and `mounted SEAL` are written by the wrapper alone, which has a seal that the test
//! does not know. An `exitcode N` without the seal comes from the test and has no effect. If the seal is empty,
//! nobody but the wrapper writes to the stream, and `exitcode N` comes from it.

use super::violation::Violation;
use super::{DurationChange, parse_duration};

/// A control line that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlLine {
    /// This many bytes of JSON follow, or `None` if the number is too large to count.
    Result(Option<usize>),
    /// The wrapper says how the test ended.
    ExitCode(i32),
    /// Somebody other than the wrapper says how the test ended.
    Claim,
    /// The wrapper says that something is mounted below the trees that was not when the test began.
    Mounted,
    Duration(DurationChange),
    Disconnect,
    Reconnect {
        always: bool,
    },
    Noop,
}

impl ControlLine {
    /// Parses a line without its newline. If the line is at fault, the error does not show a seal at its end.
    pub(crate) fn parse(line: &[u8], seal: &str) -> Result<Self, Violation> {
        let unsealed = match seal {
            "" => Some(line),
            seal => line
                .strip_suffix(seal.as_bytes())
                .and_then(|line| line.strip_suffix(b" ")),
        };
        let (line, is_sealed) = unsealed.map_or((line, false), |line| (line, true));
        if line.is_empty() {
            return Err(Violation::new("empty control line (a newline alone)"));
        }
        let Some(text) = line.is_ascii().then(|| std::str::from_utf8(line).ok()).flatten() else {
            return Err(Violation::at("control line is not ASCII", line));
        };
        let (word, argument) = text
            .split_once(' ')
            .map_or((text, None), |(word, argument)| (word, Some(argument)));
        let given = argument.unwrap_or_default();
        match word {
            "result" if is_digits(given) => Ok(Self::Result(given.parse().ok())),
            "result" => Err(Violation::at("`result` needs the number of bytes of its JSON", line)),
            "exitcode" => exit_code(given)
                .map(|code| if is_sealed { Self::ExitCode(code) } else { Self::Claim })
                .ok_or_else(|| Violation::at("`exitcode` needs a number", line)),
            "duration" => duration(given).map(Self::Duration).ok_or_else(|| {
                Violation::at(
                    "`duration` needs `N`, `+N`, `-N` (with a unit of `m`, `h`, `d`, `s`), `save` or `restore`",
                    line,
                )
            }),
            "mounted" if is_sealed && argument.is_none() => Ok(Self::Mounted),
            "disconnect" => Ok(Self::Disconnect),
            "noop" => Ok(Self::Noop),
            "reconnect" => match argument {
                None => Ok(Self::Reconnect { always: false }),
                Some("always") => Ok(Self::Reconnect { always: true }),
                Some(_) => Err(Violation::at("`reconnect` takes nothing or `always`", line)),
            },
            _ => Err(Violation::at("unknown control word", line)),
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn exit_code(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    is_digits(digits).then(|| text.parse().ok()).flatten()
}

fn duration(text: &str) -> Option<DurationChange> {
    let length = |text| parse_duration(text).ok();
    match (text, text.as_bytes().first()) {
        ("save", _) => Some(DurationChange::Save),
        ("restore", _) => Some(DurationChange::Restore),
        (_, Some(b'+')) => length(&text[1..]).map(DurationChange::Extend),
        (_, Some(b'-')) => length(&text[1..]).map(DurationChange::Shorten),
        _ => length(text).map(DurationChange::Set),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_word_has_its_form() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        for (line, command) in [
            ("result 15", ControlLine::Result(Some(15))),
            ("result 99999999999999999999", ControlLine::Result(None)),
            ("exitcode 255", ControlLine::ExitCode(255)),
            ("exitcode -1", ControlLine::ExitCode(-1)),
            ("duration 15m", ControlLine::Duration(DurationChange::Set(minutes(15)))),
            (
                "duration +60",
                ControlLine::Duration(DurationChange::Extend(minutes(1))),
            ),
            (
                "duration -5m",
                ControlLine::Duration(DurationChange::Shorten(minutes(5))),
            ),
            ("duration save", ControlLine::Duration(DurationChange::Save)),
            ("duration restore", ControlLine::Duration(DurationChange::Restore)),
            ("disconnect", ControlLine::Disconnect),
            ("reconnect", ControlLine::Reconnect { always: false }),
            ("reconnect always", ControlLine::Reconnect { always: true }),
            ("noop", ControlLine::Noop),
        ] {
            assert_eq!(ControlLine::parse(line.as_bytes(), ""), Ok(command), "{line}");
        }
    }

    #[test]
    fn only_the_seal_makes_an_exit_code_the_wrappers_word() {
        for (line, command) in [
            ("exitcode 3 5ea1", Some(ControlLine::ExitCode(3))),
            ("exitcode 3", Some(ControlLine::Claim)),
            ("mounted 5ea1", Some(ControlLine::Mounted)),
            ("mounted", None),
            ("mounted x 5ea1", None),
            ("exitcode 3 5ea2", None),
            ("exitcode 35ea1", None),
            ("exitcode 5ea1", None),
            ("exitcode exitcode 3 5ea1", None),
            ("noop exitcode 3 5ea1", Some(ControlLine::Noop)),
        ] {
            assert_eq!(ControlLine::parse(line.as_bytes(), "5ea1").ok(), command, "{line}");
        }
        let glued = ControlLine::parse(b"halfexitcode 3 5ea1", "5ea1").expect_err("no word");
        assert_eq!(glued.note(), "unknown control word: `halfexitcode 3`");
    }

    #[test]
    fn what_has_no_form_is_refused_with_the_line_shown() {
        for line in [
            "result",
            "result ",
            "result x",
            "result +5",
            "result -1",
            "result  5",
            "result 5 ",
            "result 0x10",
            "exitcode",
            "exitcode one",
            "exitcode 99999999999",
            "exitcode +1",
            "duration",
            "duration ",
            "duration soon",
            "duration +",
            "duration +-5",
            "duration 1h 30m",
            "reconnect never",
            "Result 5",
            "frobnicate 1",
            " noop",
            "noop\r",
        ] {
            let note = ControlLine::parse(line.as_bytes(), "")
                .expect_err(line)
                .note()
                .to_owned();
            assert!(
                note.ends_with(&format!("`{}`", line.escape_default())),
                "{line}: {note}"
            );
        }
        assert!(ControlLine::parse(b"", "").is_err());
        let note = ControlLine::parse("noop \u{fc}".as_bytes(), "")
            .expect_err("not ASCII")
            .note()
            .to_owned();
        assert_eq!(note, r"control line is not ASCII: `noop \xc3\xbc`");
    }
}
