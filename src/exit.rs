//! The exit codes of the process, in the one table that the executor, the reporters and the command line share.

use serde::{Deserialize, Serialize};

/// How the process ends.
///
/// | code | meaning |
/// |---|---|
/// | 0 | all passed |
/// | 1 | at least one test failed |
/// | 2 | usage, configuration or metadata error: nothing ran, or not all that was asked for |
/// | 3 | infrastructure failed for at least one node (wins over 1) |
/// | 4 | nothing to run: no test matched |
/// | 5 | a defect in atex itself |
/// | 130 | interrupted by the user |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum Exit {
    /// All passed.
    Passed = 0,
    /// At least one test failed.
    Failed = 1,
    /// The arguments, the configuration or the metadata are wrong: nothing ran, or not all that was asked for.
    Usage = 2,
    /// Infrastructure failed for at least one node.
    Infra = 3,
    /// No test matched.
    Nothing = 4,
    /// A defect in atex.
    Defect = 5,
    /// The user interrupted.
    Interrupted = 130,
}

impl Exit {
    const ALL: [Self; 7] = [
        Self::Passed,
        Self::Failed,
        Self::Usage,
        Self::Infra,
        Self::Nothing,
        Self::Defect,
        Self::Interrupted,
    ];

    /// Returns the code that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the way to end that has this code, if the table has it.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// Returns the meaning in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "all passed",
            Self::Failed => "at least one test failed",
            Self::Usage => "usage, configuration or metadata error",
            Self::Infra => "the infrastructure failed",
            Self::Nothing => "nothing to run: no test matched",
            Self::Defect => "a defect in atex itself",
            Self::Interrupted => "interrupted by the user",
        }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit.code()
    }
}

impl TryFrom<u8> for Exit {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        Self::from_code(code).ok_or_else(|| format!("no run ends with exit code {code}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn every_exit_is_found_by_its_code() {
        for exit in Exit::ALL {
            assert_eq!(Exit::from_code(exit.code()), Some(exit));
        }
        assert_eq!(Exit::from_code(6), None);
    }
}
