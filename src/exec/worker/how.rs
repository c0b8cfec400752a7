//! Runs the scripts of each `how` of prepare and finish on a machine, and decides what their end means for the step.
//!
//! The other half, everything that is known of a `how` before anything runs, is in `src/compile/how/`. [`PhaseAction`] connects
//! the two.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::compile::spec::{PhaseAction, StepId};
use crate::control::InfraKind;
use crate::event::{Event, NodeOutcome, NodeRef};
use crate::exec::attempt::log::NodeLog;
use crate::exec::attempt::script::{self, ScriptEnd};
use crate::exec::run::messages::WorkerMessage;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::agent::packages::PackageNeed;
use crate::sut::{EnvFile, Job, JobKind, PlanData, Urgency};

impl Worker<'_> {
    /// Runs the scripts of a prepare or finish step until one fails.
    pub(crate) fn run_step(
        &mut self,
        step: StepId,
        (env_file, plan_data): (EnvFile, PlanData),
        borne: Urgency,
        log: &mut NodeLog<'_>,
    ) -> Result<ScriptEnd, CommandError> {
        let spec = self.shared.work.step(step);
        let scripts = match self.scripts_of(&spec.action) {
            Ok(scripts) => scripts,
            Err(reason) => {
                log.write(format!("{reason}\n").as_bytes())?;
                return Ok(ScriptEnd::Infra(InfraKind::Setup, reason));
            }
        };
        // A package manager is no script of the plan.
        let is_of_plan = !matches!(spec.action, PhaseAction::Install { .. });
        for script in scripts {
            let job = Job {
                kind: JobKind::Script {
                    plan_data: is_of_plan.then(|| plan_data.clone()),
                },
                script,
                slot: self.shared.slot(spec.upload).to_owned(),
                dir: String::new(),
                env_before: spec.env_before.clone(),
                env_after: spec.env_after.clone(),
                env_file,
            };
            let ran = script::run(self.sut.as_mut(), &job, &self.shared.cancel, borne, log)?;
            if ran.failure().is_some() {
                return Ok(ran);
            }
        }
        Ok(ScriptEnd::Exited(0))
    }

    /// Returns the scripts of an action. There is one arm for each `how`.
    fn scripts_of(&self, action: &PhaseAction) -> Result<Vec<String>, String> {
        match action {
            PhaseAction::Install { packages } => Ok(vec![self.install_script(packages, PackageNeed::Required)?]),
            PhaseAction::Shell { scripts } => Ok(scripts.clone()),
        }
    }

    /// Sends the event that a prepare or finish step ended.
    pub(crate) fn tell_step(
        &self,
        node: NodeRef,
        key: String,
        outcome: NodeOutcome,
        started: Instant,
        failure: Option<&str>,
        log: &str,
    ) {
        if outcome == NodeOutcome::Infra {
            self.outbox.send(WorkerMessage::StepFailed);
        }
        self.outbox.event(Event::NodeFinished {
            node,
            key,
            sut: self.sut.name().to_owned(),
            outcome,
            duration: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            note: failure.unwrap_or_default().to_owned(),
            log: log.to_owned(),
            results: BTreeMap::new(),
            again: false,
        });
    }
}

/// Returns the outcome of a prepare or finish step from the end of its scripts.
pub(crate) fn outcome_of(ran: &ScriptEnd) -> NodeOutcome {
    match ran {
        ScriptEnd::Exited(0) => NodeOutcome::Pass,
        ScriptEnd::Infra(InfraKind::Cancelled, _) => NodeOutcome::Cancelled,
        ScriptEnd::Exited(_) | ScriptEnd::Infra(..) => NodeOutcome::Infra,
    }
}
