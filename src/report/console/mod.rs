//! The console reporter: one aligned line for each finished node, a live region on a terminal, and a summary.
//!
//! Permanent text is plain lines that a pipe or a log keeps well. Only [`Live`] moves the cursor, and it is used only if the
//! caller says that the output is a terminal.

pub mod excerpt;
pub mod live;
mod narrate;
mod progress;
mod summary;

use std::io::Write;

use super::palette::Palette;
use super::{ReportError, Reporter};
use crate::event::Stamped;
use live::{Live, SizeProbe};
use narrate::Narrator;
use progress::RunProgress;

/// How much the console prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// It prints failures and the summary.
    Quiet,
    /// It prints a line for each node, and the end of the log of failures.
    #[default]
    Normal,
    /// It also prints what tests and scripts printed, and each result.
    Verbose,
}

/// The console reporter.
pub struct Console<W: Write> {
    out: W,
    palette: Palette,
    live: Option<Live>,
    progress: RunProgress,
    narrator: Narrator,
    /// Lines that are written at the next tick, or at the next event that is not one of many.
    waiting: String,
}

/// The most bytes that may wait.
const WAITING: usize = 16 * 1024;

impl<W: Write + Send> Console<W> {
    /// Makes a console that writes to `out`, without a live region.
    pub fn new(out: W, palette: Palette, verbosity: Verbosity) -> Self {
        Self {
            out,
            palette,
            live: None,
            progress: RunProgress::default(),
            narrator: Narrator::new(palette, verbosity),
            waiting: String::new(),
        }
    }

    /// Adds a live region on a terminal whose size `probe` returns.
    #[must_use]
    pub fn with_live(mut self, probe: SizeProbe) -> Self {
        self.live = Some(Live::new(probe));
        self
    }

    /// Writes permanent lines. The live region is removed before, and drawn again if it is due.
    fn print(&mut self, lines: &str, now: u64) -> Result<(), ReportError> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        if let Some(live) = &mut self.live {
            live.wipe(&mut text);
        }
        text.push_str(lines);
        self.redraw(&mut text, now);
        self.write(&text)
    }

    fn print_waiting(&mut self, now: u64) -> Result<(), ReportError> {
        let lines = std::mem::take(&mut self.waiting);
        self.print(&lines, now)
    }

    fn redraw(&mut self, text: &mut String, now: u64) {
        let Some(live) = &mut self.live else { return };
        if live.is_due(now) {
            let height = live.height();
            live.draw(text, &self.progress.rows(now, height, &self.palette), now);
        }
    }

    fn write(&mut self, text: &str) -> Result<(), ReportError> {
        if text.is_empty() {
            return Ok(());
        }
        self.out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
            .map_err(|source| ReportError::Output { source })
    }
}

impl<W: Write + Send> Reporter for Console<W> {
    fn event(&mut self, event: &Stamped) -> Result<(), ReportError> {
        self.progress.event(event);
        self.narrator.describe(event, &mut self.waiting);
        if event.event.is_one_of_many() && self.waiting.len() < WAITING {
            return Ok(());
        }
        self.print_waiting(event.time)
    }

    fn tick(&mut self, now: u64) -> Result<(), ReportError> {
        self.print_waiting(now)?;
        let mut text = String::new();
        self.redraw(&mut text, now);
        self.write(&text)
    }
}

impl<W: Write> Drop for Console<W> {
    /// Leaves a clean terminal even if a run ends without its last event.
    fn drop(&mut self) {
        let mut text = String::new();
        if let Some(live) = &mut self.live {
            live.wipe(&mut text);
        }
        text.push_str(&self.waiting);
        if !text.is_empty() {
            let _nobody_is_left_to_tell = self.out.write_all(text.as_bytes());
        }
    }
}
