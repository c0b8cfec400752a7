//! Leaving a lane: the finish steps of the plans that touched the SUT.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::compile::spec::StepId;
use crate::exec::event::{Event, NodeOutcome};
use crate::exec::schedule::{Input, LaneId};
use crate::exec::worker::{Failed, Worker};
use crate::sut::{SyncMode, Upload, Urgency};

impl Worker<'_> {
    /// Runs the finish steps of the lane's plans that touched this SUT since their last finish. A step that fails is told and
    /// does not keep the next from running. Afterwards the prepared state is not believed any more: the scripts may have undone it.
    /// A single Ctrl-C does not end them; a second one does.
    pub(crate) fn leave(&mut self, lane: LaneId) -> Result<Input, Failed> {
        self.lane = None;
        if !self.shared.options.finishes() {
            return Ok(Input::Left);
        }
        let plans: Vec<_> = self
            .shared
            .plans(lane)
            .filter(|plan| self.state.unfinished.contains(&plan.name))
            .collect();
        if plans.is_empty() {
            return Ok(Input::Left);
        }
        let upload = self.shared.lane(lane).upload;
        let files = self.shared.files[upload.0 as usize].clone();
        let slot = self.shared.slot(upload).to_owned();
        self.sut.sync(&Upload { slot, files }, SyncMode::KeepPrepared)?;
        for plan in plans {
            for &step in &plan.finish {
                self.finish_step(step)?;
            }
            self.state.unfinished.retain(|name| *name != plan.name);
            self.state.chain.clear();
            self.state.prepared_at = None;
            self.save_state()?;
        }
        Ok(Input::Left)
    }

    fn finish_step(&mut self, step: StepId) -> Result<(), Failed> {
        let (node, key) = self.shared.identify(self.shared.work.step(step).node);
        let (sut, started) = (self.sut.name().to_owned(), Instant::now());
        self.outbox.event(Event::NodeStarted {
            node: node.clone(),
            key: key.clone(),
            sut: sut.clone(),
            attempt: 1,
        });
        let mut log = self.shared.finish_log.part(&sut, &node)?;
        let ran = self.run_step(step, Urgency::Graceful, &mut log)?;
        log.finish()?;
        let failure = ran.failure();
        self.outbox.event(Event::NodeFinished {
            node,
            key,
            sut,
            outcome: if failure.is_some() {
                NodeOutcome::Infra
            } else {
                NodeOutcome::Pass
            },
            duration: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            note: failure.unwrap_or_default(),
            log: self.shared.finish_log.name().to_owned(),
            results: BTreeMap::new(),
        });
        Ok(())
    }
}
