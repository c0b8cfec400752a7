//! Decides how much of a SUT's statement about its own preparation is believed, and what is forgotten before any of it is
//! overwritten.

use std::time::Duration;

use crate::compile::spec::StepId;
use crate::event::Event;
use crate::exec::options::{OnReboot, OnTaint};
use crate::exec::record::observed_inputs::{self, Paths};
use crate::exec::worker::{CommandError, Worker};
use crate::host::clock::unix_now;
use crate::sut::EnvFile;

impl Worker<'_> {
    /// Finds out how many steps of a chain are still valid, and makes the machine say no more than that.
    pub(super) fn stand(&mut self, chain: &[StepId]) -> Result<usize, CommandError> {
        let mut done = self.steps_done(chain);
        self.tell_gone(self.steps_without_daemons(chain));
        if done > 0 && done < self.state.chain.len() {
            self.step_back(done)?;
            done = self.steps_done(chain);
        }
        let last = self.state.chain.last().filter(|_| done > 0);
        let reads = last.and_then(|last| chain.iter().find_map(|&step| self.stands_for(step, last)));
        self.prepared_reads = Some(reads.unwrap_or_default());
        let ignores = self.shared.options.on_taint == OnTaint::Ignore;
        self.ignored = self.state.taint.clone().filter(|_| ignores);
        if done == 0 && !chain.is_empty() || self.state.taint.is_some() && !ignores {
            self.start_anew(chain)?;
        }
        Ok(done)
    }

    /// Makes the machine say that only the first `steps` of its prepare steps are done, before anything of the others is taken away. The
    /// environment variables return to what these steps have set. If the machine has not kept those, nothing counts as prepared any more.
    pub(super) fn step_back(&mut self, steps: usize) -> Result<(), CommandError> {
        let before = self.state.taint.clone();
        self.doubt("going back to an earlier prepare step was interrupted".to_owned())?;
        let kept = match steps.checked_sub(1) {
            Some(last) => self.sut.rewind_env_file(&self.shared.project.id, last)?,
            None => false,
        };
        if kept {
            self.end_daemons(steps)?;
        }
        self.state.taint = before;
        if !kept {
            return self.forget_prepared();
        }
        self.state.step_back(steps);
        self.save_state()
    }

    /// Returns how many steps of a chain the SUT has done, as far as it is believed. What a step has left running must still run.
    pub(crate) fn steps_done(&self, chain: &[StepId]) -> usize {
        self.steps_without_daemons(chain).min(self.daemons.steps_standing())
    }

    fn steps_without_daemons(&self, chain: &[StepId]) -> usize {
        let options = self.shared.options;
        let distrusted = self.state.taint.is_some() && options.on_taint != OnTaint::Ignore;
        let anew = options.fresh && !self.prepared_here;
        let Some(last) = self.state.chain.last() else { return 0 };
        // What was prepared for another project left nothing in the trees of this one.
        let others = !self.state.is_prepared_for(self.shared.project);
        if distrusted || anew || others || self.is_booted_away() {
            return 0;
        }
        let is_last = |&step: &StepId| self.stands_for(step, last).is_some();
        let done = chain.iter().position(is_last).map_or(0, |at| at + 1);
        // The files that a step made are known by the position of the step in the chain.
        if done > self.state.chain.len() {
            return 0;
        }
        let Some(most) = options.max_age else { return done };
        // Steps that follow a step which is too old are not valid either.
        let too_old = |&step: &usize| self.prepared_age(step).is_none_or(|age| age > most);
        (0..done).find(too_old).unwrap_or(done)
    }

    /// Returns the paths that the chain up to the step was seen to read, if a machine that has done `last` has done this step.
    pub(crate) fn stands_for(&self, step: StepId, last: &str) -> Option<Paths> {
        let shared = self.shared;
        let tree = || shared.tree(shared.work.step(step).upload);
        observed_inputs::stands_for(shared.work, shared.store, tree, step, last)
    }

    /// Returns whether the SUT was booted since it was prepared, in a boot that no test asked for and that the user does not trust.
    fn is_booted_away(&self) -> bool {
        let boot = self.facts.as_ref().map(|facts| facts.boot_id.as_str());
        let trusts = self.shared.options.on_reboot == OnReboot::Trust;
        !trusts && boot.is_some_and(|boot| self.state.is_booted_away(boot))
    }

    /// Returns how long ago a step of the SUT's chain ended.
    pub(super) fn prepared_age(&self, step: usize) -> Option<Duration> {
        let at = self.state.done_at.get(step).copied();
        at.or(self.state.prepared_at)
            .map(|at| Duration::from_secs(unix_now().saturating_sub(at)))
    }

    /// Returns when the oldest step of the SUT's chain was done, or `None` if there is no step or that is not known.
    pub(crate) fn prepared_since(&self, chain: &[StepId]) -> Option<u64> {
        let at = |step: usize| self.state.done_at.get(step).copied().or(self.state.prepared_at);
        let all: Option<Vec<u64>> = (0..chain.len()).map(at).collect();
        all?.into_iter().min()
    }

    /// Forgets what was prepared before anything of it is overwritten. From here on, a crash leaves a SUT that does not count as
    /// prepared.
    fn start_anew(&mut self, chain: &[StepId]) -> Result<(), CommandError> {
        self.ignored = None;
        if let Some(taint) = self.state.taint.take() {
            let what = if chain.is_empty() {
                "has nothing to prepare and is used again"
            } else {
                "is prepared again from the first step"
            };
            let text = format!("`{}` {what}: {}", self.sut.name(), taint.reason);
            self.outbox.event(Event::Warning { text });
        }
        if self.is_booted_away() && !chain.is_empty() {
            let sut = self.sut.name();
            let text = format!("`{sut}` was booted since it was prepared, and is prepared again from the first step");
            self.outbox.event(Event::Warning { text });
        }
        self.forget_prepared()?;
        if !chain.is_empty() {
            self.prepared_here = true;
            self.changed_data.clear();
            self.sut.reset_env_file(&self.shared.project.id, EnvFile::Prepared)?;
        }
        Ok(())
    }

    /// Makes the machine say that nothing is prepared on it.
    pub(super) fn forget_prepared(&mut self) -> Result<(), CommandError> {
        if !self.state.chain.is_empty() {
            self.state.layers += 1;
        }
        self.state.unprepare();
        self.prepared_reads = Some(Paths::new());
        self.save_state()?;
        self.end_daemons(0)
    }
}
