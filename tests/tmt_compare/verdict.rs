//! What a test came to, in words that tmt and atex share.
//!
//! A test is known by its plan and its name. Its parts are what tmt calls sub-results, children of a custom result, and checks.

use std::collections::BTreeMap;
use std::fmt;

/// How a test or a part of it ended. The order is that of severity: the last is the worst.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It was selected, and did not run.
    Pending,
    Skip,
    Info,
    Pass,
    Warn,
    Fail,
    Error,
    /// Another word of atex's: how the infrastructure failed, such as `timeout`.
    Other(String),
}

/// What is said of one test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Absent where there is no result of the test itself, only of its parts.
    pub(crate) outcome: Option<Outcome>,
    /// Names without the slash in front, in the order of reports.
    pub(crate) parts: Vec<(String, Outcome)>,
    /// What is said of it in words, such as `test failed as expected`.
    pub(crate) note: String,
    /// What it left in its data directory, by path, with a digest of the content.
    pub(crate) files: BTreeMap<String, String>,
    /// What tmt says of the way it ended: `timeout`, `abort`.
    pub(crate) internal: Vec<String>,
    /// Its framework is none that tmt knows.
    pub(crate) unknown_framework: bool,
}

/// What is said of a plan.
#[derive(Debug, Default)]
pub(crate) struct PlanVerdict {
    /// Its tests, in the order in which they are to run.
    pub(crate) tests: Vec<(String, Verdict)>,
    /// An error ended it before it knew its tests.
    pub(crate) knows_no_tests: bool,
}

/// What is said of the plans of a run.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) plans: BTreeMap<String, PlanVerdict>,
    /// Of the program. Absent where a run was read that is over.
    pub(crate) exit_code: Option<i32>,
}

impl Outcome {
    /// Reads a word of tmt's or atex's results.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "pending" => Self::Pending,
            "skip" => Self::Skip,
            "info" => Self::Info,
            "pass" => Self::Pass,
            "warn" => Self::Warn,
            "fail" => Self::Fail,
            "error" => Self::Error,
            _ => return None,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Skip => "skip",
            Self::Info => "info",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Other(word) => word,
        })
    }
}

impl Verdicts {
    /// Returns what is said of a test, if it is there.
    pub(crate) fn of(&self, plan: &str, test: &str) -> Option<&Verdict> {
        let mut tests = self.plans.get(plan)?.tests.iter();
        tests.find(|(name, _)| name == test).map(|(_, verdict)| verdict)
    }

    /// Returns whether the outcome of a test is one of these.
    pub(crate) fn has(&self, wanted: impl Fn(&Outcome) -> bool) -> bool {
        let mut tests = self.plans.values().flat_map(|plan| &plan.tests);
        tests.any(|(_, verdict)| verdict.outcome.as_ref().is_some_and(&wanted))
    }

    /// Returns the names of a plan's tests, in their order.
    pub(crate) fn tests(&self, plan: &str) -> impl Iterator<Item = &str> {
        let plan = self.plans.get(plan).into_iter();
        plan.flat_map(|plan| &plan.tests).map(|(name, _)| name.as_str())
    }
}
