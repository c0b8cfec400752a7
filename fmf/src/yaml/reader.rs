//! A cursor over the text that counts lines and columns as ruamel does.
//!
//! Only `\n` starts a new line in the counts (the text has no `\r`), although other characters end lines for the scanner. The
//! byte order mark takes no column. After the end, the reader returns NULs without limit; the text itself contains none.

use super::Position;

/// The cursor.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    /// The byte offset of the next character.
    at: usize,
    /// The number of characters before it.
    index: usize,
    position: Position,
}

/// Tells whether a character ends a line for the scanner.
pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Tells whether a character ends a line or the text.
pub(super) fn is_end(c: char) -> bool {
    c == '\0' || is_break(c)
}

/// Tells whether a character is white space, or ends a line or the text.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t') || is_end(c)
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            index: 0,
            position: Position::default(),
        }
    }

    /// Returns the next character.
    pub(super) fn peek(&self) -> char {
        match self.text.as_bytes().get(self.at) {
            None => '\0',
            Some(&byte) if byte.is_ascii() => char::from(byte),
            Some(_) => self.text[self.at..].chars().next().unwrap_or('\0'),
        }
    }

    /// Returns the character `ahead` places after the next one.
    pub(super) fn peek_at(&self, ahead: usize) -> char {
        self.text[self.at..].chars().nth(ahead).unwrap_or('\0')
    }

    /// Returns the text that is left.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Returns the text between two byte offsets.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    /// Returns the byte offset of the next character.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Returns how many characters came before.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn column(&self) -> i64 {
        i64::from(self.position.column)
    }

    /// Moves over one character.
    pub(super) fn forward(&mut self) {
        let c = self.peek();
        if self.at < self.text.len() {
            self.step(c);
        }
    }

    fn step(&mut self, c: char) {
        self.at += c.len_utf8();
        self.index += 1;
        if c == '\n' {
            self.position.line += 1;
            self.position.column = 0;
        } else if c != '\u{feff}' {
            self.position.column += 1;
        }
    }

    /// Moves over the given number of bytes, which must end at a character's boundary, and returns them.
    pub(super) fn take(&mut self, bytes: usize) -> &'a str {
        let taken = &self.text[self.at..self.at + bytes];
        if taken.is_ascii() && !taken.as_bytes().contains(&b'\n') {
            self.at += bytes;
            self.index += bytes;
            self.position.column += u32::try_from(bytes).unwrap_or(u32::MAX);
        } else {
            taken.chars().for_each(|c| self.step(c));
        }
        taken
    }

    /// Moves over all characters for which the predicate is true, and returns them.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        self.take(rest.find(|c| !wanted(c)).unwrap_or(rest.len()))
    }

    /// Moves over the rest of the line, without its end, and returns it.
    pub(super) fn take_line(&mut self) -> &'a str {
        self.take_while(|c| !is_break(c))
    }

    /// Moves over one line end, if there is one, and returns what it counts as in a scalar.
    pub(super) fn take_break(&mut self) -> Option<char> {
        let c = self.peek();
        if !is_break(c) {
            return None;
        }
        self.forward();
        Some(if c == '\u{85}' { '\n' } else { c })
    }

    /// Tells whether a document marker is at the cursor. The caller checks the column.
    pub(super) fn at_document_marker(&self) -> bool {
        self.at_marker("---") || self.at_marker("...")
    }

    /// Tells whether the given marker is at the cursor, with white space or an end after it.
    pub(super) fn at_marker(&self, marker: &str) -> bool {
        self.rest().starts_with(marker) && is_blank(self.peek_at(marker.len()))
    }
}
