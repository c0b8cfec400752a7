//! Scans plain and block scalars.

use std::borrow::Cow;

use super::{Kind, Scanner};
use crate::yaml::Problem;
use crate::yaml::reader::{is_blank, is_break};

/// What separates two runs of a plain scalar.
enum Gap {
    /// There is nothing between them, or something that ends the scalar.
    End,
    /// There are spaces on the line.
    Spaces,
    /// There are line ends, which were folded.
    Folded(String),
}

/// The header of a block scalar.
struct Header {
    /// The sign `+` or `-`, if there is one.
    chomping: Option<char>,
    increment: Option<i64>,
}

impl<'a> Scanner<'a> {
    pub(super) fn scan_plain(&mut self) -> Kind<'a> {
        let indent = self.indent + 1;
        let mut run_start = self.reader.offset();
        let mut end = run_start;
        // The text that was folded so far. While nothing was folded, the scalar is a slice of the text.
        let mut folded: Option<String> = None;
        let mut length = self.plain_run();
        while length > 0 {
            self.allow_simple_key = false;
            self.reader.take(length);
            end = self.reader.offset();
            let gap = self.scan_plain_gap();
            let outside = self.flow.is_empty() && self.reader.column() < indent;
            if matches!(gap, Gap::End) || outside || self.reader.peek() == '#' {
                break;
            }
            length = self.plain_run();
            if let Gap::Folded(fold) = gap
                && length > 0
            {
                let text = folded.get_or_insert_default();
                text.push_str(self.reader.slice(run_start, end));
                text.push_str(&fold);
                run_start = self.reader.offset();
            }
        }
        let last = self.reader.slice(run_start, end);
        let text = match folded {
            None => Cow::Borrowed(last),
            Some(mut text) => {
                text.push_str(last);
                Cow::Owned(text)
            }
        };
        Kind::Scalar { text, plain: true }
    }

    /// Returns how many bytes from the cursor belong to the scalar without white space.
    fn plain_run(&self) -> usize {
        let in_flow = !self.flow.is_empty();
        let rest = self.reader.rest();
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let ends = match c {
                ':' => chars.peek().is_none_or(|&(_, next)| is_blank(next)),
                '?' => in_flow && self.version_1_1,
                ',' | '[' | ']' | '{' | '}' => in_flow,
                _ => is_blank(c),
            };
            if ends {
                return at;
            }
        }
        rest.len()
    }

    fn scan_plain_gap(&mut self) -> Gap {
        let spaces = self.reader.take_while(|c| c == ' ');
        let Some(line_break) = self.reader.take_break() else {
            return if spaces.is_empty() { Gap::End } else { Gap::Spaces };
        };
        self.allow_simple_key = true;
        if self.reader.at_document_marker() {
            return Gap::End;
        }
        let mut fold = String::new();
        if line_break != '\n' {
            fold.push(line_break);
        }
        loop {
            self.reader.take_while(|c| c == ' ');
            let Some(empty) = self.reader.take_break() else { break };
            fold.push(empty);
            if self.reader.at_document_marker() {
                return Gap::End;
            }
        }
        if fold.is_empty() {
            fold.push(' ');
        }
        Gap::Folded(fold)
    }

    pub(super) fn scan_block_scalar(&mut self, folded: bool) -> Result<Kind<'a>, Problem> {
        self.reader.forward();
        let header = self.scan_block_header()?;
        self.skip_line_end("the block scalar's indicator")?;
        let parent = self.indent + 1;
        let (indent, mut breaks) = match header.increment {
            None => {
                let (breaks, deepest) = self.scan_block_start()?;
                (parent.max(deepest), breaks)
            }
            Some(increment) => {
                let indent = parent.max(1) + increment - 1;
                (indent, self.scan_block_breaks(indent))
            }
        };
        let may_meet_marker = header.increment.is_none() && parent == 0;

        let mut text = String::new();
        let mut line_break = None;
        while self.reader.column() == indent && self.reader.peek() != '\0' {
            text.push_str(&breaks);
            let starts_black = !matches!(self.reader.peek(), ' ' | '\t');
            text.push_str(self.reader.take_line());
            line_break = self.reader.take_break();
            breaks = self.scan_block_breaks(indent);
            let at_marker = may_meet_marker && self.reader.column() == 0 && self.reader.at_document_marker();
            if at_marker || self.reader.column() != indent || self.reader.peek() == '\0' {
                break;
            }
            let joins = folded && line_break == Some('\n') && starts_black && !matches!(self.reader.peek(), ' ' | '\t');
            if !joins {
                text.extend(line_break);
            } else if breaks.is_empty() {
                text.push(' ');
            }
        }
        if header.chomping != Some('-') {
            text.extend(line_break);
        }
        if header.chomping == Some('+') {
            text.push_str(&breaks);
        }
        Ok(Kind::Scalar {
            text: Cow::Owned(text),
            plain: false,
        })
    }

    fn scan_block_header(&mut self) -> Result<Header, Problem> {
        let mut header = Header {
            chomping: None,
            increment: None,
        };
        for _ in 0..2 {
            match self.reader.peek() {
                c @ ('+' | '-') if header.chomping.is_none() => header.chomping = Some(c),
                '0' if header.increment.is_none() => return Err(self.problem("a block's indentation is 1 to 9")),
                c @ '1'..='9' if header.increment.is_none() => header.increment = c.to_digit(10).map(i64::from),
                _ => break,
            }
            self.reader.forward();
        }
        match self.reader.peek() {
            ' ' | '\0' => Ok(header),
            c if is_break(c) => Ok(header),
            c => Err(self.problem(format!("a block scalar's indicator cannot have the character `{c}`"))),
        }
    }

    /// Takes the empty lines at a block's start. Returns them and the column of the deepest white space.
    fn scan_block_start(&mut self) -> Result<(String, i64), Problem> {
        let mut breaks = String::new();
        let (mut first, mut deepest) = (None, 0);
        loop {
            if !self.reader.take_while(|c| c == ' ').is_empty() {
                deepest = deepest.max(self.reader.column());
            }
            let column = self.reader.column();
            let Some(line_break) = self.reader.take_break() else {
                break;
            };
            first.get_or_insert(column);
            breaks.push(line_break);
        }
        if first.is_some_and(|first| first > 0 && deepest > first) {
            return Err(self.problem("the block's first line is indented less than a later one"));
        }
        Ok((breaks, deepest))
    }

    /// Takes empty lines inside a block.
    fn scan_block_breaks(&mut self, indent: i64) -> String {
        let mut breaks = String::new();
        loop {
            while self.reader.column() < indent && self.reader.peek() == ' ' {
                self.reader.forward();
            }
            match self.reader.take_break() {
                Some(line_break) => breaks.push(line_break),
                None => return breaks,
            }
        }
    }
}
