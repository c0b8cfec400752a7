//! The error type of the command line: what went wrong, its class, and what to do about it.
//!
//! Every module error becomes a [`CliError`] where a command calls the module. [`ErrorKind::exit`] is the only place where an
//! error becomes an exit code (the table is that of [`Exit`]).

pub(crate) mod conversions;
pub(crate) mod suggest;

use std::fmt::Write as _;
use std::io;

use crate::report::palette::{Palette, paint};
use crate::report::text::{fit, harmless};
use crate::report::{Exit, ReportError};
use crate::sut::trouble::without_os_numbers;

/// The class of an error, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// The request is wrong: arguments, configuration, metadata, or a place that cannot be used.
    Usage,
    /// The request selects no test.
    Nothing,
    /// The infrastructure failed: a SUT, the cache, a disk.
    Infra,
    /// The user interrupted atex.
    Interrupted,
    /// atex broke one of its own rules.
    Defect,
    /// Nobody reads standard output any more.
    ClosedPipe,
}

impl ErrorKind {
    /// Returns how the process ends.
    pub(crate) const fn exit(self) -> Exit {
        match self {
            Self::Usage => Exit::Usage,
            Self::Nothing => Exit::Nothing,
            Self::Infra => Exit::Infra,
            Self::Interrupted => Exit::Interrupted,
            Self::Defect => Exit::Defect,
            Self::ClosedPipe => Exit::Passed,
        }
    }
}

/// An error to show to the user.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) kind: ErrorKind,
    message: String,
    /// The lines of a file that are at fault, shown as they are.
    excerpt: String,
    hints: Vec<String>,
}

impl CliError {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            excerpt: String::new(),
            hints: Vec::new(),
        }
    }

    /// Makes an error about a wrong request.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Makes an error about an empty selection.
    pub(crate) fn nothing(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Nothing, message)
    }

    /// Makes an error about the infrastructure.
    pub(crate) fn infra(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Infra, message)
    }

    /// Makes an error about something that the user interrupted.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Interrupted, message)
    }

    /// Makes an error about a defect of atex.
    pub(crate) fn defect(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Defect, message)
            .hint("this is a defect in atex: please report it, with the command line and this message")
    }

    /// Returns what happened, without hints.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Adds advice.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds advice, if there is any.
    #[must_use]
    pub(crate) fn hint_if(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds the lines of a file that are at fault, if they are known.
    #[must_use]
    pub(crate) fn excerpt_if(mut self, excerpt: Option<String>) -> Self {
        self.excerpt = excerpt.unwrap_or_default();
        self
    }

    /// Renders the message, the lines at fault and the hints for standard error.
    pub(crate) fn render(&self, palette: &Palette) -> String {
        let mut text = String::new();
        let _infallible = writeln!(text, "{} {}", paint(palette.bad, "error:"), lines(&self.message));
        for line in self.excerpt.lines() {
            let _infallible = writeln!(text, "  {}", harmless(line));
        }
        for hint in &self.hints {
            let _infallible = writeln!(text, "{} {}", paint(palette.reused, "hint:"), lines(hint));
        }
        text
    }
}

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        match error {
            error if error.is_broken_pipe() => Self::new(ErrorKind::ClosedPipe, error.to_string()),
            error => Self::infra(error.to_string()),
        }
    }
}

/// Makes an error about a failed write to standard output.
pub(crate) fn output_failed(source: io::Error) -> CliError {
    ReportError::Output { source }.into()
}

/// How many columns a line of a message may have. A message may name a path, but what it quotes of a file can be of any length.
const WIDEST: usize = 5000;

/// Makes a message harmless but keeps its line breaks, and removes the error numbers that the system's library adds to its texts.
fn lines(message: &str) -> String {
    let lines: Vec<_> = message
        .trim_end()
        .lines()
        .map(|line| fit(&harmless(line), WIDEST).into_owned())
        .collect();
    without_os_numbers(&lines.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_excerpt_and_hints_below() {
        let error = CliError::usage("unknown key `suts` in `atex.toml:3:1`")
            .excerpt_if(Some("3 | suts = 1\n  | ^^^^".to_owned()))
            .hint("did you mean `sut`?");
        let text = error.render(&Palette::new(false));
        insta::assert_snapshot!(text, @r"
        error: unknown key `suts` in `atex.toml:3:1`
          3 | suts = 1
            | ^^^^
        hint: did you mean `sut`?
        ");
    }

    #[test]
    fn system_errors_lose_their_numbers_and_sequences_their_power() {
        let error = CliError::usage("cannot open `a\x1b[2J`: No such file or directory (os error 2): end (os error x)");
        assert_eq!(
            error.render(&Palette::new(false)),
            "error: cannot open `a\\x1b[2J`: No such file or directory: end (os error x)\n"
        );
    }

    #[test]
    fn a_line_of_any_length_is_cut() {
        let error = CliError::usage(format!("`{}` is none\nand more", "x".repeat(1_000_000)));
        let text = error.render(&Palette::new(false));
        assert!(text.len() < WIDEST + 100, "{}", text.len());
        assert!(text.ends_with("\n  and more\n"));
    }

    #[test]
    fn each_kind_has_the_exit_code_of_the_table() {
        let kinds = [
            ErrorKind::Usage,
            ErrorKind::Nothing,
            ErrorKind::Infra,
            ErrorKind::Interrupted,
            ErrorKind::Defect,
            ErrorKind::ClosedPipe,
        ];
        assert_eq!(kinds.map(|kind| kind.exit().code()), [2, 4, 3, 130, 5, 0]);
    }
}
