//! Step 1, enter: brings a SUT into a lane. The SUT gets the lane's tree, does the prepare steps that it has not done, and gets
//! the packages of the tests that wait.

use crate::compile::spec::StepId;
use crate::event::{Event, NodeOutcome, SutEvent};
use crate::exec::options::{Mode, Until};
use crate::exec::record::observed_inputs::MOST_FILES;
use crate::exec::schedule::{Input, JobId, LaneId, Skip};
use crate::exec::worker::sync::mode_of;
use crate::exec::worker::{AccessTimes, CommandError, Worker};
use crate::sut::{Due, EnvFile, TroubleKind};

/// The reason that the user is told when prepare steps run again.
pub(super) const LOST_PREPARED: &str = "what a prepare step made in the tree is not there as it was";

impl Worker<'_> {
    /// Approach: find out how many steps of the chain the SUT has done, and forget the ones that cannot be built on. Send the tree, and run
    /// the remaining steps one by one. Then install what the waiting tests require.
    pub(crate) fn enter(&mut self, lane: LaneId, waiting: &[JobId]) -> Result<Input, CommandError> {
        if self.shared.options.mode == Mode::Finish {
            return Ok(Input::Entered);
        }
        if let Some(reason) = self.unwanted() {
            return Ok(Input::EnterFailed(reason));
        }
        let plans: Vec<_> = self.shared.plans(lane).map(|plan| plan.name.as_str()).collect();
        self.keep_data_of_lane()?;
        self.tell(SutEvent::Entering, plans.join(" "));
        match self.bring_into(lane, waiting) {
            Ok(None) => {
                self.entered = Some(lane);
                self.tell(SutEvent::Ready, String::new());
                Ok(Input::Entered)
            }
            Ok(Some(reason)) => Ok(Input::EnterFailed(reason)),
            // The machine still answers, so only this lane is impossible for it.
            Err(CommandError::Sut(trouble)) if trouble.kind == TroubleKind::Setup => {
                Ok(Input::EnterFailed(Skip::Setup(trouble.with_advice())))
            }
            Err(failed) => Err(failed),
        }
    }

    fn bring_into(&mut self, lane: LaneId, waiting: &[JobId]) -> Result<Option<Skip>, CommandError> {
        self.renew(self.shared.chain(lane))?;
        self.note_unfinished(lane)?;
        let done = self.bring_standing(lane)?;
        for (index, &step) in self.shared.chain(lane)[..done].iter().enumerate() {
            self.tell_reused(step, index);
        }
        if let Some(reason) = self.prepare_rest(lane, done)? {
            return Ok(Some(reason));
        }
        if self.shared.options.until < Until::Test || self.install_for_tests(lane, waiting)? {
            return Ok(None);
        }
        Ok(Some(Skip::Cancelled))
    }

    /// Sends the lane's tree, keeps what the steps of its chain made there, and makes the machine say that it has done exactly these steps.
    /// Returns how many steps these are; they need not run again.
    pub(super) fn bring_standing(&mut self, lane: LaneId) -> Result<usize, CommandError> {
        let shared = self.shared;
        let chain = shared.chain(lane);
        let mut done = self.stand(chain)?;
        // A build without prepare steps begins with an empty environment file, without the variables of earlier builds.
        if chain.is_empty() && shared.options.mode == Mode::Build {
            self.changed_data.clear();
            self.sut.reset_env_file(&self.shared.project.id, EnvFile::Base)?;
        }
        self.ran_here = None;
        let upload = shared.lane(lane).upload;
        loop {
            let mut tree = shared.upload(upload);
            tree.observed |= done < chain.len() && tree.files.files.len() <= MOST_FILES;
            // Something that still runs there may change it once more. Fewer steps stay valid each time, so this ends.
            let Some(lost) = self.bring_tree(upload, &tree, mode_of(done))?.lost_prepared else {
                return Ok(done);
            };
            self.tell(SutEvent::Changed, LOST_PREPARED.to_owned());
            self.step_back(lost)?;
            done = self.stand(chain)?;
        }
    }

    /// Runs the steps of a lane's chain that follow those already done.
    pub(super) fn prepare_rest(&mut self, lane: LaneId, done: usize) -> Result<Option<Skip>, CommandError> {
        let chain = self.shared.chain(lane);
        for index in done..chain.len() {
            if std::mem::replace(&mut self.access_times, AccessTimes::AsSynced) == AccessTimes::Stirred {
                let upload = self.shared.lane(lane).upload;
                let mut tree = self.shared.upload(upload);
                tree.observed |= tree.files.files.len() <= MOST_FILES;
                self.bring_tree(upload, &tree, mode_of(index))?;
            }
            if let Some(reason) = self.prepare_step(chain, index)? {
                return Ok(Some(Skip::Prepare(reason)));
            }
        }
        Ok(None)
    }

    fn tell_reused(&self, step: StepId, index: usize) {
        let (node, key) = self.shared.identify(self.shared.work.step(step).node);
        self.outbox.event(Event::NodeCached {
            node,
            key,
            sut: self.sut.name().to_owned(),
            age: self.prepared_age(index).unwrap_or_default().as_secs() * 1000,
            outcome: NodeOutcome::Pass,
            seen: None,
        });
    }

    /// Notes on the SUT which plans will have to be finished there.
    fn note_unfinished(&mut self, lane: LaneId) -> Result<(), CommandError> {
        let project = self.shared.project;
        let mut is_new = self.state.used_by(project);
        for plan in self.shared.plans(lane).filter(|plan| !plan.finish.is_empty()) {
            if !self.is_due(plan) {
                let (plan, project) = (plan.name.clone(), project.id.clone());
                self.state.unfinished.push(Due { plan, project });
                is_new = true;
            }
        }
        if is_new { self.save_state() } else { Ok(()) }
    }
}
