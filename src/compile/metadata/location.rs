//! Where the metadata say something: for messages that point at it.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use atex_fmf::{Chain, Origin};

use crate::compile::metadata::lines::SourceText;

/// A place in the metadata; nothing where it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// The .fmf file, relative to the root of its tree.
    pub file: Option<PathBuf>,
    /// The line, from 1.
    pub line: u32,
}

/// Where a value that cannot be used comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueOrigin {
    /// The root of the tree.
    pub root: PathBuf,
    /// Where the value stands.
    pub place: Location,
    /// All that made it, first to last.
    pub origins: Vec<Origin>,
}

impl ValueOrigin {
    /// Returns the line, with marks below `word` where that stands in the value, and below that the adjust rule and what else made the
    /// value. Reads the file again.
    pub fn excerpt(&self, word: &str) -> Option<String> {
        let spot = SourceText::new(self.root.clone()).spot(&self.place, word);
        let mut text = spot.and_then(|spot| spot.excerpt())?;
        if let Some(rule) = self.origins.last().and_then(|origin| origin.adjust.as_ref()) {
            let _infallible = write!(text, "\nadjust rule: {rule}");
        }
        if self.origins.len() > 1 {
            let _infallible = write!(text, "\nmade by: {}", Chain(&self.origins).brief());
        }
        Some(text)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(formatter, "{}:{}: ", file.display(), self.line),
            None => Ok(()),
        }
    }
}
