//! `str()` and `repr()` of fmf values.

use std::fmt::Write;

use super::chars::is_printable;
use super::number::float_repr;
use crate::fmf::{Map, Value};

/// Returns `str(value)`.
pub(crate) fn str(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        Value::Date(text) => text.replace('T', " "),
        other => repr(other),
    }
}

/// Returns `repr(value)`.
pub(crate) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    out
}

/// Returns `repr()` of a text.
pub(crate) fn repr_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_text(&mut out, text);
    out
}

fn write_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(number) => push(out, format_args!("{number}")),
        Value::BigInt(digits) => out.push_str(digits),
        Value::Float(number) => out.push_str(&float_repr(*number)),
        Value::Str(text) => write_text(out, text),
        Value::Date(text) => write_date(out, text),
        Value::Bytes(bytes) => write_bytes(out, bytes),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_repr(out, item);
            }
            out.push(']');
        }
        Value::Map(map) => write_map(out, map),
    }
}

fn write_map(out: &mut String, map: &Map) {
    out.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        write_repr(out, key);
        out.push_str(": ");
        write_repr(out, value);
    }
    out.push('}');
}

fn write_text(out: &mut String, text: &str) {
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
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => match u32::from(c) {
                code @ 0..=0xff => push(out, format_args!("\\x{code:02x}")),
                code @ 0x100..=0xffff => push(out, format_args!("\\u{code:04x}")),
                code => push(out, format_args!("\\U{code:08x}")),
            },
        }
    }
    out.push(quote);
}

fn write_bytes(out: &mut String, bytes: &[u8]) {
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
            byte if char::from(byte) == quote => {
                out.push('\\');
                out.push(quote);
            }
            b' '..=b'~' => out.push(char::from(byte)),
            byte => push(out, format_args!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
}

/// Writes `datetime.date(2024, 1, 2)` or `datetime.datetime(2024, 1, 2, 3, 4)` from the ISO form.
///
/// As in Python, seconds and microseconds are left out where they are zero with all that follows.
fn write_date(out: &mut String, text: &str) {
    let (date, time) = text
        .split_once('T')
        .map_or((text, None), |(date, time)| (date, Some(time)));
    let mut fields: Vec<&str> = date.split('-').collect();
    let mut zone = "";
    if let Some(time) = time {
        let (clock, offset) = time.split_at(time.find(['+', '-', 'Z']).unwrap_or(time.len()));
        zone = offset;
        fields.extend(clock.split([':', '.']));
        while fields.len() > 5 && fields.last().is_some_and(|last| last.bytes().all(|b| b == b'0')) {
            fields.pop();
        }
    }
    out.push_str(if time.is_some() {
        "datetime.datetime("
    } else {
        "datetime.date("
    });
    for (index, field) in fields.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        let digits = field.trim_start_matches('0');
        out.push_str(if digits.is_empty() { "0" } else { digits });
    }
    write_zone(out, zone);
    out.push(')');
}

fn write_zone(out: &mut String, zone: &str) {
    if zone.is_empty() {
        return;
    }
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':').unwrap_or((text, "0"));
        hours.parse::<i64>().unwrap_or(0) * 60 + minutes.parse::<i64>().unwrap_or(0)
    };
    let seconds = match zone.split_at(1) {
        ("-", rest) => minutes(rest) * -60,
        (_, rest) => minutes(rest) * 60,
    };
    match (seconds.div_euclid(86_400), seconds.rem_euclid(86_400)) {
        (0, 0) => out.push_str(", tzinfo=datetime.timezone.utc"),
        (0, rest) => push(
            out,
            format_args!(", tzinfo=datetime.timezone(datetime.timedelta(seconds={rest}))"),
        ),
        (days, rest) => {
            push(
                out,
                format_args!(", tzinfo=datetime.timezone(datetime.timedelta(days={days}, seconds={rest}))"),
            );
        }
    }
}

/// Appends formatted text; writing to a `String` cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string grows");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_follow_the_content() {
        assert_eq!(repr_text("it's"), r#""it's""#);
        assert_eq!(repr_text(r#"it's "x""#), r#"'it\'s "x"'"#);
        assert_eq!(
            repr_text("a\n\x00\u{ad}é\u{2028}\u{1f600}\u{e0001}"),
            r"'a\n\x00\xadé\u2028😀\U000e0001'"
        );
    }

    #[test]
    fn containers_show_the_repr_of_their_items() {
        let list = Value::List(
            vec![
                Value::Str("a".into()),
                Value::Null,
                Value::Float(1e16),
                Value::Bool(true),
            ]
            .into(),
        );
        assert_eq!(str(&list), "['a', None, 1e+16, True]");
    }

    #[test]
    fn dates_have_two_forms() {
        let date = Value::Date("2024-01-02".into());
        assert_eq!(
            (str(&date), repr(&date)),
            ("2024-01-02".into(), "datetime.date(2024, 1, 2)".into())
        );
        let time = Value::Date("2024-01-02T03:04:00".into());
        assert_eq!(str(&time), "2024-01-02 03:04:00");
        assert_eq!(repr(&time), "datetime.datetime(2024, 1, 2, 3, 4)");
    }

    #[test]
    fn bytes_are_escaped() {
        assert_eq!(repr(&Value::Bytes(b"a'\xff\n".as_slice().into())), r#"b"a'\xff\n""#);
    }
}
