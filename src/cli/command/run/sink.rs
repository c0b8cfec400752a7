//! The sink for the events of a run: passes them to the reporters, and ends the run if these cannot write any more.

use crate::cli::error::CliError;
use crate::control::Mask;
use crate::event::Stamped;
use crate::exec::run::EventSink;
use crate::report;
use crate::sut::{Cancel, Urgency};

/// The reporters, and the flag that ends the run.
pub(super) struct RunSink {
    reporters: report::Reporters,
    cancel: Cancel,
    mask: Mask,
}

impl RunSink {
    pub(super) fn new(reporters: report::Reporters, cancel: Cancel) -> Self {
        let mask = Mask::default();
        Self {
            reporters,
            cancel,
            mask,
        }
    }

    /// Masks values in all events.
    pub(super) fn with_mask(self, mask: Mask) -> Self {
        Self { mask, ..self }
    }

    /// Ends the reporters, and returns what they could not write.
    pub(super) fn finish(self) -> Result<(), CliError> {
        Ok(self.reporters.finish()?)
    }

    /// A full disk or a closed pipe ends the run as Ctrl-C would, because nobody would learn its results.
    fn heed_trouble(&self) {
        if self.reporters.trouble().is_some() {
            self.cancel.raise(Urgency::Graceful);
        }
    }
}

impl EventSink for RunSink {
    fn event(&mut self, event: &Stamped) {
        if self.mask.is_empty() {
            self.reporters.event(event);
        } else {
            self.reporters.event(&event.masked(&self.mask));
        }
        self.heed_trouble();
    }

    fn events(&mut self, events: &[Stamped]) {
        self.reporters.events(events);
        self.heed_trouble();
    }

    fn tick(&mut self, now: u64) {
        self.reporters.tick(now);
        self.heed_trouble();
    }
}
