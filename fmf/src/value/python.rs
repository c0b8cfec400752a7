//! Python's `str()`, `repr()`, `==` and `hash()` of a value.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

use super::{Value, number};

impl Value {
    /// Returns Python's `str(x)`.
    pub fn to_python_str(&self) -> String {
        match self {
            Self::Str(text) => text.to_string(),
            Self::Date(text) => text.replacen('T', " ", 1),
            _ => self.to_python_repr(),
        }
    }

    /// Returns Python's `repr(x)`.
    pub fn to_python_repr(&self) -> String {
        let mut out = String::new();
        repr(self, &mut out);
        out
    }

    /// Returns whether Python takes the two values for the same inside a container, by identity or by equality.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) if a.is_nan() && b.is_nan() => true,
            _ => self == other,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b || same_instant(a, b),
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| x.same(y))
            }
            (Self::Set(a), Self::Set(b)) => a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| x.same(y))),
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => number::compare(self, other) == Some(Ordering::Equal),
        }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Str(text) => text.hash(state),
            Self::Bool(flag) => i64::from(*flag).hash(state),
            Self::Int(int) => int.hash(state),
            Self::Float(float) => hash_float(*float, state),
            // These values are rare as keys, and equal values only need equal hashes.
            Self::Null | Self::BigInt(_) | Self::Date(_) | Self::List(_) | Self::Map(_) | Self::Set(_) => {}
            Self::Bytes(bytes) => bytes.hash(state),
            Self::Tuple(items) => items.iter().for_each(|item| item.hash(state)),
        }
    }
}

/// An integral float has the hash of the integer that it equals.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn hash_float<H: Hasher>(float: f64, state: &mut H) {
    if float.fract() == 0.0 && float.abs() < 9e18 {
        (float as i64).hash(state);
    } else if float.is_finite() && float.fract() != 0.0 {
        float.to_bits().hash(state);
    }
}

/// Timestamps with zones are equal if they are the same instant.
fn same_instant(left: &str, right: &str) -> bool {
    let parse = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let zoned = |text: &str| text.len() > 19 && text[19..].contains(['+', '-']);
    zoned(left) && zoned(right) && parse(left).is_some_and(|instant| parse(right) == Some(instant))
}

fn repr(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(int) => drop(write!(out, "{int}")),
        Value::BigInt(digits) => out.push_str(digits),
        Value::Float(float) => float_repr(*float, out),
        Value::Str(text) => str_repr(text, out),
        Value::Date(text) => date_repr(text, out),
        Value::Bytes(bytes) => bytes_repr(bytes, out),
        Value::List(items) => sequence_repr("[", items, "]", out),
        Value::Tuple(items) if items.len() == 1 => sequence_repr("(", items, ",)", out),
        Value::Tuple(items) => sequence_repr("(", items, ")", out),
        Value::Set(items) if items.is_empty() => out.push_str("set()"),
        Value::Set(items) => sequence_repr("{", items, "}", out),
        Value::Map(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                repr(key, out);
                out.push_str(": ");
                repr(value, out);
            }
            out.push('}');
        }
    }
}

fn sequence_repr(open: &str, items: &[Value], close: &str, out: &mut String) {
    out.push_str(open);
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        repr(item, out);
    }
    out.push_str(close);
}

/// Writes a float with the fewest digits from which it can be read back, as Python does.
pub(crate) fn float_repr(float: f64, out: &mut String) {
    if float.is_nan() {
        return out.push_str("nan");
    }
    if float.is_infinite() {
        return out.push_str(if float > 0.0 { "inf" } else { "-inf" });
    }
    let shortest = format!("{float:e}");
    // If two texts of that length are equally near, Python takes the even one, as exact formatting does.
    let digits = shortest
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    let nearest = format!("{float:.*e}", digits.saturating_sub(1));
    let scientific = if nearest.parse() == Ok(float) {
        nearest
    } else {
        shortest
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let decimals = i32::try_from(digits).unwrap_or_default() - 1 - exponent;
        let plain = format!("{float:.*}", usize::try_from(decimals).unwrap_or_default());
        out.push_str(&plain);
        if !plain.contains('.') {
            out.push_str(".0");
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
}

fn str_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            _ if is_printable(c) => out.push(c),
            _ => drop(match u32::from(c) {
                code @ ..0x100 => write!(out, "\\x{code:02x}"),
                code @ ..0x10000 => write!(out, "\\u{code:04x}"),
                code => write!(out, "\\U{code:08x}"),
            }),
        }
    }
    out.push(quote);
}

/// Returns whether `repr()` shows a character beyond ASCII unescaped. `escape_debug` knows the same Unicode categories, but it
/// does not escape combining marks after another character.
fn is_printable(c: char) -> bool {
    !c.is_ascii() && format!("a{c}").escape_debug().eq(['a', c])
}

fn bytes_repr(bytes: &[u8], out: &mut String) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        '"'
    } else {
        '\''
    };
    out.push('b');
    out.push(quote);
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ if char::from(byte) == quote => {
                out.push('\\');
                out.push(quote);
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    out.push(quote);
}

/// Writes the constructor call that `repr()` gives for a date or a timestamp in ISO form.
fn date_repr(iso: &str, out: &mut String) {
    let number = |range: std::ops::Range<usize>| iso.get(range).and_then(|digits| digits.parse::<u32>().ok());
    let _ = match (
        number(0..4),
        number(5..7),
        number(8..10),
        number(11..13),
        number(14..16),
    ) {
        (Some(year), Some(month), Some(day), None, _) => write!(out, "datetime.date({year}, {month}, {day})"),
        (Some(year), Some(month), Some(day), Some(hour), Some(minute)) => {
            let _ = write!(out, "datetime.datetime({year}, {month}, {day}, {hour}, {minute}");
            let second = number(17..19).unwrap_or_default();
            let micro = number(20..26)
                .filter(|_| iso.as_bytes().get(19) == Some(&b'.'))
                .unwrap_or_default();
            if second > 0 || micro > 0 {
                let _ = write!(out, ", {second}");
            }
            if micro > 0 {
                let _ = write!(out, ", {micro}");
            }
            zone_repr(iso, out);
            write!(out, ")")
        }
        _ => write!(out, "{iso}"),
    };
}

fn zone_repr(iso: &str, out: &mut String) {
    let Some(at) = iso.get(19..).and_then(|tail| tail.find(['+', '-'])).map(|at| at + 19) else {
        return;
    };
    let zone = &iso[at..];
    let part = |range: std::ops::Range<usize>| zone.get(range).and_then(|digits| digits.parse::<i64>().ok());
    let seconds = part(1..3).unwrap_or_default() * 3600 + part(4..6).unwrap_or_default() * 60;
    let delta = match (seconds, zone.starts_with('-')) {
        (0, _) => "0".to_owned(),
        (_, false) => format!("seconds={seconds}"),
        (_, true) => format!("days=-1, seconds={}", 86_400 - seconds),
    };
    let name = if seconds == 0 { "Z" } else { zone };
    let _ = write!(out, ", tzinfo=datetime.timezone(datetime.timedelta({delta}), '{name}')");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Map;

    #[test]
    fn text_of_values_is_pythons() {
        let shown = [
            (Value::Float(1.0), "1.0"),
            (Value::Float(1e16), "1e+16"),
            (Value::Float(0.00001), "1e-05"),
            (Value::Float(5_714_285_714_285_709.0 / 4.0), "1428571428571427.2"),
            (Value::Float(123_456_789_012_345.6), "123456789012345.6"),
            (Value::Float(f64::NEG_INFINITY), "-inf"),
            (Value::Bool(true), "True"),
            (Value::Null, "None"),
            (
                Value::from(vec![
                    Value::text("it's"),
                    Value::text("a\tb"),
                    Value::text("\u{7f}\u{e9}\u{200b}"),
                ]),
                "[\"it's\", 'a\\tb', '\\x7f\u{e9}\\u200b']",
            ),
            (Value::Date("2024-02-03".into()), "2024-02-03"),
            (
                Value::from(vec![Value::Date("2024-02-03T04:05:00+01:00".into())]),
                "[datetime.datetime(2024, 2, 3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600), '+01:00'))]",
            ),
            (Value::Bytes(Arc::from(&b"a'\x00"[..])), "b\"a'\\x00\""),
        ];
        for (value, text) in shown {
            assert_eq!(value.to_python_str(), text);
        }
    }

    #[test]
    fn numbers_and_booleans_are_equal_across_types_and_keys_follow() {
        assert_eq!(Value::Int(1), Value::Bool(true));
        assert_eq!(Value::Float(1.0), Value::Bool(true));
        assert_ne!(Value::Int(1), Value::text("1"));
        assert_ne!(Value::Float(f64::NAN), Value::Float(f64::NAN));
        assert_eq!(
            Value::from(vec![Value::Float(f64::NAN)]),
            Value::from(vec![Value::Float(f64::NAN)])
        );
        let map: Map = [(Value::Int(1), Value::text("a")), (Value::Bool(true), Value::text("b"))]
            .into_iter()
            .collect();
        assert_eq!(map.len(), 1);
        assert_eq!(map.get_value(&Value::Float(1.0)).and_then(Value::as_str), Some("b"));
    }
}
