//! What the end of an attempt means: its outcome, whose fault it was, and what is said of it.

use super::EndedTest;
use crate::control::{InfraKind, Summary, Verdict};
use crate::exec::event::NodeOutcome;
use crate::exec::schedule::AttemptOutcome;
use crate::exec::worker::CommandError;

/// What it means for an attempt that the machine or the host could not go on. Nothing is tried again on a host that cannot.
pub(crate) fn end_by_error(failed: &CommandError) -> AttemptOutcome {
    match failed {
        CommandError::Sut(_) => AttemptOutcome::Broken,
        CommandError::Host(_) => AttemptOutcome::Cancelled,
    }
}

pub(crate) fn outcome_of(summary: &Summary) -> NodeOutcome {
    match (&summary.infra, summary.verdict) {
        (Some((InfraKind::Cancelled, _)), _) => NodeOutcome::Cancelled,
        (Some(_), _) | (None, Verdict::Infra) => NodeOutcome::Infra,
        (None, Verdict::Fail) => NodeOutcome::Fail,
        (None, Verdict::Pass) => NodeOutcome::Pass,
    }
}

/// Whose fault the end of an attempt was: a machine's is tried again elsewhere, a test's only where the user wants that.
pub(crate) fn end_of_attempt(summary: &Summary, started_there: bool) -> AttemptOutcome {
    match (&summary.infra, summary.verdict) {
        (None, Verdict::Pass) => AttemptOutcome::Passed,
        (Some((InfraKind::Cancelled, _)), _) => AttemptOutcome::Cancelled,
        (Some((InfraKind::Aborted | InfraKind::Unreachable, _)), _) => AttemptOutcome::Broken,
        // Packages that a test requires and that cannot be had are its own affair.
        (Some((InfraKind::Setup, _)), _) if started_there => AttemptOutcome::Broken,
        _ => AttemptOutcome::Failed,
    }
}

pub(crate) fn note_of(summary: &Summary, doubt: Option<&String>) -> String {
    match (&summary.infra, doubt) {
        (Some((kind, note)), _) => format!("{}: {note}", kind.as_str()),
        (None, Some(doubt)) if summary.note.is_empty() => doubt.clone(),
        (None, Some(doubt)) => format!("{}; {doubt}", summary.note),
        (None, None) => summary.note.clone(),
    }
}

/// What tests say together: what is to be done about any of them is done about all.
pub(super) fn worst(tried: &[EndedTest]) -> AttemptOutcome {
    let order = [
        AttemptOutcome::Cancelled,
        AttemptOutcome::Broken,
        AttemptOutcome::Failed,
    ];
    let said = |said: &AttemptOutcome| tried.iter().any(|tried| tried.said == *said);
    order.into_iter().find(said).unwrap_or(AttemptOutcome::Passed)
}
