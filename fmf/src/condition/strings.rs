//! Evaluates the methods of text.

use std::sync::Arc;

use num_traits::ToPrimitive;

use super::call::Arguments;
use super::case;
use super::eval::Evaluator;
use super::eval_error::{Eval, EvalError};
use super::object::Object;
use crate::python::chars::{
    casefold, is_alnum, is_alpha, is_decimal, is_identifier, is_number, is_printable, is_space,
};

impl Evaluator<'_> {
    pub(super) fn text_method(&self, text: &Arc<str>, name: &str, mut arguments: Arguments) -> Eval {
        self.fuel.spend_text(text.len())?;
        // These are the only keywords that methods of text take.
        for (method, keyword) in [
            ("split", "sep"),
            ("rsplit", "sep"),
            ("split", "maxsplit"),
            ("rsplit", "maxsplit"),
        ] {
            if name == method
                && let Some(value) = arguments.take(keyword)
            {
                if keyword == "maxsplit" && arguments.positional.is_empty() {
                    arguments.positional.push(Object::None);
                }
                arguments.positional.push(value);
            }
        }
        for (method, keyword) in [("splitlines", "keepends"), ("expandtabs", "tabsize")] {
            if name == method {
                let value = arguments.take(keyword);
                arguments.positional.extend(value);
            }
        }
        let (least, most) = match name {
            "center" | "ljust" | "rjust" => (1, 2),
            "count" | "endswith" | "find" | "index" | "rfind" | "rindex" | "startswith" => (1, 3),
            "expandtabs" | "splitlines" | "strip" | "lstrip" | "rstrip" => (0, 1),
            "join" | "partition" | "rpartition" | "removeprefix" | "removesuffix" | "zfill" => (1, 1),
            "replace" => (2, 3),
            "split" | "rsplit" => (0, 2),
            _ => (0, 0),
        };
        let items = arguments.fixed(name, least, most)?;
        match name {
            "join" => self.join(text, &items[0]),
            "replace" => self.replace(text, &items),
            "split" | "rsplit" => split(text, &items, name == "rsplit"),
            "splitlines" => Ok(split_lines(text, items.first().is_some_and(Object::truth))),
            "startswith" | "endswith" => affix(text, name, &items),
            "find" | "rfind" | "index" | "rindex" | "count" => search(text, name, &items),
            "center" | "ljust" | "rjust" | "zfill" | "expandtabs" => self.padded(text, name, &items),
            "strip" | "lstrip" | "rstrip" => stripped(text, name, items.first()),
            "partition" | "rpartition" => partition(text, name == "rpartition", &items[0]),
            "removeprefix" => Ok(Object::text(text.strip_prefix(string(&items[0])?).unwrap_or(text))),
            "removesuffix" => Ok(Object::text(text.strip_suffix(string(&items[0])?).unwrap_or(text))),
            "lower" => Ok(Object::text(text.to_lowercase())),
            "upper" => Ok(Object::text(text.to_uppercase())),
            "casefold" => Ok(Object::text(casefold(text))),
            "capitalize" => case::capitalize(text).map(Object::text),
            "title" => case::title(text).map(Object::text),
            "swapcase" => case::swap(text).map(Object::text),
            _ => predicate(text, name).map(Object::Bool),
        }
    }

    fn join(&self, separator: &str, items: &Object) -> Eval {
        let mut out = String::new();
        let not_iterable = |error| match error {
            EvalError::Raise { kind: "TypeError", .. } => EvalError::type_error("can only join an iterable"),
            error => error,
        };
        let iterator = self.iterate(items).map_err(not_iterable)?;
        let items = self.collect(&iterator)?;
        for (index, item) in items.iter().enumerate() {
            let Object::Str(text) = item else {
                let kind = item.type_name();
                return Err(EvalError::type_error(format!(
                    "sequence item {index}: expected str instance, {kind} found"
                )));
            };
            self.fuel.spend_text(text.len() + separator.len())?;
            out += if index == 0 { "" } else { separator };
            out += text;
        }
        Ok(Object::text(out))
    }

    fn replace(&self, text: &str, items: &[Object]) -> Eval {
        let (old, new) = (string(&items[0])?, string(&items[1])?);
        let count = match items.get(2) {
            None => None,
            Some(count) => usize::try_from(integer(count)?).ok(),
        };
        let found = text.matches(old).count().min(count.unwrap_or(usize::MAX));
        self.fuel
            .spend_text(text.len().saturating_add(found.saturating_mul(new.len())))?;
        Ok(Object::text(match count {
            Some(count) => text.replacen(old, new, count),
            None => text.replace(old, new),
        }))
    }

    fn padded(&self, text: &str, name: &str, items: &[Object]) -> Eval {
        let width = match items.first() {
            Some(width) => integer(width)?.max(0),
            None => 8,
        };
        let width = usize::try_from(width).unwrap_or(usize::MAX);
        if name == "expandtabs" {
            self.fuel.spend_text(text.matches('\t').count().saturating_mul(width))?;
            return Ok(Object::text(expand_tabs(text, width)));
        }
        let fill = match items.get(1) {
            None => ' ',
            Some(fill) => {
                let mut chars = string(fill)?.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => c,
                    _ => {
                        return Err(EvalError::type_error(
                            "The fill character must be exactly one character long",
                        ));
                    }
                }
            }
        };
        let length = text.chars().count();
        let missing = width.saturating_sub(length);
        self.fuel.spend_text(missing.saturating_mul(4))?;
        let pad = |count: usize, c: char| std::iter::repeat_n(c, count).collect::<String>();
        Ok(Object::text(match name {
            "ljust" => format!("{text}{}", pad(missing, fill)),
            "rjust" => format!("{}{text}", pad(missing, fill)),
            "center" => {
                let left = missing / 2 + (missing & width & 1);
                format!("{}{text}{}", pad(left, fill), pad(missing - left, fill))
            }
            _ => {
                let sign = usize::from(text.starts_with(['+', '-']));
                format!("{}{}{}", &text[..sign], pad(missing, '0'), &text[sign..])
            }
        }))
    }
}

fn string(object: &Object) -> Eval<&str> {
    match object {
        Object::Str(text) => Ok(text),
        other => Err(EvalError::type_error(format!(
            "a string is required, not '{}'",
            other.type_name()
        ))),
    }
}

fn integer(object: &Object) -> Eval<i64> {
    let Some(int) = object.as_int() else {
        let kind = object.type_name();
        return Err(EvalError::type_error(format!(
            "'{kind}' object cannot be interpreted as an integer"
        )));
    };
    int.to_i64()
        .ok_or_else(|| EvalError::raise("OverflowError", "Python int too large to convert to C ssize_t"))
}

/// Returns the part of a text between two bounds, and where it begins in characters. Returns `None` if the bounds cross.
fn part<'t>(text: &'t str, bounds: &[Object]) -> Eval<Option<(&'t str, usize)>> {
    let length = i128::try_from(text.chars().count()).unwrap_or(i128::MAX);
    let bound = |at: usize, default: i128| -> Eval<i128> {
        match bounds.get(at) {
            None | Some(Object::None) => Ok(default),
            Some(object) => {
                let kind =
                    || EvalError::type_error("slice indices must be integers or None or have an __index__ method");
                let int = object.as_int().ok_or_else(kind)?;
                let at = int
                    .to_i128()
                    .unwrap_or(if int < 0.into() { i128::MIN / 4 } else { i128::MAX / 4 });
                Ok(if at < 0 { (at + length).max(0) } else { at })
            }
        }
    };
    let (start, end) = (bound(0, 0)?, bound(1, length)?.min(length));
    if start > end {
        return Ok(None);
    }
    let (start, end) = (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
    let place = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(place, _)| place);
    Ok(Some((&text[place(start)..place(end)], start)))
}

fn affix(text: &str, name: &str, items: &[Object]) -> Eval {
    let single = std::slice::from_ref(&items[0]);
    let candidates = if let Object::Tuple(candidates) = &items[0] {
        &candidates[..]
    } else {
        single
    };
    let part = part(text, &items[1..])?.map(|(part, _)| part);
    for candidate in candidates {
        let Object::Str(affix) = candidate else {
            let kind = candidate.type_name();
            return Err(EvalError::type_error(format!(
                "{name} first arg must be str or a tuple of str, not {kind}"
            )));
        };
        let found = part.is_some_and(|part| {
            if name == "startswith" {
                part.starts_with(&**affix)
            } else {
                part.ends_with(&**affix)
            }
        });
        if found {
            return Ok(Object::Bool(true));
        }
    }
    Ok(Object::Bool(false))
}

fn search(text: &str, name: &str, items: &[Object]) -> Eval {
    let wanted = string(&items[0])?;
    let part = part(text, &items[1..])?;
    if name == "count" {
        let count = part.map_or(0, |(part, _)| part.matches(wanted).count());
        return Ok(Object::int(count));
    }
    let found = part.and_then(|(part, start)| {
        let at = if name.starts_with('r') {
            part.rfind(wanted)
        } else {
            part.find(wanted)
        };
        at.map(|at| start + part[..at].chars().count())
    });
    match found {
        Some(at) => Ok(Object::int(at)),
        None if name.ends_with("index") => Err(EvalError::value_error("substring not found")),
        None => Ok(Object::int(-1)),
    }
}

fn stripped(text: &str, name: &str, chars: Option<&Object>) -> Eval {
    let chars = match chars {
        None | Some(Object::None) => None,
        Some(chars) => Some(string(chars)?),
    };
    let taken = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if name == "rstrip" {
        text
    } else {
        text.trim_start_matches(taken)
    };
    Ok(Object::text(if name == "lstrip" {
        text
    } else {
        text.trim_end_matches(taken)
    }))
}

fn partition(text: &str, from_right: bool, separator: &Object) -> Eval {
    let separator = string(separator)?;
    if separator.is_empty() {
        return Err(EvalError::value_error("empty separator"));
    }
    let found = if from_right {
        text.rsplit_once(separator)
    } else {
        text.split_once(separator)
    };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Object::tuple(parts.map(Object::text).to_vec()))
}

fn split(text: &str, items: &[Object], from_right: bool) -> Eval {
    let most = match items.get(1) {
        None => -1,
        Some(most) => integer(most)?,
    };
    let most = usize::try_from(most).unwrap_or(usize::MAX - 1);
    let parts: Vec<&str> = match items.first() {
        None | Some(Object::None) => split_space(text, most, from_right),
        Some(separator) => {
            let separator = string(separator)?;
            if separator.is_empty() {
                return Err(EvalError::value_error("empty separator"));
            }
            if from_right {
                let mut parts: Vec<&str> = text.rsplitn(most + 1, separator).collect();
                parts.reverse();
                parts
            } else {
                text.splitn(most + 1, separator).collect()
            }
        }
    };
    Ok(Object::list(parts.into_iter().map(Object::text).collect()))
}

/// Splits at runs of space. When the limit is reached, the rest loses its space only on the side from which it was split.
fn split_space(text: &str, most: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        rest = if from_right {
            rest.trim_end_matches(is_space)
        } else {
            rest.trim_start_matches(is_space)
        };
        if rest.is_empty() {
            break;
        }
        let cut = if from_right {
            rest.rfind(is_space)
        } else {
            rest.find(is_space)
        };
        let cut = cut.filter(|_| parts.len() < most);
        let Some(cut) = cut else {
            parts.push(rest);
            break;
        };
        let (before, after) = rest.split_at(cut);
        if from_right {
            parts.push(after.trim_start_matches(is_space));
            rest = before;
        } else {
            parts.push(before);
            rest = after;
        }
    }
    if from_right {
        parts.reverse();
    }
    parts
}

fn split_lines(text: &str, keep: bool) -> Object {
    let ends = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find(ends).unwrap_or(rest.len());
        let end = rest[at..].chars().next().map_or(0, |c| {
            if rest[at..].starts_with("\r\n") {
                2
            } else {
                c.len_utf8()
            }
        });
        lines.push(Object::text(if keep { &rest[..at + end] } else { &rest[..at] }));
        rest = &rest[at + end..];
    }
    Object::list(lines)
}

fn expand_tabs(text: &str, width: usize) -> String {
    let (mut out, mut column) = (String::new(), 0_usize);
    for c in text.chars() {
        match c {
            '\t' if width > 0 => {
                let count = width - column % width;
                out.extend(std::iter::repeat_n(' ', count));
                column += count;
            }
            '\t' => {}
            c => {
                out.push(c);
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    out
}

/// Evaluates the methods that ask of which characters a text consists.
fn predicate(text: &str, name: &str) -> Eval<bool> {
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    Ok(match name {
        "isalnum" => all(is_alnum),
        "isalpha" => all(is_alpha),
        "isascii" => text.is_ascii(),
        // No property of Unicode says which numbers are digits, and which letters are numbers.
        "isdigit" if text.chars().any(|c| is_number(c) && !is_decimal(c)) => {
            return Err(EvalError::unsupported("`isdigit()` of numbers that are no decimals"));
        }
        "isnumeric" if text.chars().any(|c| !c.is_ascii() && is_alpha(c)) => {
            return Err(EvalError::unsupported("`isnumeric()` of letters beyond ASCII"));
        }
        "isnumeric" => all(is_number),
        "isdecimal" | "isdigit" => all(is_decimal),
        "isidentifier" => is_identifier(text),
        "isprintable" => text.chars().all(is_printable),
        "isspace" => all(is_space),
        "islower" => case::is_lower(text),
        "isupper" => case::is_upper(text),
        _ => case::is_title(text),
    })
}
