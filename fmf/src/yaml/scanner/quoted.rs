//! Scans quoted scalars. Indentation means nothing in them; only a document marker at the start of a line is refused.

use std::borrow::Cow;

use super::{Kind, Scanner};
use crate::yaml::reader::is_break;
use crate::yaml::{Position, Problem};

impl<'a> Scanner<'a> {
    pub(super) fn scan_quoted(&mut self, quote: char) -> Result<Kind<'a>, Problem> {
        let start = self.reader.position();
        self.reader.forward();
        let run = self.reader.take_while(|c| !ends_run(c));
        // Many quoted scalars are one run of ordinary characters.
        if self.reader.peek() == quote && (quote == '"' || self.reader.peek_at(1) != '\'') {
            self.reader.forward();
            return Ok(Kind::Scalar {
                text: Cow::Borrowed(run),
                plain: false,
            });
        }
        let mut text = run.to_owned();
        self.scan_quoted_run(quote, &mut text)?;
        while self.reader.peek() != quote {
            self.scan_quoted_space(&mut text, start)?;
            self.scan_quoted_run(quote, &mut text)?;
        }
        self.reader.forward();
        Ok(Kind::Scalar {
            text: Cow::Owned(text),
            plain: false,
        })
    }

    /// Takes characters up to white space, a line end or the closing quote.
    fn scan_quoted_run(&mut self, quote: char, text: &mut String) -> Result<(), Problem> {
        loop {
            text.push_str(self.reader.take_while(|c| !ends_run(c)));
            match self.reader.peek() {
                '\'' if quote == '\'' => {
                    if self.reader.peek_at(1) != '\'' {
                        return Ok(());
                    }
                    text.push('\'');
                    self.reader.take("''".len());
                }
                '\\' if quote == '"' => self.scan_escape(text)?,
                c @ ('\'' | '"' | '\\') if c != quote => {
                    text.push(c);
                    self.reader.forward();
                }
                _ => return Ok(()),
            }
        }
    }

    fn scan_escape(&mut self, text: &mut String) -> Result<(), Problem> {
        let start = self.reader.position();
        self.reader.forward();
        let c = self.reader.peek();
        let plain = match c {
            '0' => '\0',
            'a' => '\x07',
            'b' => '\x08',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\x0b',
            'f' => '\x0c',
            'r' => '\r',
            'e' => '\x1b',
            ' ' | '"' | '/' | '\\' => c,
            'N' => '\u{85}',
            '_' => '\u{a0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            'x' => self.scan_code(2, start)?,
            'u' => self.scan_code(4, start)?,
            'U' => self.scan_code(8, start)?,
            _ if is_break(c) => {
                self.reader.take_break();
                return self.scan_quoted_breaks(text, start).map(drop);
            }
            _ => return Err(start.problem(format!("unknown escape `\\{c}`"))),
        };
        self.reader.forward();
        text.push(plain);
        Ok(())
    }

    /// Takes an escape's letter and all its digits except the last one.
    fn scan_code(&mut self, length: usize, start: Position) -> Result<char, Problem> {
        let digits = self.reader.rest().get(1..=length);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(|| start.problem(format!("the escape needs {length} hexadecimal digits")))?;
        let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        self.reader.take(length);
        code.ok_or_else(|| start.problem("the escape is not a Unicode character"))
    }

    /// Takes white space and line ends; a single line end becomes a space.
    fn scan_quoted_space(&mut self, text: &mut String, start: Position) -> Result<(), Problem> {
        let space = self.reader.take_while(|c| matches!(c, ' ' | '\t'));
        if self.reader.peek() == '\0' {
            return Err(start.problem("the quote is never closed"));
        }
        let Some(line_break) = self.reader.take_break() else {
            text.push_str(space);
            return Ok(());
        };
        let before = text.len();
        if line_break != '\n' {
            text.push(line_break);
        }
        if !self.scan_quoted_breaks(text, start)? && text.len() == before {
            text.push(' ');
        }
        Ok(())
    }

    /// Takes empty lines, and tells whether there were any.
    fn scan_quoted_breaks(&mut self, text: &mut String, start: Position) -> Result<bool, Problem> {
        let mut any = false;
        loop {
            if self.reader.at_document_marker() {
                return Err(start.problem("a document marker stands inside of this quote"));
            }
            self.reader.take_while(|c| matches!(c, ' ' | '\t'));
            match self.reader.take_break() {
                Some(line_break) => text.push(line_break),
                None => return Ok(any),
            }
            any = true;
        }
    }
}

fn ends_run(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\'' | '"' | '\\' | '\0') || is_break(c)
}
