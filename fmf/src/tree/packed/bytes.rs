//! Encodes numbers, texts and values as bytes, and decodes them.
//!
//! Numbers are in base 128, least significant group first. Texts and lists have their length before them. A value starts with a
//! [`tag`]. The bytes that are decoded were verified by a checksum before, but nothing here panics: invalid bytes give `None`.

use std::sync::Arc;

use crate::value::{Map, Mark, Value, base64, write_float, write_int, write_text};

/// The tags of the kinds of values.
mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const BIG_INT: u8 = 4;
    pub(super) const FLOAT: u8 = 5;
    pub(super) const TEXT: u8 = 6;
    pub(super) const DATE: u8 = 7;
    pub(super) const BYTES: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const MAP: u8 = 10;
    pub(super) const TUPLE: u8 = 11;
    pub(super) const SET: u8 = 12;
}

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends bytes with their length before them.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a place: the file's number from 1 and the line, or a single zero.
pub(super) fn put_place(out: &mut Vec<u8>, mark: Mark) {
    match mark.as_place() {
        None => out.push(0),
        Some((file, line)) => {
            put(out, u64::from(file) + 1);
            put(out, u64::from(line));
        }
    }
}

/// Appends a value.
pub(super) fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(tag::NULL),
        Value::Bool(false) => out.push(tag::FALSE),
        Value::Bool(true) => out.push(tag::TRUE),
        Value::Int(number) => {
            out.push(tag::INT);
            // The sign becomes the lowest bit, so that the encoding of small numbers is short.
            put(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
        }
        Value::BigInt(text) => put_tagged(out, tag::BIG_INT, text.as_bytes()),
        Value::Float(number) => {
            out.push(tag::FLOAT);
            out.extend_from_slice(&number.to_bits().to_le_bytes());
        }
        Value::Str(text) => put_tagged(out, tag::TEXT, text.as_bytes()),
        Value::Date(text) => put_tagged(out, tag::DATE, text.as_bytes()),
        Value::Bytes(bytes) => put_tagged(out, tag::BYTES, bytes),
        Value::List(items) => put_items(out, tag::LIST, items),
        Value::Tuple(items) => put_items(out, tag::TUPLE, items),
        Value::Set(items) => put_items(out, tag::SET, items),
        Value::Map(map) => {
            out.push(tag::MAP);
            put(out, map.len() as u64);
            for entry in map.entries() {
                put_value(out, &entry.key);
                put_place(out, entry.mark);
                put_value(out, &entry.value);
            }
        }
    }
}

fn put_tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_bytes(out, bytes);
}

fn put_items(out: &mut Vec<u8>, tag: u8, items: &[Value]) {
    out.push(tag);
    put(out, items.len() as u64);
    for item in items {
        put_value(out, item);
    }
}

/// The bytes that are left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    pub(super) fn size(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.size()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn place(&mut self) -> Option<Mark> {
        match self.small()? {
            0 => Some(Mark::default()),
            file => Some(Mark::place(file - 1, self.small()?)),
        }
    }

    pub(super) fn value(&mut self) -> Option<Value> {
        Some(match self.byte()? {
            tag::NULL => Value::Null,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::INT => Value::Int(self.int()?),
            tag::BIG_INT => Value::BigInt(self.text()?.into()),
            tag::FLOAT => Value::Float(self.float()?),
            tag::TEXT => Value::Str(self.text()?.into()),
            tag::DATE => Value::Date(self.text()?.into()),
            tag::BYTES => Value::Bytes(self.bytes()?.into()),
            tag::LIST => Value::List(self.items()?),
            tag::TUPLE => Value::Tuple(self.items()?),
            tag::SET => Value::Set(self.items()?),
            tag::MAP => {
                let length = self.size()?;
                // Each entry takes at least three bytes.
                let mut map = Map::with_capacity(length.min(self.0.len() / 3));
                for _ in 0..length {
                    let (key, mark) = (self.value()?, self.place()?);
                    map.set(key, self.value()?, mark);
                }
                Value::Map(Arc::new(map))
            }
            _ => return None,
        })
    }

    fn int(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn float(&mut self) -> Option<f64> {
        Some(f64::from_bits(u64::from_le_bytes(self.array()?)))
    }

    fn items(&mut self) -> Option<Arc<Vec<Value>>> {
        let length = self.size()?;
        let mut items = Vec::with_capacity(length.min(self.0.len()));
        for _ in 0..length {
            items.push(self.value()?);
        }
        Some(Arc::new(items))
    }

    /// Appends a value as JSON, as [`Value::write_json`] does, without making the value. If the bytes are invalid, a part may
    /// have been written.
    pub(super) fn write_json(&mut self, out: &mut String) -> Option<()> {
        match self.byte()? {
            tag::NULL => out.push_str("null"),
            tag::FALSE => out.push_str("false"),
            tag::TRUE => out.push_str("true"),
            tag::INT => write_int(self.int()?, out),
            tag::BIG_INT => out.push_str(self.text()?),
            tag::FLOAT => write_float(self.float()?, out),
            tag::TEXT | tag::DATE => write_text(self.text()?, out),
            tag::BYTES => write_text(&base64(self.bytes()?), out),
            tag::LIST | tag::TUPLE | tag::SET => {
                out.push('[');
                for at in 0..self.size()? {
                    out.push_str(if at == 0 { "" } else { ", " });
                    self.write_json(out)?;
                }
                out.push(']');
            }
            tag::MAP => {
                out.push('{');
                for at in 0..self.size()? {
                    out.push_str(if at == 0 { "" } else { ", " });
                    self.write_json_key(out)?;
                    out.push_str(": ");
                    self.place()?;
                    self.write_json(out)?;
                }
                out.push('}');
            }
            _ => return None,
        }
        Some(())
    }

    fn write_json_key(&mut self, out: &mut String) -> Option<()> {
        if let Some((&tag::TEXT, rest)) = self.0.split_first() {
            self.0 = rest;
            write_text(self.text()?, out);
        } else {
            write_text(&self.value()?.json_key(), out);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind() -> Value {
        let items = vec![
            Value::Null,
            Value::Bool(true),
            Value::Bool(false),
            Value::Int(i64::MIN),
            Value::Int(-1),
            Value::Int(i64::MAX),
            Value::BigInt("-123456789012345678901".into()),
            Value::Float(-0.0),
            Value::Float(f64::NAN),
            Value::text("é\"\n"),
            Value::Date("2024-01-01".into()),
            Value::Bytes((*b"\0\xff").into()),
            Value::Tuple(Arc::new(vec![Value::Int(300)])),
            Value::Set(Arc::new(vec![Value::text("a")])),
        ];
        let mut map = Map::new();
        map.set(Value::text("key"), Value::from(items), Mark::place(0, 7));
        map.set(Value::Bool(true), Value::from(Map::new()), Mark::default());
        Value::from(map)
    }

    #[test]
    fn every_value_comes_back_with_its_marks_and_gives_the_same_json() {
        let value = every_kind();
        let mut bytes = Vec::new();
        put_value(&mut bytes, &value);
        let mut reader = Reader(&bytes);
        let back = reader.value().expect("a value");
        assert!(reader.0.is_empty());
        // Kinds and marks are compared too, which equality ignores.
        assert_eq!(format!("{back:?}"), format!("{value:?}"));
        let (mut one, mut other) = (String::new(), String::new());
        value.write_json(&mut one);
        Reader(&bytes).write_json(&mut other).expect("a value");
        assert_eq!(one, other);
    }

    #[test]
    fn bytes_that_are_no_value_are_refused() {
        let mut bytes = Vec::new();
        put_value(&mut bytes, &every_kind());
        for length in 0..bytes.len() {
            assert!(Reader(&bytes[..length]).value().is_none());
            assert!(Reader(&bytes[..length]).write_json(&mut String::new()).is_none());
        }
        assert!(Reader(&[99]).value().is_none());
    }
}
