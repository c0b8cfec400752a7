//! The outcome of a test: statuses, verdicts, kinds of infrastructure failure, and the tally of all its results.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::control::{ControlMessage, Judgement};

/// How many distinct unknown statuses are counted by name. The number is limited because a test may invent any number
/// of them.
const OTHER_STATUSES: usize = 32;

/// The name under which statuses are counted that are more than [`OTHER_STATUSES`], or too long for a name.
const OTHER: &str = "other";

/// The outcome of a test over all that it reported. Severity grows in declaration order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing failed.
    #[default]
    Pass,
    /// A result has the status `fail` or `error`, an unknown status, or none.
    Fail,
    /// The infrastructure ended the test.
    Infra,
}

/// The status of a result. Statuses are ordered by their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Pass,
    Fail,
    Info,
    Warn,
    Skip,
    Error,
    /// The infrastructure failed. The runner writes this status; a test cannot.
    Infra,
    /// Any other text, unchanged. An `infra` that a test sent is one, too.
    Other(Box<str>),
    /// The result has no status.
    Missing,
}

impl Status {
    /// Returns the status for a text that a test sent.
    pub(crate) fn said(text: &str) -> Self {
        match text {
            "pass" => Self::Pass,
            "fail" => Self::Fail,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "skip" => Self::Skip,
            "error" => Self::Error,
            other => Self::Other(other.into()),
        }
    }

    /// Returns the status for the text in a line of `results.jsonl`.
    pub fn in_results(text: &str) -> Self {
        match text {
            "infra" => Self::Infra,
            text => Self::said(text),
        }
    }

    /// Returns the status for the text in an event. There, a missing status has a text as well.
    pub(crate) fn in_events(text: &str) -> Self {
        match text {
            "none" => Self::Missing,
            text => Self::in_results(text),
        }
    }

    /// Returns the text that is stored, or `none` if there is no status.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Skip => "skip",
            Self::Error => "error",
            Self::Infra => "infra",
            Self::Other(text) => text,
            Self::Missing => "none",
        }
    }

    /// Returns the verdict on a test with one result of this status.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Pass | Self::Info | Self::Warn | Self::Skip => Verdict::Pass,
            Self::Fail | Self::Error | Self::Other(_) | Self::Missing => Verdict::Fail,
            Self::Infra => Verdict::Infra,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Ord for Status {
    fn cmp(&self, other: &Self) -> Ordering {
        // A test may have sent a text that is a status of the runner's own.
        let is_other = |status: &Self| matches!(status, Self::Other(_));
        (self.as_str(), is_other(self)).cmp(&(other.as_str(), is_other(other)))
    }
}

impl PartialOrd for Status {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::in_events(&text))
    }
}

/// The kind of an infrastructure failure, which is the `error` of an `infra` result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InfraKind {
    /// The test's duration is over.
    Timeout,
    /// The connection or the wrapper ended without `disconnect`.
    Aborted,
    /// The test broke the protocol.
    Control,
    /// A required package, an upload or the wrapper could not be put in place.
    Setup,
    /// A prepare step failed, so the test never started.
    Prepare,
    /// The SUT cannot be connected to.
    Unreachable,
    /// The user cancelled.
    Cancelled,
}

impl InfraKind {
    /// Returns the word for it in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::Control => "control",
            Self::Setup => "setup",
            Self::Prepare => "prepare",
            Self::Unreachable => "unreachable",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for InfraKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a test ended, as the executor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The test ended by itself. The status is that of the test if it gave no result for itself.
    Exited(Status),
    /// The test ended by itself, and these are its results beside those that it reported over the control stream.
    Judged(Box<Judgement>),
    /// The infrastructure ended it.
    Infra {
        /// The kind of failure.
        kind: InfraKind,
        /// The reason, for a person.
        note: String,
    },
}

/// The outcome of a test after all its results are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestSummary {
    /// The worst verdict of all results and of how the test ended.
    pub verdict: Verdict,
    /// The number of lines in `results.jsonl`.
    pub results: u64,
    /// The number of results by status.
    pub counts: BTreeMap<Status, u64>,
    /// The reason of the infrastructure failure, or else the `note` of the test's last result for itself. It may be
    /// empty.
    pub note: String,
    /// The reason why the infrastructure ended the test, if it did.
    pub infra: Option<(InfraKind, String)>,
    /// The results that became final only at the end, as [`crate::control::Protocol::take`] would have returned them.
    pub late: Vec<ControlMessage>,
}

/// Counts results by status as they become final, in constant memory.
#[derive(Debug, Default)]
pub(crate) struct StatusTally {
    counts: BTreeMap<Status, u64>,
    /// The number of distinct unknown statuses among them.
    others: usize,
    pub(crate) verdict: Verdict,
    pub(crate) results: u64,
}

impl StatusTally {
    pub(crate) fn count(&mut self, status: &Status) {
        self.results += 1;
        self.verdict = self.verdict.max(status.verdict());
        // An `infra` or `none` that a test made up is counted as if it were the runner's.
        let mut counted = Status::in_events(status.as_str());
        if let Status::Other(text) = &counted
            && !self.counts.contains_key(&counted)
        {
            if text.len() <= 64 && self.others < OTHER_STATUSES {
                self.others += 1;
            } else {
                counted = Status::Other(OTHER.into());
            }
        }
        *self.counts.entry(counted).or_default() += 1;
    }

    /// Returns the counts by status, without statuses that did not occur.
    pub(crate) fn into_counts(self) -> BTreeMap<Status, u64> {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_fails_by_fail_error_and_unknown_statuses_and_not_by_the_others() {
        for text in ["pass", "info", "warn", "skip"] {
            assert_eq!(Status::said(text).verdict(), Verdict::Pass, "{text}");
        }
        for text in ["fail", "error", "flaky", "PASS", ""] {
            assert_eq!(Status::said(text).verdict(), Verdict::Fail, "{text}");
        }
        assert_eq!(Status::Missing.verdict(), Verdict::Fail);
        assert!(Verdict::Pass < Verdict::Fail && Verdict::Fail < Verdict::Infra);
    }

    #[test]
    fn infra_from_a_test_is_kept_as_text_and_fails_it_like_any_unknown_status() {
        let status = Status::said("infra");
        assert_eq!((status.as_str(), status.verdict()), ("infra", Verdict::Fail));
    }

    #[test]
    fn any_number_of_invented_statuses_is_counted_in_bounded_memory() {
        let mut tally = StatusTally::default();
        for number in 0..10_000 {
            tally.count(&Status::said(&format!("status-{number}")));
        }
        tally.count(&Status::said(&"long".repeat(1000)));
        assert_eq!(tally.results, 10_001);
        let counts = tally.into_counts();
        assert_eq!(counts.len(), OTHER_STATUSES + 1);
        assert_eq!(counts.values().sum::<u64>(), 10_001);
    }
}
