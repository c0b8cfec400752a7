//! The checks of a test with tmt's interface: what is looked at on the machine before and after it, as plain data.
//!
//! What a machine does for them is `src/sut/interface/checks.bash`; what they mean for the test `src/exec/attempt/interface/checks.rs`.

use std::sync::Arc;

use atex_fmf::regex::{Pattern, PatternError};

/// All checks of a test, each kind once.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// The checks, in order.
    pub list: Vec<Check>,
    /// What in the metadata tmt would not take: such a test is an error.
    pub wrong: Option<String>,
}

/// A check of a test.
#[derive(Clone, Debug)]
pub struct Check {
    /// What is looked at.
    pub kind: CheckKind,
    /// What it does to the outcome of the test.
    pub effect: CheckEffect,
    /// Which lines of what was found are failures.
    pub patterns: LinePatterns,
    /// What the program on the machine is told.
    pub options: Vec<String>,
}

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// The kernel's log.
    Dmesg,
    /// Denials of `SELinux`.
    Avc,
    /// Core dumps that systemd keeps.
    Coredump,
    /// The journal of systemd.
    Journal,
}

impl CheckKind {
    /// The one that `how: WORD` means, if it is supported.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "dmesg" => Some(Self::Dmesg),
            "avc" => Some(Self::Avc),
            "coredump" => Some(Self::Coredump),
            "journal" => Some(Self::Journal),
            _ => None,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dmesg => "dmesg",
            Self::Avc => "avc",
            Self::Coredump => "coredump",
            Self::Journal => "journal",
        }
    }

    /// A package that is installed for it where there is one.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Self::Avc => Some("audit"),
            Self::Dmesg | Self::Coredump | Self::Journal => None,
        }
    }
}

/// What a check does to the outcome of its test: the key `result` of the check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckEffect {
    /// `respect`: its failure is one of the test.
    #[default]
    Respect,
    /// `info`: none.
    Info,
    /// `xfail`: it is expected to fail.
    Xfail,
}

impl CheckEffect {
    /// The one that `result: WORD` means.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "respect" => Some(Self::Respect),
            "info" => Some(Self::Info),
            "xfail" => Some(Self::Xfail),
            _ => None,
        }
    }
}

/// Which lines of a text are failures: those that fit one pattern and none of those that are to be ignored.
#[derive(Clone, Debug, Default)]
pub struct LinePatterns {
    /// Patterns of failures, as Python's `re.search` takes them.
    pub failure: Vec<Arc<Pattern>>,
    /// Patterns of lines that are none.
    pub ignore: Vec<Arc<Pattern>>,
}

impl LinePatterns {
    /// Returns the first line that is a failure.
    pub fn first<'t>(&self, text: &'t str) -> Result<Option<&'t str>, PatternError> {
        let fits = |patterns: &[Arc<Pattern>], line| {
            for pattern in patterns {
                if pattern.search(line)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        for line in text.lines() {
            if fits(&self.failure, line)? && !fits(&self.ignore, line)? {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }
}
