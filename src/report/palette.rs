//! The colours of all output for people, so that they mean the same everywhere. Plain is a palette of empty styles.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// Styles by meaning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Palette {
    /// Passed.
    pub good: Style,
    /// Failed; errors.
    pub bad: Style,
    /// The infrastructure failed.
    pub trouble: Style,
    /// Cancelled, skipped, warnings.
    pub warn: Style,
    /// Taken from the cache.
    pub reused: Style,
    /// What is not read first: headers, ages, paths.
    pub dim: Style,
    /// What is read first.
    pub bold: Style,
}

impl Palette {
    /// Returns the palette of a terminal, or the plain one.
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

/// Shows `text` in `style`; an empty style adds nothing.
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
