//! Step 2, prepare: one prepare step runs on a SUT. The scripts that make up the step come from `how`.
//!
//! Invariant: from before a step runs until it is complete, the SUT itself says that it is tainted.

use std::path::Path;
use std::time::{Duration, Instant};

use atex_cache::{RecordOutcome, Ticket};

use crate::compile::spec::StepId;
use crate::event::{Event, NodeOutcome};
use crate::exec::record::{self, RecordError};
use crate::exec::worker::how::outcome_of;
use crate::exec::worker::{CommandError, Worker};
use crate::host::clock::unix_now;
use crate::sut::{EnvFile, PlanData, PrepareStep, Taint, Urgency};

impl Worker<'_> {
    /// Runs a step of a chain after all steps before it are done. Returns the reason if it fails.
    pub(crate) fn prepare_step(&mut self, chain: &[StepId], index: usize) -> Result<Option<String>, CommandError> {
        let shared = self.shared;
        let step = chain[index];
        let (node, key) = shared.identify(shared.work.step(step).node);
        let (started, begun) = (Instant::now(), unix_now());
        self.doubt(format!("`{node}` was interrupted"))?;
        let ticket = self.ticket(shared.work.step(step).node);
        self.outbox.event(Event::NodeStarted {
            node: node.clone(),
            key: key.clone(),
            sut: self.sut.name().to_owned(),
            attempt: 1,
        });
        let mut log = shared.prepare_log.part(self.sut.name(), node.label())?;
        let of = PrepareStep {
            index,
            name: node.label().to_owned(),
        };
        let seen = (EnvFile::Prepared, PlanData::OfChain, Some(of));
        let ran = self.run_step(step, seen, Urgency::None, &mut log)?;
        let own = log.finish()?;
        let mut failure = ran.failure();
        let mut outcome = outcome_of(&ran);
        let kept = match &failure {
            None => self.keep(step, index),
            Some(reason) => self.doubt(format!("`{node}` failed: {reason}")),
        };
        if let (Err(failed), None) = (&kept, &failure) {
            (failure, outcome) = (Some(failed.to_string()), NodeOutcome::Infra);
        }
        if let (None, Some(ticket)) = (&failure, ticket) {
            let recorded = self.record_step(step, ticket, begun, started.elapsed(), own.path());
            let _told = recorded.inspect_err(|error| self.outbox.not_recorded(&node, error));
        }
        self.tell_step(
            node.clone(),
            key,
            outcome,
            started,
            failure.as_deref(),
            shared.prepare_log.name(),
        );
        kept?;
        Ok(failure.map(|reason| format!("`{node}` {reason}")))
    }

    /// Taints the SUT, on the SUT itself, before something begins that could be left half done there.
    pub(crate) fn doubt(&mut self, reason: String) -> Result<(), CommandError> {
        self.state.taint = Some(taint_of(reason));
        self.save_state()
    }

    /// Makes the SUT say that it has done the step at `index` of a chain and all steps before it.
    fn keep(&mut self, step: StepId, index: usize) -> Result<(), CommandError> {
        let shared = self.shared;
        let node = self.observed_step(step)?;
        let spec = shared.work.step(step);
        let unsettled = shared.unsettled(spec.upload, &[], &node);
        let is_settled = unsettled.is_none();
        let key = match unsettled {
            // This matches the key of no step, so the next run prepares again.
            Some(path) => format!("with another {path}"),
            None => node.key().to_string(),
        };
        self.sut.adopt(shared.slot(spec.upload), index)?;
        self.look_at_daemons()?;
        self.state.taint = self.ignored.clone();
        self.state.chain.truncate(index);
        self.state.chain.push(key);
        self.state.project.clone_from(&shared.project.id);
        let now = unix_now();
        // For steps of an atex that did not keep these times, the time of the last step is used.
        let before = self.state.prepared_at.unwrap_or_default();
        self.state.done_at.resize(index, before);
        self.state.done_at.push(now);
        self.state.prepared_at = Some(now);
        self.state.boot = self.facts.as_ref().map(|facts| facts.boot_id.clone());
        self.save_state()?;
        if is_settled && !self.daemons.are_any() {
            self.keep_state();
        }
        Ok(())
    }

    fn record_step(
        &self,
        step: StepId,
        ticket: Ticket,
        begun: u64,
        took: Duration,
        log: &Path,
    ) -> Result<(), RecordError> {
        let ran = record::NodeRun {
            observed: None,
            node: self.shared.work.step(step).node,
            sut: self.sut.name().to_owned(),
            begun,
            took,
            prepared: None,
            outcome: RecordOutcome::Passed,
            meta: serde_json::Value::Null,
        };
        record::step(self.shared, ticket, ran, log)
    }
}

/// Makes a taint that begins now.
pub(super) fn taint_of(reason: String) -> Taint {
    Taint { reason, at: unix_now() }
}
