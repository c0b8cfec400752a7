//! Reporters, which receive the executor's events: the console, JSON lines, and the recorder of the run directory.
//!
//! They get [`Event`](crate::event::Event)s and the time from their caller, and know nothing else of the program. A reporter gets
//! all events in order, from one thread at a time. What it writes depends only on the events, the times and the terminal's size,
//! and the snapshot tests rely on that.

pub mod console;
pub mod human;
pub mod json;
pub mod palette;
pub mod recorder;
pub mod text;
pub mod trace;

pub use crate::exit::Exit;
pub use console::{Console, Verbosity};
pub use json::Json;
pub use palette::Palette;
pub use recorder::Recorder;

use std::io;
use std::path::PathBuf;

use rayon::iter::{IntoParallelRefMutIterator as _, ParallelIterator as _};

use crate::event::Stamped;

/// A reporter, which is told what happens in a run.
pub trait Reporter: Send {
    /// Takes the next event. Times never decrease.
    fn event(&mut self, event: &Stamped) -> Result<(), ReportError>;

    /// Is called several times a second with the time in milliseconds since the epoch, also while nothing happens.
    fn tick(&mut self, _now: u64) -> Result<(), ReportError> {
        Ok(())
    }
}

/// The error for something that a reporter could not write.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Standard output does not accept what is written to it.
    #[error("cannot write to standard output: {source}")]
    Output {
        /// The cause.
        source: io::Error,
    },
    /// A file of the run directory cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl ReportError {
    /// Returns whether the reader of standard output went away, which a reader may do.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// All reporters of a run as one.
///
/// A reporter that fails gets no more events, and the others go on: a full disk must not hide what the terminal can show, and a
/// closed pipe must not end a run half way. The first failure that is not a closed pipe is kept.
#[derive(Default)]
pub struct Reporters {
    reporters: Vec<Box<dyn Reporter>>,
    trouble: Option<ReportError>,
}

impl Reporters {
    /// Makes a sink without reporters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a reporter.
    #[must_use]
    pub fn with(mut self, reporter: impl Reporter + 'static) -> Self {
        self.reporters.push(Box::new(reporter));
        self
    }

    /// Passes an event to every reporter.
    pub fn event(&mut self, event: &Stamped) {
        self.each(|reporter| reporter.event(event));
    }

    /// Passes many events to every reporter at the same time, so it takes as long as the slowest reporter does.
    pub fn events(&mut self, events: &[Stamped]) {
        let tell = |reporter: &mut Box<dyn Reporter>| events.iter().try_for_each(|event| reporter.event(event));
        let told: Vec<_> = self.reporters.par_iter_mut().map(tell).collect();
        let mut told = told.into_iter();
        self.each(|_| told.next().unwrap_or(Ok(())));
    }

    /// Tells every reporter the time, in milliseconds since the epoch. This must be called at least five times a second.
    pub fn tick(&mut self, now: u64) {
        self.each(|reporter| reporter.tick(now));
    }

    /// Returns the first failure so far.
    pub fn trouble(&self) -> Option<&ReportError> {
        self.trouble.as_ref()
    }

    /// Ends reporting. If a reporter failed, the first failure is returned.
    pub fn finish(self) -> Result<(), ReportError> {
        self.trouble.map_or(Ok(()), Err)
    }

    fn each(&mut self, mut tell: impl FnMut(&mut dyn Reporter) -> Result<(), ReportError>) {
        let Self { reporters, trouble } = self;
        reporters.retain_mut(|reporter| match tell(reporter.as_mut()) {
            Ok(()) => true,
            Err(error) => {
                if !error.is_broken_pipe() {
                    trouble.get_or_insert(error);
                }
                false
            }
        });
    }
}

#[cfg(test)]
mod tests;
