//! The colours of all output for people, defined once so that they mean the same everywhere. Without colours, all styles are
//! empty.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// Styles by meaning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Palette {
    /// For what passed.
    pub good: Style,
    /// For what failed, and for errors.
    pub bad: Style,
    /// For failures of the infrastructure.
    pub trouble: Style,
    /// For what was cancelled or skipped, and for warnings.
    pub warn: Style,
    /// For what was taken from the cache.
    pub reused: Style,
    /// For what is not read first: headers, ages, paths.
    pub dim: Style,
    /// For what is read first.
    pub bold: Style,
}

impl Palette {
    /// Returns the coloured palette, or the one whose styles are empty.
    pub const fn new(coloured: bool) -> Self {
        let plain = Style::new();
        if !coloured {
            return Self {
                good: plain,
                bad: plain,
                trouble: plain,
                warn: plain,
                reused: plain,
                dim: plain,
                bold: plain,
            };
        }
        Self {
            good: AnsiColor::Green.on_default(),
            bad: AnsiColor::Red.on_default().bold(),
            trouble: AnsiColor::Magenta.on_default().bold(),
            warn: AnsiColor::Yellow.on_default(),
            reused: AnsiColor::Cyan.on_default(),
            dim: plain.dimmed(),
            bold: plain.bold(),
        }
    }
}

/// Shows `text` in `style`. An empty style adds nothing.
pub fn paint<T: fmt::Display>(style: Style, text: T) -> Painted<T> {
    Painted { style, text }
}

/// A text in a style.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { style, text } = self;
        write!(f, "{style}{text}{style:#}")
    }
}
