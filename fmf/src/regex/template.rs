//! Parses the replacement templates of `re.sub`.

use super::PatternError;
use super::escape::is_octal;
use super::parse::Parsed;
use super::scan::{Scanner, Token};
use crate::python::chars::is_identifier;
use crate::python::number::read_int;

/// A piece of a replacement.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Group(usize),
}

/// Parses a template against the groups of a pattern.
pub(super) fn parse(template: &str, pattern: &Parsed) -> Result<Vec<Piece>, PatternError> {
    let mut reader = Reader {
        scanner: Scanner::new(template)?,
        pattern,
        pieces: Vec::new(),
    };
    while let Some(token) = reader.scanner.take() {
        match token {
            Token::Char(c) => reader.push(c),
            Token::Escape(c) => reader.escape(c)?,
        }
    }
    Ok(reader.pieces)
}

struct Reader<'p> {
    scanner: Scanner<'p>,
    pattern: &'p Parsed,
    pieces: Vec<Piece>,
}

impl Reader<'_> {
    fn push(&mut self, c: char) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(c),
            _ => self.pieces.push(Piece::Text(c.into())),
        }
    }

    fn group(&mut self, group: usize) -> Result<(), PatternError> {
        if group > self.pattern.groups {
            return Err(self.scanner.invalid(format!("invalid group reference {group}")));
        }
        if self.pattern.unsettled.contains(&group) {
            return Err(self.scanner.unsupported("a group in a repetition of what can be empty"));
        }
        self.pieces.push(Piece::Group(group));
        Ok(())
    }

    fn escape(&mut self, c: char) -> Result<(), PatternError> {
        match c {
            'g' => self.named_group()?,
            '0' => {
                let mut text = String::from('0');
                text += &self.scanner.take_while(2, is_octal);
                self.octal(&text)?;
            }
            '1'..='9' => self.numbered(c)?,
            'a' => self.push('\x07'),
            'b' => self.push('\x08'),
            'f' => self.push('\x0c'),
            'n' => self.push('\n'),
            'r' => self.push('\r'),
            't' => self.push('\t'),
            'v' => self.push('\x0b'),
            '\\' => self.push('\\'),
            c if c.is_ascii_alphabetic() => return Err(self.scanner.invalid(format!("bad escape \\{c}"))),
            c => {
                self.push('\\');
                self.push(c);
            }
        }
        Ok(())
    }

    fn named_group(&mut self) -> Result<(), PatternError> {
        if !self.scanner.accept('<') {
            return Err(self.scanner.invalid("missing <"));
        }
        let name = self.scanner.take_until('>', "group name")?;
        if is_identifier(&name) {
            return match self.pattern.names.get(&name) {
                Some(group) => self.group(*group),
                None => Err(self.scanner.invalid(format!("unknown group name `{name}`"))),
            };
        }
        let group = read_int(&name)
            .filter(|(negative, _)| !negative)
            .and_then(|(_, digits)| match digits.as_str() {
                "" => Some(0),
                digits => digits.parse().ok(),
            });
        match group {
            Some(group) => self.group(group),
            None => Err(self.scanner.invalid(format!("bad character in group name `{name}`"))),
        }
    }

    fn numbered(&mut self, first: char) -> Result<(), PatternError> {
        let mut text = String::from(first);
        text += &self.scanner.take_while(1, |c| c.is_ascii_digit());
        if text.len() == 2
            && text.chars().all(is_octal)
            && let Some(Token::Char(c)) = self.scanner.peek()
            && is_octal(c)
        {
            self.scanner.take();
            text.push(c);
            return self.octal(&text);
        }
        let group = text
            .parse()
            .map_err(|_| self.scanner.invalid("invalid group reference"))?;
        self.group(group)
    }

    fn octal(&mut self, digits: &str) -> Result<(), PatternError> {
        match u8::from_str_radix(digits, 8) {
            Ok(code) => {
                self.push(char::from(code));
                Ok(())
            }
            Err(_) => Err(self
                .scanner
                .invalid(format!("octal escape value \\{digits} outside of range 0-0o377"))),
        }
    }
}
