//! Decides what the end of an attempt means: its outcome, whether the test or its machine is at fault, and the note that explains
//! it.

use super::EndedTest;
use crate::control::{InfraKind, TestSummary, Verdict};
use crate::event::NodeOutcome;
use crate::exec::schedule::AttemptOutcome;
use crate::exec::worker::CommandError;

/// Returns the outcome of an attempt after the machine or the host failed. After a failure of the host, nothing is tried again.
pub(crate) fn end_by_error(failed: &CommandError) -> AttemptOutcome {
    match failed {
        CommandError::Sut(_) => AttemptOutcome::Broken,
        CommandError::Host(_) => AttemptOutcome::Cancelled,
    }
}

pub(crate) fn outcome_of(summary: &TestSummary) -> NodeOutcome {
    match (&summary.infra, summary.verdict) {
        (Some((InfraKind::Cancelled, _)), _) => NodeOutcome::Cancelled,
        (Some(_), _) | (None, Verdict::Infra) => NodeOutcome::Infra,
        (None, Verdict::Fail) => NodeOutcome::Fail,
        (None, Verdict::Pass) => NodeOutcome::Pass,
    }
}

/// Decides who is at fault for the end of an attempt. If it is the machine, the test is tried again elsewhere; if it is the test, only
/// if the user wants that.
pub(crate) fn end_of_attempt(summary: &TestSummary, started_there: bool) -> AttemptOutcome {
    match (&summary.infra, summary.verdict) {
        (None, Verdict::Pass) => AttemptOutcome::Passed,
        (Some((InfraKind::Cancelled, _)), _) => AttemptOutcome::Cancelled,
        (Some((InfraKind::Aborted | InfraKind::Unreachable, _)), _) => AttemptOutcome::Broken,
        // If packages that a test requires cannot be installed, the test is at fault.
        (Some((InfraKind::Setup, _)), _) if started_there => AttemptOutcome::Broken,
        _ => AttemptOutcome::Failed,
    }
}

pub(crate) fn note_of(summary: &TestSummary, doubt: Option<&String>) -> String {
    match (&summary.infra, doubt) {
        (Some((kind, note)), _) => format!("{}: {note}", kind.as_str()),
        (None, Some(doubt)) if summary.note.is_empty() => doubt.clone(),
        (None, Some(doubt)) => format!("{}; {doubt}", summary.note),
        (None, None) => summary.note.clone(),
    }
}

/// Returns the worst outcome of several tests. What has to be done about one of them is done about all.
pub(super) fn worst(tried: &[EndedTest]) -> AttemptOutcome {
    let order = [
        AttemptOutcome::Cancelled,
        AttemptOutcome::Broken,
        AttemptOutcome::Failed,
    ];
    let said = |said: &AttemptOutcome| tried.iter().any(|tried| tried.said == *said);
    order.into_iter().find(said).unwrap_or(AttemptOutcome::Passed)
}
