//! Where a value of the metadata comes from: for messages that point at it.

use std::fmt::Write as _;
use std::path::PathBuf;

use atex_fmf::{Chain, Location, Origin};

use crate::compile::metadata::source_text::SourceText;

/// Where a value that cannot be used comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueOrigin {
    /// The root of the tree.
    pub root: PathBuf,
    /// Where the value stands.
    pub location: Option<Location>,
    /// All that made it, first to last.
    pub origins: Vec<Origin>,
}

impl ValueOrigin {
    /// Returns the line, with marks below `word` where that stands in the value, and below that the adjust rule and what else made the
    /// value. Reads the file again.
    pub fn excerpt(&self, word: &str) -> Option<String> {
        let marked = SourceText::new(self.root.clone()).mark(self.location.as_ref()?, word);
        let mut text = marked.excerpt()?;
        if let Some(rule) = self.origins.last().and_then(|origin| origin.adjust.as_ref()) {
            let _infallible = write!(text, "\nadjust rule: {rule}");
        }
        if self.origins.len() > 1 {
            let _infallible = write!(text, "\nmade by: {}", Chain(&self.origins).brief());
        }
        Some(text)
    }
}

/// What messages begin with: `file:line: `, or nothing where the location is not known.
pub(crate) fn prefix(location: Option<&Location>) -> String {
    location.map_or_else(String::new, |location| format!("{location}: "))
}
