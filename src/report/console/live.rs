//! The live region: the rows at the bottom of a terminal that show what is running.
//!
//! This file knows what was drawn and how to remove it; the caller gives the rows to show. Invariants: while the region is drawn,
//! the cursor is at the end of its last row. The region is wiped before anything permanent is written. A row never fills the
//! terminal's last column, so it takes one line until the terminal is made narrower, and [`Live::wipe`] takes that into account.

use std::fmt::Write as _;

use anstyle::Style;

use crate::report::palette::paint;
use crate::report::text::{fit, width};

/// The least time between two drawings, in milliseconds: the region is drawn ten times a second at most.
const FRAME_MS: u64 = 100;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The number of characters in a line.
    pub columns: usize,
    /// The number of lines.
    pub rows: usize,
}

/// Returns the present size of the terminal.
pub type SizeProbe = Box<dyn FnMut() -> Size + Send>;

/// One row: harmless texts with their styles.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveRow(Vec<(Style, String)>);

impl LiveRow {
    pub(super) fn with(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// Appends the row to `out`, cut to `columns`, and returns how many columns it takes.
    fn draw(&self, out: &mut String, columns: usize) -> usize {
        let mut used = 0;
        for (style, text) in &self.0 {
            let fitted = fit(text, columns - used);
            used += width(&fitted);
            let _infallible = write!(out, "{}", paint(*style, &fitted));
            if used >= columns {
                break;
            }
        }
        used
    }
}

/// The live region.
pub(super) struct Live {
    probe: SizeProbe,
    /// The widths of the rows on the screen. There are none while the region is wiped.
    drawn: Vec<usize>,
    /// The text that was written to draw them.
    shown: String,
    last: Option<u64>,
}

impl Live {
    pub(super) fn new(probe: SizeProbe) -> Self {
        Self {
            probe,
            drawn: Vec::new(),
            shown: String::new(),
            last: None,
        }
    }

    /// Returns how many rows the region may take: a third of the terminal, ten at most.
    pub(super) fn height(&mut self) -> usize {
        ((self.probe)().rows / 3).clamp(1, 10)
    }

    /// Returns whether enough time has passed to draw again.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.last.is_none_or(|last| now.saturating_sub(last) >= FRAME_MS)
    }

    /// Removes the region from the screen.
    pub(super) fn wipe(&mut self, out: &mut String) {
        if self.drawn.is_empty() {
            return;
        }
        let columns = (self.probe)().columns.max(1);
        let lines: usize = self.drawn.iter().map(|row| row.div_ceil(columns).max(1)).sum();
        out.push('\r');
        if lines > 1 {
            let _infallible = write!(out, "\x1b[{}A", lines - 1);
        }
        out.push_str("\x1b[J");
        self.drawn.clear();
    }

    /// Makes the region show `rows`. If it shows them already, nothing is written.
    pub(super) fn draw(&mut self, out: &mut String, rows: &[LiveRow], now: u64) {
        let columns = (self.probe)().columns.saturating_sub(1);
        let (mut text, mut widths) = (String::new(), Vec::with_capacity(rows.len()));
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                text.push_str("\r\n");
            }
            widths.push(row.draw(&mut text, columns));
        }
        self.last = Some(now);
        if self.drawn == widths && self.shown == text {
            return;
        }
        self.wipe(out);
        out.push_str(&text);
        (self.drawn, self.shown) = (widths, text);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn live(columns: &Arc<AtomicUsize>) -> Live {
        let columns = Arc::clone(columns);
        Live::new(Box::new(move || Size {
            columns: columns.load(Ordering::Relaxed),
            rows: 24,
        }))
    }

    fn row(text: &str) -> LiveRow {
        LiveRow::default().with(Style::new(), text)
    }

    #[test]
    fn rows_are_cut_before_the_last_column() {
        let columns = Arc::new(AtomicUsize::new(6));
        let mut out = String::new();
        live(&columns).draw(&mut out, &[row("0123456789"), row("ab")], 0);
        assert_eq!(out, "0123…\r\nab");
    }

    #[test]
    fn a_narrowed_terminal_is_wiped_as_far_as_rows_wrapped() {
        let columns = Arc::new(AtomicUsize::new(80));
        let mut live = live(&columns);
        let mut out = String::new();
        live.draw(&mut out, &[row("0123456789"), row("0123456789")], 0);
        columns.store(4, Ordering::Relaxed);
        out.clear();
        live.wipe(&mut out);
        assert_eq!(out, "\r\x1b[5A\x1b[J");
        out.clear();
        live.wipe(&mut out);
        assert_eq!(out, "", "it is wiped once");
    }

    #[test]
    fn what_stands_there_already_is_not_written_again() {
        let columns = Arc::new(AtomicUsize::new(80));
        let mut live = live(&columns);
        let mut out = String::new();
        live.draw(&mut out, &[row("same")], 0);
        out.clear();
        live.draw(&mut out, &[row("same")], 100);
        assert_eq!(out, "");
        live.draw(&mut out, &[row("other")], 200);
        assert_eq!(out, "\r\x1b[Jother");
    }

    #[test]
    fn it_is_drawn_ten_times_a_second_at_most() {
        let mut live = live(&Arc::new(AtomicUsize::new(80)));
        assert!(live.is_due(1_000));
        live.draw(&mut String::new(), &[row("x")], 1_000);
        assert!(!live.is_due(1_099));
        assert!(live.is_due(1_100));
    }
}
