//! Scans directives, tags, anchors and aliases.

use std::borrow::Cow;

use super::{Kind, Scanner, Token};
use crate::yaml::Problem;
use crate::yaml::reader::{is_blank, is_end};

impl<'a> Scanner<'a> {
    pub(super) fn scan_directive(&mut self) -> Result<Token<'a>, Problem> {
        let position = self.reader.position();
        self.reader.forward();
        let name = self
            .reader
            .take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(c));
        if name.is_empty() || !ends_word(self.reader.peek()) {
            return Err(self.problem("a directive's name has letters and digits only"));
        }
        let kind = match name {
            "YAML" => self.scan_version()?,
            "TAG" => self.scan_tag_directive()?,
            _ => {
                self.reader.take_line();
                Kind::UnknownDirective
            }
        };
        self.skip_line_end("a directive")?;
        Ok(Token { kind, position })
    }

    fn scan_version(&mut self) -> Result<Kind<'a>, Problem> {
        self.reader.take_while(|c| c == ' ');
        let major = self.scan_version_number()?;
        if self.reader.peek() != '.' {
            return Err(self.problem("a YAML version looks like `1.2`"));
        }
        self.reader.forward();
        let minor = self.scan_version_number()?;
        if !ends_word(self.reader.peek()) {
            return Err(self.problem("a YAML version looks like `1.2`"));
        }
        self.version_1_1 = (major, minor) == (1, 1);
        Ok(Kind::VersionDirective { major, minor })
    }

    fn scan_version_number(&mut self) -> Result<u32, Problem> {
        let position = self.reader.position();
        let digits = self.reader.take_while(|c| c.is_ascii_digit());
        digits
            .parse()
            .map_err(|_| position.problem("a YAML version looks like `1.2`"))
    }

    fn scan_tag_directive(&mut self) -> Result<Kind<'a>, Problem> {
        self.reader.take_while(|c| c == ' ');
        let handle = self.scan_tag_handle()?;
        if self.reader.peek() != ' ' {
            return Err(self.problem("a space must follow the tag's handle"));
        }
        self.reader.take_while(|c| c == ' ');
        let prefix = self.scan_tag_uri()?;
        if !ends_word(self.reader.peek()) {
            return Err(self.problem("a space must follow the tag's prefix"));
        }
        Ok(Kind::TagDirective { handle, prefix })
    }

    pub(super) fn scan_alias(&mut self) -> Result<Kind<'a>, Problem> {
        self.scan_anchor_name().map(Kind::Alias)
    }

    pub(super) fn scan_anchor(&mut self) -> Result<Kind<'a>, Problem> {
        self.scan_anchor_name().map(Kind::Anchor)
    }

    fn scan_anchor_name(&mut self) -> Result<&'a str, Problem> {
        self.reader.forward();
        let name = self.reader.take_while(|c| match c {
            ',' | '[' | ']' | '{' | '}' | '\u{feff}' => false,
            _ => matches!(c, '!'..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..),
        });
        let next = self.reader.peek();
        if name.is_empty() || !(is_blank(next) || "?:,[]{}%@`".contains(next)) {
            return Err(self.problem("an anchor's name is missing, or ends in a character that it cannot have"));
        }
        Ok(name)
    }

    pub(super) fn scan_tag(&mut self) -> Result<Kind<'a>, Problem> {
        let mut short = "!";
        if self.reader.peek_at(1) == '!' {
            short = "!!";
            self.reader.forward();
        }
        let (handle, suffix) = match self.reader.peek_at(1) {
            '<' => {
                self.reader.take("!<".len());
                let suffix = self.scan_tag_uri()?;
                if self.reader.peek() != '>' {
                    return Err(self.problem("the tag lacks its `>`"));
                }
                self.reader.forward();
                (None, suffix)
            }
            next if is_blank(next) => {
                self.reader.forward();
                (None, Cow::Borrowed(short))
            }
            _ => {
                let word = self.reader.rest()[1..]
                    .split(|c| c == ' ' || is_end(c))
                    .next()
                    .unwrap_or_default();
                let handle = if word.contains('!') {
                    self.scan_tag_handle()?
                } else {
                    self.reader.forward();
                    short
                };
                (Some(handle), self.scan_tag_uri()?)
            }
        };
        if ends_word(self.reader.peek()) {
            Ok(Kind::Tag { handle, suffix })
        } else {
            Err(self.problem("a space must follow the tag"))
        }
    }

    fn scan_tag_handle(&mut self) -> Result<&'a str, Problem> {
        if self.reader.peek() != '!' {
            return Err(self.problem("a tag's handle starts with `!`"));
        }
        let after = &self.reader.rest()[1..];
        if after.starts_with(' ') {
            return Ok(self.reader.take("!".len()));
        }
        let name = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)))
            .unwrap_or(after.len());
        if !after[name..].starts_with('!') {
            return Err(self.problem("a tag's handle ends with `!`"));
        }
        Ok(self.reader.take(name + "!!".len()))
    }

    fn scan_tag_uri(&mut self) -> Result<Cow<'a, str>, Problem> {
        let hash = !self.version_1_1;
        let raw = self
            .reader
            .take_while(|c| c.is_ascii_alphanumeric() || "-;/?:@&=+$,_.!~*'()[]%".contains(c) || hash && c == '#');
        if raw.is_empty() {
            return Err(self.problem("the tag has no name"));
        }
        if !raw.contains('%') {
            return Ok(Cow::Borrowed(raw));
        }
        decode(raw)
            .map(Cow::Owned)
            .ok_or_else(|| self.problem("the tag's `%` escapes are not valid"))
    }
}

/// Resolves `%XX` escapes.
fn decode(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

fn ends_word(c: char) -> bool {
    c == ' ' || is_end(c)
}
