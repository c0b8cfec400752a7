//! Where a value of the metadata comes from, so that messages can point at it.

use std::fmt::Write as _;
use std::path::PathBuf;

use atex_fmf::{Chain, Location, Origin};

use crate::compile::metadata::source_text::SourceText;

/// The origin of a value that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueOrigin {
    /// The root of the tree.
    pub root: PathBuf,
    /// The place of the value.
    pub location: Option<Location>,
    /// All places that contributed to the value, the first one first.
    pub origins: Vec<Origin>,
}

impl ValueOrigin {
    /// Returns the line of the value with marks below `word`, if that is found in the value. Below it come the adjust rule and
    /// the other places that made the value. It reads the file again.
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

/// Returns the beginning of a message: `file:line: `, or nothing if the location is not known.
pub(crate) fn prefix(location: Option<&Location>) -> String {
    location.map_or_else(String::new, |location| format!("{location}: "))
}
