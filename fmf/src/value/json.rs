//! Writes values as JSON, as Python's `json.dumps` does, with one exception: `NaN` and `Infinity` become texts, because JSON has
//! no such numbers. Integers have no limit.
//!
//! Text beyond ASCII is not escaped. Dates become ISO text, and `!!binary` becomes base64.

use std::fmt::Write as _;

use super::{Map, Value, python};

impl Value {
    /// Returns the value for `serde_json`. Values that it cannot hold become text: big integers, NaN and infinities.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Int(int) => Json::from(*int),
            Self::BigInt(digits) => Json::from(&**digits),
            Self::Float(float) => {
                serde_json::Number::from_f64(*float).map_or_else(|| Json::from(float_text(*float)), Json::Number)
            }
            Self::Str(text) | Self::Date(text) => Json::from(&**text),
            Self::Bytes(bytes) => Json::from(base64(bytes)),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(map) => map.to_json(),
        }
    }

    /// Appends the value as JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Int(int) => write_int(*int, out),
            Self::BigInt(digits) => out.push_str(digits),
            Self::Float(float) => write_float(*float, out),
            Self::Str(text) | Self::Date(text) => write_text(text, out),
            Self::Bytes(bytes) => write_text(&base64(bytes), out),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Map(map) => map.write_json(out),
        }
    }

    /// Returns the value as a JSON key. Keys become text as in `json.dumps`.
    pub(crate) fn json_key(&self) -> String {
        match self {
            Self::Str(text) | Self::Date(text) => text.to_string(),
            Self::Null => "null".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            Self::Float(float) => float_text(*float),
            _ => self.to_python_str(),
        }
    }
}

impl Map {
    /// Returns the mapping for `serde_json`; see [`Value::to_json`].
    pub fn to_json(&self) -> serde_json::Value {
        self.iter()
            .map(|(key, value)| (key.json_key(), value.to_json()))
            .collect()
    }

    /// Appends the mapping as JSON.
    pub fn write_json(&self, out: &mut String) {
        out.push('{');
        for (at, (key, value)) in self.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { ", " });
            match key {
                Value::Str(text) => write_text(text, out),
                _ => write_text(&key.json_key(), out),
            }
            out.push_str(": ");
            value.write_json(out);
        }
        out.push('}');
    }
}

/// Returns a float as `json.dumps` writes it.
fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let mut text = String::new();
    python::float_repr(float, &mut text);
    text
}

/// Appends a float.
pub(crate) fn write_float(float: f64, out: &mut String) {
    let text = float_text(float);
    if float.is_finite() {
        out.push_str(&text);
    } else {
        write_text(&text, out);
    }
}

/// Appends an integer.
pub(crate) fn write_int(int: i64, out: &mut String) {
    let _infallible = write!(out, "{int}");
}

/// Appends a JSON string. Quotes, backslashes and control characters are escaped, and everything else is kept.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = special(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte => {
                let _infallible = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Returns the position of the first byte that has to be escaped. Blocks without such a byte are skipped in a few instructions
/// each.
fn special(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 16;
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let clean = bytes
        .chunks_exact(BLOCK)
        .take_while(|block| !block.iter().fold(false, |any, byte| any | is_special(byte)))
        .count();
    let start = clean * BLOCK;
    bytes[start..].iter().position(is_special).map(|at| start + at)
}

/// Returns standard base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                text.push(char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_pythons_json_dumps_writes_but_for_numbers_that_json_has_not() {
        let map: Map = [
            (Value::text("a\"\u{1}"), Value::Float(f64::NAN)),
            (Value::Bool(true), Value::Float(f64::NEG_INFINITY)),
            (Value::Null, Value::BigInt("123456789012345678901".into())),
            (
                Value::Float(1.5),
                Value::from(vec![Value::Float(1e300), Value::text("\u{e9}")]),
            ),
            (Value::Int(2), Value::Bytes((*b"hello").into())),
        ]
        .into_iter()
        .collect();
        let mut out = String::new();
        map.write_json(&mut out);
        assert_eq!(
            out,
            r#"{"a\"\u0001": "NaN", "true": "-Infinity", "null": 123456789012345678901, "1.5": [1e+300, "é"], "2": "aGVsbG8="}"#
        );
    }
}
