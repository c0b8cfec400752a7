//! What prepare steps have left running on the SUT. It is a part of what is prepared there: where a daemon has ended, its step and all
//! later ones are not done any more.
//!
//! Invariant: the SUT says that a step is not done before the daemons of the step are ended and forgotten there.

use crate::event::Event;
use crate::exec::worker::{CommandError, Worker};
use crate::sut::{Daemon, DaemonCondition};

/// What a worker knows of the daemons on its SUT.
#[derive(Default)]
pub(crate) struct Daemons {
    /// Those on the SUT's list, as they were when it was last asked.
    listed: Vec<Daemon>,
    /// Whether the SUT was given up in this run because one had ended. What prepare starts and what always ends is not started again after
    /// each test.
    was_renewed: bool,
}

/// What it means for a test that a daemon does not run any more.
pub(super) struct DaemonGone {
    /// The reason not to record the test, if the daemon ended by itself or through the test. A test that boots its machine comes
    /// back without daemons each time that it runs.
    pub(super) doubt: Option<String>,
    /// The reason to prepare the SUT anew before the next test.
    pub(super) taint: Option<String>,
}

impl Daemons {
    /// Makes what a SUT tells when it is opened.
    pub(super) fn told(listed: Vec<Daemon>) -> Self {
        Self {
            listed,
            was_renewed: false,
        }
    }

    /// Takes over what a machine tells that was made anew.
    pub(super) fn made_anew(&mut self, listed: Vec<Daemon>) {
        self.listed = listed;
    }

    /// Returns whether prepare steps have left anything running. A machine that is made of a state would lack it.
    pub(super) fn are_any(&self) -> bool {
        !self.listed.is_empty()
    }

    /// Returns the daemon of the earliest step that does not run any more.
    fn gone(&self) -> Option<&Daemon> {
        let gone = self.listed.iter().filter(|daemon| !daemon.runs());
        gone.min_by_key(|daemon| daemon.step)
    }

    /// Returns how many steps of a chain are still done, as far as daemons show.
    pub(super) fn steps_standing(&self) -> usize {
        self.gone().map_or(usize::MAX, |daemon| daemon.step)
    }
}

impl Worker<'_> {
    /// Asks the SUT which daemons there are.
    pub(super) fn look_at_daemons(&mut self) -> Result<(), CommandError> {
        self.daemons.listed = self.sut.daemons()?;
        Ok(())
    }

    /// Ends what the step at position `from` of a chain, and all later ones, have left running.
    pub(super) fn end_daemons(&mut self, from: usize) -> Result<(), CommandError> {
        self.sut.end_daemons(from)?;
        self.daemons.listed.retain(|daemon| daemon.step < from);
        Ok(())
    }

    /// Returns what it means for the test that has just ended if a daemon does not run any more. The SUT is asked only if there was one.
    pub(super) fn daemon_gone(&mut self) -> Result<Option<DaemonGone>, CommandError> {
        if self.daemons.listed.is_empty() {
            return Ok(None);
        }
        self.look_at_daemons()?;
        let Some(gone) = self.daemons.gone() else {
            return Ok(None);
        };
        let (what, is_booted) = (gone.described(), gone.condition == DaemonCondition::Booted);
        let ended = if is_booted {
            format!("{what}, has ended with the boot")
        } else {
            format!("{what}, has ended")
        };
        let is_bounded = self.daemons.was_renewed && !is_booted;
        self.daemons.was_renewed |= !is_booted;
        Ok(Some(DaemonGone {
            doubt: (!is_booted).then(|| format!("{ended}: not recorded")),
            taint: (!is_bounded).then_some(ended),
        }))
    }

    /// Tells that prepare steps run again because of a daemon, if that is so for a chain of which otherwise `done` steps are done.
    pub(super) fn tell_gone(&self, done: usize) {
        let Some(gone) = self.daemons.gone().filter(|gone| gone.step < done) else {
            return;
        };
        let (sut, what) = (self.sut.name(), gone.described());
        let text = format!("`{sut}` is prepared again from that step on: {what}, has ended");
        self.outbox.event(Event::Warning { text });
    }
}
