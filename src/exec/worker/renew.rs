//! Makes a machine that is made of an image anew, where what it holds cannot be built on, or where a state that is kept spares
//! prepare steps.
//!
//! A state is kept after each prepare step, under the key that the machine says for the step, and the project, since the trees of
//! a project lie on the machine. What the machine says of itself lies in the state, too, so a machine that was made of a state says
//! what it said then.

use crate::compile::spec::StepId;
use crate::event::{Event, SutEvent};
use crate::exec::options::OnTaint;
use crate::exec::worker::{AccessTimes, CommandError, Worker};
use crate::sut::{Hello, Trouble, TroubleKind};

impl Worker<'_> {
    /// Keeps the state of the machine after a prepare step, if the machine is made of an image. Where this fails, the next
    /// machine runs the step again.
    pub(super) fn keep_state(&mut self) {
        let Some(key) = self.state.chain.last() else { return };
        let name = self.name_of_state(key);
        match self.sut.keep_state(&name) {
            Ok(true) => self.access_times = AccessTimes::Stirred,
            Ok(false) => {}
            Err(trouble) => {
                let why = trouble.with_advice();
                let text = format!("the state of `{}` is not kept: {why}", self.sut.name());
                self.outbox.event(Event::Warning { text });
            }
        }
    }

    fn name_of_state(&self, key: &str) -> String {
        format!("{key}.{}", self.shared.project.id)
    }

    /// Makes a machine anew that cannot be opened, because a test destroyed what programs there need, if it is made of an image.
    pub(super) fn open_anew(&mut self, trouble: Trouble) -> Result<Hello, Trouble> {
        let is_broken = matches!(trouble.kind, TroubleKind::Setup | TroubleKind::Unreachable);
        if !is_broken || !self.sut.states().is_ok_and(|states| states.is_some()) {
            return Err(trouble);
        }
        let Ok(hello) = self.sut.restore_state(None) else {
            return Err(trouble);
        };
        self.tell(
            SutEvent::Changed,
            format!("made anew from its image: {}", trouble.message),
        );
        Ok(hello)
    }

    /// Makes the machine anew before it does the steps of a chain, if it is made of an image and that is of use. What is due to be
    /// finished on it stays due.
    pub(super) fn renew(&mut self, chain: &[StepId]) -> Result<(), CommandError> {
        let options = self.shared.options;
        let taint = self
            .state
            .taint
            .as_ref()
            .filter(|_| options.on_taint != OnTaint::Ignore);
        let (taint, done) = (taint.map(|taint| taint.reason.clone()), self.steps_done(chain));
        let has_more = self.state.chain.len() > done;
        if taint.is_none() && !has_more && done == chain.len() {
            return Ok(());
        }
        let Some(kept) = self.sut.states()? else { return Ok(()) };
        // How old the steps of a state are is known only once a machine is made of it.
        let distrusts = options.max_age.is_some() || options.fresh && !self.prepared_here;
        let best = if distrusts { None } else { self.best_of(&kept, chain) };
        let steps = best.map_or(0, |(steps, _)| steps);
        if taint.is_none() && !has_more && steps <= done {
            return Ok(());
        }
        let from = match steps {
            0 => "its image".to_owned(),
            steps => format!("its state after {steps} of {} prepare steps", chain.len()),
        };
        let hello = self.sut.restore_state(best.map(|(_, name)| name))?;
        let because = taint.map(|reason| format!(": {reason}")).unwrap_or_default();
        self.tell(SutEvent::Changed, format!("made anew from {from}{because}"));
        let before = std::mem::replace(&mut self.state, hello.state);
        self.state.unfinished = before.unfinished;
        self.state.projects = before.projects;
        self.state.boot = (!self.state.chain.is_empty()).then(|| hello.facts.boot_id.clone());
        self.facts = Some(hello.facts);
        self.daemons.made_anew(hello.daemons);
        self.ignored = None;
        self.ran_here = None;
        self.changed_data.clear();
        self.individually = false;
        self.save_state()
    }

    /// Returns the state that spares the most steps of a chain: how many, and its name.
    fn best_of<'n>(&self, kept: &'n [String], chain: &[StepId]) -> Option<(usize, &'n str)> {
        let stands = |step: StepId, name: &str| {
            name.split_once('.')
                .is_some_and(|(key, project)| project == self.shared.project.id && self.stands_for(step, key).is_some())
        };
        let kept = kept.iter().map(String::as_str);
        let best = |(index, &step)| Some((index + 1, kept.clone().find(|name| stands(step, name))?));
        chain.iter().enumerate().rev().find_map(best)
    }
}
