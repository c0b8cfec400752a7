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
        if self.mask.is_empty() {
            self.reporters.events(events);
        } else {
            let masked: Vec<Stamped> = events.iter().map(|event| event.masked(&self.mask)).collect();
            self.reporters.events(&masked);
        }
        self.heed_trouble();
    }

    fn tick(&mut self, now: u64) {
        self.reporters.tick(now);
        self.heed_trouble();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::RunSink;
    use crate::control::Mask;
    use crate::event::{Event, Stamped};
    use crate::exec::run::EventSink as _;
    use crate::report::{ReportError, Reporter, Reporters};
    use crate::sut::Cancel;

    struct Told(mpsc::Sender<String>);

    impl Reporter for Told {
        fn event(&mut self, event: &Stamped) -> Result<(), ReportError> {
            let _ = self.0.send(serde_json::to_string(event).expect("an event is JSON"));
            Ok(())
        }
    }

    #[test]
    fn no_reporter_is_told_a_secret_in_one_event_or_in_many() {
        let (sender, told) = mpsc::channel();
        let reporters = Reporters::new().with(Told(sender));
        let mut sink = RunSink::new(reporters, Cancel::new().expect("a pipe")).with_mask(Mask::new(["hunter2"]));
        let event = Stamped {
            time: 0,
            event: Event::Warning {
                text: "the password hunter2 is wrong".to_owned(),
            },
        };
        sink.event(&event);
        sink.events(&[event.clone(), event]);
        let told: Vec<String> = told.try_iter().collect();
        assert_eq!(told.len(), 3);
        assert!(
            told.iter().all(|line| line.contains("the password *** is wrong")),
            "{told:?}"
        );
    }
}
