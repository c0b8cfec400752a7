//! The lexer, which splits an expression into Python's tokens.

use std::sync::Arc;

use num_bigint::BigInt;

use super::Problem;
use super::ast::Span;
use crate::python::chars::starts_name;
use crate::python::number::MAX_DIGITS;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(Arc<str>),
    Int(BigInt),
    Float(f64),
    /// A string literal with its prefix in lower case, without its quotes, and with its escapes.
    Text {
        prefix: String,
        body: Arc<str>,
    },
    /// An operator, a delimiter or a keyword.
    Symbol(&'static str),
    End,
}

/// Operators and delimiters, longer ones first.
const SYMBOLS: [&str; 48] = [
    "**=", "//=", ">>=", "<<=", "...", "**", "//", ">>", "<<", "<=", ">=", "==", "!=", "->", ":=", "+=", "-=", "*=",
    "/=", "%=", "&=", "|=", "^=", "@=", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "<", ">", "(", ")", "[", "]",
    "{", "}", ",", ":", ".", ";", "=", "!",
];

const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// The words that may follow a number without space: `1if x else 2`.
const AFTER_NUMBER: [&str; 8] = ["and", "else", "for", "if", "in", "is", "or", "not"];

/// The most tokens of an expression.
const MAX_TOKENS: usize = 20_000;

/// Splits an expression; the last token is always [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Problem> {
    let mut lexer = Lexer {
        text,
        at: 0,
        open: 0,
        tokens: Vec::new(),
    };
    lexer.begin()?;
    while lexer.token()? {
        if lexer.tokens.len() > MAX_TOKENS {
            return Err(Problem::unsupported(0..text.len(), "more than 20000 tokens"));
        }
    }
    lexer.tokens.push((Token::End, text.len()..text.len()));
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// How many brackets are open. Inside brackets, a line's end counts as space.
    open: usize,
    tokens: Vec<(Token, Span)>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn syntax(&self, from: usize, message: impl Into<String>) -> Problem {
        Problem::syntax(from..self.at.max(from), message)
    }

    /// Skips the space that `eval()` strips, and blank lines. The text after them must not be indented.
    fn begin(&mut self) -> Result<(), Problem> {
        if let Some(zero) = self.text.find('\0') {
            return Err(Problem::syntax(zero..zero + 1, "source code cannot contain null bytes"));
        }
        self.at = self.text.len() - self.text.trim_start_matches([' ', '\t']).len();
        loop {
            let line = self.at;
            self.skip_space();
            match self.peek() {
                Some('\n' | '\r') => self.at += 1,
                Some('#') => self.skip_comment(),
                Some(_) if line > 0 && self.at > line && self.text[..line].contains(['\n', '\r']) => {
                    return Err(self.syntax(line, "unexpected indent"));
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\x0c']).len();
    }

    fn skip_comment(&mut self) {
        self.at += self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
    }

    /// Reads one token. Returns false at the end.
    fn token(&mut self) -> Result<bool, Problem> {
        self.skip_space();
        let from = self.at;
        let Some(c) = self.peek() else {
            return if self.open > 0 {
                Err(self.syntax(from, "a bracket was never closed"))
            } else {
                Ok(false)
            };
        };
        match c {
            '#' => self.skip_comment(),
            '\n' | '\r' if self.open > 0 => self.at += 1,
            '\n' | '\r' => return self.only_blank_lines(),
            '\\' => self.continue_line()?,
            '"' | '\'' => self.string(String::new(), from)?,
            '0'..='9' => self.number()?,
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number()?,
            c if starts_name(c) => self.name()?,
            c if !c.is_ascii() => {
                return Err(Problem::syntax(
                    from..from + c.len_utf8(),
                    format!("invalid character `{c}`"),
                ));
            }
            _ => self.symbol()?,
        }
        Ok(true)
    }

    fn push(&mut self, token: Token, from: usize) {
        self.tokens.push((token, from..self.at));
    }

    /// Checks that only blank lines and comments follow the line of the expression.
    fn only_blank_lines(&mut self) -> Result<bool, Problem> {
        loop {
            self.skip_space();
            match self.peek() {
                None => return Ok(false),
                Some('#') => self.skip_comment(),
                Some('\n' | '\r') => self.at += 1,
                Some(_) => return Err(self.syntax(self.at, "invalid syntax: an expression ends with its line")),
            }
        }
    }

    fn continue_line(&mut self) -> Result<(), Problem> {
        let line = ["\\\r\n", "\\\n", "\\\r"]
            .into_iter()
            .find(|line| self.rest().starts_with(line));
        match line {
            Some(line) if self.rest().len() > line.len() => {
                self.at += line.len();
                Ok(())
            }
            _ => Err(self.syntax(self.at, "unexpected character after line continuation character")),
        }
    }

    fn symbol(&mut self) -> Result<(), Problem> {
        let from = self.at;
        let Some(symbol) = SYMBOLS.into_iter().find(|symbol| self.rest().starts_with(symbol)) else {
            return Err(self.syntax(from, "invalid syntax"));
        };
        match symbol {
            "(" | "[" | "{" => self.open += 1,
            ")" | "]" | "}" if self.open == 0 => return Err(self.syntax(from, format!("unmatched `{symbol}`"))),
            ")" | "]" | "}" => self.open -= 1,
            _ => {}
        }
        self.at += symbol.len();
        self.push(Token::Symbol(symbol), from);
        Ok(())
    }

    fn name(&mut self) -> Result<(), Problem> {
        let from = self.at;
        let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
        self.at += self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
        if let Some(c) = self
            .peek()
            .filter(|c| !c.is_ascii() && crate::python::chars::continues_name(*c))
        {
            return Err(Problem::unsupported(
                from..self.at + c.len_utf8(),
                "a name with letters beyond ASCII",
            ));
        }
        let name = &self.text[from..self.at];
        if matches!(self.peek(), Some('"' | '\'')) && name.len() <= 2 {
            let prefix = name.to_ascii_lowercase();
            if matches!(prefix.as_str(), "r" | "b" | "u" | "f" | "br" | "rb" | "fr" | "rf") {
                return self.string(prefix, from);
            }
        }
        let token = match KEYWORDS.into_iter().find(|keyword| *keyword == name) {
            Some(keyword) => Token::Symbol(keyword),
            None => Token::Name(name.into()),
        };
        self.push(token, from);
        Ok(())
    }

    fn string(&mut self, prefix: String, from: usize) -> Result<(), Problem> {
        let quote = if self.rest().starts_with('"') { '"' } else { '\'' };
        let triple: String = [quote; 3].iter().collect();
        let closing = if self.rest().starts_with(&triple) {
            triple
        } else {
            quote.to_string()
        };
        self.at += closing.len();
        let start = self.at;
        loop {
            if self.rest().starts_with(&closing) {
                break;
            }
            match self.peek() {
                Some('\\') => {
                    self.at += 1;
                    self.at += self.peek().map_or(0, char::len_utf8);
                }
                Some('\n' | '\r') if closing.len() == 1 => return Err(self.syntax(from, "unterminated string literal")),
                Some(c) => self.at += c.len_utf8(),
                None => return Err(self.syntax(from, "unterminated string literal")),
            }
        }
        let body = self.text[start..self.at].replace("\r\n", "\n").replace('\r', "\n");
        self.at += closing.len();
        self.push(
            Token::Text {
                prefix,
                body: body.into(),
            },
            from,
        );
        Ok(())
    }

    fn number(&mut self) -> Result<(), Problem> {
        let from = self.at;
        let lower = self.rest().get(..2).map(str::to_ascii_lowercase);
        let radix = match lower.as_deref() {
            Some("0x") => 16,
            Some("0o") => 8,
            Some("0b") => 2,
            _ => 10,
        };
        let token = if radix == 10 {
            self.decimal()?
        } else {
            self.at += 2;
            let digits = self.digits(radix, true)?;
            Token::Int(
                BigInt::parse_bytes(digits.as_bytes(), radix).ok_or_else(|| self.syntax(from, "invalid number"))?,
            )
        };
        if self.rest().starts_with(['j', 'J']) {
            self.at += 1;
            return Err(Problem::unsupported(from..self.at, "a complex number"));
        }
        if self.peek().is_some_and(|c| starts_name(c) || c.is_ascii_digit()) {
            let follows = AFTER_NUMBER.iter().any(|word| self.rest().starts_with(word));
            if !follows {
                return Err(self.syntax(from, "invalid decimal literal"));
            }
        }
        self.push(token, from);
        Ok(())
    }

    fn decimal(&mut self) -> Result<Token, Problem> {
        let from = self.at;
        let mut text = String::new();
        if !self.rest().starts_with('.') {
            text = self.digits(10, false)?;
        }
        let whole = text.clone();
        if self.rest().starts_with('.') {
            self.at += 1;
            text.push('.');
            if self.peek().is_some_and(|c| c.is_ascii_digit()) {
                text += &self.digits(10, false)?;
            }
        }
        let rest = self.rest().as_bytes();
        if matches!(rest.first(), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(1), Some(b'+' | b'-')));
            if rest.get(1 + sign).is_some_and(u8::is_ascii_digit) {
                text += &self.text[self.at..=self.at + sign];
                self.at += 1 + sign;
                text += &self.digits(10, false)?;
            }
        }
        if text.len() > whole.len() {
            let float = text.parse().map_err(|_| self.syntax(from, "invalid number"))?;
            return Ok(Token::Float(float));
        }
        if whole.starts_with('0') && whole.bytes().any(|digit| digit != b'0') && !self.rest().starts_with(['j', 'J']) {
            return Err(self.syntax(from, "leading zeros in decimal integer literals are not permitted"));
        }
        if whole.len() > MAX_DIGITS {
            return Err(self.syntax(from, "an integer of more than 4300 digits"));
        }
        BigInt::parse_bytes(whole.as_bytes(), 10)
            .map(Token::Int)
            .ok_or_else(|| self.syntax(from, "invalid number"))
    }

    /// Reads digits with single underscores between them (and, after a prefix, before them).
    fn digits(&mut self, radix: u32, prefixed: bool) -> Result<String, Problem> {
        let from = self.at;
        let mut digits = String::new();
        let mut after_digit = prefixed;
        while let Some(c) = self.peek() {
            match c {
                '_' if after_digit => after_digit = false,
                c if c.is_digit(radix) => {
                    digits.push(c);
                    after_digit = true;
                }
                _ => break,
            }
            self.at += 1;
        }
        if digits.is_empty() || !after_digit {
            return Err(self.syntax(from, "invalid number"));
        }
        Ok(digits)
    }
}
