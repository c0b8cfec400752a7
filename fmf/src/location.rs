//! Places in files: a line, and the text of a line with marks below a part of it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use unicode_width::UnicodeWidthStr;

/// The longest part of a line that is shown, in characters.
const SHOWN: usize = 120;
/// How much of a long line is shown before the place.
const BEFORE: usize = 40;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file. In a tree, it is relative to the tree's root.
    pub file: PathBuf,
    /// The number of the line, from 1.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A line of a file with its text, in which a part is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedLine {
    /// The line.
    pub location: Location,
    /// The column at which the part begins, in characters, from 1.
    pub column: u32,
    /// The number of characters in the part.
    pub width: u32,
    /// The line's text.
    pub text: String,
}

impl MarkedLine {
    /// Marks a line and column (both from 1) of a file's text. A place behind the end of the text, where something is missing for
    /// example, becomes the end of the last line that is not blank.
    pub fn new(file: PathBuf, text: &str, line: u32, column: u32) -> Self {
        let wanted = line.saturating_sub(1) as usize;
        let mut lines: Vec<&str> = text.split('\n').take(wanted + 1).collect();
        let rest_is_blank = text.split('\n').skip(wanted).all(|line| line.trim().is_empty());
        if !rest_is_blank {
            let text = lines.get(wanted).copied().unwrap_or_default();
            return Self::on(at(file, wanted), text, column.saturating_sub(1) as usize, 1);
        }
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        let last = lines.last().copied().unwrap_or_default().trim_end();
        let last_line = lines.len().saturating_sub(1);
        Self::on(at(file, last_line), last, last.chars().count(), 1)
    }

    /// Marks a byte range of a file's text. A range that extends beyond the end stops there, and of a range with several lines
    /// only the first line is marked.
    pub fn of_range(file: PathBuf, text: &str, range: Range<usize>) -> Self {
        let start = boundary(text, range.start);
        let end = boundary(text, range.end).max(start);
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[begin..].lines().next().unwrap_or_default();
        let on_line = end.min(begin + line.len()).max(start);
        let before = text[..begin].matches('\n').count();
        let (column, width) = (text[begin..start].chars().count(), text[start..on_line].chars().count());
        Self::on(at(file, before), line, column, width)
    }

    /// Marks the key that a line begins with, or the whole line.
    pub fn of_key(location: Location, line: &str) -> Self {
        let rest = line.trim_start_matches([' ', '\t']).trim_start_matches("- ");
        let column = line.chars().count() - rest.chars().count();
        let width = rest.split(':').next().unwrap_or_default().trim_end().chars().count();
        Self::on(location, line, column, width)
    }

    /// Marks a part of a line with this text. The column is counted from 0.
    pub fn on(location: Location, line: &str, column: usize, width: usize) -> Self {
        Self {
            location,
            column: number(column + 1),
            width: number(width.max(1)),
            text: line.to_owned(),
        }
    }

    /// Returns the line with its number, and the marks below it, on two lines, or `None` if there is no text. Of a long line, the
    /// part around the place is shown. A control character is replaced by a printable sign, so that the marks are in the right
    /// place.
    pub fn excerpt(&self) -> Option<String> {
        if self.text.trim().is_empty() {
            return None;
        }
        let column = (self.column as usize).saturating_sub(1);
        let skipped = if self.text.chars().nth(SHOWN).is_some() {
            column.saturating_sub(BEFORE)
        } else {
            0
        };
        let cut = if skipped > 0 { "…" } else { "" };
        let shown: Vec<char> = self
            .text
            .trim_end_matches('\r')
            .chars()
            .skip(skipped)
            .take(SHOWN)
            .map(visible)
            .collect();
        let at = (column - skipped).min(shown.len());
        let end = (at + self.width as usize).min(shown.len());
        let columns = |chars: &[char]| chars.iter().collect::<String>().width();
        let blanks = cut.width() + columns(&shown[..at]);
        let marks = "^".repeat(columns(&shown[at..end]).max(1));
        let number = self.location.line.to_string();
        let text: String = shown.into_iter().collect();
        Some(format!(
            "{number} | {cut}{text}\n{:2$} | {:blanks$}{marks}",
            "",
            "",
            number.len()
        ))
    }

    /// Returns [`MarkedLine::excerpt`] below a message.
    pub(super) fn below(&self) -> String {
        self.excerpt()
            .map_or_else(String::new, |excerpt| format!("\n{excerpt}"))
    }
}

impl fmt::Display for MarkedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.location, self.column)
    }
}

/// Returns the line of a file by its index.
fn at(file: PathBuf, index: usize) -> Location {
    Location {
        file,
        line: number(index + 1),
    }
}

/// Returns the last place in `text`, at or before `index`, where a character starts.
fn boundary(text: &str, index: usize) -> usize {
    let index = index.min(text.len());
    (0..=index).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Returns a blank for a tab, and a printable picture for any other control character.
fn visible(char: char) -> char {
    match char {
        '\t' => ' ',
        '\x7f' => '\u{2421}',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(char)).unwrap_or(char::REPLACEMENT_CHARACTER),
        char if char.is_control() => char::REPLACEMENT_CHARACTER,
        char => char,
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(marked: &MarkedLine) -> String {
        marked.excerpt().unwrap_or_default()
    }

    #[test]
    fn the_place_is_marked_by_characters_not_bytes() {
        let marked = MarkedLine::of_range("f".into(), "a = 1\nä = [\n]\n", 11..16);
        assert_eq!(marked.to_string(), "f:2:5");
        assert_eq!(excerpt(&marked), "2 | ä = [\n  |     ^");
    }

    #[test]
    fn a_range_beyond_the_end_is_the_end() {
        assert_eq!(MarkedLine::of_range("f".into(), "x", 7..9).to_string(), "f:1:2");
    }

    #[test]
    fn what_is_missing_at_the_end_is_shown_behind_the_last_text() {
        for text in ["a: [1,\n", "a: [1,", "a: [1,\n\n  \n"] {
            for line in 2..4 {
                let marked = MarkedLine::new("f".into(), text, line, 1);
                assert_eq!(marked.to_string(), "f:1:7", "{text:?}");
                assert_eq!(excerpt(&marked), "1 | a: [1,\n  |       ^");
            }
        }
        assert_eq!(MarkedLine::new("f".into(), "", 1, 1).excerpt(), None);
    }

    #[test]
    fn wide_characters_take_two_columns_and_control_characters_one() {
        let marked = MarkedLine::of_range("f".into(), "\t日\x1b: x", 6..7);
        assert_eq!(excerpt(&marked), "1 |  日␛: x\n  |      ^");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let line = format!("{}x{}", "a".repeat(1_000_000), "b".repeat(1_000_000));
        let marked = MarkedLine::new("f".into(), &line, 1, 1_000_001);
        let text = excerpt(&marked);
        assert_eq!(text.chars().count(), 4 + 1 + SHOWN + 1 + 4 + 1 + BEFORE + 1);
        assert!(text.ends_with(&format!("\n  | {}^", " ".repeat(BEFORE + 1))));
        assert!(text.contains(&format!("| …{}x", "a".repeat(BEFORE))));
    }

    #[test]
    fn the_key_of_an_item_stands_behind_its_dash() {
        let marked = MarkedLine::of_key(at("f".into(), 4), "  - how: x");
        assert_eq!((marked.location.line, marked.column, marked.width), (5, 5, 3));
        let marked = MarkedLine::of_key(at("f".into(), 0), "");
        assert_eq!((marked.column, marked.width), (1, 1));
    }
}
