//! Runs the scripts of each `how` of prepare and finish on a machine, and decides what their end means for the step.
//!
//! The other half, everything that is known of a `how` before anything runs, is in `src/compile/how/`. [`PhaseAction`] connects
//! the two.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::compile::spec::{PhaseAction, Playbook, StepId};
use crate::control::InfraKind;
use crate::event::{Event, NodeOutcome, NodeRef};
use crate::exec::attempt::log::NodeLog;
use crate::exec::attempt::script::{self, ScriptEnd};
use crate::exec::run::messages::WorkerMessage;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::agent::features::feature_script;
use crate::sut::{EnvFile, Job, JobKind, PlanData, PrepareStep, Urgency};

impl Worker<'_> {
    /// Runs the scripts of a prepare or finish step until one fails.
    pub(crate) fn run_step(
        &mut self,
        step: StepId,
        (env_file, plan_data, of): (EnvFile, PlanData, Option<PrepareStep>),
        borne: Urgency,
        log: &mut NodeLog<'_>,
    ) -> Result<ScriptEnd, CommandError> {
        let spec = self.shared.work.step(step);
        let tasks = match self.tasks_of(&spec.action) {
            Ok(tasks) => tasks,
            Err(reason) => {
                log.write(format!("{reason}\n").as_bytes())?;
                return Ok(ScriptEnd::Infra(InfraKind::Setup, reason));
            }
        };
        // What installs packages is no script of the plan.
        let is_of_plan = matches!(spec.action, PhaseAction::Shell { .. });
        for task in tasks {
            let ran = match task {
                Task::Playbook(playbook, extra_args) => self.run_playbook(spec, (playbook, extra_args), borne, log)?,
                Task::Script(script) => {
                    let job = Job {
                        kind: JobKind::Script {
                            plan_data: is_of_plan.then(|| plan_data.clone()),
                            // The daemons of packages are not started again with the step.
                            step: of.clone().filter(|_| is_of_plan),
                        },
                        script,
                        slot: self.shared.slot(spec.upload).to_owned(),
                        dir: String::new(),
                        env_before: spec.env_before.clone(),
                        env_after: spec.env_after.clone(),
                        env_file,
                    };
                    script::run(self.sut.as_mut(), &job, &self.shared.cancel, borne, log)?
                }
            };
            if ran.failure().is_some() {
                return Ok(ran);
            }
        }
        Ok(ScriptEnd::Exited(0))
    }

    /// Returns what there is to do for an action. There is one arm for each `how`.
    fn tasks_of<'s>(&self, action: &'s PhaseAction) -> Result<Vec<Task<'s>>, String> {
        match action {
            PhaseAction::Install(spec) => Ok(vec![Task::Script(self.step_install_script(spec)?)]),
            PhaseAction::Shell { scripts } => Ok(scripts.iter().cloned().map(Task::Script).collect()),
            PhaseAction::Feature { features } => Ok(vec![Task::Script(feature_script(features))]),
            PhaseAction::Ansible { playbooks, extra_args } => {
                let python = Task::Script(self.python_script());
                let play = |playbook| Task::Playbook(playbook, extra_args);
                Ok(std::iter::once(python).chain(playbooks.iter().map(play)).collect())
            }
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

/// A part of a step.
enum Task<'s> {
    /// A script that runs on the machine.
    Script(String),
    /// A playbook that Ansible runs on this host, and its further arguments.
    Playbook(&'s Playbook, &'s [String]),
}

/// Returns the outcome of a prepare or finish step from the end of its scripts.
pub(crate) fn outcome_of(ran: &ScriptEnd) -> NodeOutcome {
    match ran {
        ScriptEnd::Exited(0) => NodeOutcome::Pass,
        ScriptEnd::Infra(InfraKind::Cancelled, _) => NodeOutcome::Cancelled,
        ScriptEnd::Exited(_) | ScriptEnd::Infra(..) => NodeOutcome::Infra,
    }
}
