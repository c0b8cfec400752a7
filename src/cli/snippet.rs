//! A place in a text file, and the line shown with a mark below.

use std::ops::Range;

/// A place in a text: 1-based line and column (in characters), the line's text, how many characters are marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snippet {
    pub(crate) line: usize,
    pub(crate) column: usize,
    text: String,
    marked: usize,
}

impl Snippet {
    /// Finds the byte range `span` in `source`; a span beyond its end means its end.
    pub(crate) fn find(source: &str, span: Range<usize>) -> Self {
        let start = boundary(source, span.start);
        let end = boundary(source, span.end).max(start);
        let begin = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let text = source[begin..].lines().next().unwrap_or_default();
        let on_line = end.min(begin + text.len()).max(start);
        Self {
            line: source[..begin].matches('\n').count() + 1,
            column: source[begin..start].chars().count() + 1,
            text: text.replace('\t', " "),
            marked: source[start..on_line].chars().count().max(1),
        }
    }

    /// Renders the line with its number and a mark below the place.
    pub(crate) fn render(&self) -> String {
        let number = self.line.to_string();
        let (margin, blanks) = (number.len(), self.column - 1);
        let marks = "^".repeat(self.marked);
        format!("  {number} | {}\n  {:margin$} | {:blanks$}{marks}", self.text, "", "")
    }
}

/// Returns the last place in `text`, at or before `index`, where a character starts.
fn boundary(text: &str, index: usize) -> usize {
    let index = index.min(text.len());
    (0..=index).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Snippet;

    #[test]
    fn the_place_is_marked_by_characters_not_bytes() {
        let source = "a = 1\nä = [\n]\n";
        let snippet = Snippet::find(source, 11..16);
        assert_eq!((snippet.line, snippet.column), (2, 5));
        assert_eq!(snippet.render(), "  2 | ä = [\n    |     ^");
    }

    #[test]
    fn a_span_beyond_the_end_is_the_end() {
        let snippet = Snippet::find("x", 7..9);
        assert_eq!((snippet.line, snippet.column), (1, 2));
    }
}
