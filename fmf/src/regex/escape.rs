//! Parses the escapes of a pattern: positions, categories, references and characters.

use super::PatternError;
use super::ast::{At, Code, Node, SetItem};
use super::parse::{Parser, category};
use super::scan::Token;

impl Parser<'_> {
    /// Parses what follows a backslash outside a set.
    pub(super) fn escape(&mut self, c: char) -> Result<Node, PatternError> {
        let at = match c {
            'A' => At::TextBeginning,
            'Z' => At::TextEnd,
            'b' => At::Boundary,
            'B' => At::NoBoundary,
            '1'..='9' => return self.reference_or_octal(c),
            _ => {
                return match category(c) {
                    Some(category) => Ok(Node::Set {
                        negated: false,
                        items: vec![SetItem::Category(category)],
                    }),
                    None => self.character_escape(c, false).map(Node::Literal),
                };
            }
        };
        Ok(Node::At(at))
    }

    /// Reads the character that an escape stands for.
    pub(super) fn character_escape(&mut self, c: char, in_set: bool) -> Result<Code, PatternError> {
        Ok(match c {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' => self.hex_escape(2)?,
            'u' => self.hex_escape(4)?,
            'U' => self.hex_escape(8)?,
            'N' if self.scanner.peek() == Some(Token::Char('{')) => {
                return Err(self.scanner.unsupported("a character by its name, `\\N{…}`"));
            }
            '0' => self.octal(c, 2)?,
            '1'..='7' if in_set => self.octal(c, 2)?,
            c if c.is_ascii_alphanumeric() => return Err(self.scanner.invalid(format!("bad escape \\{c}"))),
            c => u32::from(c),
        })
    }

    fn hex_escape(&mut self, digits: usize) -> Result<Code, PatternError> {
        let text = self.scanner.take_while(digits, |c| c.is_ascii_hexdigit());
        match u32::from_str_radix(&text, 16) {
            Ok(code) if text.len() == digits && code <= u32::from(char::MAX) => Ok(code),
            _ => Err(self.scanner.invalid("incomplete or bad hexadecimal escape")),
        }
    }

    fn octal(&mut self, first: char, more: usize) -> Result<Code, PatternError> {
        let mut text = String::from(first);
        text += &self.scanner.take_while(more, is_octal);
        match u32::from_str_radix(&text, 8) {
            Ok(code) if code <= 0o377 => Ok(code),
            _ => Err(self
                .scanner
                .invalid(format!("octal escape value \\{text} outside of range 0-0o377"))),
        }
    }

    /// Parses `\123`, which is an octal escape if all three are octal digits, or `\12`, which refers to a group.
    fn reference_or_octal(&mut self, first: char) -> Result<Node, PatternError> {
        let mut text = String::from(first);
        text += &self.scanner.take_while(1, |c| c.is_ascii_digit());
        if text.len() == 2
            && text.chars().all(is_octal)
            && let Some(Token::Char(c)) = self.scanner.peek()
            && is_octal(c)
        {
            self.scanner.take();
            text.push(c);
            return match u32::from_str_radix(&text, 8) {
                Ok(code) if code <= 0o377 => Ok(Node::Literal(code)),
                _ => Err(self
                    .scanner
                    .invalid(format!("octal escape value \\{text} outside of range 0-0o377"))),
            };
        }
        match text.parse::<usize>() {
            Ok(group) if group < self.widths.len() => self.reference(group),
            _ => Err(self.scanner.invalid(format!("invalid group reference {text}"))),
        }
    }

    /// Returns a reference to a group that exists.
    pub(super) fn reference(&mut self, group: usize) -> Result<Node, PatternError> {
        if self.widths[group].is_none() {
            return Err(self.scanner.invalid("cannot refer to an open group"));
        }
        self.check_behind(group)?;
        Ok(Node::Reference(group))
    }

    /// Refuses references, inside a lookbehind, to groups that are open or began there.
    pub(super) fn check_behind(&self, group: usize) -> Result<(), PatternError> {
        match self.behind_from {
            Some(_) if self.widths.get(group).copied().flatten().is_none() => {
                Err(self.scanner.invalid("cannot refer to an open group"))
            }
            Some(from) if group >= from => Err(self
                .scanner
                .invalid("cannot refer to group defined in the same lookbehind subpattern")),
            _ => Ok(()),
        }
    }
}

pub(super) fn is_octal(c: char) -> bool {
    ('0'..='7').contains(&c)
}
