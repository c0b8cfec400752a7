//! Parses the content of string literals: escapes, bytes, and the parts of f-strings.

use super::Problem;
use super::ast::Span;

/// Resolves the escapes of text.
pub(super) fn unescape(body: &str, span: &Span) -> Result<String, Problem> {
    let mut out = String::with_capacity(body.len());
    escapes(body, span, false, &mut |code| {
        let c = char::from_u32(code).ok_or_else(|| Problem::unsupported(span.clone(), "a surrogate in text"))?;
        out.push(c);
        Ok(())
    })?;
    Ok(out)
}

/// Resolves the escapes of bytes. If `raw` is set, there are none.
pub(super) fn unescape_bytes(body: &str, raw: bool, span: &Span) -> Result<Vec<u8>, Problem> {
    if !body.is_ascii() {
        return Err(Problem::syntax(
            span.clone(),
            "bytes can only contain ASCII literal characters",
        ));
    }
    if raw {
        return Ok(body.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(body.len());
    escapes(body, span, true, &mut |code| {
        out.push(u8::try_from(code & 0xff).unwrap_or_default());
        Ok(())
    })?;
    Ok(out)
}

/// Passes on each character. An escape that Python does not know is not changed.
fn escapes(
    body: &str,
    span: &Span,
    bytes: bool,
    push: &mut dyn FnMut(u32) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(u32::from(c))?;
            continue;
        }
        let Some(escape) = chars.next() else { break };
        let hex = match escape {
            'x' => 2,
            'u' if !bytes => 4,
            'U' if !bytes => 8,
            _ => 0,
        };
        if hex > 0 {
            let digits: String = (0..hex).map_while(|_| chars.next_if(char::is_ascii_hexdigit)).collect();
            match u32::from_str_radix(&digits, 16) {
                Ok(code) if digits.len() == hex && code <= u32::from(char::MAX) => push(code)?,
                _ => {
                    return Err(Problem::syntax(
                        span.clone(),
                        format!("truncated or illegal \\{escape} escape"),
                    ));
                }
            }
            continue;
        }
        match escape {
            '\n' => {}
            '\\' | '\'' | '"' => push(u32::from(escape))?,
            'a' => push(0x07)?,
            'b' => push(0x08)?,
            'f' => push(0x0c)?,
            'n' => push(0x0a)?,
            'r' => push(0x0d)?,
            't' => push(0x09)?,
            'v' => push(0x0b)?,
            'N' if !bytes => return Err(Problem::unsupported(span.clone(), "a character by its name, `\\N{…}`")),
            '0'..='7' => {
                let mut code = escape.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    if let Some(digit) = chars.next_if(|c| c.is_digit(8)).and_then(|c| c.to_digit(8)) {
                        code = code * 8 + digit;
                    }
                }
                push(code)?;
            }
            other => {
                push(u32::from('\\'))?;
                push(u32::from(other))?;
            }
        }
    }
    Ok(())
}

/// A piece of an f-string before its expressions are parsed.
pub(super) enum Piece<'t> {
    Text(&'t str),
    Value {
        expression: &'t str,
        conversion: Option<char>,
    },
}

/// Splits the body of an f-string. Anything in a field other than a value and `!r` or `!s` is refused with its name.
pub(super) fn fields<'t>(body: &'t str, span: &Span) -> Result<Vec<Piece<'t>>, Problem> {
    let mut pieces = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find(['{', '}']) {
        let (text, tail) = rest.split_at(at);
        if tail.starts_with("{{") || tail.starts_with("}}") {
            pieces.extend([Piece::Text(text), Piece::Text(&tail[..1])]);
            rest = &tail[2..];
            continue;
        }
        if tail.starts_with('}') {
            return Err(Problem::syntax(span.clone(), "f-string: single '}' is not allowed"));
        }
        pieces.push(Piece::Text(text));
        let (piece, after) = field(&tail[1..], span)?;
        pieces.push(piece);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

/// Reads a field up to its brace.
fn field<'t>(text: &'t str, span: &Span) -> Result<(Piece<'t>, &'t str), Problem> {
    let (mut depth, mut quote) = (0_usize, None);
    let mut end = None;
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next();
        match (quote, c) {
            (_, '\\') => {
                return Err(Problem::syntax(
                    span.clone(),
                    "f-string expression part cannot include a backslash",
                ));
            }
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, '}') if depth > 0 => depth -= 1,
            (None, '#') => {
                return Err(Problem::syntax(
                    span.clone(),
                    "f-string expression part cannot include '#'",
                ));
            }
            (None, '!') if next == Some('=') => {}
            (None, '}' | '!' | ':') if depth == 0 => {
                end = Some(at);
                break;
            }
            _ => {}
        }
    }
    let Some(end) = end else {
        return Err(Problem::syntax(span.clone(), "f-string: expecting '}'"));
    };
    let (expression, tail) = text.split_at(end);
    if expression.trim().is_empty() {
        return Err(Problem::syntax(span.clone(), "f-string: empty expression not allowed"));
    }
    let bare = expression.trim_end();
    if bare.ends_with('=') && !["==", "!=", "<=", ">="].iter().any(|operator| bare.ends_with(operator)) {
        return Err(Problem::unsupported(span.clone(), "`=` in a field of an f-string"));
    }
    let (conversion, tail) = match tail.strip_prefix('!') {
        None => (None, tail),
        Some(tail) => match tail.chars().next() {
            Some(c @ ('r' | 's')) => (Some(c), &tail[1..]),
            Some('a') => return Err(Problem::unsupported(span.clone(), "the conversion `!a` in an f-string")),
            _ => return Err(Problem::syntax(span.clone(), "f-string: invalid conversion character")),
        },
    };
    match tail.strip_prefix('}') {
        Some(after) => Ok((Piece::Value { expression, conversion }, after)),
        None if tail.starts_with(':') => Err(Problem::unsupported(
            span.clone(),
            "a format specification in an f-string",
        )),
        None => Err(Problem::syntax(span.clone(), "f-string: expecting '}'")),
    }
}
