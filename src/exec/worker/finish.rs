//! Step 4, finish: runs the finish steps of plans on the SUTs that the plans touched, when a lane is left and when the SUT is
//! released.

use std::collections::VecDeque;
use std::time::Instant;

use crate::compile::spec::{PlanSpec, StepId, UploadId};
use crate::control::InfraKind;
use crate::event::{Event, NodeOutcome, SutEvent};
use crate::exec::attempt::script::ScriptEnd;
use crate::exec::options::Mode;
use crate::exec::run::shared::Shared;
use crate::exec::schedule::{Input, LaneId};
use crate::exec::worker::how::outcome_of;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::{Due, EnvFile, PlanData, Room, SyncMode, TroubleKind, Urgency};

/// How the finish of a plan ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finish {
    /// All steps ran, whether they passed or not.
    Over,
    /// A step could not be run to its end, so the finish is still due.
    Due,
    /// The user cancelled it.
    Cancelled,
}

impl Worker<'_> {
    /// Runs the finish steps of the lane's plans that touched this SUT since their last finish.
    pub(crate) fn leave(&mut self, lane: LaneId) -> Result<Input, CommandError> {
        let shared = self.shared;
        self.finish_due(shared.plans(lane))?;
        Ok(Input::Left)
    }

    /// Runs the finishes that an earlier run left due here, for the plans of this run. Each lane that was entered has been left by now, so
    /// nothing that this run still needs is undone.
    pub(crate) fn settle(&mut self) -> Result<(), CommandError> {
        let shared = self.shared;
        self.finish_due(shared.work.plans.iter())
    }

    /// Tells which finishes are due since an earlier run, on a SUT that was just opened.
    pub(crate) fn tell_owed(&self) {
        let options = self.shared.options;
        if options.mode == Mode::Finish || !options.finishes() {
            return;
        }
        let plans = self.shared.work.plans.iter().filter(|plan| self.is_due(plan));
        let names: Vec<&str> = plans.map(|plan| plan.name.as_str()).collect();
        if !names.is_empty() {
            let names = names.join("`, `");
            self.tell(
                SutEvent::Owing,
                format!("finish is due since an earlier run: `{names}`"),
            );
        }
        let state = &self.state;
        let others = state.unfinished.iter().filter(|due| !due.is_of(self.shared.project));
        let others: Vec<String> = others
            .map(|due| format!("`{}` of {}", due.plan, state.name_of(&due.project)))
            .collect();
        if !others.is_empty() {
            let others = others.join(", ");
            self.tell(
                SutEvent::Owing,
                format!("finish is due for another project, which pays: {others}"),
            );
        }
    }

    /// Returns whether the finish of a plan of this project is due on the SUT.
    pub(crate) fn is_due(&self, plan: &PlanSpec) -> bool {
        let is_it = |due: &Due| due.plan == plan.name && due.is_of(self.shared.project);
        self.state.unfinished.iter().any(is_it)
    }

    /// Reports the finish steps that are due on a SUT which cannot be reached.
    pub(crate) fn lose_owed(&self, reason: &str) {
        let owed = self.shared.pending.owed.get(&self.outbox.sut.0);
        for &plan in owed.into_iter().flatten() {
            for &step in &self.shared.work.plan(plan).finish {
                self.finish_lost(step, reason);
            }
        }
    }

    /// Runs the finish steps of those plans that have used this SUT since their last finish. A step that fails is reported and does not
    /// keep the next one from running. Before the first step runs, the SUT stops counting as prepared, because the scripts may undo
    /// that. A first Ctrl-C does not end the steps; a second one does, and then they are still due.
    fn finish_due<'p>(&mut self, plans: impl Iterator<Item = &'p PlanSpec>) -> Result<(), CommandError> {
        let shared = self.shared;
        if !shared.options.finishes() || shared.cancel.urgency() == Urgency::Now {
            return Ok(());
        }
        // A finish that could not be run once is left to the next run.
        let is_meant = |plan: &&PlanSpec| self.is_due(plan) && !self.unpaid.contains(&plan.name);
        let plans: Vec<_> = plans.filter(is_meant).collect();
        if plans.is_empty() {
            return Ok(());
        }
        self.tell(SutEvent::Leaving, String::new());
        let mut due: VecDeque<StepId> = plans.iter().flat_map(|plan| plan.finish.iter().copied()).collect();
        let left = self.finish_plans(&plans, &mut due);
        if let Err(CommandError::Sut(trouble)) = &left
            && trouble.kind != TroubleKind::Cancelled
        {
            // The machine is lost, so the remaining steps cannot run.
            for step in due {
                self.finish_lost(step, &trouble.message);
            }
        }
        left
    }

    /// Reports a step that will not run any more.
    fn finish_lost(&self, step: StepId, reason: &str) {
        let (node, key) = self.shared.identify(self.shared.work.step(step).node);
        let outcome = NodeOutcome::Infra;
        self.tell_step(node, key, outcome, Instant::now(), Some(reason), "");
    }

    /// Runs the steps of plans. Each step that was reported is removed from `due`.
    fn finish_plans(&mut self, plans: &[&PlanSpec], due: &mut VecDeque<StepId>) -> Result<(), CommandError> {
        self.state.unprepare();
        // The tests may have filled the disk, so the reserved room is freed first.
        self.sut.reserve(Room::Free)?;
        self.save_state()?;
        let (mut brought, mut forgotten) = (None, false);
        for plan in plans {
            if brought.as_ref().is_none_or(|(upload, _)| *upload != plan.upload) {
                brought = Some((plan.upload, self.bring_for_finish(plan.upload)?));
            }
            let missing = brought.as_ref().and_then(|(_, missing)| missing.clone());
            match self.finish_plan(plan, missing.as_deref(), due)? {
                Finish::Over => self.keep_plan_data(plan)?,
                Finish::Due => {
                    self.unpaid.insert(plan.name.clone());
                    continue;
                }
                Finish::Cancelled => break,
            }
            forgotten |= plan.chain.is_empty();
            let project = self.shared.project;
            self.state
                .unfinished
                .retain(|due| due.plan != plan.name || !due.is_of(project));
            self.save_state()?;
        }
        // All plans without prepare steps share one environment file, which the finish steps of each of them may need.
        if forgotten {
            self.sut.reset_env_file(&self.shared.project.id, EnvFile::Base)?;
        }
        if self.shared.cancel.urgency() < Urgency::Now {
            self.end_daemons(0)?;
        }
        self.sut.reserve(Room::Kept)?;
        Ok(())
    }

    /// Sends the tree that the scripts run in. Returns the reason if that is not possible.
    fn bring_for_finish(&mut self, upload: UploadId) -> Result<Option<String>, CommandError> {
        let mut bring = || self.bring_tree(upload, &self.shared.upload(upload), SyncMode::KeepRest);
        let brought = match bring() {
            // This answer was requested in advance, before there was room.
            Err(CommandError::Sut(trouble)) if trouble.is_full() => bring(),
            brought => brought,
        };
        match brought {
            Ok(_synced) => Ok(None),
            Err(CommandError::Sut(trouble)) if trouble.kind == TroubleKind::Setup => Ok(Some(trouble.with_advice())),
            Err(failed) => Err(failed),
        }
    }

    /// Runs a plan's steps. A step that fails does not keep the next one from running.
    fn finish_plan(
        &mut self,
        plan: &PlanSpec,
        missing: Option<&str>,
        due: &mut VecDeque<StepId>,
    ) -> Result<Finish, CommandError> {
        let mut finish = Finish::Over;
        for &step in &plan.finish {
            let ran = self.finish_step(step, plan, missing)?;
            due.pop_front();
            match ran {
                ScriptEnd::Exited(_) | ScriptEnd::Infra(InfraKind::Timeout, _) => {}
                ScriptEnd::Infra(InfraKind::Cancelled, _) => return Ok(Finish::Cancelled),
                ScriptEnd::Infra(..) => finish = Finish::Due,
            }
        }
        Ok(finish)
    }

    fn finish_step(&mut self, step: StepId, plan: &PlanSpec, missing: Option<&str>) -> Result<ScriptEnd, CommandError> {
        let (node, key) = self.shared.identify(self.shared.work.step(step).node);
        let started = Instant::now();
        self.outbox.event(Event::NodeStarted {
            node: node.clone(),
            key: key.clone(),
            sut: self.sut.name().to_owned(),
            attempt: 1,
        });
        let mut log = self.shared.finish_log.part(self.sut.name(), node.label())?;
        let data = PlanData::OfPlan {
            plan: plan.name.clone(),
            run: String::new(),
        };
        let seen = (Shared::env_file(&plan.chain), data, None);
        let ran = match missing {
            None => self.run_step(step, seen, Urgency::Graceful, &mut log)?,
            Some(reason) => ScriptEnd::Infra(InfraKind::Setup, reason.to_owned()),
        };
        log.finish()?;
        let (outcome, failure) = (outcome_of(&ran), ran.failure());
        self.tell_step(
            node,
            key,
            outcome,
            started,
            failure.as_deref(),
            self.shared.finish_log.name(),
        );
        Ok(ran)
    }
}
