//! Finds the line and the column of a value in the text of its metadata file, for messages with excerpts.
//!
//! The tree remembers the line of each key. A word of the key's value is searched for in the lines that belong to the key: those
//! that are indented further, or that begin with the dash of an item. The place is therefore exact if the file contains the word
//! as it is read, and it is the key's line otherwise.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use atex_fmf::{Location, MarkedLine};

/// How many lines of a value are searched at most.
const SEARCHED: usize = 2000;

/// The lines of the files that were asked for so far.
#[derive(Debug)]
pub(crate) struct SourceText {
    root: PathBuf,
    files: HashMap<PathBuf, Vec<String>>,
}

impl SourceText {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            files: HashMap::new(),
        }
    }

    /// Marks a word at a location, or in the value that begins there; only the word's first line is looked for. If it is not
    /// found, the key is marked.
    pub(crate) fn mark(&mut self, location: &Location, word: &str) -> MarkedLine {
        let lines = self.of(&location.file);
        let first = usize::try_from(location.line).unwrap_or_default().saturating_sub(1);
        let word = word.trim().lines().next().unwrap_or_default();
        let line = |at: usize| lines.get(at).map_or("", String::as_str);
        let location = |at: usize| Location {
            file: location.file.clone(),
            line: u32::try_from(at + 1).unwrap_or(u32::MAX),
        };
        match find(lines, first, word) {
            Some((at, column, width)) => MarkedLine::on(location(at), line(at), column, width),
            None => MarkedLine::of_key(location(first), line(first)),
        }
    }

    fn of(&mut self, file: &Path) -> &[String] {
        self.files.entry(file.to_owned()).or_insert_with(|| {
            let bytes = fs::read(self.root.join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            text.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect()
        })
    }
}

/// Returns the line, the column and the width (in characters, from 0) of a word in the value that begins at a line.
fn find(lines: &[String], first: usize, word: &str) -> Option<(usize, usize, usize)> {
    if word.is_empty() {
        return None;
    }
    let key = lines.get(first)?;
    // A key that begins an item comes after the item's dash.
    let indent = key.len() - key.trim_start_matches([' ', '-']).len();
    for (at, line) in lines.iter().enumerate().skip(first).take(SEARCHED) {
        let own = self::indent(line);
        let item = own == indent && line[own..].starts_with("- ");
        if at > first && own <= indent && !item && !line.trim().is_empty() {
            break;
        }
        if let Some(start) = find_word(line, word) {
            return Some((at, line[..start].chars().count(), word.chars().count()));
        }
    }
    None
}

/// Returns where a word occurs as a whole, with no character beside it that could belong to it.
fn find_word(line: &str, word: &str) -> Option<usize> {
    let belongs = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let (starts, ends) = (word.starts_with(belongs), word.ends_with(belongs));
    let mut found = line.match_indices(word).map(|(at, _)| at);
    found.find(|&at| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(starts && before.is_some_and(belongs) || ends && after.is_some_and(belongs))
    })
}

/// Returns how many spaces a line begins with.
fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count()
}

#[cfg(test)]
mod tests {
    use super::find;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_item_is_found_in_the_value_of_its_key() {
        let lines = lines("a:\n  filter:\n  - tag:x\n  - tag:xy\n  name: tag:z\n");
        assert_eq!(find(&lines, 1, "tag:xy"), Some((3, 4, 6)));
        assert_eq!(find(&lines, 1, "tag:x"), Some((2, 4, 5)));
        assert_eq!(find(&lines, 1, "tag:z"), None);
    }

    #[test]
    fn the_next_item_is_not_part_of_an_item() {
        let lines = lines("- how:\n  - x\n- name: y\n");
        assert_eq!(find(&lines, 0, "x"), Some((1, 4, 1)));
        assert_eq!(find(&lines, 0, "name"), None);
    }
}
