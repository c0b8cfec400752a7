//! The scanner, which makes tokens from characters.
//!
//! The one difficulty is that a key is recognized only when its `:` is found. Every token that could start a key is remembered
//! with its position in the queue. When the `:` comes, a key token is put before it; and if the key starts a mapping, the start
//! of the mapping too. Such keys must be on one line and within [`KEY_LENGTH`] characters. Invariant: tokens leave the queue only
//! when no remembered key may still be put before them.

mod directive;
mod quoted;
mod text;

use std::borrow::Cow;
use std::collections::VecDeque;

use super::reader::{Reader, is_blank, is_end};
use super::{Position, Problem};

/// The most characters between a simple key's start and its `:`.
const KEY_LENGTH: usize = 1024;

/// One token, with the place where it starts.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) position: Position,
}

/// The kind of a token.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    StreamEnd,
    VersionDirective {
        major: u32,
        minor: u32,
    },
    TagDirective {
        handle: &'a str,
        prefix: Cow<'a, str>,
    },
    UnknownDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag {
        handle: Option<&'a str>,
        suffix: Cow<'a, str>,
    },
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
    },
}

impl Kind<'_> {
    /// Returns the name of the token in a message.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::StreamEnd => "the end of the file",
            Self::VersionDirective { .. } | Self::TagDirective { .. } | Self::UnknownDirective => "a directive",
            Self::DocumentStart => "`---`",
            Self::DocumentEnd => "`...`",
            Self::BlockSequenceStart | Self::BlockEntry => "a list item",
            Self::BlockMappingStart | Self::Key => "a key",
            Self::BlockEnd => "the end of the block",
            Self::FlowSequenceStart => "`[`",
            Self::FlowSequenceEnd => "`]`",
            Self::FlowMappingStart => "`{`",
            Self::FlowMappingEnd => "`}`",
            Self::FlowEntry => "`,`",
            Self::Value => "`:`",
            Self::Alias(_) => "an alias",
            Self::Anchor(_) => "an anchor",
            Self::Tag { .. } => "a tag",
            Self::Scalar { .. } => "a scalar",
        }
    }
}

/// A token that may turn out to be a key.
#[derive(Debug)]
struct PossibleKey {
    flow_level: usize,
    token_number: usize,
    required: bool,
    index: usize,
    position: Position,
}

/// The scanner's state.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    reader: Reader<'a>,
    tokens: VecDeque<Token<'a>>,
    tokens_taken: usize,
    done: bool,
    /// The open flow collections: `[` or `{`.
    flow: Vec<char>,
    indent: i64,
    indents: Vec<i64>,
    allow_simple_key: bool,
    /// The possible keys, at most one for each flow level, in the order of the levels.
    possible_keys: Vec<PossibleKey>,
    /// Whether `%YAML 1.1` was seen.
    pub(super) version_1_1: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            reader: Reader::new(text),
            tokens: VecDeque::new(),
            tokens_taken: 0,
            done: false,
            flow: Vec::new(),
            indent: -1,
            indents: Vec::new(),
            allow_simple_key: true,
            possible_keys: Vec::new(),
            version_1_1: false,
        }
    }

    /// Returns the next token without taking it.
    pub(super) fn peek(&mut self) -> Result<&Token<'a>, Problem> {
        while self.needs_more()? {
            self.fetch()?;
        }
        // The end of the stream is never taken, so there is always a token.
        self.tokens
            .front()
            .ok_or_else(|| Position::default().problem("the file ends unexpectedly"))
    }

    /// Takes the next token. The end of the stream is returned again and again.
    pub(super) fn next(&mut self) -> Result<Token<'a>, Problem> {
        let position = self.peek()?.position;
        match self.tokens.pop_front() {
            Some(token) if !matches!(token.kind, Kind::StreamEnd) => {
                self.tokens_taken += 1;
                Ok(token)
            }
            _ => {
                self.tokens.push_front(Token {
                    kind: Kind::StreamEnd,
                    position,
                });
                Ok(Token {
                    kind: Kind::StreamEnd,
                    position,
                })
            }
        }
    }

    fn needs_more(&mut self) -> Result<bool, Problem> {
        if self.done {
            return Ok(false);
        }
        if self.tokens.is_empty() {
            return Ok(true);
        }
        self.drop_stale_keys()?;
        Ok(self
            .possible_keys
            .iter()
            .any(|key| key.token_number == self.tokens_taken))
    }

    fn push(&mut self, kind: Kind<'a>, position: Position) {
        self.tokens.push_back(Token { kind, position });
    }

    /// Scans one more token.
    fn fetch(&mut self) -> Result<(), Problem> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        self.unwind(self.reader.column());
        let at_line_start = self.reader.column() == 0;
        let in_flow = !self.flow.is_empty();
        match self.reader.peek() {
            '\0' => self.fetch_stream_end(),
            '%' if at_line_start => self.fetch_directive(),
            '-' if at_line_start && self.reader.at_marker("---") => self.fetch_marker(Kind::DocumentStart),
            '.' if at_line_start && self.reader.at_marker("...") => self.fetch_marker(Kind::DocumentEnd),
            '[' => self.fetch_flow_start('[', Kind::FlowSequenceStart),
            '{' => self.fetch_flow_start('{', Kind::FlowMappingStart),
            ']' => self.fetch_flow_end(Kind::FlowSequenceEnd),
            '}' => self.fetch_flow_end(Kind::FlowMappingEnd),
            ',' => self.fetch_flow_entry(),
            '-' if is_blank(self.reader.peek_at(1)) => self.fetch_block_entry(),
            '?' if in_flow || is_blank(self.reader.peek_at(1)) => self.fetch_key(),
            ':' if self.is_value() => self.fetch_value(),
            '*' => self.fetch_single_token(Self::scan_alias),
            '&' => self.fetch_single_token(Self::scan_anchor),
            '!' => self.fetch_single_token(Self::scan_tag),
            '|' if !in_flow => self.fetch_block_scalar(false),
            '>' if !in_flow => self.fetch_block_scalar(true),
            '\'' => self.fetch_single_token(|scanner| scanner.scan_quoted('\'')),
            '"' => self.fetch_single_token(|scanner| scanner.scan_quoted('"')),
            _ if self.is_plain() => self.fetch_single_token(|scanner| Ok(scanner.scan_plain())),
            '\t' => Err(self.problem("a tab cannot be used here, indent with spaces")),
            c => Err(self.problem(format!("nothing can start with the character `{c}`"))),
        }
    }

    fn problem(&self, text: impl Into<String>) -> Problem {
        self.reader.position().problem(text)
    }

    /// Skips white space, comments and line ends. Tabs are white space only in flow collections.
    fn skip_to_token(&mut self) {
        if self.reader.index() == 0 && self.reader.peek() == '\u{feff}' {
            self.reader.forward();
        }
        let in_flow = !self.flow.is_empty();
        loop {
            self.reader.take_while(|c| c == ' ' || in_flow && c == '\t');
            if self.reader.peek() == '#' {
                self.reader.take_line();
            }
            if self.reader.take_break().is_none() {
                return;
            }
            if !in_flow {
                self.allow_simple_key = true;
            }
        }
    }

    /// Forgets keys whose `:` can no longer come.
    fn drop_stale_keys(&mut self) -> Result<(), Problem> {
        let (line, index) = (self.reader.position().line, self.reader.index());
        let stale = |key: &PossibleKey| key.position.line != line || index - key.index > KEY_LENGTH;
        if let Some(key) = self.possible_keys.iter().find(|key| key.required && stale(key)) {
            return Err(missing_colon(key));
        }
        self.possible_keys.retain(|key| !stale(key));
        Ok(())
    }

    /// Remembers that a key may start here.
    fn save_possible_key(&mut self) -> Result<(), Problem> {
        if !self.allow_simple_key {
            return Ok(());
        }
        let required = self.flow.is_empty() && self.indent == self.reader.column();
        self.remove_possible_key()?;
        self.possible_keys.push(PossibleKey {
            flow_level: self.flow.len(),
            token_number: self.tokens_taken + self.tokens.len(),
            required,
            index: self.reader.index(),
            position: self.reader.position(),
        });
        Ok(())
    }

    /// Takes the key that is remembered for this flow level.
    fn take_possible_key(&mut self) -> Option<PossibleKey> {
        let at = self
            .possible_keys
            .iter()
            .position(|key| key.flow_level == self.flow.len())?;
        Some(self.possible_keys.remove(at))
    }

    fn remove_possible_key(&mut self) -> Result<(), Problem> {
        match self.take_possible_key() {
            Some(key) if key.required => Err(missing_colon(&key)),
            _ => Ok(()),
        }
    }

    /// Closes the blocks that are indented deeper than the column. Flow collections ignore indentation.
    fn unwind(&mut self, column: i64) {
        if !self.flow.is_empty() {
            return;
        }
        while self.indent > column {
            self.indent = self.indents.pop().unwrap_or(-1);
            self.push(Kind::BlockEnd, self.reader.position());
        }
    }

    /// Opens a deeper block, if the column is deeper.
    fn add_indent(&mut self, column: i64) -> bool {
        let deeper = self.indent < column;
        if deeper {
            self.indents.push(self.indent);
            self.indent = column;
        }
        deeper
    }

    fn fetch_stream_end(&mut self) -> Result<(), Problem> {
        self.unwind(-1);
        self.remove_possible_key()?;
        self.allow_simple_key = false;
        self.possible_keys.clear();
        self.push(Kind::StreamEnd, self.reader.position());
        self.done = true;
        Ok(())
    }

    fn fetch_marker(&mut self, kind: Kind<'a>) -> Result<(), Problem> {
        self.unwind(-1);
        self.remove_possible_key()?;
        self.allow_simple_key = false;
        self.push(kind, self.reader.position());
        self.reader.take("---".len());
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), Problem> {
        self.unwind(-1);
        self.remove_possible_key()?;
        self.allow_simple_key = false;
        let token = self.scan_directive()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_flow_start(&mut self, open: char, kind: Kind<'a>) -> Result<(), Problem> {
        self.save_possible_key()?;
        self.flow.push(open);
        self.allow_simple_key = true;
        self.fetch_indicator(kind);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: Kind<'a>) -> Result<(), Problem> {
        self.remove_possible_key()?;
        // The parser refuses a bracket that closes nothing.
        self.flow.pop();
        self.allow_simple_key = false;
        self.fetch_indicator(kind);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<(), Problem> {
        self.allow_simple_key = true;
        self.remove_possible_key()?;
        self.fetch_indicator(Kind::FlowEntry);
        Ok(())
    }

    fn fetch_indicator(&mut self, kind: Kind<'a>) {
        self.push(kind, self.reader.position());
        self.reader.forward();
    }

    fn fetch_block_entry(&mut self) -> Result<(), Problem> {
        if self.flow.is_empty() {
            if !self.allow_simple_key {
                return Err(self.problem("a list item is not allowed here"));
            }
            if self.add_indent(self.reader.column()) {
                self.push(Kind::BlockSequenceStart, self.reader.position());
            }
        }
        self.allow_simple_key = true;
        self.remove_possible_key()?;
        self.fetch_indicator(Kind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Problem> {
        if self.flow.is_empty() {
            if !self.allow_simple_key {
                return Err(self.problem("a key is not allowed here"));
            }
            if self.add_indent(self.reader.column()) {
                self.push(Kind::BlockMappingStart, self.reader.position());
            }
        }
        self.allow_simple_key = self.flow.is_empty();
        self.remove_possible_key()?;
        self.fetch_indicator(Kind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Problem> {
        if let Some(key) = self.take_possible_key() {
            let at = key.token_number - self.tokens_taken;
            self.tokens.insert(
                at,
                Token {
                    kind: Kind::Key,
                    position: key.position,
                },
            );
            if self.flow.is_empty() && self.add_indent(i64::from(key.position.column)) {
                self.tokens.insert(
                    at,
                    Token {
                        kind: Kind::BlockMappingStart,
                        position: key.position,
                    },
                );
            }
            self.allow_simple_key = false;
        } else {
            if self.flow.is_empty() {
                if !self.allow_simple_key {
                    return Err(self.problem("a `:` is not allowed here, quote the text if it is no key"));
                }
                if self.add_indent(self.reader.column()) {
                    self.push(Kind::BlockMappingStart, self.reader.position());
                }
            }
            self.allow_simple_key = self.flow.is_empty();
            self.remove_possible_key()?;
        }
        self.fetch_indicator(Kind::Value);
        Ok(())
    }

    /// Scans a token that may be a key, and after which no key may follow on the line.
    fn fetch_single_token(&mut self, scan: impl FnOnce(&mut Self) -> Result<Kind<'a>, Problem>) -> Result<(), Problem> {
        self.save_possible_key()?;
        self.allow_simple_key = false;
        let position = self.reader.position();
        let kind = scan(self)?;
        self.push(kind, position);
        Ok(())
    }

    fn fetch_block_scalar(&mut self, folded: bool) -> Result<(), Problem> {
        self.allow_simple_key = true;
        self.remove_possible_key()?;
        let position = self.reader.position();
        let kind = self.scan_block_scalar(folded)?;
        self.push(kind, position);
        Ok(())
    }

    /// Tells whether the `:` at the cursor ends a key.
    fn is_value(&self) -> bool {
        let before_blank = is_blank(self.reader.peek_at(1));
        let Some(&open) = self.flow.last() else {
            return before_blank;
        };
        if self.version_1_1 {
            return true;
        }
        let after_value = matches!(self.tokens.back(), Some(Token { kind: Kind::Value, .. }));
        before_blank || open == '{' && !after_value
    }

    /// Tells whether a plain scalar can start at the cursor.
    fn is_plain(&self) -> bool {
        let c = self.reader.peek();
        if !is_blank(c) && !"-?:,[]{}#&*!|>'\"%@`".contains(c) {
            return true;
        }
        let next = self.reader.peek_at(1);
        let in_flow = !self.flow.is_empty();
        match c {
            '-' => !is_blank(next),
            ':' if in_flow => !self.version_1_1 && !matches!(next, ' ' | '\t'),
            '?' | ':' => !in_flow && !is_blank(next),
            _ => false,
        }
    }

    /// Skips spaces and a comment up to the line's end, and the end itself.
    fn skip_line_end(&mut self, after: &str) -> Result<(), Problem> {
        self.reader.take_while(|c| c == ' ');
        if self.reader.peek() == '#' {
            self.reader.take_line();
        }
        if !is_end(self.reader.peek()) {
            return Err(self.problem(format!("only a comment may follow {after} on its line")));
        }
        self.reader.take_break();
        Ok(())
    }
}

fn missing_colon(key: &PossibleKey) -> Problem {
    key.position.problem("a `:` is missing after this key")
}
