//! Writes the result of the infrastructure for a test that did not run, or did not run to its end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::control::{InfraKind, RESULTS, ResultStore, Status, TestSummary, Verdict};
use crate::event::{Event, NodeOutcome};
use crate::exec::record::RecordError;
use crate::exec::record::restore::remove;
use crate::exec::run::shared::Shared;
use crate::exec::schedule::{JobId, Skip, TestAttempt};

/// Writes the only result of a test that never started.
pub(crate) fn never_started(
    shared: &Shared<'_>,
    dir: &Path,
    kind: InfraKind,
    note: &str,
) -> Result<TestSummary, RecordError> {
    let note = shared.options.mask.text(note).into_owned();
    ResultStore::infra(dir, kind, &note)?;
    Ok(TestSummary {
        verdict: Verdict::Infra,
        results: 1,
        counts: [(Status::Infra, 1)].into(),
        note: note.clone(),
        infra: Some((kind, note)),
        late: Vec::new(),
    })
}

/// Writes the only result of an attempt that will not start. Returns the outcome, the event for it, and whether the result was written.
pub(crate) fn skipped(
    shared: &Shared<'_>,
    TestAttempt { job, number }: TestAttempt,
    skip: &Skip,
) -> (NodeOutcome, Event, Result<(), RecordError>) {
    let spec = shared.job(job);
    let (kind, reason) = match skip {
        Skip::Prepare(reason) => (InfraKind::Prepare, reason.clone()),
        Skip::Setup(reason) => (InfraKind::Setup, reason.clone()),
        Skip::Unreachable(reason) => (InfraKind::Unreachable, reason.clone()),
        Skip::Cancelled => (InfraKind::Cancelled, "cancelled before it started".to_owned()),
        Skip::Stopped(reason) => (InfraKind::Cancelled, reason.clone()),
    };
    let name = &shared.work.test(spec.test).name;
    let (relative, made) = shared.dir.test(name, spec.distinct_in.as_deref(), number);
    let (dir, note) = (shared.dir.path().join(relative), shared.options.mask.text(&reason));
    let written = made
        .map_err(RecordError::from)
        .and_then(|()| Ok(ResultStore::infra(&dir, kind, &note)?));
    let outcome = if kind == InfraKind::Cancelled {
        NodeOutcome::Cancelled
    } else {
        NodeOutcome::Infra
    };
    let (node, _) = shared.identify(spec.node);
    let event = Event::NodeSkipped {
        node,
        reason: format!("{}: {reason}", kind.as_str()),
        outcome,
    };
    (outcome, event, written)
}

/// Writes the result of a test that was broken off. If the test has reported results, these stay and nothing is written.
pub(crate) fn result_of_broken_off(
    shared: &Shared<'_>,
    TestAttempt { job, number }: TestAttempt,
    reason: &str,
) -> Result<(), RecordError> {
    let spec = shared.job(job);
    let name = &shared.work.test(spec.test).name;
    let (relative, made) = shared.dir.test(name, spec.distinct_in.as_deref(), number);
    made?;
    let dir = shared.dir.path().join(relative);
    let results = dir.join(RESULTS);
    if fs::metadata(&results).is_ok_and(|results| results.len() == 0) {
        remove(&results)?;
    }
    if !results.exists() {
        ResultStore::infra(&dir, InfraKind::Aborted, &shared.options.mask.text(reason))?;
    }
    Ok(())
}

/// Makes the event for a test that was broken off.
pub(crate) fn broken_off(shared: &Shared<'_>, job: JobId, sut: &str, reason: &str) -> Event {
    let (node, key) = shared.identify(shared.job(job).node);
    Event::NodeFinished {
        node,
        key,
        sut: sut.to_owned(),
        outcome: NodeOutcome::Infra,
        duration: 0,
        note: format!("{}: {reason}", InfraKind::Aborted.as_str()),
        log: String::new(),
        results: BTreeMap::new(),
        again: false,
    }
}
