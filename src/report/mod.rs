//! Consumers of the executor's events: the console, JSON lines, and the recorder of the run directory.
//!
//! Sees [`Event`](crate::event::Event)s and the clock its caller passes in, and nothing else of the program. A reporter is told
//! everything in order, by one thread at a time, and what it writes depends only on the events, the times and the terminal's size: the
//! snapshot tests rely on it.

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

/// Something that is told what happens in a run.
pub trait Reporter: Send {
    /// Takes the next event. Times never decrease.
    fn event(&mut self, event: &Stamped) -> Result<(), ReportError>;

    /// Is called several times a second with the time in milliseconds since the epoch, also while nothing happens.
    fn tick(&mut self, _now: u64) -> Result<(), ReportError> {
        Ok(())
    }
}

/// What a reporter could not write.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Standard output does not take what is written to it.
    #[error("cannot write to standard output: {source}")]
    Output {
        /// Why.
        source: io::Error,
    },
    /// A file of the run directory cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ReportError {
    /// Whether the reader of standard output went away, which is its right.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// All reporters of a run as one.
///
/// A reporter that fails gets no more events, the others go on: a full disk must not hide what the terminal can show, and a
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

    /// Tells every reporter an event.
    pub fn event(&mut self, event: &Stamped) {
        self.each(|reporter| reporter.event(event));
    }

    /// Tells every reporter many events, which costs as much as the slowest reporter takes.
    pub fn events(&mut self, events: &[Stamped]) {
        let tell = |reporter: &mut Box<dyn Reporter>| events.iter().try_for_each(|event| reporter.event(event));
        let told: Vec<_> = self.reporters.par_iter_mut().map(tell).collect();
        let mut told = told.into_iter();
        self.each(|_| told.next().unwrap_or(Ok(())));
    }

    /// Lets every reporter see the clock: milliseconds since the epoch. Due at least five times a second.
    pub fn tick(&mut self, now: u64) {
        self.each(|reporter| reporter.tick(now));
    }

    /// Returns the first failure so far.
    pub fn trouble(&self) -> Option<&ReportError> {
        self.trouble.as_ref()
    }

    /// Ends reporting with the first failure there was.
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
