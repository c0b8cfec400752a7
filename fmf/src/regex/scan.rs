//! Splits a pattern or a template into characters and escapes, as Python's tokenizer does.

use super::PatternError;

/// A character, or a backslash with the character after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token {
    Char(char),
    Escape(char),
}

/// A position in a pattern with one token in view.
pub(super) struct Scanner<'p> {
    pattern: &'p str,
    chars: Vec<char>,
    next: usize,
}

impl<'p> Scanner<'p> {
    /// Opens a pattern. One that ends in a lone backslash is refused, wherever the parser would stop.
    pub(super) fn new(pattern: &'p str) -> Result<Self, PatternError> {
        let scanner = Self {
            pattern,
            chars: pattern.chars().collect(),
            next: 0,
        };
        let backslashes = scanner.chars.iter().rev().take_while(|c| **c == '\\').count();
        if backslashes % 2 == 1 {
            return Err(scanner.invalid("bad escape (end of pattern)"));
        }
        Ok(scanner)
    }

    /// Returns the token at the position.
    pub(super) fn peek(&self) -> Option<Token> {
        match *self.chars.get(self.next)? {
            '\\' => self.chars.get(self.next + 1).map(|c| Token::Escape(*c)),
            c => Some(Token::Char(c)),
        }
    }

    /// Takes the token at the position.
    pub(super) fn take(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.next += if matches!(token, Token::Escape(_)) { 2 } else { 1 };
        Some(token)
    }

    /// Takes the character if it comes next.
    pub(super) fn accept(&mut self, c: char) -> bool {
        let found = self.peek() == Some(Token::Char(c));
        self.next += usize::from(found);
        found
    }

    /// Takes up to `count` characters of a class.
    pub(super) fn take_while(&mut self, count: usize, class: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(Token::Char(c)) = self.peek()
            && taken.len() < count
            && class(c)
        {
            taken.push(c);
            self.next += 1;
        }
        taken
    }

    /// Takes a name up to its terminator.
    pub(super) fn take_until(&mut self, terminator: char, what: &str) -> Result<String, PatternError> {
        let mut name = String::new();
        loop {
            match self.take() {
                None if name.is_empty() => return Err(self.invalid(format!("missing {what}"))),
                None => return Err(self.invalid(format!("missing {terminator}, unterminated name"))),
                Some(Token::Char(c)) if c == terminator => break,
                Some(Token::Char(c)) => name.push(c),
                Some(Token::Escape(c)) => name.extend(['\\', c]),
            }
        }
        if name.is_empty() {
            Err(self.invalid(format!("missing {what}")))
        } else {
            Ok(name)
        }
    }

    /// Returns the position, to come back with [`Self::seek`].
    pub(super) fn tell(&self) -> usize {
        self.next
    }

    /// Goes back to a position.
    pub(super) fn seek(&mut self, position: usize) {
        self.next = position;
    }

    /// Returns the error of an invalid pattern, at the position.
    pub(super) fn invalid(&self, message: impl Into<String>) -> PatternError {
        PatternError::Invalid {
            pattern: self.pattern.to_owned(),
            position: self.next,
            message: message.into(),
        }
    }

    /// Returns the error of a construct that Python supports and this translation does not.
    pub(super) fn unsupported(&self, construct: &'static str) -> PatternError {
        PatternError::Unsupported {
            pattern: self.pattern.to_owned(),
            construct,
        }
    }
}
